"""Predicted labels of reads in Parquet: label indices enter, a table of segments leaves; and back.

Schema, version 1 (zstd; one row a read):

    read_id                 string
    length                  int32   bases of the read
    segments                list<struct<label: uint8, start: int32, end: int32>>
                                    runs of one label as predicted on the read alone: 0-based, end exclusive
    segments_tranquillyzer  the same under tranquillyzer's padding

The metadata's key `readlabel` holds JSON: `format` ("readlabel.predictions"), `schema_version`, `labels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from readlabel.artifacts.atomic import atomic_path
from readlabel.messages import InputError
from readlabel.reads._arrow import SEGMENTS, one_chunk, segment_column, segments_of
from readlabel.reads._file import open_file, write_header
from readlabel.reads.header import Header
from readlabel.reads.labelled import SegmentTable, Strings, expand, runs

FORMAT = "readlabel.predictions"
SCHEMA_VERSION = 1
GROUP_READS = 1 << 16

_SCHEMA = pa.schema(
    [
        pa.field("read_id", pa.string(), nullable=False),
        pa.field("length", pa.int32(), nullable=False),
        pa.field("segments", SEGMENTS, nullable=False),
        pa.field("segments_tranquillyzer", SEGMENTS, nullable=False),
    ]
)


@dataclass(frozen=True)
class Predictions:
    """Predicted labels of n reads.

    Attributes:
        read_ids: (n,) str, in the order of the reads that were predicted.
        offsets: (n + 1,) int64; read i has the bases from offsets[i] to offsets[i + 1].
        labels: (bases,) uint8, predicted on the read alone.
        tranquillyzer_labels: (bases,) uint8, predicted under tranquillyzer's padding.
    """

    read_ids: Strings
    offsets: NDArray[np.int64]
    labels: NDArray[np.uint8]
    tranquillyzer_labels: NDArray[np.uint8]

    def __len__(self) -> int:
        """Number of reads."""
        return len(self.offsets) - 1


def write_predictions(path: Path, predictions: Predictions, label_names: tuple[str, ...]) -> None:
    """Write predictions as segments; the file appears whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    schema = write_header(_SCHEMA, Header(format=FORMAT, schema_version=SCHEMA_VERSION, labels=label_names))
    columns = [
        pa.array(predictions.read_ids, pa.string()),
        pa.array(np.diff(predictions.offsets).astype(np.int32)),
        _column(runs(predictions.offsets, predictions.labels)),
        _column(runs(predictions.offsets, predictions.tranquillyzer_labels)),
    ]
    with atomic_path(path) as temporary:
        table = pa.Table.from_arrays(columns, schema=schema)
        pq.write_table(table, temporary, compression="zstd", row_group_size=GROUP_READS)


def read_predictions(path: Path) -> tuple[Predictions, tuple[str, ...]]:
    """Read predictions and the label names that their indices mean.

    Raises:
        InputError: the file is missing, cut short, damaged, or not a file of predictions.
    """
    with open_file(path, FORMAT, SCHEMA_VERSION, _SCHEMA) as (file, header):
        table = file.read()
    columns = {name: one_chunk(table.column(name)) for name in _SCHEMA.names}
    if any(column.null_count for column in columns.values()):
        raise InputError(f"{path}: a column lacks a value; each read has one")
    lengths = columns["length"].to_numpy().astype(np.int64)

    def labels(name: str) -> NDArray[np.uint8]:
        segments = SegmentTable(*segments_of(columns[name]))
        if not segments.tiles(lengths, len(header.labels)):
            raise InputError(f"{path}: the {name} of a read do not tile it, or name an unknown label")
        return expand(segments)

    predictions = Predictions(
        read_ids=columns["read_id"].to_numpy(zero_copy_only=False),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        labels=labels("segments"),
        tranquillyzer_labels=labels("segments_tranquillyzer"),
    )
    return predictions, header.labels


def _column(table: SegmentTable) -> Any:
    return segment_column(table.offsets, table.label, table.start, table.end)
