"""PDFs of drawn reads: drawings enter, ``_val_viz.pdf`` leaves; many of those enter, one bookmarked PDF leaves.

Equal input gives equal bytes: no date, no random identifier, and fonts that ship with matplotlib.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_pdf import PdfPages
from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError

from readlabel.artifacts.atomic import atomic_path
from readlabel.messages import InputError
from readlabel.report.drawing import DrawnRead, Style, draw

_TYPE_42 = 42
"""Embed the outlines as TrueType: sharp at any size, and text that can be searched and copied."""


@dataclass(frozen=True)
class Chapter:
    """One variant's drawings within the merged PDF."""

    title: str
    path: Path


def write_drawings(target: Path, title: str, reads: Iterable[DrawnRead], style: Style) -> int:
    """Draw reads, each from a page of its own, with a bookmark a read.

    Returns:
        The number of pages.

    Raises:
        OutputError: the file cannot be written.
    """
    drawn = io.BytesIO()
    bookmarks: list[tuple[str, int]] = []
    pages = 0
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["pdf.fonttype"] = _TYPE_42
        with PdfPages(drawn, metadata={"CreationDate": None, "Title": title}) as file:
            for read in reads:
                bookmarks.append((read.title, pages))
                for figure in draw(read, style):
                    file.savefig(figure)
                    pages += 1
    writer = PdfWriter(clone_from=drawn)
    for name, page in bookmarks:
        writer.add_outline_item(title=name, page_number=page)
    _write(writer, target)
    return pages


def merge(target: Path, chapters: Sequence[Chapter]) -> dict[str, int]:
    """Join the drawings of several variants: a bookmark a variant, and under it one a read.

    Without any chapter there is no file; an earlier one is removed.

    Returns:
        Title of each chapter to its first page, from 1.

    Raises:
        InputError: a chapter is no readable PDF.
        OutputError: the file cannot be written.
    """
    if not chapters:
        target.unlink(missing_ok=True)
        return {}
    writer = PdfWriter()
    first_pages = {}
    for chapter in chapters:
        first_pages[chapter.title] = len(writer.pages) + 1
        try:
            writer.append(PdfReader(chapter.path), outline_item=chapter.title, import_outline=True)
        except (OSError, PyPdfError, ValueError) as error:
            raise InputError(f"{chapter.path}: cannot be read as a PDF: {error}") from error
    _write(writer, target)
    return first_pages


def _write(writer: PdfWriter, target: Path) -> None:
    writer.page_mode = "/UseOutlines"
    with atomic_path(target) as path, path.open("wb") as handle:
        writer.write(handle)
