"""A page to draw on: coloured cells and words at places enter, a matplotlib figure leaves.

All coordinates are points (1/72 inch) from the page's lower left corner. A page has two artists, one of all coloured
cells and one of all words; one for each base would take a hundred times as long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import matplotlib
from matplotlib.artist import Artist
from matplotlib.backend_bases import RendererBase
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath
from matplotlib.transforms import IdentityTransform

from readlabel.report.palette import TEXT

PAGE_WIDTH = 15 * 72
MARGIN = 36.0
TEXT_WIDTH = PAGE_WIDTH - 2 * MARGIN

ADVANCE = 1233 / 2048
"""Width of every DejaVu Sans Mono glyph, in ems."""
_ABOVE_CELLS = 10
_WORD = re.compile(r"\S+\s*")
_PIECE = re.compile(r"[^_]{0,59}_|[^_]{1,60}")
"""What is left together of a word that is longer than `_LONG`, which is what orders of segments are."""
_LONG = 40
_CUT = " …"

Font = Literal["DejaVuSansMono", "DejaVuSans", "DejaVuSans-Bold"]
MONOSPACED: Font = "DejaVuSansMono"
PLAIN: Font = "DejaVuSans"
BOLD: Font = "DejaVuSans-Bold"


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
class Canvas:
    """A page while it is drawn, from the top down; `y` is how far it is done."""

    height: float
    y: float = field(init=False)
    words: list[_Word] = field(default_factory=list)
    cells: list[list[tuple[float, float]]] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.y = self.height

    def down(self, points: float) -> None:
        """Go on lower."""
        self.y -= points

    def text(self, x: float, y: float, text: str, font: Font, size: float, colour: str = TEXT) -> None:
        """Write a row. A monospaced one is mostly spaces, so that its words are cheaper one by one."""
        properties = _font(font, size)
        if font == MONOSPACED:
            for word in re.finditer(r"\S+", text):
                column = x + word.start() * size * ADVANCE
                self.words.append(_Word(column, y, word.group(), properties, colour))
        elif text:
            self.words.append(_Word(x, y, text, properties, colour))

    def cell(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Fill a rectangle, given by its lower left corner."""
        self.cells.append([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
        self.colours.append(colour)

    def finish(self) -> Figure:
        """The page; its ground is left clear."""
        figure = Figure(figsize=(PAGE_WIDTH / 72, self.height / 72), dpi=72, frameon=False)
        cells = PolyCollection(self.cells, facecolors=self.colours, linewidths=0, antialiaseds=False)
        cells.set_transform(IdentityTransform())
        figure.add_artist(cells)
        figure.add_artist(_Words(self.words))
        return figure


@lru_cache(1 << 14)
def width_of(text: str, font: Font, size: float) -> float:
    """How wide a text is, in points."""
    width, _, _ = TextToPath().get_text_width_height_descent(text, _font(font, size), ismath=False)
    return float(width)


def wrap(text: str, font: Font, size: float, most: int, width: float = TEXT_WIDTH) -> list[str]:
    """Break a text into lines that fit: between words, and after an underscore in a long one; `most` lines at most."""
    lines = [""]
    room = width
    for piece in _pieces(text):
        taken = width_of(piece, font, size)
        if taken > room and lines[-1]:
            if len(lines) == most:
                return [*lines[:-1], _cut(lines[-1], font, size, width)]
            lines.append("")
            room = width
        lines[-1] += piece
        room -= taken
    return [line.rstrip() for line in lines]


def _pieces(text: str) -> Iterator[str]:
    for word in _WORD.findall(text):
        if len(word) > _LONG:
            yield from _PIECE.findall(word)
        else:
            yield word


def _cut(line: str, font: Font, size: float, width: float) -> str:
    while line and width_of(line + _CUT, font, size) > width:
        line = line[:-1]
    return line + _CUT


@cache
def _font(name: Font, size: float) -> FontProperties:
    """A font that ships with matplotlib, by file: what a machine has installed must not change a page."""
    return FontProperties(fname=Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", size=size)
