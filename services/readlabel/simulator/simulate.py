"""Simulated reads as a stream of batches. A library, parameters and a seed enter; labelled reads leave."""

from __future__ import annotations

from collections.abc import Iterator

from readlabel.messages import InputError, Library
from readlabel.reads.fasta import Sequences
from readlabel.reads.labelled import LabelledReads
from readlabel.simulator.block import BlockSimulator
from readlabel.simulator.parameters import MAX_SEED, SimulationParameters, Stream

SIMULATOR_REVISION = 1
"""Raised when the same seed gives other reads than before."""
MAX_READS = 10**9
MAX_WORKERS = 1024
_LEAST_BLOCKS = 20
"""Blocks that are worth the start of a process."""


def simulate(
    library: Library,
    parameters: SimulationParameters,
    seed: int,
    stream: Stream,
    num_reads: int,
    transcripts: Sequences | None = None,
    workers: int = 1,
) -> Iterator[LabelledReads]:
    """Draw reads with known truth.

    Args:
        library: what the reads look like.
        parameters: how they are drawn.
        seed: 0 to 2^31 - 1. The same seed gives the same reads; a smaller `num_reads` gives the first of them.
        stream: training and validation draws share no random numbers, whatever their seeds.
        num_reads: molecules; with `parameters.rc` each gives two reads, as in tranquillyzer.
        transcripts: where cDNA comes from; None for random transcripts.
        workers: processes that make reads; the reads do not depend on it.

    Returns:
        Batches of at most about 2^19 bases; with `rc`, pairs are never parted.

    Raises:
        InputError: seed, num_reads or workers out of range, or error rates for a segment the library lacks.
    """
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"seed {seed}: it runs from 0 to {MAX_SEED}")
    if not 1 <= num_reads <= MAX_READS:
        raise InputError(f"num_reads {num_reads}: it runs from 1 to {MAX_READS}")
    if not 1 <= workers <= MAX_WORKERS:
        raise InputError(f"workers {workers}: it runs from 1 to {MAX_WORKERS}")
    simulator = BlockSimulator(library, parameters, seed, stream, transcripts)
    count = -(-num_reads // simulator.templates)
    workers = max(1, min(workers, count // _LEAST_BLOCKS))
    if workers > 1:
        # Only here: the standard library's pools take long to import.
        from readlabel.simulator._workers import blocks_from_workers

        blocks = blocks_from_workers(library, parameters, seed, stream, transcripts, count, workers)
    else:
        blocks = (simulator.block(index) for index in range(count))
    return _first(num_reads * (2 if parameters.rc else 1), blocks)


def _first(wanted: int, blocks: Iterator[LabelledReads]) -> Iterator[LabelledReads]:
    """The first `wanted` reads of blocks."""
    for reads in blocks:
        yield reads if len(reads) <= wanted else reads.slice(0, wanted)
        wanted -= len(reads)
