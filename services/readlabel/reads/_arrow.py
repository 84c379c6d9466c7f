"""Flat numpy arrays as Arrow columns and back, without a copy where the bytes allow it.

Columns are made of their buffers: the first ``pyarrow.array`` imports pandas, which takes a quarter of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SEGMENT = pa.struct(
    [
        pa.field("label", pa.uint8(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
    ]
)
SEGMENTS = pa.list_(pa.field("element", SEGMENT, nullable=False))


def number_column(values: NDArray[Any]) -> Any:
    """A column of integers, without missing values."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), buffers)


def text_column(texts: Sequence[str | None]) -> Any:
    """A string column; None is a missing value."""
    known = [text or "" for text in texts]
    joined = "".join(known)
    sizes = map(len, known) if joined.isascii() else (len(text.encode()) for text in known)
    offsets = np.zeros(len(known) + 1, np.int32)
    np.cumsum(np.fromiter(sizes, np.int64, len(known)), out=offsets[1:])
    missing = None
    if None in texts:
        missing = pa.py_buffer(np.packbits([text is not None for text in texts], bitorder="little"))
    return pa.StringArray.from_buffers(len(known), pa.py_buffer(offsets), pa.py_buffer(joined.encode()), missing)


def word_column(codes: NDArray[Any], words: Sequence[str]) -> Any:
    """A dictionary column."""
    return pa.DictionaryArray.from_arrays(number_column(codes), text_column(words))


def string_column(offsets: NDArray[np.int64], letters: bytes) -> Any:
    """A string column from the letters of all rows. The rows together stay under 2^31 bytes."""
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(letters))


def binary_column(offsets: NDArray[np.int64], values: NDArray[np.uint8]) -> Any:
    """A binary column from the bytes of all rows. The rows together stay under 2^31 bytes."""
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(np.ascontiguousarray(values))]
    return pa.BinaryArray.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def segment_column(
    offsets: NDArray[np.int64], label: NDArray[np.uint8], start: NDArray[np.int32], end: NDArray[np.int32]
) -> Any:
    """A column of segment lists."""
    rows = pa.StructArray.from_arrays([number_column(part) for part in (label, start, end)], fields=list(SEGMENT))
    return pa.ListArray.from_arrays(number_column(offsets.astype(np.int32)), rows, type=SEGMENTS)


def one_chunk(column: Any) -> Any:
    """A table's column as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def bytes_of(column: Any) -> tuple[NDArray[np.int64], memoryview]:
    """Offsets (from 0) and the bytes of all rows of a string or binary array; the bytes are a view."""
    if len(column) == 0:
        return np.zeros(1, np.int64), memoryview(b"")
    _, offsets_buffer, values = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    data = memoryview(values)[offsets[0] : offsets[-1]] if values is not None else memoryview(b"")
    return offsets - offsets[0], data


def segments_of(
    column: Any,
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32]]:
    """Offsets, label, start and end of a column of segment lists."""
    offsets = column.offsets.to_numpy().astype(np.int64)
    rows = column.flatten()
    label, start, end = (rows.field(i).to_numpy() for i in range(3))
    return offsets - offsets[0], label, start, end
