"""Cells of a tab-separated table as people's editors save them.

What enters: a file from a spreadsheet or a text editor. What leaves: rows of stripped cells, each row with its line
number. A byte-order mark, Windows line ends, quotes around cells, trailing empty lines and the empty columns that a
spreadsheet saves behind the last one are all read.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from readlabel.messages import InputError


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
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start} is no UTF-8 text; save the table as tab-separated text"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
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
            stripped = tuple(cell.strip() for cell in cells)
            if any(stripped):
                rows.append(Row(reader.line_num, stripped))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from error
    if not rows:
        raise InputError(f"{path}: the table is empty")
    if "\t" not in text:
        raise InputError(f"{path}: holds no tab; columns are separated by tabs, not by spaces or commas")
    return rows


def split_list(cell: str) -> list[str]:
    """Split a comma list; spaces around commas do not count."""
    return [item.strip() for item in cell.split(",")]
