"""Groups of blocks as the bytes that go into files: what one process of several makes by itself.

A group's number enters, its part of the Parquet file and of tranquillyzer's pair leaves. Groups are cut by blocks, so
what a part holds does not depend on who makes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from readlabel.messages import Library
from readlabel.reads.fasta import Sequences
from readlabel.reads.labelled import concatenate
from readlabel.reads.parquet import ReadsEncoder
from readlabel.reads.pickles import PairPart, encode_pair
from readlabel.simulator.block import BlockSimulator, templates_a_block
from readlabel.simulator.parameters import SimulationProvenance
from readlabel.simulator.simulate import blocks

_GROUP_BLOCKS = 8
"""Blocks of a group: about as many bases as a row group has."""


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
    transcripts: Sequences | None
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
        blocks = -(-self.provenance.num_reads // templates_a_block(self.library, self.provenance.parameters))
        return -(-blocks // _GROUP_BLOCKS)


@dataclass(frozen=True)
class Group:
    """What one group adds to the files.

    Attributes:
        reads: how many there are in it.
        parts: of the Parquet file.
        pair: of tranquillyzer's pair, if wanted.
    """

    reads: int
    parts: tuple[bytes, ...]
    pair: PairPart | None


class GroupEncoder:
    """Makes any group of a simulation."""

    def __init__(self, task: Task) -> None:
        self._task = task
        given = task.provenance
        self._simulator = BlockSimulator(task.library, given.parameters, given.seed, given.stream, task.transcripts)
        self._encoder = ReadsEncoder(task.library, given)

    def group(self, index: int) -> Group:
        """The group of a number."""
        first = index * _GROUP_BLOCKS
        last = -(-self._task.provenance.num_reads // self._simulator.templates)
        indices = range(first, min(first + _GROUP_BLOCKS, last))
        batches = list(blocks(self._simulator, self._task.provenance.num_reads * self._task.strands, indices))
        parts = list(self._encoder.parts(batches))
        return Group(
            reads=sum(reads for reads, _ in parts),
            parts=tuple(part for _, part in parts),
            pair=encode_pair(concatenate(batches)) if self._task.pickles else None,
        )
