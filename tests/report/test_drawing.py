"""A drawn page shows its bases, on their colours, and long reads go on over pages."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

from readlabel.report.drawing import LINES_PER_PAGE, DrawnRead, Style, draw
from readlabel.report.layout import BASES_PER_LINE
from readlabel.report.palette import WRONG, fills

LABELS = ("5p", "cDNA")
STYLE = Style(LABELS, LABELS, fills(LABELS))


def pixels(figure: Figure) -> NDArray[np.uint8]:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=72)
    image.seek(0)
    return (imread(image)[..., :3] * 255).round().astype(np.uint8)


def count(image: NDArray[np.uint8], colour: str) -> int:
    return int((image == [int(colour[start : start + 2], 16) for start in (1, 3, 5)]).all(axis=-1).sum())


def read(bases: int, predicted: NDArray[np.uint8], truth: NDArray[np.uint8] | None) -> DrawnRead:
    return DrawnRead("0 (Architecture: valid, Reason: valid)", "a read", "A" * bases, predicted, truth)


def test_bases_are_written_over_the_colours_of_their_labels() -> None:
    labels = np.repeat(np.array([0, 1], np.uint8), 50)
    (figure,) = draw(read(100, labels, None), STYLE)
    image = pixels(figure)
    assert count(image, STYLE.fills["5p"]) > 1000
    assert count(image, STYLE.fills["cDNA"]) > 1000
    # The cells of the second half: as many columns hold something dark as letters need.
    rows = np.flatnonzero((image == [0xDD] * 3).all(axis=-1).sum(axis=1) > 100)
    assert ((image[rows].sum(axis=-1) < 300).any(axis=0)).sum() > 100


def test_wrong_bases_are_marked_in_a_colour_of_their_own() -> None:
    truth = np.zeros(100, np.uint8)
    wrong = truth.copy()
    wrong[40:60] = 1
    (right,) = draw(read(100, truth, truth), STYLE)
    (marked,) = draw(read(100, wrong, truth), STYLE)
    assert count(pixels(marked), WRONG) > count(pixels(right), WRONG) + 20 * 6


def test_a_page_is_fifteen_inches_wide_and_long_reads_take_several() -> None:
    bases = BASES_PER_LINE * LINES_PER_PAGE * 2 + 1
    labels = np.zeros(bases, np.uint8)
    figures = list(draw(read(bases, labels, labels), STYLE))
    assert len(figures) == 3
    assert {figure.get_figwidth() for figure in figures} == {15.0}
    assert figures[2].get_figheight() < figures[0].get_figheight()


def test_the_list_of_a_fragmented_reads_segments_is_cut_short() -> None:
    labels = np.zeros(10, np.uint8)
    long = DrawnRead("0 (Unexpected pattern: [" + "cDNA_5p_" * 500 + "])", "a read", "A" * 10, labels, None)
    (figure,) = draw(long, STYLE)
    (short,) = draw(read(10, labels, None), STYLE)
    assert figure.get_figheight() - short.get_figheight() < 1
