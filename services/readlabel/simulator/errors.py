"""What the sequencer does to each base: stretches and rates enter, error events in order of position leave.

Random numbers are drawn only for bases whose rate is above 0, one 32-bit number a base: below the mismatch threshold it
is a mismatch, then an insertion, then a deletion, so that a base meets at most one error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from readlabel.simulator.templates import Ints, Stretches

_SCALE = 2.0**32


@dataclass(frozen=True)
class Errors:
    """Errors of a block of reads, sorted by position.

    Positions count the bases of all reads together, before errors.

    Attributes:
        position: (events,) the base that is substituted, followed by inserted bases, or left out.
        stretch: (events,) the stretch it lies in.
        mismatch: (events,) bool.
        inserted: (events,) bases inserted after it, 0 for the other two errors.
    """

    position: Ints
    stretch: Ints
    mismatch: NDArray[np.bool_]
    inserted: Ints


class ErrorModel:
    """Draws errors at fixed rates a slot.

    Attributes:
        noisy: (slots,) bool, whether a base of the slot can meet an error.
    """

    def __init__(self, rates: NDArray[np.float64], max_insertions: int, homopolymer_indel: float) -> None:
        """Take the layout's (slots, 3) rates."""
        self._rates = rates
        self._max_insertions = max_insertions
        self._homopolymer_indel = homopolymer_indel
        self.noisy = rates.sum(axis=1) > 0
        self._thresholds = _thresholds(rates)

    @property
    def needs_runs(self) -> bool:
        """Whether `draw` wants the homopolymer run lengths."""
        return self._homopolymer_indel > 0

    def draw(self, stretches: Stretches, rng: np.random.Generator, runs: NDArray[np.int64] | None) -> Errors:
        """Draw the errors of a block.

        Args:
            stretches: of reads that all have at least one base.
            rng: the block's generator.
            runs: (bases,) length of the homopolymer run each base lies in; wanted when `needs_runs`.
        """
        end = np.cumsum(stretches.length)
        noisy = np.flatnonzero(self.noisy[stretches.slot])
        noisy_length = stretches.length[noisy]
        noisy_end = np.cumsum(noisy_length)
        bases = int(noisy_end[-1]) if len(noisy) else 0
        chance = _uint32(rng, bases)
        # From a place among the noisy bases to a position among all bases.
        shift = (end - stretches.length)[noisy] - (noisy_end - noisy_length)
        hit = np.flatnonzero(chance < self._thresholds[2].max()) if runs is None else np.arange(bases)
        owner = np.repeat(np.arange(len(noisy), dtype=np.int32), noisy_length)[hit]
        stretch = noisy[owner]
        position = hit + shift[owner]
        slot = stretches.slot[stretch]
        below = self._thresholds.take(slot, axis=1) if runs is None else self._run_thresholds(slot, runs[position])
        value = chance[hit]
        mismatch = value < below[0]
        insertion = ~mismatch & (value < below[1])
        error = value < below[2]
        if not error.all():
            position, stretch, mismatch, insertion = (x[error] for x in (position, stretch, mismatch, insertion))
        return Errors(position, stretch, mismatch, self._inserted(insertion, stretches.slot, stretch, rng))

    def _inserted(self, insertion: NDArray[np.bool_], slot: Ints, stretch: Ints, rng: np.random.Generator) -> Ints:
        """Bases inserted at each event: after each one another comes with the insertion rate, up to the most."""
        inserted = insertion.astype(np.int64)
        for already in range(1, self._max_insertions):
            longer = np.flatnonzero(inserted == already)
            inserted[longer] += rng.random(len(longer)) < self._rates[slot[stretch[longer]], 1]
        return inserted

    def _run_thresholds(self, slot: Ints, runs: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Thresholds with the indel rates of each base scaled by its run, cut so that the three sum to at most 1."""
        rates = self._rates[slot]
        rates[:, 1:] *= 1 + self._homopolymer_indel * (runs - 1)[:, None]
        allowed, total = 1 - rates[:, 0], rates[:, 1] + rates[:, 2]
        over = total > allowed
        rates[over, 1:] *= (allowed[over] / total[over])[:, None]
        return _thresholds(rates)


def run_lengths(tokens: NDArray[np.uint8], offsets: Ints) -> Ints:
    """(bases,) length of the run of equal bases that each base lies in; runs end with their read."""
    begins = np.ones(len(tokens), bool)
    np.not_equal(tokens[1:], tokens[:-1], out=begins[1:])
    begins[offsets[:-1]] = True
    length = np.diff(np.flatnonzero(begins), append=len(tokens))
    return np.repeat(length, length)


def _thresholds(rates: NDArray[np.float64]) -> NDArray[np.uint32]:
    """(3, n) below which a 32-bit number means a mismatch, an insertion, a deletion, from (n, 3) rates."""
    scaled: NDArray[np.float64] = np.rint(np.cumsum(rates.T, axis=0) * _SCALE)
    return np.minimum(scaled, _SCALE - 1).astype(np.uint32)


def _uint32(rng: np.random.Generator, count: int) -> NDArray[np.uint32]:
    words = np.asarray(rng.bit_generator.random_raw((count + 1) // 2), np.uint64)
    return words.view(np.uint32)[:count]


def spare_one_base(errors: Errors, stretches: Stretches, empty: NDArray[np.bool_]) -> Errors:
    """Errors without the one at the first base of each read that came out empty.

    Args:
        errors: that were drawn.
        stretches: they were drawn for.
        empty: (reads,) bool.
    """
    read_start = (np.cumsum(stretches.length) - stretches.length)[stretches.offsets[:-1]]
    keep = ~np.isin(errors.position, read_start[empty])
    return Errors(errors.position[keep], errors.stretch[keep], errors.mismatch[keep], errors.inserted[keep])
