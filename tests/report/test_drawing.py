"""A drawn page shows its bases, on their colours, and long reads go on over pages."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray
from pypdf import PdfReader

from readlabel.report.canvas import PLAIN, TEXT_WIDTH, width_of, wrap
from readlabel.report.drawing import LINES_PER_PAGE, Document, DrawnRead, Style, pages_of
from readlabel.report.drawing import draw as draw_in
from readlabel.report.layout import BASES_PER_LINE
from readlabel.report.palette import WRONG, fills
from readlabel.report.pdf import write_drawings

LABELS = ("5p", "cDNA")
STYLE = Style(LABELS, LABELS, fills(LABELS))
DOCUMENT = Document("mylib_0", "conv_filters 64", 9)


def draw(read: DrawnRead, style: Style) -> Iterator[Figure]:
    return draw_in(read, style, DOCUMENT, 1)


def pixels(figure: Figure) -> NDArray[np.uint8]:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=72)
    image.seek(0)
    return (imread(image)[..., :3] * 255).round().astype(np.uint8)


def count(image: NDArray[np.uint8], colour: str) -> int:
    return int((image == [int(colour[start : start + 2], 16) for start in (1, 3, 5)]).all(axis=-1).sum())


def read(bases: int, predicted: NDArray[np.uint8], truth: NDArray[np.uint8] | None) -> DrawnRead:
    return DrawnRead("0 (Architecture: valid, Reason: valid)", "0  valid", "a read", "A" * bases, predicted, truth)


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
    assert len(figures) == 3 == pages_of(read(bases, labels, labels))
    assert {figure.get_figwidth() for figure in figures} == {15.0}
    assert figures[2].get_figheight() < figures[0].get_figheight()


def test_the_list_of_a_fragmented_reads_segments_is_cut_short() -> None:
    labels = np.zeros(10, np.uint8)
    long = DrawnRead("0 (Unexpected pattern: [" + "cDNA_5p_" * 500 + "])", "0", "a read", "A" * 10, labels, None)
    (figure,) = draw(long, STYLE)
    (short,) = draw(read(10, labels, None), STYLE)
    assert figure.get_figheight() - short.get_figheight() < 1


@given(st.text("ACGT_ ·,iW", max_size=600), st.integers(1, 4))
def test_lines_fit_the_page_and_lose_nothing_but_what_is_cut_at_the_end(text: str, most: int) -> None:
    lines = wrap(text, PLAIN, 8.5, most)
    assert len(lines) <= most
    assert max(width_of(line, PLAIN, 8.5) for line in lines) <= TEXT_WIDTH
    whole = "".join("".join(lines).removesuffix(" …").split())
    assert "".join(text.split()).startswith(whole)
    assert lines[-1].endswith(" …") or whole == "".join(text.split())


def test_a_long_true_order_goes_on_in_further_lines_above_the_legend(tmp_path: Path) -> None:
    order = "cDNA_5p_CBC_UMI_polyT_cDNA_3p_" * 9
    labels = np.zeros(10, np.uint8)
    drawn = DrawnRead("0 (Unexpected pattern)", "0", f"read 7  ·  true order: {order}", "A" * 10, labels, labels)
    write_drawings(tmp_path / "drawn.pdf", "mylib_0", [drawn], STYLE)
    (page,) = PdfReader(tmp_path / "drawn.pdf").pages
    rows = [row.strip() for row in page.extract_text().splitlines()]
    first = next(place for place, row in enumerate(rows) if row.startswith("read 7"))
    legend = rows.index("5p cDNA × wrong base")
    assert legend - first == 2
    assert "".join(rows[first:legend]).endswith(order)
    assert max(width_of(row, PLAIN, 8.5) for row in rows[first:legend]) <= TEXT_WIDTH
