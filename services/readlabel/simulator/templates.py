"""Which stretches of the pool make up each read, before errors: a block's molecules, invalid reads, both strands.

Layout, pool and a generator enter; `Stretches`, ragged lists of stretches a read, leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from readlabel.reads.labelled import KINDS
from readlabel.simulator.layout import MAX_FLANK, MAX_TAIL, REPEATS, Layout
from readlabel.simulator.parameters import SimulationParameters
from readlabel.simulator.pool import Pool

MOST_TRUNCATED = 0.7
"""A truncated read keeps at least 30 % of its bases."""

_VALID = KINDS.index("valid")
_CONCATENATED = KINDS.index("concatenated")
_REPEATED = KINDS.index("repeated_5p"), KINDS.index("repeated_3p")
_TRUNCATED = KINDS.index("truncated_5p"), KINDS.index("truncated_3p")

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Stretches:
    """Consecutive stretches of n reads.

    Attributes:
        offsets: (n + 1,) read i has the stretches from offsets[i] to offsets[i + 1].
        address: (stretches,) where each begins in the pool.
        length: (stretches,) bases of each, 0 allowed.
        slot: (stretches,) the layout's slot each comes from.
        complement: (stretches,) bool, whether its bases are complemented where they lie. With an address in the pool's
            second half this makes a reversed stretch that is not complemented.
    """

    offsets: Ints
    address: Ints
    length: Ints
    slot: Ints
    complement: NDArray[np.bool_]


@dataclass(frozen=True)
class Templates:
    """A block's molecules.

    Attributes:
        kind: (n,) uint8, index into KINDS.
        stretches: their stretches, in the library's orientation.
        transcript: (n,) index of the transcript each shows.
        second: (n,) index of the transcript of the second molecule of a concatenated read, else -1.
    """

    kind: NDArray[np.uint8]
    stretches: Stretches
    transcript: Ints
    second: Ints


@dataclass(frozen=True)
class _Molecules:
    """Valid molecules: address and length of each slot, both (n, slots), and the transcript of each."""

    address: Ints
    length: Ints
    transcript: Ints


def draw_templates(
    layout: Layout, pool: Pool, parameters: SimulationParameters, rng: np.random.Generator, count: int
) -> Templates:
    """Draw `count` molecules; fills the block's parts of the pool."""
    pool.begin_block()
    invalid = rng.random(count) < parameters.invalid_fraction
    kind = np.where(invalid, layout.invalid_kinds[rng.integers(0, len(layout.invalid_kinds), count)], _VALID)
    joined = np.flatnonzero(kind == _CONCATENATED)
    # As is (half of them), reversed, or reverse complemented: tranquillyzer's shares.
    orientation = rng.integers(0, 4, len(joined))
    molecules = _draw_molecules(layout, pool, parameters, rng, count + len(joined))
    cut = rng.random(count)
    stretches = _lay_out(layout, pool, molecules, kind, joined, orientation)
    _truncate(stretches, kind, cut)
    second = np.full(count, -1, np.int64)
    second[joined] = molecules.transcript[count:]
    return Templates(kind.astype(np.uint8), stretches, molecules.transcript[:count], second)


def both_strands(stretches: Stretches, pool: Pool) -> Stretches:
    """Each read followed by its reverse complement."""
    counts = np.diff(stretches.offsets)
    begin = np.repeat(stretches.offsets[:-1], counts)
    place = np.arange(len(stretches.length)) + begin
    # Read i begins at 2 * offsets[i]; its reverse complement ends at 2 * offsets[i + 1], in opposite order.
    turned_place = 2 * np.repeat(stretches.offsets[1:], counts) - 1 - np.arange(len(stretches.length)) + begin
    order = np.concatenate([place, turned_place])

    def spread(straight: NDArray[Any], turned: NDArray[Any]) -> NDArray[Any]:
        both = np.empty(2 * len(straight), straight.dtype)
        both[order] = np.concatenate([straight, turned])
        return both

    length = stretches.length
    return Stretches(
        offsets=np.concatenate([[0], np.cumsum(np.repeat(counts, 2))]),
        address=spread(stretches.address, pool.turned(stretches.address, length)),
        length=spread(length, length),
        slot=spread(stretches.slot, stretches.slot),
        complement=spread(stretches.complement, stretches.complement),
    )


def _draw_molecules(
    layout: Layout, pool: Pool, parameters: SimulationParameters, rng: np.random.Generator, count: int
) -> _Molecules:
    address = np.empty((count, len(layout.slots)), np.int64)
    length = np.empty_like(address)
    transcripts = len(pool.transcript_length)
    transcript = rng.integers(0, transcripts, count) if transcripts else np.full(count, -1, np.int64)
    random = 0
    for column, slot in enumerate(layout.slots):
        if slot.kind == "cdna":
            wanted = rng.integers(parameters.min_cdna, parameters.max_cdna, count, np.int64, endpoint=True)
            begin, taken = _fragments(pool, rng, transcript, wanted)
            address[:, column] = pool.turned(begin, taken) if layout.reverse_cdna else begin
            length[:, column] = taken
        elif slot.kind == "flank":
            wanted = rng.integers(0, MAX_FLANK, count, np.int64, endpoint=True)
            address[:, column], length[:, column] = _fragments(pool, rng, rng.integers(0, transcripts, count), wanted)
        elif slot.kind == "tail":
            address[:, column] = pool.slot_address[column]
            length[:, column] = rng.integers(layout.min_tail, MAX_TAIL, count, endpoint=True)
        elif slot.kind == "random":
            address[:, column] = pool.random_address + random + slot.length * np.arange(count)
            length[:, column] = slot.length
            random += slot.length * count
        else:
            address[:, column] = pool.slot_address[column]
            length[:, column] = slot.length
    pool.fill_random(rng, random)
    return _Molecules(address, length, transcript)


def _fragments(pool: Pool, rng: np.random.Generator, transcript: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """Address and length of one fragment of each transcript: its head, its tail or its middle, a third each.

    A transcript shorter than wanted is taken whole.
    """
    length = np.minimum(wanted, pool.transcript_length[transcript])
    spare = pool.transcript_length[transcript] - length
    third = rng.integers(0, 3, len(transcript))
    middle = rng.integers(0, spare, endpoint=True)
    begin = np.where(third == 0, 0, np.where(third == 1, spare, middle))
    return pool.fragments(transcript, begin, length), length


def _lay_out(
    layout: Layout, pool: Pool, molecules: _Molecules, kind: Ints, joined: Ints, orientation: Ints
) -> Stretches:
    """Set molecules, second molecules and repeated adapters one after another."""
    count, slots = len(kind), len(layout.slots)
    counts = np.full(count, slots)
    counts[joined] += slots
    counts[(kind == _REPEATED[0]) | (kind == _REPEATED[1])] += REPEATS
    offsets = np.concatenate([[0], np.cumsum(counts)])
    total = int(offsets[-1])
    address, length, slot = (np.empty(total, np.int64) for _ in range(3))
    complement = np.zeros(total, bool)
    columns = np.arange(slots)

    place = (offsets[:-1] + REPEATS * (kind == _REPEATED[0]))[:, None] + columns
    address[place] = molecules.address[:count]
    length[place] = molecules.length[:count]
    slot[place] = columns

    for end, repeated_kind in enumerate(_REPEATED):
        adapter = layout.repeated[end]
        reads = np.flatnonzero(kind == repeated_kind)
        place = (offsets[reads] + (0 if end == 0 else slots))[:, None] + np.arange(REPEATS)
        address[place] = pool.slot_address[adapter]
        length[place] = layout.slots[adapter].length
        slot[place] = adapter

    straight = (orientation < 2)[:, None]
    second_address, second_length = molecules.address[count:], molecules.length[count:]
    place = (offsets[joined] + slots)[:, None] + np.where(straight, columns, slots - 1 - columns)
    address[place] = np.where(straight, second_address, pool.turned(second_address, second_length))
    length[place] = second_length
    slot[place] = columns
    complement[place] = (orientation == 2)[:, None]
    return Stretches(offsets, address, length, slot, complement)


def _truncate(stretches: Stretches, kind: Ints, cut: NDArray[np.float64]) -> None:
    """Shorten truncated reads in place; `cut` in [0, 1) says how far between the least and the most."""
    reads = np.flatnonzero((kind == _TRUNCATED[0]) | (kind == _TRUNCATED[1]))
    if not len(reads):
        return
    slots = stretches.offsets[reads[0] + 1] - stretches.offsets[reads[0]]
    place = stretches.offsets[reads][:, None] + np.arange(slots)
    length = stretches.length[place]
    end = np.cumsum(length, axis=1)
    start = end - length
    total = end[:, -1:]
    most = np.minimum(np.maximum(1, (total * MOST_TRUNCATED).astype(np.int64)), total - 1)
    lost = np.where(total > 1, 1 + (cut[reads][:, None] * most).astype(np.int64), 0)
    at_5p = (kind[reads] == _TRUNCATED[0])[:, None]
    keep_from = np.clip(np.where(at_5p, lost, 0) - start, 0, length)
    keep_to = np.clip(np.where(at_5p, total, total - lost) - start, 0, length)
    stretches.address[place] += keep_from
    stretches.length[place] = np.maximum(keep_to - keep_from, 0)
