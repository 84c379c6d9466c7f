"""One read drawn base by base: a read with its predicted and true labels enters, matplotlib figures leave, one a page.

From top to bottom of a page: the document it is of, whether the read's architecture is valid, what the read is, the
legend, then lines of 150 bases. A line is a ruler, the bases on the colours of the predicted labels, their names, the
true labels where they are known, and their names. A wrong base is underlined, and crossed out in the truth below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from readlabel.messages import Library
from readlabel.report.canvas import (
    ADVANCE,
    BOLD,
    MARGIN,
    MONOSPACED,
    PAGE_WIDTH,
    PLAIN,
    TEXT_WIDTH,
    Canvas,
    width_of,
    wrap,
)
from readlabel.report.layout import BASES_PER_LINE, RULER_STEP, Line, Row, lines_of
from readlabel.report.palette import MUTED, TEXT, WRONG, fills

CELL = TEXT_WIDTH / BASES_PER_LINE
LINES_PER_PAGE = 30
"""Reads of up to 4,500 bases take one page."""

_BASE_SIZE = CELL / ADVANCE
_SMALL_SIZE = _BASE_SIZE * 2 / 3
_TITLE_SIZE, _NOTE_SIZE, _HEAD_SIZE, _FOOT_SIZE = 13.0, 8.5, 8.5, 6.5

_RULER_HEIGHT, _NAMES_HEIGHT, _LINE_GAP = 9.0, 8.5, 11.0
_PREDICTED_HEIGHT, _TRUTH_HEIGHT, _UNDERLINE = 13.0, 9.0, 1.8
_TITLE_HEIGHT, _NOTE_HEIGHT, _LEGEND_HEIGHT = 18.0, 13.0, 16.0
_HEAD_TOP, _HEAD_HEIGHT, _FOOT_HEIGHT = 22.0, 16.0, 9.0
_TITLE_LINES, _NOTE_LINES, _FOOT_LINES = 3, 4, 3
_WRONG_MARK = "×"
_WRONG_KEY = "wrong base"
_DESCENT = 4.0
_HEAD_ROOM = 120.0
"""Left free at the right end of a page's head, for the number of the page."""
_RULE = "#C9CDD2"


@dataclass(frozen=True)
class DrawnRead:
    """What a drawing needs of one read.

    Attributes:
        title: the headline: ``0 (Architecture: valid, Reason: valid)``.
        bookmark: the same in short, for the list beside the pages.
        note: what else there is to say of the read.
        sequence: its letters.
        predicted: (bases,) index into the style's labels.
        truth: (bases,) the same, or None where it is not known.
    """

    title: str
    bookmark: str
    note: str
    sequence: str
    predicted: NDArray[np.uint8]
    truth: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Style:
    """What the reads of one PDF share.

    Attributes:
        labels: the labels that indices mean.
        legend: the same labels in the order a reader expects, 5' to 3'.
        fills: label to ``#RRGGBB``.
    """

    labels: tuple[str, ...]
    legend: tuple[str, ...]
    fills: dict[str, str]


def style_of(library: Library) -> Style:
    """How the reads of a library are drawn; indices mean `library.labels`."""
    legend = tuple(dict.fromkeys(segment.name for segment in library.segments))
    return Style(library.labels, legend, fills(library.labels))


@dataclass(frozen=True)
class Document:
    """What every page says of the PDF it is of.

    Attributes:
        name: at the left of the page's head, such as a variant's name.
        about: at the foot of the page.
        pages: how many pages there are.
    """

    name: str
    about: str
    pages: int


def pages_of(read: DrawnRead) -> int:
    """How many pages a read takes."""
    lines = -(-len(read.sequence) // BASES_PER_LINE)
    return -(-lines // LINES_PER_PAGE)


def draw(read: DrawnRead, style: Style, document: Document, first_page: int) -> Iterator[Figure]:
    """Draw one read, `LINES_PER_PAGE` lines a page.

    A figure is 15 inches wide and as high as its lines need. At 72 dots an inch, as PDF has it, one dot is one point.

    Args:
        read: what to draw.
        style: the labels and their colours.
        document: what the pages belong to.
        first_page: number of the read's first page in the document, from 1.
    """
    lines = list(lines_of(read.sequence, style.labels, read.predicted, read.truth))
    parts = [lines[first : first + LINES_PER_PAGE] for first in range(0, len(lines), LINES_PER_PAGE)]
    title = wrap(read.title, BOLD, _TITLE_SIZE, _TITLE_LINES)
    legend = _legend_rows(style, with_mark=read.truth is not None)
    foot = wrap(document.about, PLAIN, _FOOT_SIZE, _FOOT_LINES) if document.about else []
    for number, part in enumerate(parts):
        which = f"  ·  part {number + 1} of {len(parts)}" if len(parts) > 1 else ""
        note = wrap(read.note + which, PLAIN, _NOTE_SIZE, _NOTE_LINES)
        body = sum(_line_height(line) for line in part) + _LINE_GAP * len(part)
        head = len(title) * _TITLE_HEIGHT + len(note) * _NOTE_HEIGHT + len(legend) * _LEGEND_HEIGHT
        canvas = Canvas(_HEAD_TOP + _HEAD_HEIGHT + head + _LINE_GAP + body + len(foot) * _FOOT_HEIGHT + MARGIN / 2)
        _draw_head(canvas, document, first_page + number)
        for text in title:
            canvas.down(_TITLE_HEIGHT)
            canvas.text(MARGIN, canvas.y + 4, text, BOLD, _TITLE_SIZE)
        for text in note:
            canvas.down(_NOTE_HEIGHT)
            canvas.text(MARGIN, canvas.y + 3, text, PLAIN, _NOTE_SIZE, MUTED)
        _draw_legend(canvas, legend, style)
        canvas.down(_LINE_GAP)
        for line in part:
            _draw_line(canvas, line, style)
            canvas.down(_LINE_GAP)
        for text in foot:
            canvas.down(_FOOT_HEIGHT)
            canvas.text(MARGIN, canvas.y + 2, text, PLAIN, _FOOT_SIZE, MUTED)
        yield canvas.finish()


def draw_stamp(name: str, text: str) -> Figure:
    """What goes over the top of a page that is drawn already: a text behind its document's name, cut where it ends."""
    canvas = Canvas(_HEAD_TOP + _DESCENT)
    x = MARGIN + width_of(name, BOLD, _HEAD_SIZE) + 10
    room = PAGE_WIDTH - MARGIN - _HEAD_ROOM - x
    (line,) = wrap(text, PLAIN, _HEAD_SIZE, 1, room)
    canvas.text(x, _DESCENT, line, PLAIN, _HEAD_SIZE, MUTED)
    return canvas.finish()


def _draw_head(canvas: Canvas, document: Document, page: int) -> None:
    canvas.down(_HEAD_TOP)
    canvas.text(MARGIN, canvas.y, document.name, BOLD, _HEAD_SIZE, TEXT)
    folio = f"page {page:,} of {document.pages:,}"
    right = PAGE_WIDTH - MARGIN
    canvas.text(right - width_of(folio, PLAIN, _HEAD_SIZE), canvas.y, folio, PLAIN, _HEAD_SIZE, MUTED)
    canvas.cell(MARGIN, canvas.y - 6, TEXT_WIDTH, 0.5, _RULE)
    canvas.down(_HEAD_HEIGHT)


def _line_height(line: Line) -> float:
    height = _RULER_HEIGHT + _PREDICTED_HEIGHT + len(line.predicted.names) * _NAMES_HEIGHT
    return height if line.truth is None else height + _TRUTH_HEIGHT + len(line.truth.names) * _NAMES_HEIGHT


def _draw_line(canvas: Canvas, line: Line, style: Style) -> None:
    canvas.down(_RULER_HEIGHT)
    canvas.text(MARGIN, canvas.y + 3, line.ruler, MONOSPACED, _SMALL_SIZE, MUTED)
    for base in range(RULER_STEP, len(line.bases) + 1, RULER_STEP):
        canvas.cell(MARGIN + (base - 0.5) * CELL - 0.3, canvas.y, 0.6, 2.2, MUTED)

    canvas.down(_PREDICTED_HEIGHT)
    _draw_row(canvas, line.predicted, style, _PREDICTED_HEIGHT)
    canvas.text(MARGIN, canvas.y + 3.1, line.bases, MONOSPACED, _BASE_SIZE)
    wrong = np.flatnonzero(line.wrong).tolist()
    for base in wrong:
        canvas.cell(MARGIN + base * CELL, canvas.y - _UNDERLINE, CELL, _UNDERLINE, WRONG)
    _draw_names(canvas, line.predicted, TEXT)

    if line.truth is not None:
        canvas.down(_TRUTH_HEIGHT)
        _draw_row(canvas, line.truth, style, _TRUTH_HEIGHT)
        marks = "".join(_WRONG_MARK if flag else " " for flag in line.wrong).rstrip()
        canvas.text(MARGIN, canvas.y + 1.0, marks, MONOSPACED, _BASE_SIZE, WRONG)
        canvas.text(MARGIN - 21, canvas.y + 2.2, "truth", PLAIN, 6.5, MUTED)
        _draw_names(canvas, line.truth, MUTED)


def _draw_row(canvas: Canvas, row: Row, style: Style, height: float) -> None:
    for run in row.runs:
        width = (run.end - run.start) * CELL
        canvas.cell(MARGIN + run.start * CELL, canvas.y, width, height, style.fills[style.labels[run.label]])


def _draw_names(canvas: Canvas, row: Row, colour: str) -> None:
    for names in row.names:
        canvas.down(_NAMES_HEIGHT)
        canvas.text(MARGIN, canvas.y + 1.2, names, MONOSPACED, _SMALL_SIZE, colour)


def _legend_rows(style: Style, *, with_mark: bool) -> list[list[tuple[float, str]]]:
    """Rows of (x, label) that keep within the page; the mark of a wrong base is the last."""
    rows: list[list[tuple[float, str]]] = [[]]
    x = MARGIN
    for label in (*style.legend, *((_WRONG_KEY,) if with_mark else ())):
        width = 20 + len(label) * _NOTE_SIZE * ADVANCE + 14
        if x + width > PAGE_WIDTH - MARGIN and rows[-1]:
            rows.append([])
            x = MARGIN
        rows[-1].append((x, label))
        x += width
    return rows


def _draw_legend(canvas: Canvas, rows: Sequence[Sequence[tuple[float, str]]], style: Style) -> None:
    for row in rows:
        canvas.down(_LEGEND_HEIGHT)
        for x, label in row:
            if label == _WRONG_KEY:
                canvas.text(x + 8, canvas.y + 3.5, _WRONG_MARK, MONOSPACED, _BASE_SIZE, WRONG)
                canvas.text(x + 19, canvas.y + 3.5, label, PLAIN, _NOTE_SIZE, MUTED)
            else:
                canvas.cell(x, canvas.y + 2, 15, 9, style.fills[label])
                canvas.text(x + 19, canvas.y + 3.5, label, MONOSPACED, _NOTE_SIZE)
