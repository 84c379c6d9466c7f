"""FASTA: a file (gzip too) enters as one array of tokens, or read by read. Errors name the line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from readlabel.messages import InputError, Problem
from readlabel.reads._text import numbered_lines
from readlabel.reads.fastq import NamedRead
from readlabel.reads.tokens import TOKEN_OF, tokens_of_bytes

MAX_PROBLEMS = 20
_NUCLEOTIDES = bytes(np.flatnonzero(TOKEN_OF).tolist())


@dataclass(frozen=True)
class Sequences:
    """Named sequences.

    Attributes:
        names: the word after ``>`` of each.
        offsets: (n + 1,) int64; sequence i has the bases from offsets[i] to offsets[i + 1]; none is empty.
        tokens: (bases,) uint8.
    """

    names: tuple[str, ...]
    offsets: NDArray[np.int64]
    tokens: NDArray[np.uint8]

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.names)


def read_fasta(path: Path) -> Sequences:
    """Read all sequences of a FASTA file; lower case counts as upper case, U as T, IUPAC ambiguity letters as N.

    Raises:
        InputError: the file cannot be read, holds no sequence, or breaks the format: a line before the first header,
            a header without a name or with one already seen, a letter that is no nucleotide, an empty sequence. Names
            the line; up to 20 findings at once.
    """
    names: list[str] = []
    line_of_name: dict[str, int] = {}
    ends: list[int] = []
    letters = bytearray()
    problems: list[Problem] = []
    for number, line in numbered_lines(path):
        if line.startswith(b">"):
            problems += _end_sequence(path, names, line_of_name, ends, letters)
            problems += _begin_sequence(path, number, line, names, line_of_name)
        elif line.strip():
            if not names:
                problems.append(Problem(f"{path}, line {number}", "FASTA begins with a line '>name'"))
                break
            problems += _foreign_letter(path, number, line.strip())
            letters += line.strip()
        if len(problems) >= MAX_PROBLEMS:
            break
    else:
        problems += _end_sequence(path, names, line_of_name, ends, letters)
    if problems:
        raise InputError(problems[:MAX_PROBLEMS])
    if not names:
        raise InputError(f"{path}: holds no sequence; FASTA begins with a line '>name'")
    return Sequences(tuple(names), np.array([0, *ends], np.int64), tokens_of_bytes(letters))


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


def _begin_sequence(
    path: Path, number: int, line: bytes, names: list[str], line_of_name: dict[str, int]
) -> Iterator[Problem]:
    words = line[1:].decode("utf-8", "replace").split(maxsplit=1)
    name = words[0] if words else ""
    if not words:
        yield Problem(f"{path}, line {number}", "the header has no name after '>'")
    elif name in line_of_name:
        yield Problem(f"{path}, line {number}", f"the name {name} is already that of line {line_of_name[name]}")
    names.append(name)
    line_of_name[name] = number


def _end_sequence(
    path: Path, names: list[str], line_of_name: dict[str, int], ends: list[int], letters: bytearray
) -> Iterator[Problem]:
    if names:
        if len(letters) == (ends[-1] if ends else 0):
            yield Problem(f"{path}, line {line_of_name[names[-1]]}", f"sequence {names[-1]} has no bases")
        ends.append(len(letters))


def _foreign_letter(path: Path | str, number: int, line: bytes) -> Iterator[Problem]:
    foreign = line.translate(None, _NUCLEOTIDES)
    if foreign:
        column = line.index(foreign[:1]) + 1
        yield Problem(
            f"{path}, line {number}, column {column}",
            f"{chr(foreign[0])!r} is no nucleotide letter; A, C, G, T, U, N and the IUPAC ambiguity letters are",
        )
