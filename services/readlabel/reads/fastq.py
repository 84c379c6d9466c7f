"""FASTQ: numbered lines enter, reads leave, one at a time. Errors name the line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from readlabel.messages import InputError
from readlabel.reads.tokens import tokenize, tokens_of_bytes

_QUALITIES = bytes(range(ord("!"), ord("~") + 1))


@dataclass(frozen=True)
class NamedRead:
    """One read as FASTQ and FASTA have it.

    Attributes:
        name: the word after ``@`` or ``>``.
        tokens: (bases,) uint8; a sequencer's files may hold reads without a base.
    """

    name: str
    tokens: NDArray[np.uint8]


def _foreign(line: bytes) -> bool:
    return not line or not tokens_of_bytes(line).all()


def iter_fastq(lines: Iterator[tuple[int, bytes]], path: str) -> Iterator[NamedRead]:
    """The reads of FASTQ with four lines a read; their qualities are checked and left behind.

    Args:
        lines: numbered, without their ends.
        path: what to call the file in an error.

    Raises:
        InputError: the lines break the format; names the line.
    """
    for number, header in lines:
        if not header.strip():
            continue
        words = header[1:].decode("utf-8", "replace").split(maxsplit=1)
        if not header.startswith(b"@") or not words:
            raise InputError(f"{path}, line {number}: a read of FASTQ begins with a line '@name'")
        record = [line for _, line in (next(lines, (0, None)) for _ in range(3)) if line is not None]
        if len(record) < 3:
            raise InputError(f"{path}, line {number}: read {words[0]} is cut short; a read has four lines")
        sequence, plus, quality = record
        if not plus.startswith(b"+"):
            wrapped = "; is its sequence broken into lines? Join them: seqtk seq FILE" if not _foreign(plus) else ""
            raise InputError(f"{path}, line {number + 2}: the third line of a FASTQ read begins with '+'{wrapped}")
        if len(quality) != len(sequence):
            raise InputError(
                f"{path}, line {number + 3}: {len(quality)} qualities for {len(sequence)} bases; there is one a base"
            )
        if quality.translate(None, _QUALITIES):
            raise InputError(f"{path}, line {number + 3}: a quality is outside '!' to '~'")
        tokens = tokens_of_bytes(b"")
        if sequence:
            tokens = tokenize(sequence, f"{words[0]} ({path}, line {number + 1})")
        yield NamedRead(words[0], tokens)
