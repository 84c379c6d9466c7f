"""A file of simulated reads. Library, parameters and a seed enter; Parquet, and tranquillyzer's pair, leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from readlabel.artifacts.digest import file_ref
from readlabel.messages import Library
from readlabel.reads.fasta import read_fasta
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.parquet import write_reads
from readlabel.reads.pickles import open_pair
from readlabel.simulator.parameters import SimulationParameters, SimulationProvenance, Stream
from readlabel.simulator.simulate import SIMULATOR_REVISION, simulate


def write_simulated(
    path: Path,
    library: Library,
    parameters: SimulationParameters,
    *,
    seed: int,
    stream: Stream,
    num_reads: int,
    transcriptome: Path | None = None,
    pickles: Path | None = None,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write simulated reads; see `simulate` for what they are.

    Equal arguments give equal bytes, however many workers there are.

    Args:
        path: the Parquet file.
        library: what the reads look like.
        parameters: how they are drawn.
        seed: 0 to 2^31 - 1.
        stream: whose random numbers.
        num_reads: molecules; with `parameters.rc` each gives two reads.
        transcriptome: FASTA file of transcripts; None for random ones.
        pickles: folder for reads.pkl and labels.pkl, or None.
        workers: processes that make reads.
        progress: called with the number of molecules made since the last call.

    Returns:
        The number of reads in the file.

    Raises:
        InputError: an argument is out of range, or the transcriptome cannot be used.
        OutputError: a file cannot be written.
    """
    transcripts = None if transcriptome is None else read_fasta(transcriptome)
    batches = simulate(library, parameters, seed, stream, num_reads, transcripts, workers)
    provenance = SimulationProvenance(
        simulator_revision=SIMULATOR_REVISION,
        parameters=parameters,
        seed=seed,
        stream=stream,
        num_reads=num_reads,
        transcriptome=None if transcriptome is None else file_ref(transcriptome),
    )
    strands = 2 if parameters.rc else 1
    with ExitStack() as stack:
        pair = None if pickles is None else stack.enter_context(open_pair(pickles))

        def watched() -> Iterator[LabelledReads]:
            for batch in batches:
                if pair is not None:
                    pair.add(batch)
                yield batch
                if progress is not None:
                    progress(len(batch) // strands)

        return write_reads(path, watched(), library, provenance)
