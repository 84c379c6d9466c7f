"""Numbered lines of a text file or of standard input, gzip or plain, with clear words for what cannot be read."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from readlabel.messages import InputError

STDIN = Path("-")
_GZIP_MAGIC = b"\x1f\x8b"


def shown(path: Path) -> str:
    """What to call a file in a message."""
    return "standard input" if path == STDIN else str(path)


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Line numbers from 1 and lines without their end (LF or CRLF). gzip is told by its first bytes, not by a name.

    Args:
        path: the file; ``-`` is standard input.

    Raises:
        InputError: the file is missing, cannot be read, or is a gzip file cut short.
    """
    number = 0
    name = shown(path)
    try:
        with _open(path) as raw:
            packed = raw.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
            with io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw as file:
                for number, line in enumerate(file, 1):
                    yield number, line.rstrip(b"\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{name}, after line {number}: the gzip file is cut short or damaged: {error}") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error


def _open(path: Path) -> io.BufferedReader:
    return open(0, "rb", closefd=False) if path == STDIN else path.open("rb")
