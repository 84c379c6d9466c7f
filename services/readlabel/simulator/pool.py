"""The bases that reads are gathered from: one array that holds every stretch in both orientations.

    [ static | random | reverse complement of random | reverse complement of static ]

Static are motifs, tails and transcripts; random are the barcodes and UMIs of one block of reads, drawn anew for each.
As the second half is the reverse complement of the first, turning a stretch around is arithmetic on its address.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from readlabel.reads.fasta import Sequences
from readlabel.reads.tokens import COMPLEMENT
from readlabel.simulator.layout import Layout
from readlabel.simulator.transcripts import random_tokens


class Pool:
    """Bases by address.

    Attributes:
        bases: (2 * half,) uint8 tokens.
        half: addresses below it are as written, those from it on are reverse complements.
        slot_address: (slots,) where a fixed slot's motif or a tail's homopolymer begins; 0 for other slots.
        transcript_address: (transcripts,) where each transcript begins.
        transcript_length: (transcripts,) bases of each.
        random_address: where the random part begins.
    """

    def __init__(self, layout: Layout, transcripts: Sequences | None, random_capacity: int) -> None:
        motifs = [slot.motif for slot in layout.slots]
        ends = np.cumsum([len(motif) for motif in motifs])
        self.slot_address = ends - [len(motif) for motif in motifs]
        static = motifs if transcripts is None else [*motifs, transcripts.tokens]
        offsets = np.zeros(1, np.int64) if transcripts is None else transcripts.offsets
        self.transcript_address = int(ends[-1]) + offsets[:-1]
        self.transcript_length = np.diff(offsets)
        self.random_address = sum(len(part) for part in static)
        self.half = self.random_address + random_capacity
        self.bases = np.zeros(2 * self.half, np.uint8)
        np.concatenate(static, out=self.bases[: self.random_address])
        self.bases[2 * self.half - self.random_address :] = COMPLEMENT[self.bases[: self.random_address]][::-1]

    def fill_random(self, rng: np.random.Generator, count: int) -> None:
        """Draw the first `count` bases of the random part anew."""
        tokens = random_tokens(rng, count)
        start = self.random_address
        self.bases[start : start + count] = tokens
        self.bases[2 * self.half - start - count : 2 * self.half - start] = COMPLEMENT[tokens[::-1]]

    def turned(self, address: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
        """Addresses of the reverse complements of stretches."""
        turned: NDArray[Any] = 2 * self.half - address - length
        return turned
