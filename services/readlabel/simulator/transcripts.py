"""The transcripts that cDNA comes from, when no FASTA file gives them: random ones."""

from __future__ import annotations

import numpy as np

from readlabel.reads.fasta import Sequences
from readlabel.simulator.parameters import SimulationParameters

_BASES = 1 << 22
"""Bases of all random transcripts together: few enough for a processor's caches, and more than a model remembers."""
_FEWEST = 256


def random_transcripts(rng: np.random.Generator, parameters: SimulationParameters) -> Sequences:
    """Transcripts of uniformly random A, C, G and T.

    Each is one to three times as long as the longest cDNA, so that cDNA has the length that was asked for and can begin
    at many places.
    """
    longest = parameters.max_cdna
    count = max(_FEWEST, _BASES // (2 * longest))
    lengths = rng.integers(longest, 3 * longest, count, endpoint=True)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = random_tokens(rng, int(offsets[-1]))
    return Sequences(tuple(f"random-{index:06d}" for index in range(count)), offsets, tokens)


def random_tokens(rng: np.random.Generator, count: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """(count,) uint8, each of the four nucleotides with the same chance."""
    tokens = np.frombuffer(rng.bytes(count), np.uint8) & np.uint8(3)
    tokens += np.uint8(1)
    return tokens
