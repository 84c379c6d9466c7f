"""Labelled reads in Parquet: batches of reads enter, one file with a documented, versioned schema leaves; and back.

Schema, version 1 (zstd; one row a read; row groups of about `GROUP_BASES` bases or `GROUP_READS` reads at most):

    read_id     string                 unique in a file that readlabel writes; a reader does not check it
    sequence    string                 letters A C G T N, never empty
    labels      binary                 one byte a base: index into the metadata's `labels`
    pair        int64                  shared by a read and its reverse complement, and by no other read
    kind        dictionary of string   a word of `labelled.KINDS`
    strand      dictionary of string   + (as the library's row says), - (its reverse complement) or . (unknown)
    segments    list<struct<label: uint8, start: int32, end: int32>>
                                       the true segments: 0-based, end exclusive, tiling the read
    transcript  string, may be null    where the cDNA comes from

The metadata's key `readlabel` holds JSON: `format` ("readlabel.reads"), `schema_version`, `labels`, `library`, and
`provenance`. Equal reads, library and provenance give equal bytes, however the batches were cut. A row group is encoded
by itself (`ReadsEncoder`), in any process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from readlabel.messages import InputError, Library, Message
from readlabel.reads._arrow import (
    SEGMENTS,
    binary_column,
    bytes_of,
    number_column,
    one_chunk,
    segment_column,
    segments_of,
    string_column,
    text_column,
    word_column,
)
from readlabel.reads._file import open_file, write_header
from readlabel.reads.footer import FORMAT, SCHEMA_VERSION
from readlabel.reads.header import Header
from readlabel.reads.labelled import KINDS, STRANDS, LabelledReads, SegmentTable, concatenate, expand
from readlabel.reads.row_groups import open_row_groups
from readlabel.reads.tokens import letters_of, tokens_of_bytes

GROUP_BASES = 1 << 22
"""A row group ends with the first read that takes it to this many bases. It bounds the memory of both ends; smaller
groups would cost more, since a writer keeps the metadata of every group."""
GROUP_READS = 1 << 16

_WORD = pa.dictionary(pa.int8(), pa.string())
_SCHEMA = pa.schema(
    [
        pa.field("read_id", pa.string(), nullable=False),
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("labels", pa.binary(), nullable=False),
        pa.field("pair", pa.int64(), nullable=False),
        pa.field("kind", _WORD, nullable=False),
        pa.field("strand", _WORD, nullable=False),
        pa.field("segments", SEGMENTS, nullable=False),
        pa.field("transcript", pa.string()),
    ]
)
_DELTA_COLUMNS = ("pair", "segments.list.element.start", "segments.list.element.end")


class ReadsEncoder:
    """Turns reads into parts of a file: whole Parquet files of one row group, which `open_row_groups` puts together."""

    def __init__(self, library: Library, provenance: Message | None = None) -> None:
        """Take what the file's metadata say: the library of the reads, and how they were made."""
        self._labels = library.labels
        header = Header(
            format=FORMAT,
            schema_version=SCHEMA_VERSION,
            labels=library.labels,
            library=library,
            provenance=None if provenance is None else provenance.model_dump(mode="json"),
        )
        self._schema = write_header(_SCHEMA, header)

    def parts(self, batches: Iterable[LabelledReads]) -> Iterator[tuple[int, bytes]]:
        """The number of reads of each part and its bytes; the batches' label names are `library.labels`."""
        for group in _row_groups(batches):
            assert group.label_names == self._labels
            out = pa.BufferOutputStream()
            with pq.ParquetWriter(
                out,
                self._schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=["kind", "strand", "segments.list.element.label"],
                column_encoding=dict.fromkeys(_DELTA_COLUMNS, "DELTA_BINARY_PACKED"),
                write_statistics=["pair"],
                write_page_index=False,
                write_page_checksum=True,
            ) as writer:
                writer.write_table(_table(group, self._schema), row_group_size=len(group))
            yield len(group), out.getvalue().to_pybytes()


def write_reads(
    path: Path, batches: Iterable[LabelledReads], library: Library, provenance: Message | None = None
) -> int:
    """Write reads as they come, in memory bounded by a row group and a batch.

    Args:
        path: the file; it appears whole or not at all.
        batches: reads whose label names are `library.labels`.
        library: the library they come from.
        provenance: how they were made, kept as JSON in the metadata.

    Returns:
        The number of reads written.

    Raises:
        OutputError: the file cannot be written.
        InputError: there is no read at all.
    """
    written = 0
    with open_row_groups(path) as file:
        for reads, part in ReadsEncoder(library, provenance).parts(batches):
            file.append(part)
            written += reads
        if not written:
            raise InputError(f"{path}: there are no reads to write")
    return written


def read_library(path: Path) -> Library:
    """The library a file's reads come from, without reading them.

    Raises:
        InputError: the file is missing, cut short, or not a file of labelled reads.
    """
    with open_file(path, FORMAT, SCHEMA_VERSION, _SCHEMA) as (_, header):
        if header.library is None:
            raise InputError(f"{path}: its 'readlabel' metadata lack the library, which a file of reads has")
        return header.library


def iter_reads(path: Path) -> Iterator[LabelledReads]:
    """The reads of a file, one row group at a time.

    Raises:
        InputError: the file is missing, cut short, damaged, or not a file of labelled reads.
    """
    with open_file(path, FORMAT, SCHEMA_VERSION, _SCHEMA) as (file, header):
        if not file.metadata.num_rows:
            raise InputError(f"{path}: holds no reads")
        for index in range(file.num_row_groups):
            yield _reads(file.read_row_group(index), header, path)


def read_reads(path: Path) -> LabelledReads:
    """All reads of a file.

    Raises:
        InputError: the file is missing, cut short, damaged, or not a file of labelled reads.
    """
    return concatenate(list(iter_reads(path)))


def _row_groups(batches: Iterable[LabelledReads]) -> Iterator[LabelledReads]:
    """Cut the stream where its own reads say, so that row groups do not depend on how it was batched."""
    pending: list[LabelledReads] = []
    reads = bases = 0
    for batch in batches:
        start = 0
        while start < len(batch):
            full = int(np.searchsorted(batch.offsets, batch.offsets[start] + GROUP_BASES - bases))
            stop = min(full, start + GROUP_READS - reads, len(batch))
            pending.append(batch.slice(start, stop))
            reads += stop - start
            bases += int(batch.offsets[stop] - batch.offsets[start])
            start = stop
            if reads == GROUP_READS or bases >= GROUP_BASES:
                yield concatenate(pending)
                pending = []
                reads = bases = 0
    if pending:
        yield concatenate(pending)


def _table(reads: LabelledReads, schema: Any) -> Any:
    table = reads.segments
    columns = [
        text_column(reads.read_ids.tolist()),
        string_column(reads.offsets, letters_of(reads.tokens)),
        binary_column(reads.offsets, reads.labels),
        number_column(reads.pair),
        word_column(reads.kind.astype(np.int8), KINDS),
        word_column(reads.strand.astype(np.int8), STRANDS),
        segment_column(table.offsets, table.label, table.start, table.end),
        text_column(reads.transcript.tolist()),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _reads(table: Any, header: Header, path: Path) -> LabelledReads:
    """Check one row group and give it as arrays: a file from elsewhere may hold anything its schema allows."""
    columns = {name: one_chunk(table.column(name)) for name in table.column_names}
    for field in _SCHEMA:
        if not field.nullable and columns[field.name].null_count:
            raise InputError(f"{path}: column {field.name} lacks a value; each read has one")
    offsets, letters = bytes_of(columns["sequence"])
    label_offsets, label_bytes = bytes_of(columns["labels"])
    reads = LabelledReads(
        label_names=header.labels,
        offsets=offsets,
        tokens=tokens_of_bytes(letters),
        labels=np.frombuffer(label_bytes, np.uint8),
        read_ids=columns["read_id"].to_numpy(zero_copy_only=False),
        pair=columns["pair"].to_numpy(),
        kind=_word_codes(columns["kind"], KINDS, path, "kind"),
        strand=_word_codes(columns["strand"], STRANDS, path, "strand"),
        segments=SegmentTable(*segments_of(columns["segments"])),
        transcript=columns["transcript"].to_numpy(zero_copy_only=False),
    )
    _check(reads, label_offsets, path)
    return reads


def _check(reads: LabelledReads, label_offsets: Any, path: Path) -> None:
    def first(wrong: Any) -> str:
        return f"{path}, read {reads.read_ids[int(np.argmax(wrong))]}"

    empty = reads.lengths == 0
    if empty.any():
        raise InputError(f"{first(empty)}: it is empty; a read has at least one base")
    unequal = np.diff(label_offsets) != reads.lengths
    if unequal.any():
        raise InputError(f"{first(unequal)}: its numbers of labels and of bases differ; there is one label a base")
    foreign = reads.tokens == 0
    if foreign.any():
        read = int(np.searchsorted(reads.offsets, int(np.argmax(foreign)), "right")) - 1
        position = int(np.argmin(reads.tokens_of(read)))
        raise InputError(f"{path}, read {reads.read_ids[read]}: position {position + 1} is no nucleotide letter")
    unknown = reads.labels >= len(reads.label_names)
    if unknown.any():
        read = int(np.searchsorted(reads.offsets, int(np.argmax(unknown)), "right")) - 1
        raise InputError(f"{path}, read {reads.read_ids[read]}: a label index is beyond the file's labels")
    if not reads.segments.tiles(reads.lengths, len(reads.label_names)):
        raise InputError(f"{path}: the segments of a read do not tile it, or name an unknown label")
    other = expand(reads.segments) != reads.labels
    if other.any():
        read = int(np.searchsorted(reads.offsets, int(np.argmax(other)), "right")) - 1
        raise InputError(f"{path}, read {reads.read_ids[read]}: its segments and its labels contradict each other")


def _word_codes(column: Any, words: tuple[str, ...], path: Path, name: str) -> Any:
    """Codes of a dictionary column, in our own order of words: a writer may number them differently."""
    found = column.dictionary.to_pylist()
    strange = [word for word in found if word not in words]
    if strange:
        raise InputError(f"{path}: column {name} holds {strange[0]!r}; {', '.join(words)} are known")
    codes = np.array([words.index(word) for word in found], np.uint8)
    return codes[column.indices.to_numpy()]
