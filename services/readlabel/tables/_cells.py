"""Cells of a tab-separated table as people's editors save them.

What enters: a file from a spreadsheet or a text editor. What leaves: rows of stripped cells, each row with its line
number. A byte-order mark, UTF-16 that has one, Windows line ends, quotes of any kind around cells, trailing empty lines
and the empty columns that a spreadsheet saves behind the last one are all read.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from readlabel.messages import InputError

STRANDS = ("fwd", "rev")
_AROUND = string.whitespace + '"\u201c\u201d\u201e\u00ab\u00bb'
"""What may stand around a cell's words: blanks, and quotation marks that an editor made curly or tripled."""


@dataclass(frozen=True)
class Row:
    """One line of a table that is not blank."""

    line: int
    cells: tuple[str, ...]

    def within(self, width: int) -> Row:
        """The same row without empty cells behind the first `width`."""
        end = max([width, *(place for place, cell in enumerate(self.cells, 1) if cell)])
        return Row(self.line, self.cells[:end])


def read_rows(path: Path) -> list[Row]:
    """Read a tab-separated file.

    Raises:
        InputError: the file is missing, unreadable, not text, or has no rows, or a quotation mark is not closed.
    """
    try:
        data = path.read_bytes()
        # Excel's "Unicode text" is UTF-16.
        text = data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start} is no UTF-8 text; save the table as tab-separated text, in UTF-8"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if "\0" in text:
        raise InputError(f"{path}: is no UTF-8 text; save the table as tab-separated text, in UTF-8")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
    rows = []
    line = 1
    try:
        for cells in reader:
            opened = next((cell for cell in cells if "\n" in cell or "\r" in cell), None)
            if opened is not None:
                begin = f'"{opened.splitlines()[0][:40]}'
                raise InputError(f"{path}, line {line}: the quotation mark of {begin} is never closed on its line")
            line = reader.line_num + 1
            stripped = tuple(cell.strip(_AROUND) for cell in cells)
            if any(stripped):
                rows.append(Row(reader.line_num, stripped))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from error
    if not rows:
        raise InputError(f"{path}: the table is empty")
    if "\t" not in text:
        raise InputError(f"{path}: holds no tab; columns are separated by tabs, not by spaces or commas")
    return rows


def nearest(name: str, known: Sequence[str]) -> str:
    """A guess at the name that was meant, as a part of an error message; empty without one."""
    spelled = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), spelled, n=1)
    return f"did you mean {spelled[near[0]]}? " if near else ""


def split_list(cell: str) -> list[str]:
    """Split a comma list; spaces around commas do not count."""
    return [item.strip() for item in cell.split(",")]
