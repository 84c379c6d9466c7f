"""The bases that reads are gathered from: one array that holds every stretch in both orientations.

    [ static | random | fragments | and the reverse complements of all three, in opposite order ]

Static are motifs, tails, and transcripts that are in memory. The other two are those of one block of reads: random are
its barcodes and UMIs, fragments what it shows of transcripts that are stored on disk. As the second half is the reverse
complement of the first, turning a stretch around is arithmetic on its address.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from readlabel.reads.sequences import Sequences, StoredSequences
from readlabel.reads.tokens import COMPLEMENT
from readlabel.simulator.layout import Layout
from readlabel.simulator.transcripts import random_tokens


class Pool:
    """Bases by address.

    Attributes:
        bases: (2 * half,) uint8 tokens.
        half: addresses below it are as written, those from it on are reverse complements.
        slot_address: (slots,) where a fixed slot's motif or a tail's homopolymer begins; 0 for other slots.
        transcript_length: (transcripts,) bases of each.
        random_address: where the random part begins.
    """

    def __init__(
        self,
        layout: Layout,
        transcripts: Sequences | StoredSequences | None,
        random_capacity: int,
        fragment_capacity: int,
    ) -> None:
        """Lay it out; the capacities are the most bases of a block's random part and of its fragments."""
        motifs = [slot.motif for slot in layout.slots]
        ends = np.cumsum([len(motif) for motif in motifs])
        self.slot_address = ends - [len(motif) for motif in motifs]
        static = [*motifs, transcripts.tokens] if isinstance(transcripts, Sequences) else motifs
        self._stored = transcripts if isinstance(transcripts, StoredSequences) else None
        self._first_transcript = int(ends[-1])
        self._transcript_offsets = np.zeros(1, np.int64) if transcripts is None else transcripts.offsets
        self.transcript_length = np.diff(self._transcript_offsets)
        self.random_address = sum(len(part) for part in static)
        self._fragment_address = self._next_fragment = self.random_address + random_capacity
        self.half = self._fragment_address + fragment_capacity
        self.bases = np.zeros(2 * self.half, np.uint8)
        np.concatenate(static, out=self.bases[: self.random_address])
        self.bases[2 * self.half - self.random_address :] = COMPLEMENT[self.bases[: self.random_address]][::-1]

    def begin_block(self) -> None:
        """Let the next block's fragments take the place of the last one's."""
        self._next_fragment = self._fragment_address

    def fill_random(self, rng: np.random.Generator, count: int) -> None:
        """Draw the first `count` bases of the random part anew."""
        self._put(self.random_address, random_tokens(rng, count))

    def fragments(
        self, transcript: NDArray[np.int64], begin: NDArray[np.int64], length: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Addresses of fragments, each of `length` bases from base `begin` of a transcript on."""
        start = self._transcript_offsets[transcript] + begin
        if self._stored is None:
            address: NDArray[np.int64] = self._first_transcript + start
        else:
            tokens = self._stored.read(start, length)
            address = self._next_fragment + np.cumsum(length) - length
            self._put(self._next_fragment, tokens)
            self._next_fragment += len(tokens)
        return address

    def turned(self, address: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
        """Addresses of the reverse complements of stretches."""
        turned: NDArray[Any] = 2 * self.half - address - length
        return turned

    def _put(self, start: int, tokens: NDArray[np.uint8]) -> None:
        self.bases[start : start + len(tokens)] = tokens
        self.bases[2 * self.half - start - len(tokens) : 2 * self.half - start] = COMPLEMENT[tokens[::-1]]
