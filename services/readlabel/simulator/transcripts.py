"""The transcripts that cDNA comes from, when no FASTA file gives them: random ones."""

from __future__ import annotations

import numpy as np

from readlabel.reads.sequences import Sequences
from readlabel.simulator.layout import MAX_FLANK
from readlabel.simulator.parameters import SimulationParameters

BASES = 1 << 22
"""Bases of all random transcripts together: few enough for a processor's caches, and more than a model remembers."""
FEWEST = 16


def random_transcripts(rng: np.random.Generator, parameters: SimulationParameters, bases: int = BASES) -> Sequences:
    """Transcripts of uniformly random A, C, G and T.

    Each is one to three times as long as the longest cDNA or flank, so that both have the length that was asked for
    and can begin at many places.

    Args:
        rng: where they are drawn from.
        parameters: say how long cDNA is.
        bases: of all transcripts together, about.
    """
    longest = max(parameters.max_cdna, MAX_FLANK)
    count = max(FEWEST, bases // (2 * longest))
    lengths = rng.integers(longest, 3 * longest, count, endpoint=True)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = random_tokens(rng, int(offsets[-1]))
    return Sequences(tuple(f"random-{index:06d}" for index in range(count)), offsets, tokens)


def random_tokens(rng: np.random.Generator, count: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """(count,) uint8, each of the four nucleotides with the same chance."""
    tokens = np.frombuffer(rng.bytes(count), np.uint8) & np.uint8(3)
    tokens += np.uint8(1)
    return tokens
