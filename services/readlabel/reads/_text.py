"""Numbered lines of a text file, pipe or standard input, gzip or plain, with clear words for what cannot be read."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from readlabel.artifacts.digest import RunningDigest
from readlabel.messages import InputError

STDIN = Path("-")
_GZIP_MAGIC = b"\x1f\x8b"
_BUFFER = 1 << 16
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def shown(path: Path) -> str:
    """What to call a file in a message."""
    return "standard input" if path == STDIN else str(path)


def numbered_lines(path: Path, digest: RunningDigest | None = None) -> Iterator[tuple[int, bytes]]:
    """Line numbers from 1 and lines without their end (LF or CRLF). gzip is told by its first bytes, not by a name.

    Args:
        path: the file; ``-`` is standard input.
        digest: gets the file's bytes as they are on the disk; all of them when the last line has been given.

    Raises:
        InputError: the file is missing, cannot be read, is a gzip file cut short, or no lines of plain text.
    """
    number = 0
    name = shown(path)
    try:
        with _open(path, digest) as raw:
            packed = raw.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
            with io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw as file:
                _check_beginning(file, name)
                for number, line in enumerate(file, 1):
                    yield number, line.rstrip(b"\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{name}, after line {number}: the gzip file is cut short or damaged: {error}") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error


def _check_beginning(file: io.BufferedReader[Any], name: str) -> None:
    """Refuse what other systems' editors save instead of lines, and leave out a mark that only says UTF-8."""
    beginning = file.peek(_BUFFER)
    if beginning.startswith(_UTF16_MARKS):
        raise InputError(f"{name}: is UTF-16 text; save it as plain text (UTF-8 or ASCII)")
    # The last byte may be half of a CRLF.
    if b"\r" in beginning[:-1] and b"\n" not in beginning:
        raise InputError(f"{name}: its lines end in CR alone; convert it: tr '\\r' '\\n' < FILE")
    if beginning.startswith(_UTF8_MARK):
        file.read(len(_UTF8_MARK))


class _Watched(io.RawIOBase):
    """A raw file that shows what is read of it to a digest."""

    def __init__(self, raw: io.FileIO, digest: RunningDigest) -> None:
        self._raw = raw
        self._digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._raw.readinto(buffer) or 0
        self._digest.update(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _open(path: Path, digest: RunningDigest | None) -> io.BufferedReader:
    raw = io.FileIO(0, closefd=False) if path == STDIN else io.FileIO(path)
    return io.BufferedReader(raw if digest is None else _Watched(raw, digest), _BUFFER)
