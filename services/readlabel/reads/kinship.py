"""Whether labelled reads are of a library, as far as its fixed motifs tell: libraries share label names, not adapters.

Labels come with reads from elsewhere, and those of another library with the same segment names would train a model of
the wrong adapters without a word.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from readlabel.messages import InputError, Library, Problem
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.tokens import COMPLEMENT, letters_of, tokens_of_bytes

_WORD = 10
"""Bases in a row that count as a trace of a motif. Of another adapter one stretch in a thousand has such by chance; of
the right one more than half at usual error rates. (Where two of three bases are wrong none is left to see.)"""
_FEWEST, _MOST = 100, 1000
"""Stretches of a label that are enough to judge by, and how many are looked at."""
_TOO_FEW = 0.005
"""Share of stretches with a trace that says another adapter."""


def require_kin(reads: LabelledReads, library: Library, path: Path) -> None:
    """Make sure that the stretches of each label with a motif of its own hold traces of it, on either strand.

    Args:
        reads: their label names are the library's.
        library: segments of the same name count together; motifs shorter than ten bases are not judged.
        path: what to call the labels in an error.

    Raises:
        InputError: they hold none; names each label and its motif.
    """
    problems = []
    for code, label in enumerate(reads.label_names):
        segments = [segment for segment in library.segments if segment.name == label]
        motifs = [segment.pattern for segment in segments]
        if any(segment.kind != "fixed" or len(segment.pattern) < _WORD for segment in segments):
            continue
        words = {word for motif in motifs for word in _words(motif)}
        stretches = _stretches(reads, code)
        kin = sum(any(word in stretch for word in words) for stretch in stretches)
        if len(stretches) >= _FEWEST and kin < _TOO_FEW * len(stretches):
            problems.append(
                Problem(
                    f"label {label!r} of {path}",
                    f"{kin} of {len(stretches)} stretches hold {_WORD} bases in a row of {' or '.join(motifs)}, as the "
                    f"library has it; are these reads of another library than {library.model}?",
                )
            )
    if problems:
        raise InputError(problems)


def _words(motif: str) -> set[bytes]:
    """What a motif and its reverse complement are made of."""
    forward = tokens_of_bytes(motif.encode("ascii"))
    strands = (letters_of(forward), letters_of(COMPLEMENT[forward[::-1]]))
    return {strand[at : at + _WORD] for strand in strands for at in range(len(strand) - _WORD + 1)}


def _stretches(reads: LabelledReads, code: int) -> list[bytes]:
    """The bases of the first segments with a label."""
    table = reads.segments
    rows = np.flatnonzero(table.label == code)[:_MOST]
    base = np.repeat(reads.offsets[:-1], np.diff(table.offsets))[rows]
    bounds = zip((base + table.start[rows]).tolist(), (base + table.end[rows]).tolist(), strict=True)
    return [letters_of(reads.tokens[start:end]) for start, end in bounds]
