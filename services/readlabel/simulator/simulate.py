"""Simulated reads as a stream of batches. A library, parameters and a seed enter; labelled reads leave."""

from __future__ import annotations

from collections.abc import Iterator

from readlabel.messages import InputError, Library
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.sequences import Sequences, StoredSequences
from readlabel.simulator.block import BlockSimulator
from readlabel.simulator.parameters import MAX_SEED, SimulationParameters, Stream

SIMULATOR_REVISION = 1
"""Raised when the same seed gives other reads than before."""
MAX_READS = 10**9


def simulate(
    library: Library,
    parameters: SimulationParameters,
    seed: int,
    stream: Stream,
    num_reads: int,
    transcripts: Sequences | StoredSequences | None = None,
) -> Iterator[LabelledReads]:
    """Draw reads with known truth.

    Args:
        library: what the reads look like.
        parameters: how they are drawn.
        seed: 0 to 2^31 - 1. The same seed gives the same reads; a smaller `num_reads` gives the first of them.
        stream: training and validation draws share no random numbers, whatever their seeds.
        num_reads: molecules; with `parameters.rc` each gives two reads, as in tranquillyzer.
        transcripts: where cDNA comes from; None for random transcripts.

    Returns:
        Batches of at most about 2^19 bases; with `rc`, pairs are never parted.

    Raises:
        InputError: seed or num_reads out of range, or error rates for a segment the library lacks.
    """
    check_range("seed", seed, 0, MAX_SEED)
    check_range("num_reads", num_reads, 1, MAX_READS)
    simulator = BlockSimulator(library, parameters, seed, stream, transcripts)
    return blocks(simulator, num_reads * (2 if parameters.rc else 1), range(-(-num_reads // simulator.templates)))


def blocks(simulator: BlockSimulator, num_reads: int, indices: range) -> Iterator[LabelledReads]:
    """Some blocks of a simulation that has `num_reads` reads (not molecules) in all: the last may be cut."""
    for index in indices:
        reads = simulator.block(index)
        wanted = num_reads - index * len(reads)
        yield reads if len(reads) <= wanted else reads.slice(0, wanted)


def check_range(name: str, value: int, least: int, most: int) -> None:
    """Raise InputError unless a number is between its bounds, both allowed."""
    if not least <= value <= most:
        raise InputError(f"{name} {value}: it runs from {least} to {most}")
