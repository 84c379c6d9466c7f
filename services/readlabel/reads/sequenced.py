"""Reads off a sequencer: FASTQ or FASTA files (gzip too) enter, batches of reads that nobody has labelled yet leave.

The format is told by the content of a file. However many reads there are, one batch is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from readlabel.messages import InputError
from readlabel.reads._text import STDIN, numbered_lines, shown
from readlabel.reads.fasta import iter_fasta
from readlabel.reads.fastq import NamedRead, iter_fastq
from readlabel.reads.labelled import KINDS, STRANDS, LabelledReads, runs

BATCH_BASES = 1 << 23
"""A batch ends with the read that takes it to this many bases: enough to sort by length into batches for a network."""
BATCH_READS = 1 << 15
_WATCH_READS = 1 << 12

_FOREIGN = {
    b"BAM\1": "is BAM; pipe it in: samtools fastq FILE | readlabel label MODEL - …",
    b"CRAM": "is CRAM; pipe it in: samtools fastq FILE | readlabel label MODEL - …",
    b"PAR1": "is Parquet; FASTQ or FASTA is wanted here (`readlabel evaluate` takes labelled reads)",
    b"\x89HDF": "is HDF5 (fast5?); basecall it, then give the FASTQ",
    b"\x8bPOD": "is POD5; basecall it, then give the FASTQ",
}


@dataclass(frozen=True)
class Extent:
    """How much some files hold.

    Attributes:
        reads: those that have bases.
        bases: of all reads.
        empty: reads without a base.
    """

    reads: int
    bases: int
    empty: int


def iter_sequenced(path: Path) -> Iterator[NamedRead]:
    """The reads of one file, empty ones too.

    Args:
        path: FASTQ or FASTA; ``-`` is standard input.

    Raises:
        InputError: the file cannot be read, breaks its format (names the line), is of another one, or has no read.
    """
    lines = numbered_lines(path)
    for number, line in lines:
        if not line.strip():
            continue
        whole = chain([(number, line)], lines)
        if line.startswith(b"@"):
            return (yield from iter_fastq(whole, shown(path)))
        if line.startswith(b">"):
            return (yield from iter_fasta(whole, shown(path)))
        for magic, message in _FOREIGN.items():
            if line.startswith(magic):
                raise InputError(f"{shown(path)}: {message}")
        raise InputError(f"{shown(path)}, line {number}: FASTQ begins with a line '@name', FASTA with '>name'")
    raise InputError(f"{shown(path)}: holds no reads")


def check_beginnings(paths: Iterable[Path]) -> None:
    """Look at the first read of each file, except of those that can be read only once: standard input and pipes.

    Raises:
        InputError: a file is missing, or begins as neither FASTQ nor FASTA does.
    """
    for path in paths:
        if not _only_once(path):
            next(iter_sequenced(path))


def measure(paths: Sequence[Path], progress: Callable[[int], None] | None = None) -> Extent | None:
    """Read files from end to end, so that a fault in the last of them is told before hours of work.

    Args:
        paths: the files.
        progress: told from time to time how many reads were seen.

    Returns:
        What they hold; None when a file among them can be read only once.

    Raises:
        InputError: a file cannot be used.
    """
    count = bases = empty = 0
    for path in paths:
        if _only_once(path):
            continue
        for read in iter_sequenced(path):
            count += 1
            bases += len(read.tokens)
            empty += not len(read.tokens)
            if progress and count % _WATCH_READS == 0:
                progress(count)
    return None if any(map(_only_once, paths)) else Extent(count - empty, bases, empty)


def sequenced_batches(paths: Sequence[Path], label_names: tuple[str, ...]) -> Iterator[LabelledReads]:
    """All reads that have bases, in the order of the files. Their one segment has label 0, which says nothing.

    Args:
        paths: the files.
        label_names: of the labels that they will be given.

    Raises:
        InputError: a file cannot be used, or no read has a base.
    """
    found = False
    batch: list[NamedRead] = []
    bases = 0
    for read in chain.from_iterable(map(iter_sequenced, paths)):
        if not len(read.tokens):
            continue
        batch.append(read)
        bases += len(read.tokens)
        found = True
        if bases >= BATCH_BASES or len(batch) == BATCH_READS:
            yield _reads(batch, label_names)
            batch, bases = [], 0
    if not found:
        raise InputError(f"{', '.join(map(shown, paths))}: no read has a base")
    if batch:
        yield _reads(batch, label_names)


def _only_once(path: Path) -> bool:
    return path == STDIN or path.is_fifo()


def _reads(batch: list[NamedRead], label_names: tuple[str, ...]) -> LabelledReads:
    count = len(batch)
    tokens = np.concatenate([read.tokens for read in batch])
    offsets = np.cumsum([0, *(len(read.tokens) for read in batch)]).astype(np.int64)
    labels = np.zeros(len(tokens), np.uint8)
    return LabelledReads(
        label_names=label_names,
        offsets=offsets,
        tokens=tokens,
        labels=labels,
        read_ids=np.array([read.name for read in batch], object),
        pair=np.arange(count),
        kind=np.full(count, KINDS.index("imported"), np.uint8),
        strand=np.full(count, STRANDS.index("."), np.uint8),
        segments=runs(offsets, labels),
        transcript=np.full(count, None, object),
    )
