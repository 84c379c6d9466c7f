"""Groups of blocks as the bytes that go into files: what one process of several makes by itself.

A group's number enters, its part of the Parquet file and of tranquillyzer's pair leaves. Groups are cut by blocks, so
what a part holds does not depend on who makes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from readlabel.messages import Library
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.parquet import ReadsEncoder
from readlabel.reads.pickles import PairPart, encode_pair
from readlabel.reads.sequences import StoredSequences
from readlabel.simulator.block import BlockSimulator, cut
from readlabel.simulator.parameters import SimulationProvenance
from readlabel.simulator.simulate import blocks


@dataclass(frozen=True)
class Task:
    """A simulation as every process is told of it.

    Attributes:
        library: what the reads look like.
        provenance: how they are drawn, and how many.
        transcripts: where cDNA comes from; None for random ones.
        pickles: whether tranquillyzer's pair is wanted too.
    """

    library: Library
    provenance: SimulationProvenance
    transcripts: StoredSequences | None
    pickles: bool

    @property
    def strands(self) -> int:
        """Reads a molecule."""
        return 2 if self.provenance.parameters.rc else 1

    @property
    def groups(self) -> int:
        """Groups of the whole simulation.

        Raises:
            InputError: error rates are given for a segment the library lacks.
        """
        pieces = cut(self.library, self.provenance.parameters)
        return -(-self.provenance.num_reads // (pieces.templates * pieces.blocks))


@dataclass(frozen=True)
class Group:
    """What one group adds to the files.

    Attributes:
        reads: how many there are in it.
        parts: of the Parquet file.
        pairs: parts of tranquillyzer's pair, if wanted.
    """

    reads: int
    parts: tuple[bytes, ...]
    pairs: tuple[PairPart, ...]


class GroupEncoder:
    """Makes any group of a simulation."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._cut = cut(task.library, task.provenance.parameters)
        given = task.provenance
        self._simulator = BlockSimulator(task.library, given.parameters, given.seed, given.stream, task.transcripts)
        self._encoder = ReadsEncoder(task.library, given)

    def group(self, index: int) -> Group:
        """The group of a number."""
        first = index * self._cut.blocks
        last = -(-self._task.provenance.num_reads // self._cut.templates)
        indices = range(first, min(first + self._cut.blocks, last))
        pairs: list[PairPart] = []

        def watched() -> Iterator[LabelledReads]:
            for batch in blocks(self._simulator, self._task.provenance.num_reads * self._task.strands, indices):
                if self._task.pickles:
                    pairs.append(encode_pair(batch))
                yield batch

        parts = list(self._encoder.parts(watched()))
        return Group(sum(reads for reads, _ in parts), tuple(part for _, part in parts), tuple(pairs))
