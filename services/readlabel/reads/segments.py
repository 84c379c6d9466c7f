"""Segments of reads as a table, TSV or Parquet: reads with predicted labels and verdicts enter, a row a segment leaves.

Columns, version 1, in the order of the reads and, within one, of their segments:

    read_id      string
    read_length  int32    bases of the read
    valid        bool     the read is exactly one molecule of the library
    reason       string   "valid", or why it is not
    molecule     int32    which of the read's whole molecules the segment is of, from 1; 0 for none
    strand       string   + the molecule stands as the library's row says, - as its reverse complement, . for none
    label        string
    start        int32    0-based position in the read of the first base
    end          int32    position after the last base, as in BED
    sequence     string   the bases as the library's row directs them: the reverse complement of the read's where the
                          strand is -, the read's own elsewhere; A C G T N

In Parquet the strings that repeat are dictionaries, and the metadata's key `readlabel` holds JSON: `format`
("readlabel.segments"), `schema_version`, `labels`, `library`. TSV has a header line and writes true and false.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from readlabel.artifacts.atomic import atomic_path
from readlabel.messages import InputError, Library
from readlabel.reads._arrow import number_column, string_column, text_column, word_column
from readlabel.reads._file import write_header
from readlabel.reads._text import STDIN
from readlabel.reads.header import Header
from readlabel.reads.labelled import STRANDS, LabelledReads
from readlabel.reads.tokens import COMPLEMENT, letters_of

FORMAT = "readlabel.segments"
SCHEMA_VERSION = 1
SUFFIXES = (".tsv", ".tsv.gz", ".parquet")
STDOUT = STDIN
"""``-`` is standard output where a file is written."""

_GZIP_LEVEL = 4
_MINUS = STRANDS.index("-")
_WORD = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(
    [
        pa.field("read_id", pa.string(), nullable=False),
        pa.field("read_length", pa.int32(), nullable=False),
        pa.field("valid", pa.bool_(), nullable=False),
        pa.field("reason", _WORD, nullable=False),
        pa.field("molecule", pa.int32(), nullable=False),
        pa.field("strand", _WORD, nullable=False),
        pa.field("label", _WORD, nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("sequence", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Verdicts:
    """What is said of reads and of the segments they have.

    Attributes:
        valid: (n,) bool, a read each.
        reason: n texts, a read each.
        molecule: (rows,) int32, a segment each: the molecule it is of, from 1, or 0.
        strand: (rows,) uint8, a segment each, index into STRANDS.
    """

    valid: NDArray[np.bool_]
    reason: tuple[str, ...]
    molecule: NDArray[np.int32]
    strand: NDArray[np.uint8]


AddReads = Callable[[LabelledReads, Verdicts], None]


def check_suffix(path: Path) -> None:
    """Raise InputError unless the name of a table says how to write it."""
    if path != STDOUT and not path.name.endswith(SUFFIXES):
        raise InputError(f"{path}: the name of a table of segments ends in {', '.join(SUFFIXES)}; - is standard output")


@contextmanager
def open_segments(path: Path, library: Library) -> Iterator[AddReads]:
    """Give a function that appends reads to a table; the file appears whole when the block ends well, or not at all.

    Args:
        path: its name ends in one of SUFFIXES; ``-`` writes TSV to standard output.
        library: whose labels the reads have.

    Raises:
        InputError: the name does not say how to write the table.
        OutputError: the file cannot be written.
    """
    check_suffix(path)
    if path == STDOUT:
        yield _tsv(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with atomic_path(path) as temporary:
        if path.name.endswith(".parquet"):
            header = Header(format=FORMAT, schema_version=SCHEMA_VERSION, labels=library.labels, library=library)
            with pq.ParquetWriter(temporary, write_header(_SCHEMA, header), compression="zstd") as writer:
                yield lambda reads, verdicts: writer.write_table(_table(reads, verdicts).cast(writer.schema))
        elif path.name.endswith(".gz"):
            # Without a name and a time in its header, equal tables are equal files.
            with temporary.open("wb") as raw, gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as packed:
                yield _tsv(packed)
        else:
            with temporary.open("wb") as file:
                yield _tsv(file)


def _tsv(file: IO[bytes] | gzip.GzipFile) -> AddReads:
    file.write("\t".join(_SCHEMA.names).encode() + b"\n")

    def add(reads: LabelledReads, verdicts: Verdicts) -> None:
        table = _table(reads, verdicts)
        columns = [_texts(table.column(name)) for name in _SCHEMA.names]
        file.write("".join("\t".join(row) + "\n" for row in zip(*columns, strict=True)).encode())

    return add


def _texts(column: Any) -> list[str]:
    values = column.to_pylist()
    if pa.types.is_boolean(column.type):
        return ["true" if value else "false" for value in values]
    return values if column.type in (pa.string(), _WORD) else list(map(str, values))


def _table(reads: LabelledReads, verdicts: Verdicts) -> Any:
    segments = reads.segments
    read = np.repeat(np.arange(len(reads)), np.diff(segments.offsets))
    begin = reads.offsets[read] + segments.start
    bounds = np.append(begin, reads.num_bases)
    reasons, reason_of = np.unique(np.array(verdicts.reason, object), return_inverse=True)
    columns = [
        text_column(reads.read_ids[read].tolist()),
        number_column(reads.lengths[read].astype(np.int32)),
        pa.array(verdicts.valid[read]),
        word_column(reason_of[read].astype(np.int32), reasons.tolist()),
        number_column(verdicts.molecule),
        word_column(verdicts.strand.astype(np.int32), STRANDS),
        word_column(segments.label.astype(np.int32), reads.label_names),
        number_column(segments.start),
        number_column(segments.end),
        # Segments tile the reads, so the letters of all reads are those of all rows.
        string_column(bounds, letters_of(_directed(reads, begin, verdicts.strand == _MINUS))),
    ]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def _directed(reads: LabelledReads, begin: NDArray[np.int64], turned: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The reads' tokens with the turned segments, each at its place, reverse complemented."""
    length = reads.segments.end - reads.segments.start
    turned_base = np.repeat(turned, length)
    place = np.flatnonzero(turned_base)
    opposite = np.repeat(2 * begin + length - 1, length)[place] - place
    tokens = reads.tokens.copy()
    tokens[place] = COMPLEMENT[reads.tokens[opposite]]
    return tokens
