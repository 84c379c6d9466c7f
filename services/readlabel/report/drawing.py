"""One read drawn base by base: a read with its predicted and true labels enters, matplotlib figures leave, one a page.

From top to bottom of a page: whether the read's architecture is valid, what the read is, the legend, then lines of
150 bases. A line is a ruler, the bases on the colours of the predicted labels, their names, the true labels where they
are known, and their names. A wrong base is underlined, and crossed out in the truth below it.

All coordinates are points (1/72 inch) from a page's lower left corner. A page has two artists, one of all coloured
cells and one of all words; one for each base would take a hundred times as long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backend_bases import RendererBase
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.transforms import IdentityTransform
from numpy.typing import NDArray

from readlabel.messages import Library
from readlabel.report.layout import BASES_PER_LINE, RULER_STEP, Line, Row, lines_of
from readlabel.report.palette import MUTED, TEXT, WRONG, fills

PAGE_WIDTH = 15 * 72
MARGIN = 36.0
CELL = (PAGE_WIDTH - 2 * MARGIN) / BASES_PER_LINE
LINES_PER_PAGE = 30
"""Reads of up to 4,500 bases take one page."""

_ADVANCE = 1233 / 2048
"""Width of every DejaVu Sans Mono glyph, in ems."""
_BASE_SIZE = CELL / _ADVANCE
_SMALL_SIZE = _BASE_SIZE * 2 / 3
_TITLE_SIZE, _NOTE_SIZE = 13.0, 8.5

_RULER_HEIGHT, _NAMES_HEIGHT, _LINE_GAP = 9.0, 8.5, 11.0
_PREDICTED_HEIGHT, _TRUTH_HEIGHT, _UNDERLINE = 13.0, 9.0, 1.8
_TITLE_HEIGHT, _NOTE_HEIGHT, _LEGEND_HEIGHT = 18.0, 13.0, 16.0
_TITLE_COLUMNS, _TITLE_LINES = 112, 3
_WRONG_MARK = "×"
_ABOVE_CELLS = 10

Font = Literal["DejaVuSansMono", "DejaVuSans", "DejaVuSans-Bold"]
MONOSPACED: Font = "DejaVuSansMono"


@dataclass(frozen=True)
class DrawnRead:
    """What a drawing needs of one read.

    Attributes:
        title: the line at the top: ``0 (Architecture: valid, Reason: valid)``.
        note: what else there is to say of the read.
        sequence: its letters.
        predicted: (bases,) index into the style's labels.
        truth: (bases,) the same, or None where it is not known.
    """

    title: str
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
class _Word:
    """Letters without a space, from (x, y) on the baseline."""

    x: float
    y: float
    text: str
    font: FontProperties
    colour: str


class _Words(Artist):
    """All writing of a page. Each `Text` of matplotlib would first measure itself; here every place is known."""

    def __init__(self, words: Sequence[_Word]) -> None:
        super().__init__()
        self._words = words
        self.set_zorder(_ABOVE_CELLS)

    def draw(self, renderer: RendererBase) -> None:
        context = renderer.new_gc()
        for word in self._words:
            context.set_foreground(word.colour)
            renderer.draw_text(context, word.x, word.y, word.text, word.font, 0)
        context.restore()


@dataclass
class _Canvas:
    """A page while it is drawn, from the top down."""

    height: float
    y: float = field(init=False)
    words: list[_Word] = field(default_factory=list)
    cells: list[list[tuple[float, float]]] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.y = self.height

    def down(self, points: float) -> None:
        self.y -= points

    def text(self, x: float, y: float, text: str, font: Font, size: float, colour: str = TEXT) -> None:
        """Write a row. A monospaced one is mostly spaces, so that its words are cheaper one by one."""
        properties = _font(font, size)
        if font == MONOSPACED:
            for word in re.finditer(r"\S+", text):
                column = x + word.start() * size * _ADVANCE
                self.words.append(_Word(column, y, word.group(), properties, colour))
        elif text:
            self.words.append(_Word(x, y, text, properties, colour))

    def cell(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self.cells.append([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
        self.colours.append(colour)

    def finish(self) -> Figure:
        figure = Figure(figsize=(PAGE_WIDTH / 72, self.height / 72), dpi=72)
        cells = PolyCollection(self.cells, facecolors=self.colours, linewidths=0, antialiaseds=False)
        cells.set_transform(IdentityTransform())
        figure.add_artist(cells)
        figure.add_artist(_Words(self.words))
        return figure


def draw(read: DrawnRead, style: Style) -> Iterator[Figure]:
    """Draw one read, `LINES_PER_PAGE` lines a page.

    A figure is 15 inches wide and as high as its lines need. At 72 dots an inch, as PDF has it, one dot is one point.
    """
    lines = list(lines_of(read.sequence, style.labels, read.predicted, read.truth))
    pages = [lines[first : first + LINES_PER_PAGE] for first in range(0, len(lines), LINES_PER_PAGE)]
    legend = _legend_rows(style)
    for number, page in enumerate(pages, start=1):
        title = _title_lines(read.title)
        body = sum(_line_height(line) for line in page) + _LINE_GAP * (len(page) - 1)
        head = len(title) * _TITLE_HEIGHT + _NOTE_HEIGHT + len(legend) * _LEGEND_HEIGHT + _LINE_GAP
        canvas = _Canvas(body + head + 2 * MARGIN - 8)
        canvas.down(MARGIN - 8)
        for text in title:
            canvas.down(_TITLE_HEIGHT)
            canvas.text(MARGIN, canvas.y + 4, text, "DejaVuSans-Bold", _TITLE_SIZE)
        canvas.down(_NOTE_HEIGHT)
        part = f" · page {number} of {len(pages)}" if len(pages) > 1 else ""
        canvas.text(MARGIN, canvas.y + 3, read.note + part, "DejaVuSans", _NOTE_SIZE, MUTED)
        if read.truth is not None:
            _draw_mark_key(canvas)
        _draw_legend(canvas, legend, style)
        canvas.down(_LINE_GAP)
        for line in page:
            _draw_line(canvas, line, style)
            canvas.down(_LINE_GAP)
        yield canvas.finish()


def _title_lines(title: str) -> list[str]:
    """Wrap a title after a space or an underscore; the list of a fragmented read's segments is cut short."""
    lines = [""]
    for word in re.findall(r"[^ _]*[ _]|[^ _]+", title):
        if len(lines[-1]) + len(word) <= _TITLE_COLUMNS:
            lines[-1] += word
        else:
            lines.append(word)
    return lines if len(lines) <= _TITLE_LINES else [*lines[: _TITLE_LINES - 1], lines[_TITLE_LINES - 1] + " …"]


def _line_height(line: Line) -> float:
    height = _RULER_HEIGHT + _PREDICTED_HEIGHT + len(line.predicted.names) * _NAMES_HEIGHT
    return height if line.truth is None else height + _TRUTH_HEIGHT + len(line.truth.names) * _NAMES_HEIGHT


def _draw_line(canvas: _Canvas, line: Line, style: Style) -> None:
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
        canvas.text(MARGIN - 21, canvas.y + 2.2, "truth", "DejaVuSans", 6.5, MUTED)
        _draw_names(canvas, line.truth, MUTED)


def _draw_row(canvas: _Canvas, row: Row, style: Style, height: float) -> None:
    for run in row.runs:
        width = (run.end - run.start) * CELL
        canvas.cell(MARGIN + run.start * CELL, canvas.y, width, height, style.fills[style.labels[run.label]])


def _draw_names(canvas: _Canvas, row: Row, colour: str) -> None:
    for names in row.names:
        canvas.down(_NAMES_HEIGHT)
        canvas.text(MARGIN, canvas.y + 1.2, names, MONOSPACED, _SMALL_SIZE, colour)


def _legend_rows(style: Style) -> list[list[tuple[float, str]]]:
    """Rows of (x, label) that keep within the page."""
    rows: list[list[tuple[float, str]]] = [[]]
    x = MARGIN
    for label in style.legend:
        width = 20 + len(label) * _NOTE_SIZE * _ADVANCE + 14
        if x + width > PAGE_WIDTH - MARGIN and rows[-1]:
            rows.append([])
            x = MARGIN
        rows[-1].append((x, label))
        x += width
    return rows


def _draw_legend(canvas: _Canvas, rows: Sequence[Sequence[tuple[float, str]]], style: Style) -> None:
    for row in rows:
        canvas.down(_LEGEND_HEIGHT)
        for x, label in row:
            canvas.cell(x, canvas.y + 2, 15, 9, style.fills[label])
            canvas.text(x + 19, canvas.y + 3.5, label, MONOSPACED, _NOTE_SIZE)


def _draw_mark_key(canvas: _Canvas) -> None:
    """Say, at the right end of the note, how a wrong base is marked."""
    x = PAGE_WIDTH - MARGIN - 56
    canvas.text(x, canvas.y + 2.5, _WRONG_MARK, MONOSPACED, _BASE_SIZE, WRONG)
    canvas.text(x + 9, canvas.y + 3, "wrong base", "DejaVuSans", _NOTE_SIZE, MUTED)


@cache
def _font(name: Font, size: float) -> FontProperties:
    """A font that ships with matplotlib, by file: what a machine has installed must not change a page."""
    return FontProperties(fname=Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", size=size)
