"""Whether the segments of a read stand in the library's order: a read's labels enter, a verdict in words leaves.

The words are those tranquillyzer prints above a drawn read: valid, ``concatenated reads x2 (+:1, -:1)``, or
``Unexpected pattern: [cDNA_5p_CBC]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from readlabel.messages import CDNA, Library

VALID = "valid"


@dataclass(frozen=True)
class Architecture:
    """The verdict on one read.

    Attributes:
        valid: the read is exactly one molecule of the library, on either strand.
        reason: ``valid``, or what is unexpected.
        order: the labels in the order of their runs, joined by underscores.
    """

    valid: bool
    reason: str
    order: str

    def __str__(self) -> str:
        return f"Architecture: {'valid' if self.valid else 'invalid'}, Reason: {self.reason}"


def judge(library: Library, runs: list[str]) -> Architecture:
    """Judge the order of a read's runs.

    A molecule is the library's order of segments, forwards (+) or backwards (-); its tails may be missing, because
    they may be of no length. Transcript bases may flank and part molecules.

    Args:
        library: the order expected.
        runs: the label of each run of equal labels, from the read's first base to its last.
    """
    order = "_".join(runs)
    molecules = _molecules(library, tuple(runs))
    if molecules is None:
        return Architecture(False, f"Unexpected pattern: [{order}]", order)
    if len(molecules) == 1:
        return Architecture(True, VALID, order)
    counts = ", ".join(f"{strand}:{molecules.count(strand)}" for strand in "+-" if strand in molecules)
    return Architecture(False, f"concatenated reads x{len(molecules)} ({counts})", order)


def _molecules(library: Library, runs: tuple[str, ...]) -> str | None:
    """The strand of each molecule when `runs` is nothing but molecules and transcript bases between them, else None.

    Of several ways to part the runs, the one with the fewest molecules counts.
    """
    orders = _expected_orders(library)
    # best[i]: strands of the molecules that the first i runs are made of.
    best: list[str | None] = [""] + [None] * len(runs)
    for end in range(1, len(runs) + 1):
        options = []
        before = best[end - 1]
        if runs[end - 1] == CDNA and before is not None:
            options.append(before)
        for strand, order in orders:
            start = end - len(order)
            known = best[start] if start >= 0 and runs[start:end] == order else None
            if known is not None:
                options.append(known + strand)
        best[end] = min(options, key=len) if options else None
    return best[-1] or None


def _expected_orders(library: Library) -> list[tuple[str, tuple[str, ...]]]:
    """Each order of runs that is one molecule, with its strand: with and without tails."""
    full = [segment.name for segment in library.segments]
    without_tails = [segment.name for segment in library.segments if segment.kind != "tail"]
    orders: list[tuple[str, tuple[str, ...]]] = []
    for names in (full, without_tails):
        forward = tuple(name for name, _ in groupby(names))
        for strand, order in (("+", forward), ("-", forward[::-1])):
            if order and (strand, order) not in orders:
                orders.append((strand, order))
    return orders
