"""One Parquet file of row groups that were encoded apart, so that several processes can encode it.

Parts enter, each the bytes of a whole Parquet file; one file leaves that has the row groups of all. Their pages are
copied as they are; the footer is put together of theirs, every position in it moved to where the pages now are.
pyarrow can join footers, but only of files that stay where they are. Field numbers are those of Apache Parquet's
parquet.thrift.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from readlabel.artifacts.atomic import atomic_files
from readlabel.reads._thrift import I64, LIST, STRUCT, Struct, read_struct, write_struct

_MAGIC = b"PAR1"
_TAIL = 8
"""Bytes after the footer: its length (4, little-endian) and the magic word."""
_FILE_NUM_ROWS, _FILE_ROW_GROUPS = 3, 4
_GROUP_COLUMNS, _GROUP_NUM_ROWS, _GROUP_OFFSET = 1, 3, 5
_CHUNK_OFFSET, _CHUNK_METADATA = 2, 3
_PAGE_OFFSETS = (9, 10, 11)
"""Where a column's data pages, index page and dictionary page begin."""

_CHUNK_INDEXES = (4, 6)
"""Where a column's offset index and column index begin, which together are the page index."""
_BLOOM_FILTER = 14
"""Where a column's Bloom filter begins."""


class Sink(Protocol):
    """Takes bytes one after another."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Append bytes."""


class RowGroupWriter:
    """Appends parts to an open file. They have one schema and no page indexes or Bloom filters."""

    def __init__(self, file: Sink) -> None:
        self._file = file
        self._file.write(_MAGIC)
        self._position = len(_MAGIC)
        self._rows = 0
        self._groups: list[bytes] = []
        self._footer: Struct = {}

    def append(self, part: bytes) -> None:
        """Copy the pages of a part, and note where they are."""
        footer_bytes = int.from_bytes(part[-_TAIL : 4 - _TAIL], "little")
        pages = memoryview(part)[len(_MAGIC) : -_TAIL - footer_bytes]
        footer = read_struct(part[-_TAIL - footer_bytes : -_TAIL])
        for group in footer[_FILE_ROW_GROUPS][1][1]:
            _move(group, self._position - len(_MAGIC))
            self._groups.append(write_struct(group))
            self._rows += group[_GROUP_NUM_ROWS][1]
        self._footer = self._footer or footer
        self._file.write(pages)
        self._position += len(pages)

    def close(self) -> None:
        """End the file, which stays open; at least one part was appended."""
        self._footer[_FILE_NUM_ROWS] = (I64, self._rows)
        self._footer[_FILE_ROW_GROUPS] = (LIST, (STRUCT, self._groups))
        footer = write_struct(self._footer)
        self._file.write(footer + len(footer).to_bytes(4, "little") + _MAGIC)


@contextmanager
def open_row_groups(path: Path) -> Iterator[RowGroupWriter]:
    """A writer of a file that appears whole when the block ends well, or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_files() as begin:
        writer = RowGroupWriter(begin(path))
        yield writer
        writer.close()


def _move(group: Struct, by: int) -> None:
    """Change the positions that a row group names."""
    places = [(group, _GROUP_OFFSET)]
    for chunk in group[_GROUP_COLUMNS][1][1]:
        metadata = chunk[_CHUNK_METADATA][1]
        if any(field in chunk for field in _CHUNK_INDEXES) or _BLOOM_FILTER in metadata:
            raise ValueError("a part with page indexes or Bloom filters, whose positions are not moved")
        places += [(chunk, _CHUNK_OFFSET), *((metadata, field) for field in _PAGE_OFFSETS)]
    for struct, field in places:
        # A position of 0 is one that the writer leaves open: pages begin after the magic word.
        if struct.get(field, (I64, 0))[1]:
            struct[field] = (I64, struct[field][1] + by)
