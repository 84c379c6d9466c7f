"""The confusion matrix as the page shows it: counts enter, cells with their text and strength of colour leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from readlabel.messages import Scores

_LEAST_SHARE = 5e-4
"""Confusions of fewer than 0.05 % of a label's bases stay blank in the matrix; a pointer shows their number."""


@dataclass(frozen=True)
class HeatCell:
    """Bases of one true label that were given one label. `strength` is its colour's, from 0 to 1."""

    text: str
    title: str
    strength: float
    right: bool

    @property
    def dark(self) -> bool:
        """Whether the text on it must be white."""
        return self.strength > (0.55 if self.right else 0.93)


@dataclass(frozen=True)
class Heat:
    """The confusion matrix in the library's order: a row a true label."""

    labels: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]


def heat_of(scores: Scores, order: Sequence[str]) -> Heat:
    """The matrix of the labels that were scored, in this order."""
    index = {score.label: place for place, score in enumerate(scores.labels)}
    labels = tuple(label for label in order if label in index)
    rows = []
    for true in labels:
        counts = scores.confusion[index[true]]
        total = sum(counts)
        cells = []
        for predicted in labels:
            bases = counts[index[predicted]]
            share = bases / total if total else 0.0
            cells.append(
                HeatCell(
                    text=f"{share:.1%}".removesuffix("%") if share >= _LEAST_SHARE else "",
                    title=f"{bases:,} of {total:,} bases of {true} labelled {predicted}",
                    # The cube root lets a confusion of one base in a thousand be seen beside one of one in three.
                    strength=round(share ** (1 if predicted == true else 1 / 3), 3) if share >= _LEAST_SHARE else 0.0,
                    right=predicted == true,
                )
            )
        rows.append((true, tuple(cells)))
    return Heat(labels, tuple(rows))
