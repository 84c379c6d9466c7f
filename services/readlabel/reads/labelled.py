"""`LabelledReads`: many reads with one label a base, as a struct of flat arrays. Knows no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from readlabel.reads.tokens import letters_of

KINDS = ("valid", "concatenated", "repeated_5p", "repeated_3p", "truncated_5p", "truncated_3p", "imported")
"""What a read is. `LabelledReads.kind` indexes into it."""
STRANDS = ("+", "-", ".")
"""``+`` as the library's row says, ``-`` its reverse complement, ``.`` unknown. `LabelledReads.strand` indexes it."""

MAX_LABELS = 255
Strings = NDArray[Any]
"""An array whose elements are str (object or unicode dtype)."""


@dataclass(frozen=True)
class SegmentTable:
    """Segments of many reads: consecutive stretches of one label that tile each read from its first base to its last.

    Neighbours may share a label (an adapter that was simulated twice is two segments); no segment is empty.

    Attributes:
        offsets: (n + 1,) int64; read i has the rows from offsets[i] to offsets[i + 1].
        label: (rows,) uint8, index into the reads' label names.
        start: (rows,) int32, 0-based position in the read of the first base.
        end: (rows,) int32, position after the last base.
    """

    offsets: NDArray[np.int64]
    label: NDArray[np.uint8]
    start: NDArray[np.int32]
    end: NDArray[np.int32]

    def __len__(self) -> int:
        """Number of reads."""
        return len(self.offsets) - 1

    def of(self, read: int) -> list[tuple[int, int, int]]:
        """(label, start, end) of each segment of one read."""
        rows = slice(int(self.offsets[read]), int(self.offsets[read + 1]))
        return list(zip(self.label[rows].tolist(), self.start[rows].tolist(), self.end[rows].tolist(), strict=True))

    def tiles(self, lengths: NDArray[np.int64], num_labels: int) -> bool:
        """Whether the segments of each read cover it without gap or overlap, and name known labels.

        Args:
            lengths: (n,) bases of each read, at least 1.
            num_labels: labels there are.
        """
        if len(self) != len(lengths) or (np.diff(self.offsets) == 0).any():
            return False
        if (self.end <= self.start).any() or (self.label >= num_labels).any():
            return False
        expected = np.zeros_like(self.start)
        expected[1:] = self.end[:-1]
        expected[self.offsets[:-1]] = 0
        return bool((self.start == expected).all() and (self.end[self.offsets[1:] - 1] == lengths).all())

    def take(self, indices: NDArray[np.integer[Any]]) -> SegmentTable:
        """The table of the given reads, in their order."""
        offsets, rows = ragged_take(self.offsets, indices)
        return SegmentTable(offsets, self.label[rows], self.start[rows], self.end[rows])


@dataclass(frozen=True)
class LabelledReads:
    """Reads with one label a base.

    Attributes:
        label_names: the library's labels, sorted; at most 255.
        offsets: (n + 1,) int64; read i has the bases from offsets[i] to offsets[i + 1].
        tokens: (bases,) uint8, see `readlabel.reads.tokens`; never padding.
        labels: (bases,) uint8, index into label_names.
        read_ids: (n,) str, unique within a file.
        pair: (n,) int64; a read and its reverse complement share it, no other read does.
        kind: (n,) uint8, index into KINDS.
        strand: (n,) uint8, index into STRANDS.
        segments: the true segments of each read.
        transcript: (n,) str or None: where the cDNA comes from.
    """

    label_names: tuple[str, ...]
    offsets: NDArray[np.int64]
    tokens: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    read_ids: Strings
    pair: NDArray[np.int64]
    kind: NDArray[np.uint8]
    strand: NDArray[np.uint8]
    segments: SegmentTable
    transcript: Strings

    def __len__(self) -> int:
        """Number of reads."""
        return len(self.offsets) - 1

    @property
    def num_bases(self) -> int:
        """Bases of all reads together."""
        return len(self.tokens)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) bases of each read."""
        return np.diff(self.offsets)

    def tokens_of(self, read: int) -> NDArray[np.uint8]:
        """Tokens of one read, a view."""
        return self.tokens[self.offsets[read] : self.offsets[read + 1]]

    def labels_of(self, read: int) -> NDArray[np.uint8]:
        """Label indices of one read, a view."""
        return self.labels[self.offsets[read] : self.offsets[read + 1]]

    def sequence_of(self, read: int) -> str:
        """Letters of one read."""
        return letters_of(self.tokens_of(read)).decode("ascii")

    def kind_of(self, read: int) -> str:
        """What one read is, a word of KINDS."""
        return KINDS[self.kind[read]]

    def strand_of(self, read: int) -> str:
        """Strand of one read, a sign of STRANDS."""
        return STRANDS[self.strand[read]]

    def take(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> LabelledReads:
        """The given reads, in the given order."""
        rows = np.asarray(indices, np.int64)
        offsets, bases = ragged_take(self.offsets, rows)
        return LabelledReads(
            label_names=self.label_names,
            offsets=offsets,
            tokens=self.tokens[bases],
            labels=self.labels[bases],
            read_ids=self.read_ids[rows],
            pair=self.pair[rows],
            kind=self.kind[rows],
            strand=self.strand[rows],
            segments=self.segments.take(rows),
            transcript=self.transcript[rows],
        )

    def slice(self, start: int, stop: int) -> LabelledReads:
        """Reads from start to stop; bases are views, so this costs next to nothing."""
        bases = slice(int(self.offsets[start]), int(self.offsets[stop]))
        table = self.segments
        rows = slice(int(table.offsets[start]), int(table.offsets[stop]))
        return LabelledReads(
            label_names=self.label_names,
            offsets=self.offsets[start : stop + 1] - self.offsets[start],
            tokens=self.tokens[bases],
            labels=self.labels[bases],
            read_ids=self.read_ids[start:stop],
            pair=self.pair[start:stop],
            kind=self.kind[start:stop],
            strand=self.strand[start:stop],
            segments=SegmentTable(
                table.offsets[start : stop + 1] - table.offsets[start],
                table.label[rows],
                table.start[rows],
                table.end[rows],
            ),
            transcript=self.transcript[start:stop],
        )


def concatenate(batches: Sequence[LabelledReads]) -> LabelledReads:
    """All reads of several batches, in order. The batches have the same label names; at least one is given."""
    first = batches[0]
    if len(batches) == 1:
        return first
    assert all(batch.label_names == first.label_names for batch in batches)
    tables = [batch.segments for batch in batches]
    return LabelledReads(
        label_names=first.label_names,
        offsets=_join_offsets([batch.offsets for batch in batches]),
        tokens=np.concatenate([batch.tokens for batch in batches]),
        labels=np.concatenate([batch.labels for batch in batches]),
        read_ids=np.concatenate([batch.read_ids for batch in batches]),
        pair=np.concatenate([batch.pair for batch in batches]),
        kind=np.concatenate([batch.kind for batch in batches]),
        strand=np.concatenate([batch.strand for batch in batches]),
        segments=SegmentTable(
            _join_offsets([table.offsets for table in tables]),
            np.concatenate([table.label for table in tables]),
            np.concatenate([table.start for table in tables]),
            np.concatenate([table.end for table in tables]),
        ),
        transcript=np.concatenate([batch.transcript for batch in batches]),
    )


def runs(offsets: NDArray[np.int64], labels: NDArray[np.uint8]) -> SegmentTable:
    """The segment table that labels alone tell: each maximal run of one label within a read.

    Args:
        offsets: (n + 1,) where each read begins; no read is empty.
        labels: (bases,) label of each base.
    """
    begins = np.empty(len(labels), bool)
    np.not_equal(labels[1:], labels[:-1], out=begins[1:])
    begins[offsets[:-1]] = True
    first = np.flatnonzero(begins)
    rows = np.searchsorted(first, offsets).astype(np.int64)
    base = np.repeat(offsets[:-1], np.diff(rows))
    end = np.append(first[1:], len(labels))
    return SegmentTable(rows, labels[first], (first - base).astype(np.int32), (end - base).astype(np.int32))


def expand(table: SegmentTable) -> NDArray[np.uint8]:
    """(bases,) label of each base, the inverse of `runs` for tables that tile their reads."""
    return np.repeat(table.label, table.end - table.start)


def ragged_take(
    offsets: NDArray[np.int64], indices: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets of the chosen items, and the flat positions of their elements in the old array."""
    lengths = np.diff(offsets)[indices]
    taken = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return taken, np.arange(taken[-1]) + np.repeat(offsets[:-1][indices] - taken[:-1], lengths)


def _join_offsets(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    base = np.cumsum([0] + [part[-1] for part in parts])
    return np.concatenate([part[:-1] + shift for part, shift in zip(parts, base, strict=False)] + [base[-1:]])
