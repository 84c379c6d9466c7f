"""FASTA: a file (gzip too) enters; its sequences leave stored on disk, or read by read. Errors name the line."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from readlabel.artifacts.atomic import raise_output_error
from readlabel.artifacts.digest import RunningDigest
from readlabel.messages import InputError, Problem
from readlabel.reads._text import numbered_lines
from readlabel.reads.fastq import NamedRead
from readlabel.reads.sequences import StoredSequences
from readlabel.reads.tokens import TOKEN_OF, tokens_of_bytes

MAX_PROBLEMS = 20
_WRITTEN_AT_ONCE = 1 << 20
_NUCLEOTIDES = bytes(np.flatnonzero(TOKEN_OF).tolist())


def store_fasta(path: Path, folder: Path, digest: RunningDigest) -> StoredSequences:
    """Store all sequences of a FASTA file; lower case counts as upper case, U as T, IUPAC ambiguity letters as N.

    Args:
        path: the file, gzip too; it is read once, so a pipe will do.
        folder: a file without a name is made here, a byte a base.
        digest: gets the bytes of the file.

    Raises:
        InputError: the file cannot be read, holds no sequence, or breaks the format: a line before the first header,
            a header without a name or with one already seen, a letter that is no nucleotide, an empty sequence. Names
            the line; up to 20 findings at once.
        OutputError: the folder cannot be written.
    """
    with ExitStack() as stack:
        file = _temporary_file(folder)
        stack.callback(_close, file)
        stored = _Stored(path, lambda tokens: _write(file, tokens, folder))
        for number, line in numbered_lines(path, digest):
            stored.add(number, line)
        names, offsets = stored.end()
        _write(file, None, folder)
        stack.pop_all()
    return StoredSequences(names, offsets, file)


def iter_fasta(lines: Iterator[tuple[int, bytes]], path: str) -> Iterator[NamedRead]:
    """The reads of FASTA one at a time; unlike the sequences of `read_fasta` they may be empty and share a name.

    Args:
        lines: numbered, without their ends.
        path: what to call the file in an error.

    Raises:
        InputError: the lines break the format; names the first line that does.
    """
    name: str | None = None
    letters = bytearray()
    for number, line in lines:
        line = line.strip()
        if line.startswith(b">"):
            if name is not None:
                yield NamedRead(name, tokens_of_bytes(letters))
            words = line[1:].decode("utf-8", "replace").split(maxsplit=1)
            if not words:
                raise InputError(f"{path}, line {number}: the header has no name after '>'")
            name = words[0]
            letters = bytearray()
        elif line:
            if name is None:
                raise InputError(f"{path}, line {number}: FASTA begins with a line '>name'")
            for problem in _foreign_letter(path, number, line):
                raise InputError([problem])
            letters += line
    if name is not None:
        yield NamedRead(name, tokens_of_bytes(letters))


class _Stored:
    """FASTA as it is read line by line: bases are handed on, names and lengths are kept."""

    def __init__(self, path: Path, write: Callable[[NDArray[np.uint8]], None]) -> None:
        self._path = path
        self._write = write
        self._line_of_name: dict[str, int] = {}
        self._names: list[str] = []
        self._header = 0
        self._ends = array("q", [0])
        self._bases = 0
        self._letters = bytearray()
        self._problems: list[Problem] = []

    def add(self, number: int, line: bytes) -> None:
        """Take the next line.

        Raises:
            InputError: it is one finding too many, or nothing can be told of what follows.
        """
        if line.startswith(b">"):
            self._end_sequence()
            self._begin_sequence(number, line)
        elif line := line.strip():
            if not self._names:
                raise InputError([Problem(f"{self._path}, line {number}", "FASTA begins with a line '>name'")])
            if line.translate(None, _NUCLEOTIDES):
                self._problems += _foreign_letter(self._path, number, line)
            self._letters += line
            self._bases += len(line)
            if len(self._letters) >= _WRITTEN_AT_ONCE:
                self._hand_on()
        if len(self._problems) >= MAX_PROBLEMS:
            raise InputError(self._problems[:MAX_PROBLEMS])

    def end(self) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """Names and offsets of all sequences.

        Raises:
            InputError: something was found.
        """
        self._end_sequence()
        if self._problems:
            raise InputError(self._problems[:MAX_PROBLEMS])
        if not self._names:
            raise InputError(f"{self._path}: holds no sequence; FASTA begins with a line '>name'")
        self._hand_on()
        return tuple(self._names), np.array(self._ends, np.int64)

    def _hand_on(self) -> None:
        self._write(tokens_of_bytes(self._letters))
        self._letters.clear()

    def _begin_sequence(self, number: int, line: bytes) -> None:
        words = line[1:].decode("utf-8", "replace").split(maxsplit=1)
        name = words[0] if words else ""
        if not words:
            self._problems.append(Problem(f"{self._path}, line {number}", "the header has no name after '>'"))
        elif name in self._line_of_name:
            known = self._line_of_name[name]
            self._problems.append(
                Problem(f"{self._path}, line {number}", f"the name {name} is already that of line {known}")
            )
        self._names.append(name)
        self._line_of_name[name] = self._header = number

    def _end_sequence(self) -> None:
        if self._names:
            if self._bases == self._ends[-1]:
                where = f"{self._path}, line {self._header}"
                self._problems.append(Problem(where, f"sequence {self._names[-1]} has no bases"))
            self._ends.append(self._bases)


def _temporary_file(folder: Path) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(prefix=".readlabel.", dir=folder)
    except OSError as error:
        raise_output_error(folder, error)


def _close(file: IO[bytes]) -> None:
    with suppress(OSError):  # of bytes that found no space, which has been said
        file.close()


def _write(file: IO[bytes], tokens: NDArray[np.uint8] | None, folder: Path) -> None:
    """Append tokens; None for what is still in a buffer."""
    try:
        if tokens is None:
            file.flush()
        else:
            file.write(tokens.data)
    except OSError as error:
        raise_output_error(folder, error)


def _foreign_letter(path: Path | str, number: int, line: bytes) -> Iterator[Problem]:
    foreign = line.translate(None, _NUCLEOTIDES)
    if foreign:
        column = line.index(foreign[:1]) + 1
        yield Problem(
            f"{path}, line {number}, column {column}",
            f"{chr(foreign[0])!r} is no nucleotide letter; A, C, G, T, U, N and the IUPAC ambiguity letters are",
        )
