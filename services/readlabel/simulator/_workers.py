"""Blocks of reads from several processes, in order. Each worker holds one `BlockSimulator`."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

from readlabel.messages import Library
from readlabel.reads.fasta import Sequences
from readlabel.reads.labelled import LabelledReads
from readlabel.simulator.block import BlockSimulator
from readlabel.simulator.parameters import SimulationParameters, Stream

_AHEAD = 2
"""Blocks a worker may have waiting, so that it never idles and memory stays bounded."""

_simulator: BlockSimulator


def blocks_from_workers(
    library: Library,
    parameters: SimulationParameters,
    seed: int,
    stream: Stream,
    transcripts: Sequences | None,
    count: int,
    workers: int,
) -> Iterator[LabelledReads]:
    """The first `count` blocks, in order, made by `workers` processes."""
    # spawn: a process that has started threads (pyarrow's) must not fork.
    context = multiprocessing.get_context("spawn")
    arguments = (library, parameters, seed, stream, transcripts)
    with ProcessPoolExecutor(workers, context, _prepare, arguments) as executor:
        waiting: deque[Future[LabelledReads]] = deque()
        for index in range(count):
            waiting.append(executor.submit(_make, index))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _prepare(
    library: Library, parameters: SimulationParameters, seed: int, stream: Stream, transcripts: Sequences | None
) -> None:
    global _simulator
    _simulator = BlockSimulator(library, parameters, seed, stream, transcripts)


def _make(index: int) -> LabelledReads:
    return _simulator.block(index)
