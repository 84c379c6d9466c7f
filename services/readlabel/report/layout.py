"""How a read is broken into lines of text: runs of labels enter, strings that align base by base leave. Draws nothing.

A line holds `BASES_PER_LINE` bases in a monospaced font. Its ruler and its names are set in the same font at two
thirds of the size, so that a line has `COLUMNS` columns of small text, three for every two bases: one string a row
then stands exactly under the bases it speaks of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

BASES_PER_LINE = 150
RULER_STEP = 10
COLUMNS = BASES_PER_LINE * 3 // 2
MOST_NAME_ROWS = 3


@dataclass(frozen=True)
class Run:
    """Consecutive bases of one label: index of the label, first base and the base after the last, 0-based."""

    label: int
    start: int
    end: int


@dataclass(frozen=True)
class Row:
    """One label a base, for the bases of a line.

    Attributes:
        runs: positions count from the line's first base.
        names: the rows of small text under the runs.
    """

    runs: tuple[Run, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """Up to `BASES_PER_LINE` bases of a read.

    Attributes:
        start: position in the read of the line's first base, 0-based.
        bases: the letters.
        ruler: small text, each number ending above the base it counts.
        predicted: what the model says.
        truth: what is true, or None where nobody knows.
        wrong: one flag a base; none is set where the truth is unknown.
    """

    start: int
    bases: str
    ruler: str
    predicted: Row
    truth: Row | None
    wrong: NDArray[np.bool_]


def runs_of(labels: NDArray[np.uint8]) -> tuple[Run, ...]:
    """The maximal runs of equal labels; `labels` has one index a base."""
    if not len(labels):
        return ()
    edges = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    return tuple(Run(int(labels[start]), start, end) for start, end in pairwise(edges))


def lines_of(
    sequence: str, names: Sequence[str], predicted: NDArray[np.uint8], truth: NDArray[np.uint8] | None
) -> Iterator[Line]:
    """Break a read into lines.

    Args:
        sequence: the read's letters.
        names: the labels that the indices mean.
        predicted: one index a base.
        truth: one index a base, or None where it is not known.
    """
    for start in range(0, len(sequence), BASES_PER_LINE):
        here = slice(start, start + BASES_PER_LINE)
        bases = sequence[here]
        yield Line(
            start=start,
            bases=bases,
            ruler=_ruler(start, len(bases)),
            predicted=_row(predicted[here], names),
            truth=None if truth is None else _row(truth[here], names),
            wrong=np.zeros(len(bases), bool) if truth is None else predicted[here] != truth[here],
        )


def _row(labels: NDArray[np.uint8], names: Sequence[str]) -> Row:
    runs = runs_of(labels)
    return Row(runs, _name_rows([(run, names[run.label]) for run in runs]))


def _name_rows(named: Sequence[tuple[Run, str]]) -> tuple[str, ...]:
    """Set each name centred under its run; one that would touch its neighbour goes a row lower.

    A name that finds no room in `MOST_NAME_ROWS` rows is left out: its run is a base or two among others as short, and
    the colour still tells it.
    """
    rows: list[str] = []
    for run, name in named:
        middle = (run.start + run.end) * 3 / 4
        column = min(max(0, round(middle - len(name) / 2)), COLUMNS - len(name))
        for place in range(MOST_NAME_ROWS):
            if place == len(rows):
                rows.append("")
            if not rows[place] or len(rows[place]) < column:
                rows[place] = rows[place].ljust(column) + name
                break
    return tuple(rows)


def _ruler(start: int, bases: int) -> str:
    """The line's first position, then each one that `RULER_STEP` divides; its last digit stands above the base."""
    text = str(start + 1)
    for base in range(RULER_STEP, bases + 1, RULER_STEP):
        number = str(start + base)
        # The cell of a line's k-th base ends at column 1.5 k.
        text = text.ljust(base * 3 // 2 - len(number)) + number
    return text
