"""A file of simulated reads. Library, parameters and a seed enter; Parquet, and tranquillyzer's pair, leave."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

from readlabel.artifacts.atomic import atomic_files
from readlabel.artifacts.digest import RunningDigest
from readlabel.messages import Library
from readlabel.reads.fasta import store_fasta
from readlabel.reads.pickles import LABELS_NAME, READS_NAME, PairWriter
from readlabel.reads.row_groups import RowGroupWriter
from readlabel.simulator._memory import keep_freed_memory
from readlabel.simulator.groups import Group, GroupEncoder, Task
from readlabel.simulator.layout import make_layout
from readlabel.simulator.parameters import MAX_SEED, SimulationParameters, SimulationProvenance, Stream
from readlabel.simulator.simulate import MAX_READS, SIMULATOR_REVISION, check_range

MAX_WORKERS = 1024
_LEAST_GROUPS = 3
"""Groups a worker that are worth the start of a process."""


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

    Equal arguments give equal bytes, however many workers there are. All files appear together, or none.

    Args:
        path: the Parquet file.
        library: what the reads look like.
        parameters: how they are drawn.
        seed: 0 to 2^31 - 1.
        stream: whose random numbers.
        num_reads: molecules; with `parameters.rc` each gives two reads.
        transcriptome: FASTA file of transcripts, read once; None for random ones. Its bases go into a file without a
            name beside `path`, so that memory does not grow with them.
        pickles: folder for reads.pkl and labels.pkl, or None.
        workers: processes that make and encode reads; 1 is this one. Few reads get fewer.
        progress: called with the number of molecules made since the last call.

    Returns:
        The number of reads in the file.

    Raises:
        InputError: an argument is out of range, or the transcriptome cannot be used.
        OutputError: a file cannot be written.
    """
    check_range("seed", seed, 0, MAX_SEED)
    check_range("num_reads", num_reads, 1, MAX_READS)
    check_range("workers", workers, 1, MAX_WORKERS)
    make_layout(library, parameters)  # what it refuses is told before a transcriptome is read
    written = 0
    with ExitStack() as stack:
        transcripts, source = None, None
        if transcriptome is not None:
            digest = RunningDigest()
            folder = next(parent for parent in path.absolute().parents if parent.is_dir())
            transcripts = stack.enter_context(store_fasta(transcriptome, folder, digest))
            source = digest.ref()
        provenance = SimulationProvenance(
            simulator_revision=SIMULATOR_REVISION,
            parameters=parameters,
            seed=seed,
            stream=stream,
            num_reads=num_reads,
            transcriptome=source,
        )
        task = Task(library, provenance, transcripts, pickles is not None)
        groups = _groups(task, max(1, min(workers, task.groups // _LEAST_GROUPS)))
        keep_freed_memory()
        stack.callback(groups.close)
        begin = stack.enter_context(atomic_files())
        file = RowGroupWriter(begin(path))
        pair = None
        if pickles is not None:
            pair = PairWriter(begin(pickles / READS_NAME), begin(pickles / LABELS_NAME), library.labels)
        for group in groups:
            for part in group.parts:
                file.append(part)
            if pair is not None:
                for part_of_pair in group.pairs:
                    pair.append(part_of_pair)
            written += group.reads
            if progress is not None:
                progress(group.reads // task.strands)
        file.close()
        if pair is not None:
            pair.close()
    return written


def _groups(task: Task, workers: int) -> Generator[Group, None, None]:
    if workers > 1:
        # Only here: the standard library's processes take long to import.
        from readlabel.simulator._workers import groups_from_workers

        yield from groups_from_workers(task, workers)
    else:
        encoder = GroupEncoder(task)
        yield from map(encoder.group, range(task.groups))
