"""Reads from stretches and errors: bases gathered from the pool, a label a base, and the true segment table.

Every indel splits its stretch: the stretch's first piece, then for each indel a piece that begins with the inserted
bases and goes on with the stretch. One gather over all pieces gives all bases that errors may touch; long stretches
without errors are copied in afterwards.
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
    pool: Pool,
    stretches: Stretches,
    worked: Stretches,
    label_of_slot: NDArray[np.uint8],
    errors: Errors,
    rng: np.random.Generator,
) -> Bases:
    """Build the reads of a block.

    Args:
        pool: where bases come from.
        stretches: of all reads.
        worked: the same, with length 0 for those that are copied whole at the end.
        label_of_slot: (slots,) label of each.
        errors: of `worked`.
        rng: the block's generator.
    """
    count = len(worked.length)
    template_end = np.cumsum(worked.length)
    template_start = template_end - worked.length

    # Pieces. The first piece of stretch s comes after one piece for each indel before it: at s + indels before.
    indel = ~errors.mismatch
    indels_before: Ints = np.cumsum(indel) - indel
    position, owner, inserted = errors.position[indel], errors.stretch[indel], errors.inserted[indel]
    piece_of_indel = owner + np.arange(1, len(owner) + 1)
    per_stretch = np.bincount(owner, minlength=count)
    first_piece = np.arange(count) + np.cumsum(per_stretch) - per_stretch
    pieces = count + len(position)

    # Where each piece begins in the template, and where the piece before it ended. A piece after k inserted bases
    # begins k bases too early: what it shows there is overwritten by them.
    begin = np.empty(pieces, np.int64)
    ended = np.empty(pieces + 1, np.int64)
    begin[first_piece] = ended[first_piece] = template_start
    begin[piece_of_indel] = position + 1 - inserted
    ended[piece_of_indel] = position + (inserted > 0)
    ended[pieces] = template_end[-1]
    length = ended[1:] - begin
    address = begin + np.repeat(worked.address - template_start, per_stretch + 1)
    output_start = np.cumsum(length) - length

    tokens = pool.bases.take(_places(address, length))
    stretch_start = output_start[first_piece]
    stretch_length = np.append(stretch_start[1:], len(tokens)) - stretch_start
    _complement(tokens, worked.complement, stretch_start, stretch_length)
    place = _places(output_start[piece_of_indel], inserted)
    tokens[place] = random_tokens(rng, len(place))

    mismatch = errors.mismatch
    piece = errors.stretch[mismatch] + indels_before[mismatch]
    place = output_start[piece] + errors.position[mismatch] - begin[piece]
    tokens[place] = _SUBSTITUTE[tokens[place], rng.integers(0, _CHOICES, len(place), dtype=np.uint8)]

    whole = np.flatnonzero(stretches.length != worked.length)
    if len(whole):
        tokens = _splice(tokens, stretch_start[whole], pool.bases, stretches.address[whole], stretches.length[whole])
        stretch_length += stretches.length - worked.length
        stretch_start = np.cumsum(stretch_length) - stretch_length
    label = label_of_slot[stretches.slot]
    offsets = np.append(stretch_start, len(tokens))[stretches.offsets]
    table = _table(stretches.offsets, offsets, label, stretch_start, stretch_length)
    return Bases(offsets, tokens, np.repeat(label, stretch_length), table)


def _splice(
    tokens: NDArray[np.uint8], place: Ints, bases: NDArray[np.uint8], address: Ints, length: Ints
) -> NDArray[np.uint8]:
    """Tokens with whole stretches of the pool put in at their places: a copy each, instead of an address a base."""
    rest, source = tokens.data, bases.data
    parts: list[memoryview] = []
    begin = 0
    for stop, first, end in zip(place.tolist(), address.tolist(), (address + length).tolist(), strict=True):
        parts += (rest[begin:stop], source[first:end])
        begin = stop
    parts.append(rest[begin:])
    return np.frombuffer(b"".join(parts), np.uint8)


def _complement(tokens: NDArray[np.uint8], which: NDArray[np.bool_], start: Ints, length: Ints) -> None:
    chosen = np.flatnonzero(which)
    if len(chosen):
        place = _places(start[chosen], length[chosen])
        tokens[place] = COMPLEMENT[tokens[place]]


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
