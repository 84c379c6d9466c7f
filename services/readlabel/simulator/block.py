"""One block of reads from one generator: what a simulator repeats, in this process or in another.

A block's number enters, `LabelledReads` leave. Block b draws from a generator of its own, seeded by (seed, stream, b),
so what it holds depends on nothing else: not on the number of workers, nor on how many reads are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from readlabel.messages import Library
from readlabel.reads.labelled import STRANDS, LabelledReads, Strings
from readlabel.reads.sequences import Sequences, StoredSequences
from readlabel.simulator.assemble import Bases, assemble, without_errors
from readlabel.simulator.errors import ErrorModel, run_lengths, spare_one_base
from readlabel.simulator.layout import MAX_FLANK, MAX_TAIL, Layout, make_layout
from readlabel.simulator.parameters import SimulationParameters, Stream
from readlabel.simulator.pool import Pool
from readlabel.simulator.templates import Templates, both_strands, draw_templates
from readlabel.simulator.transcripts import random_transcripts

_STREAM_KEY: dict[Stream, int] = {"training": 0, "validation": 1}
_BLOCKS, _TRANSCRIPTS = 0, 1

_BLOCK_BASES = 1 << 18
_MOST_TEMPLATES = 512
_FEWEST_TEMPLATES = 8

_GROUP_BASES = 1 << 21
_MOST_BLOCKS = 8

_COPIED = 128
"""Bases from which on a stretch without errors is cheaper to copy than to gather."""

_ID_DIGITS = 9
_ZERO = ord("0")


def generator(seed: int, stream: Stream, purpose: int, index: int) -> np.random.Generator:
    """The generator of one purpose: different arguments give independent streams of numbers."""
    key = (_STREAM_KEY[stream], purpose, index)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))


class BlockSimulator:
    """Makes any block of a simulation.

    Attributes:
        templates: molecules a block holds; a function of library and parameters alone.
    """

    def __init__(
        self,
        library: Library,
        parameters: SimulationParameters,
        seed: int,
        stream: Stream,
        transcripts: Sequences | StoredSequences | None,
    ) -> None:
        """Prepare the pool.

        Args:
            library: what the reads look like.
            parameters: how they are drawn.
            seed: 0 to 2^31 - 1.
            stream: whose random numbers.
            transcripts: where cDNA comes from; None for random ones.
        """
        self._library = library
        self._parameters = parameters
        self._seed = seed
        self._stream: Stream = stream
        self._layout = make_layout(library, parameters)
        if not (self._layout.has_cdna or self._layout.has_flanks):
            transcripts = None
        elif transcripts is None:
            transcripts = random_transcripts(generator(seed, stream, _TRANSCRIPTS, 0), parameters)
        self._names: Strings | None = None
        if transcripts is not None and self._layout.has_cdna:
            self._names = np.array(transcripts.names, object)
        self.templates = _cut(self._layout, parameters).templates
        # A concatenated read holds two molecules. A piece begins as many bases too early as are inserted before it,
        # so the pool is at least that long.
        capacity = 2 * self.templates * self._layout.random_bases + parameters.max_insertions
        fragments = 0
        if isinstance(transcripts, StoredSequences):
            fragments = 2 * self.templates * self._layout.most_transcript_bases(parameters)
        self._pool = Pool(self._layout, transcripts, capacity, fragments)
        self._errors = ErrorModel(self._layout.rates, parameters.max_insertions, parameters.homopolymer_indel)

    def block(self, index: int) -> LabelledReads:
        """The reads of one block: with `rc`, each molecule's read is followed by its reverse complement."""
        rng = generator(self._seed, self._stream, _BLOCKS, index)
        templates = draw_templates(self._layout, self._pool, self._parameters, rng, self.templates)
        stretches = both_strands(templates.stretches, self._pool) if self._parameters.rc else templates.stretches
        runs: NDArray[np.int64] | None = None
        worked = stretches
        if self._errors.needs_runs:
            read_end = np.append(0, np.cumsum(stretches.length))[stretches.offsets]
            runs = run_lengths(without_errors(self._pool, stretches), read_end)
        else:
            whole = ~self._errors.noisy[stretches.slot] & ~stretches.complement & (stretches.length >= _COPIED)
            worked = replace(stretches, length=np.where(whole, 0, stretches.length))
        errors = self._errors.draw(worked, rng, runs)
        bases = assemble(self._pool, stretches, worked, self._layout.labels, errors, rng)
        empty = np.diff(bases.offsets) == 0
        if empty.any():
            errors = spare_one_base(errors, worked, empty)
            bases = assemble(self._pool, stretches, worked, self._layout.labels, errors, rng)
        return self._reads(index, templates, bases)

    def _reads(self, index: int, templates: Templates, bases: Bases) -> LabelledReads:
        strands = 2 if self._parameters.rc else 1
        pair = index * self.templates + np.repeat(np.arange(self.templates), strands)
        strand = (np.arange(len(pair)) % strands).astype(np.uint8)
        return LabelledReads(
            label_names=self._library.labels,
            offsets=bases.offsets,
            tokens=bases.tokens,
            labels=bases.labels,
            read_ids=_read_ids(self._stream, pair, strand),
            pair=pair,
            kind=np.repeat(templates.kind, strands),
            strand=strand,
            segments=bases.segments,
            transcript=np.repeat(self._transcripts(templates), strands),
        )

    def _transcripts(self, templates: Templates) -> Strings:
        """Names of the transcripts each molecule shows, a space between two; None without cDNA."""
        if self._names is None:
            return np.full(len(templates.kind), None, object)
        names: Strings = self._names[templates.transcript]
        for read in np.flatnonzero(templates.second >= 0):
            names[read] = f"{names[read]} {self._names[templates.second[read]]}"
        return names


@dataclass(frozen=True)
class Cut:
    """How a simulation is cut into pieces.

    Attributes:
        templates: molecules a block, as many as make bases that a processor's caches hold.
        blocks: blocks a group, as many as make a row group.
    """

    templates: int
    blocks: int


def cut(library: Library, parameters: SimulationParameters) -> Cut:
    """The cut, a function of library and parameters alone, so that nothing else can change what a seed gives.

    Raises:
        InputError: error rates are given for a segment the library lacks.
    """
    return _cut(make_layout(library, parameters), parameters)


def _cut(layout: Layout, parameters: SimulationParameters) -> Cut:
    mean = {
        "flank": MAX_FLANK / 2,
        "tail": MAX_TAIL / 2,
        "cdna": (parameters.min_cdna + parameters.max_cdna) / 2,
    }
    expected = sum(mean.get(slot.kind, slot.length) for slot in layout.slots)
    templates = int(np.clip(_BLOCK_BASES / expected, _FEWEST_TEMPLATES, _MOST_TEMPLATES))
    return Cut(templates, int(np.clip(_GROUP_BASES / (templates * expected), 1, _MOST_BLOCKS)))


def _read_ids(stream: Stream, pair: NDArray[np.int64], strand: NDArray[np.uint8]) -> Strings:
    """``training:000000012:+``, laid out as a matrix of characters."""
    head = f"{stream}:"
    width = len(head) + _ID_DIGITS + 2
    characters = np.empty((len(pair), width), np.uint32)
    characters[:, : len(head)] = [ord(letter) for letter in head]
    characters[:, len(head) : -2] = _ZERO + pair[:, None] // 10 ** np.arange(_ID_DIGITS)[::-1] % 10
    characters[:, -2] = ord(":")
    characters[:, -1] = np.array([ord(sign) for sign in STRANDS])[strand]
    return characters.view(f"U{width}").reshape(-1)
