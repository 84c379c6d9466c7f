"""FASTQ (gzip too): reads with qualities, one at a time. Errors name the line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from readlabel.messages import InputError
from readlabel.reads._text import numbered_lines
from readlabel.reads.tokens import tokenize


@dataclass(frozen=True)
class FastqRead:
    """One read.

    Attributes:
        name: the word after ``@``.
        tokens: (bases,) uint8.
        quality: (bases,) uint8, Phred values.
    """

    name: str
    tokens: NDArray[np.uint8]
    quality: NDArray[np.uint8]


def iter_fastq(path: Path) -> Iterator[FastqRead]:
    """The reads of a FASTQ file of four lines a read.

    Raises:
        InputError: the file cannot be read or breaks the format; names the line.
    """
    lines = numbered_lines(path)
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
            raise InputError(f"{path}, line {number + 2}: the third line of a FASTQ read begins with '+'")
        if len(quality) != len(sequence):
            raise InputError(
                f"{path}, line {number + 3}: {len(quality)} qualities for {len(sequence)} bases; there is one a base"
            )
        values = np.frombuffer(quality, np.uint8) - np.uint8(33)
        if (values > 93).any():
            raise InputError(f"{path}, line {number + 3}: a quality is outside '!' to '~'")
        yield FastqRead(words[0], tokenize(sequence, f"{words[0]} ({path}, line {number + 1})"), values)
