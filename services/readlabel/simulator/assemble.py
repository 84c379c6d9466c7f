"""Reads from stretches and errors: bases gathered from the pool, a label a base, and the true segment table.

Every indel splits its stretch: the stretch's first piece, then for each indel a piece of inserted bases (none for a
deletion) and a piece that goes on with the stretch. One gather over all pieces gives all bases of a block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from readlabel.reads.labelled import SegmentTable
from readlabel.reads.tokens import COMPLEMENT, NUM_TOKENS, A, C, G, N, T
from readlabel.simulator.errors import Errors
from readlabel.simulator.pool import Pool
from readlabel.simulator.templates import Ints, Stretches
from readlabel.simulator.transcripts import random_tokens

_CHOICES = 12  # divisible by the 3 other nucleotides and, for N, by all 4: every substitute has the same chance


def _substitutes() -> NDArray[np.uint8]:
    table = np.zeros((NUM_TOKENS, _CHOICES), np.uint8)
    for token in (A, C, G, T, N):
        others = [other for other in (A, C, G, T) if other != token]
        table[token] = np.resize(others, _CHOICES)
    return table


_SUBSTITUTE = _substitutes()
_numbers: Ints = np.arange(0)


@dataclass(frozen=True)
class Bases:
    """A block's reads as flat arrays; see `LabelledReads` for the meaning."""

    offsets: Ints
    tokens: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    segments: SegmentTable


def without_errors(pool: Pool, stretches: Stretches) -> NDArray[np.uint8]:
    """(bases,) tokens of reads as they are before errors."""
    tokens = pool.bases.take(_places(stretches.address, stretches.length))
    start = np.cumsum(stretches.length) - stretches.length
    _complement(tokens, stretches.complement, start, stretches.length)
    return tokens


def assemble(
    pool: Pool, stretches: Stretches, label_of_slot: NDArray[np.uint8], errors: Errors, rng: np.random.Generator
) -> Bases:
    """Build the reads of a block."""
    count = len(stretches.length)
    template_end = np.cumsum(stretches.length)
    template_start = template_end - stretches.length

    # Pieces. The first piece of stretch s comes after 2 pieces for each indel before it: at s + 2 * indels before.
    indel = ~errors.mismatch
    indels_before: Ints = np.cumsum(indel) - indel
    position, owner, inserted = errors.position[indel], errors.stretch[indel], errors.inserted[indel]
    insert_piece = 2 * np.arange(len(position)) + owner + 1
    per_stretch = np.bincount(owner, minlength=count)
    first_piece = np.arange(count) + 2 * (np.cumsum(per_stretch) - per_stretch)
    pieces = count + 2 * len(position)

    # Where each piece begins in the template, and where the piece before it ended.
    begin = np.empty(pieces, np.int64)
    ended = np.empty(pieces + 1, np.int64)
    begin[first_piece] = ended[first_piece] = template_start
    begin[insert_piece] = ended[insert_piece] = position + (inserted > 0)
    begin[insert_piece + 1] = ended[insert_piece + 1] = position + 1
    ended[pieces] = template_end[-1]
    length = ended[1:] - begin
    length[insert_piece] = inserted
    shift = np.empty(pieces, np.int64)
    shift[first_piece] = stretches.address - template_start
    shift[insert_piece + 1] = shift[first_piece][owner]
    shift[insert_piece] = -begin[insert_piece]  # inserted bases are set below; until then they show address 0
    output_start = np.cumsum(length) - length

    tokens = pool.bases.take(_places(begin + shift, length))
    stretch_start = output_start[first_piece]
    stretch_length = np.diff(stretch_start, append=len(tokens))
    _complement(tokens, stretches.complement, stretch_start, stretch_length)
    _insert(tokens, output_start[insert_piece], inserted, rng)

    mismatch = errors.mismatch
    piece = errors.stretch[mismatch] + 2 * indels_before[mismatch]
    place = output_start[piece] + errors.position[mismatch] - begin[piece]
    tokens[place] = _SUBSTITUTE[tokens[place], rng.integers(0, _CHOICES, len(place), dtype=np.uint8)]

    label = label_of_slot[stretches.slot]
    labels = np.repeat(label, stretch_length)
    offsets = np.append(stretch_start, len(tokens))[stretches.offsets]
    return Bases(offsets, tokens, labels, _table(stretches.offsets, offsets, label, stretch_start, stretch_length))


def _complement(tokens: NDArray[np.uint8], which: NDArray[np.bool_], start: Ints, length: Ints) -> None:
    chosen = np.flatnonzero(which)
    if len(chosen):
        place = _places(start[chosen], length[chosen])
        tokens[place] = COMPLEMENT[tokens[place]]


def _insert(tokens: NDArray[np.uint8], start: Ints, inserted: Ints, rng: np.random.Generator) -> None:
    place = _places(start, inserted)
    tokens[place] = random_tokens(rng, len(place))


def _places(start: Ints, length: Ints) -> Ints:
    """start, start + 1, … of each stretch, one stretch after another."""
    end = np.cumsum(length)
    place = np.repeat(start - (end - length), length)
    place += _counting(len(place))
    return place


def _counting(count: int) -> Ints:
    """0, 1, … count - 1, from one array that lives on: filling fresh pages cost a third of the simulator's time."""
    global _numbers
    if count > len(_numbers):
        _numbers = np.arange(count + count // 4)
        _numbers.flags.writeable = False
    return _numbers[:count]


def _table(stretch_offsets: Ints, offsets: Ints, label: NDArray[np.uint8], start: Ints, length: Ints) -> SegmentTable:
    """One segment a stretch that has bases."""
    present = length > 0
    kept = np.concatenate([[0], np.cumsum(present)])
    read_start = np.repeat(offsets[:-1], np.diff(stretch_offsets))
    begin = (start - read_start)[present]
    return SegmentTable(
        kept[stretch_offsets],
        label[present],
        begin.astype(np.int32),
        (begin + length[present]).astype(np.int32),
    )
