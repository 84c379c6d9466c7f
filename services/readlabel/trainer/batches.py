"""Reads into batches: labelled reads and read numbers in, padded arrays of few shapes out.

The reads of an epoch are ordered by length, with jitter, so that a batch holds reads of about one length and little
padding; the order of the batches is then shuffled. Which reads make up batch k of epoch e follows from seed and e
alone, so a run that goes on from a checkpoint meets the batches that it would have met.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from readlabel.model.buckets import bucket_length
from readlabel.reads.labelled import LabelledReads

_STREAM = 2
"""Keeps these random numbers apart from those of other uses of the same seed."""
_JITTER = 0.01
"""Lengths are ordered after a change of up to this share, so that epochs group reads differently."""


@dataclass(frozen=True)
class Batch:
    """Reads side by side, padded with token 0; empty rows fill a batch up to its usual number of rows.

    Attributes:
        tokens: (rows, time) uint8.
        labels: (rows, time) uint8, 0 behind a read's end.
        lengths: (rows,) int32, bases of each read; 0 for an empty row.
        visible: (rows,) int32, length and tail of zeros that the network sees; 0 for an empty row.
    """

    tokens: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    lengths: NDArray[np.int32]
    visible: NDArray[np.int32]

    @property
    def reads(self) -> int:
        """Rows that hold a read."""
        return int(np.count_nonzero(self.lengths))

    @property
    def bases(self) -> int:
        """Real bases."""
        return int(self.lengths.sum())

    @property
    def positions(self) -> int:
        """Rows times time: what the network computes on."""
        return self.tokens.size

    def rows(self, start: int, stop: int) -> Batch:
        """Some of the rows."""
        part = slice(start, stop)
        return Batch(self.tokens[part], self.labels[part], self.lengths[part], self.visible[part])

    def without_reads(self) -> Batch:
        """As many rows, all of them empty."""
        none = np.zeros_like(self.lengths)
        return Batch(np.zeros_like(self.tokens), np.zeros_like(self.labels), none, none)


class Batches:
    """Cuts one set of reads into batches, epoch after epoch.

    Args:
        reads: all reads.
        members: numbers of the reads to use.
        tails: (reads,) zeros that the network sees behind each of all reads.
        batch_size: reads of a batch.
        seed: the run's seed.
    """

    def __init__(
        self,
        reads: LabelledReads,
        members: NDArray[np.int64],
        tails: NDArray[np.int64],
        batch_size: int,
        seed: int,
    ) -> None:
        self._reads = reads
        self._members = members
        self._lengths = reads.lengths
        self._visible = self._lengths + tails
        self._rows = min(batch_size, len(members))
        self._seed = seed

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-len(self._members) // self._rows) if self._rows else 0

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch from batch `start` on.

        Args:
            number: the epoch, from 1.
            start: batches to leave out, from the first.
        """
        for members in self.plan(number)[start:]:
            yield self.pack(members)

    def in_order(self) -> Iterator[Batch]:
        """The reads once, ordered by length without jitter: for validation."""
        order = self._members[np.argsort(self._visible[self._members], kind="stable")]
        for begin in range(0, len(order), self._rows or 1):
            yield self.pack(order[begin : begin + self._rows])

    def plan(self, number: int) -> list[NDArray[np.int64]]:
        """The read numbers of each batch of an epoch."""
        if not self._rows:
            return []
        random = np.random.default_rng([self._seed, _STREAM, number])
        order = random.permutation(self._members)
        keys = self._visible[order] * random.uniform(1 - _JITTER, 1 + _JITTER, len(order))
        order = order[np.argsort(keys, kind="stable")]
        sizes = np.full(len(self), self._rows)
        # The reads that do not fill a batch are taken from a random place, or the longest would always be among few.
        sizes[random.integers(len(self))] -= self._rows * len(self) - len(order)
        batches = np.split(order, np.cumsum(sizes)[:-1])
        return [batches[place] for place in random.permutation(len(batches))]

    def pack(self, members: NDArray[np.int64]) -> Batch:
        """Lay reads side by side."""
        time = bucket_length(int(self._visible[members].max()))
        tokens = np.zeros((self._rows, time), np.uint8)
        labels = np.zeros((self._rows, time), np.uint8)
        lengths = np.zeros(self._rows, np.int32)
        visible = np.zeros(self._rows, np.int32)
        lengths[: len(members)] = self._lengths[members]
        visible[: len(members)] = self._visible[members]
        offsets = self._reads.offsets
        for row, read in enumerate(members):
            bases = slice(offsets[read], offsets[read + 1])
            tokens[row, : lengths[row]] = self._reads.tokens[bases]
            labels[row, : lengths[row]] = self._reads.labels[bases]
        return Batch(tokens, labels, lengths, visible)
