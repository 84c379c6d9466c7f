"""PDFs of drawn reads: drawings enter, ``_val_viz.pdf`` leaves; many of those enter, one bookmarked PDF leaves.

Equal input gives equal bytes: no date, no random identifier, and fonts that ship with matplotlib.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.annotations import Link
from pypdf.constants import PageLabelStyle
from pypdf.errors import PyPdfError
from pypdf.generic import Destination

from readlabel import __version__
from readlabel.artifacts.atomic import atomic_path
from readlabel.messages import InputError
from readlabel.report.contents import Entry, contents_pages, draw_contents
from readlabel.report.drawing import Document, DrawnRead, Style, draw, draw_stamp, pages_of

_TYPE_42 = 42
"""Embed the outlines as TrueType: sharp at any size, and text that can be searched and copied."""
_SUBJECT = "Reads drawn base by base, on the colours of their labels"


@dataclass(frozen=True)
class Chapter:
    """One variant's drawings within the merged PDF.

    Attributes:
        variant: its name.
        figure: how good it is, in words; stands in the contents.
        about: what tells it from the others; goes behind the name on each of its pages, and into its bookmark.
        path: its PDF.
    """

    variant: str
    figure: str
    about: str
    path: Path


def write_drawings(target: Path, name: str, reads: Iterable[DrawnRead], style: Style, about: str = "") -> int:
    """Draw reads, each from a page of its own, with a bookmark a read.

    Args:
        target: the PDF.
        name: what labelled the reads; stands at the top of every page.
        reads: what to draw.
        style: the labels and their colours.
        about: more on what labelled them; stands at the foot of every page.

    Returns:
        The number of pages.

    Raises:
        OutputError: the file cannot be written.
    """
    drawn = list(reads)
    starts = [1]
    for read in drawn:
        starts.append(starts[-1] + pages_of(read))
    document = Document(name, about, starts.pop() - 1)
    figures = (
        figure for read, first in zip(drawn, starts, strict=True) for figure in draw(read, style, document, first)
    )
    writer = PdfWriter(clone_from=_pdf_of(figures))
    for read, first in zip(drawn, starts, strict=True):
        writer.add_outline_item(title=read.bookmark, page_number=first - 1)
    _write(writer, target, f"{name}: reads drawn base by base", f"{_SUBJECT}. {about}".rstrip())
    return document.pages


def merge(target: Path, models: str, chapters: Sequence[Chapter]) -> dict[str, int]:
    """Join the drawings of several variants: their contents, then a bookmark a variant, and under it one a read.

    Without any chapter there is no file; an earlier one is removed.

    Args:
        target: the PDF.
        models: what the variants are of, for the title.
        chapters: the variants.

    Returns:
        Each variant to its first page, from 1.

    Raises:
        InputError: a chapter is no readable PDF.
        OutputError: the file cannot be written.
    """
    if not chapters:
        target.unlink(missing_ok=True)
        return {}
    writer = PdfWriter()
    title = f"Validation reads of {models}"
    entries = _entries(chapters)
    contents = list(draw_contents(title, entries)) if contents_pages(len(entries)) else []
    if contents:
        writer.append(PdfReader(_pdf_of(page.figure for page in contents)), import_outline=False)
        writer.add_outline_item(title="Contents", page_number=0)
        writer.set_page_label(0, len(contents) - 1, PageLabelStyle.DECIMAL, "contents – ")
    # Only a whole grid knows what tells a variant from the others, so a chapter's pages do not say it yet.
    stamps = PdfReader(_pdf_of(draw_stamp(chapter.variant, chapter.about) for chapter in chapters))
    for chapter, stamp in zip(chapters, stamps.pages, strict=True):
        _append(writer, chapter, stamp)
    for number, page in enumerate(contents):
        for entry, box in page.boxes:
            writer.add_annotation(number, Link(rect=box, target_page_index=entry.page - 1))
    _write(writer, target, f"readlabel report: {title[0].lower()}{title[1:]}", f"{_SUBJECT}; best variant first.")
    return {entry.variant: entry.page for entry in entries}


def _entries(chapters: Sequence[Chapter]) -> list[Entry]:
    """Where each chapter will begin, behind the contents."""
    page = contents_pages(len(chapters)) + 1
    entries = []
    for chapter in chapters:
        entries.append(Entry(chapter.variant, chapter.figure, chapter.about, page))
        with _reading(chapter):
            page += len(PdfReader(chapter.path).pages)
    return entries


@contextmanager
def _reading(chapter: Chapter) -> Iterator[None]:
    try:
        yield
    except (OSError, PyPdfError, ValueError) as error:
        raise InputError(f"{chapter.path}: cannot be read as a PDF: {error}") from error


def _append(writer: PdfWriter, chapter: Chapter, stamp: PageObject) -> None:
    """Put a chapter behind what is there, with its bookmarks and the labels of its pages."""
    first = len(writer.pages)
    with _reading(chapter):
        reader = PdfReader(chapter.path)
        writer.append(reader, import_outline=False)
        _put(writer, stamp, writer.pages[first:])
        heading = f"{chapter.variant}  ·  {chapter.about}" if chapter.about else chapter.variant
        parent = writer.add_outline_item(title=heading, page_number=first, is_open=False)
        for item in reader.outline:
            if isinstance(item, Destination):
                page = reader.get_destination_page_number(item) or 0
                writer.add_outline_item(title=str(item.title), page_number=first + page, parent=parent)
    if len(writer.pages) > first:
        writer.set_page_label(first, len(writer.pages) - 1, PageLabelStyle.DECIMAL, f"{chapter.variant} – ")


def _put(writer: PdfWriter, stamp: PageObject, pages: Sequence[PageObject]) -> None:
    """Show a stamp at the top of each page.

    It is a page of the same file while it is merged, so that its font is there once and not once a page.
    """
    own = writer.add_page(stamp)
    for page in pages:
        page.merge_translated_page(own, 0, page.mediabox.height - own.mediabox.height)
        page.compress_content_streams()
    writer.remove_page(own)


def _pdf_of(figures: Iterable[Figure]) -> io.BytesIO:
    drawn = io.BytesIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["pdf.fonttype"] = _TYPE_42
        with PdfPages(drawn, metadata={"CreationDate": None}) as file:
            for figure in figures:
                file.savefig(figure)
    return drawn


def _write(writer: PdfWriter, target: Path, title: str, subject: str) -> None:
    writer.page_mode = "/UseOutlines"
    made_by = f"readlabel {__version__}"
    writer.metadata = {"/Title": title, "/Subject": subject, "/Author": made_by, "/Creator": made_by}
    with atomic_path(target) as path, path.open("wb") as handle:
        writer.write(handle)
