"""The first pages of the merged drawings: what each variant is, how good it is, and the page its reads begin on.

Entries enter, matplotlib figures leave, each with the places on it that lead to the entries' pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from readlabel.report.canvas import BOLD, MARGIN, PAGE_WIDTH, PLAIN, TEXT_WIDTH, Canvas, Font, width_of, wrap
from readlabel.report.palette import MUTED

ENTRIES_PER_PAGE = 50

_TITLE_SIZE, _SIZE = 13.0, 9.0
_TITLE_HEIGHT, _ROW_HEIGHT = 30.0, 15.0
_GAP = 18.0
_LONGEST_NAME = TEXT_WIDTH / 3
_DESCENT = 4.0

Box = tuple[float, float, float, float]
"""Left, bottom, right and top of a place on a page, in points."""


@dataclass(frozen=True)
class Entry:
    """One variant within the merged drawings.

    Attributes:
        variant: its name.
        figure: how good it is, in words.
        about: what tells it from the others.
        page: the first of its pages, from 1.
    """

    variant: str
    figure: str
    about: str
    page: int


@dataclass(frozen=True)
class ContentsPage:
    """A page of contents, and the place of each of its entries."""

    figure: Figure
    boxes: tuple[tuple[Entry, Box], ...]


def contents_pages(entries: int) -> int:
    """How many pages the contents take; a single variant needs none."""
    return 0 if entries < 2 else -(-entries // ENTRIES_PER_PAGE)


def draw_contents(title: str, entries: Sequence[Entry]) -> Iterator[ContentsPage]:
    """Draw the contents, `ENTRIES_PER_PAGE` variants a page."""
    name_width = min(_LONGEST_NAME, max(width_of(entry.variant, BOLD, _SIZE) for entry in entries))
    figure_width = max(width_of(entry.figure, PLAIN, _SIZE) for entry in entries)
    page_width = max(width_of(_folio(entry), PLAIN, _SIZE) for entry in entries)
    figure_x = MARGIN + name_width + _GAP
    about_x = figure_x + figure_width + _GAP
    about_width = PAGE_WIDTH - MARGIN - page_width - _GAP - about_x
    for first in range(0, len(entries), ENTRIES_PER_PAGE):
        part = entries[first : first + ENTRIES_PER_PAGE]
        canvas = Canvas(MARGIN + _TITLE_HEIGHT + len(part) * _ROW_HEIGHT + MARGIN / 2)
        canvas.down(MARGIN)
        canvas.text(MARGIN, canvas.y, _line(title, BOLD, _TITLE_SIZE, TEXT_WIDTH), BOLD, _TITLE_SIZE)
        canvas.down(_TITLE_HEIGHT - _ROW_HEIGHT)
        boxes = []
        for entry in part:
            canvas.down(_ROW_HEIGHT)
            canvas.text(MARGIN, canvas.y, _line(entry.variant, BOLD, _SIZE, name_width), BOLD, _SIZE)
            canvas.text(figure_x, canvas.y, entry.figure, PLAIN, _SIZE)
            canvas.text(about_x, canvas.y, _line(entry.about, PLAIN, _SIZE, about_width), PLAIN, _SIZE, MUTED)
            folio = _folio(entry)
            right = PAGE_WIDTH - MARGIN
            canvas.text(right - width_of(folio, PLAIN, _SIZE), canvas.y, folio, PLAIN, _SIZE)
            bottom = canvas.y - _DESCENT
            boxes.append((entry, (MARGIN, bottom, right, bottom + _ROW_HEIGHT)))
        yield ContentsPage(canvas.finish(), tuple(boxes))


def _folio(entry: Entry) -> str:
    return f"page {entry.page:,}"


def _line(text: str, font: Font, size: float, width: float) -> str:
    return wrap(text, font, size, 1, width)[0]
