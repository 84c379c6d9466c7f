"""Whether the segments of a read stand in the library's order: a read's labels enter, a verdict in words leaves.

The words are those tranquillyzer prints above a drawn read: valid, ``concatenated reads x2 (+:1, -:1)``, or
``Unexpected pattern: [cDNA_5p_CBC]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Literal

from readlabel.messages import CDNA, Library

VALID = "valid"
_REMEMBERED = 1 << 14
"""Orders whose molecules are kept: most reads of a file share one of a few."""


@dataclass(frozen=True)
class Molecule:
    """One whole molecule within a read.

    Attributes:
        strand: ``+`` as the library's row says, ``-`` backwards.
        first: its first run.
        end: the run after its last.
    """

    strand: Literal["+", "-"]
    first: int
    end: int


@dataclass(frozen=True)
class Architecture:
    """The verdict on one read.

    Attributes:
        valid: the read is exactly one molecule of the library, on either strand.
        reason: ``valid``, or what is unexpected.
        order: the labels in the order of their runs, joined by underscores.
        molecules: what a valid or a concatenated read is made of; empty for any other.
    """

    valid: bool
    reason: str
    order: str
    molecules: tuple[Molecule, ...]

    @property
    def summary(self) -> str:
        """The reason without the order: ``unexpected pattern``."""
        return self.reason if self.molecules else "unexpected pattern"

    def __str__(self) -> str:
        return f"Architecture: {'valid' if self.valid else 'invalid'}, Reason: {self.reason}"


def judge(library: Library, runs: Sequence[str]) -> Architecture:
    """Judge the order of a read's runs.

    A molecule is the library's order of segments, forwards (+) or backwards (-); its tails may be missing, because
    they may be of no length. Transcript bases may flank and part molecules.

    Args:
        library: the order expected.
        runs: the label of each run of equal labels, from the read's first base to its last.
    """
    order = "_".join(runs)
    molecules = _molecules(_expected_orders(library), tuple(runs))
    if not molecules:
        return Architecture(False, f"Unexpected pattern: [{order}]", order, ())
    if len(molecules) == 1:
        return Architecture(True, VALID, order, molecules)
    strands = [molecule.strand for molecule in molecules]
    counts = ", ".join(f"{strand}:{strands.count(strand)}" for strand in ("+", "-") if strand in strands)
    return Architecture(False, f"concatenated reads x{len(molecules)} ({counts})", order, molecules)


_Orders = tuple[tuple[Literal["+", "-"], tuple[str, ...]], ...]


@lru_cache(_REMEMBERED)
def _molecules(orders: _Orders, runs: tuple[str, ...]) -> tuple[Molecule, ...]:
    """The molecules when `runs` is nothing but molecules and transcript bases between them, else none.

    Of several ways to part the runs, the one with the fewest molecules counts.
    """
    # best[i]: the molecules that the first i runs are made of.
    best: list[tuple[Molecule, ...] | None] = [()] + [None] * len(runs)
    for end in range(1, len(runs) + 1):
        options = []
        before = best[end - 1]
        if runs[end - 1] == CDNA and before is not None:
            options.append(before)
        for strand, order in orders:
            start = end - len(order)
            known = best[start] if start >= 0 and runs[start:end] == order else None
            if known is not None:
                options.append((*known, Molecule(strand, start, end)))
        best[end] = min(options, key=len) if options else None
    return best[-1] or ()


@lru_cache
def _expected_orders(library: Library) -> _Orders:
    """Each order of runs that is one molecule, with its strand: with and without tails."""
    full = [segment.name for segment in library.segments]
    without_tails = [segment.name for segment in library.segments if segment.kind != "tail"]
    orders: list[tuple[Literal["+", "-"], tuple[str, ...]]] = []
    strands: tuple[Literal["+", "-"], ...] = ("+", "-")
    for names in (full, without_tails):
        forward = tuple(name for name, _ in groupby(names))
        for strand, order in zip(strands, (forward, forward[::-1]), strict=True):
            if order and (strand, order) not in orders:
                orders.append((strand, order))
    return tuple(orders)
