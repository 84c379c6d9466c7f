"""Drawings of reads whose truth nobody knows: labelled reads and verdicts enter, `DrawnRead`s leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from readlabel.evaluation.architecture import Architecture
from readlabel.reads.labelled import LabelledReads
from readlabel.report.drawing import LINES_PER_PAGE, DrawnRead
from readlabel.report.layout import BASES_PER_LINE

MOST_DRAWN = 3 * LINES_PER_PAGE * BASES_PER_LINE
"""Bases of a read that are drawn: three pages. A page takes a second, and a read may have a million bases."""


def drawn_labelled(
    reads: LabelledReads, architectures: Sequence[Architecture], first: int, count: int
) -> Iterator[DrawnRead]:
    """The first reads of a batch.

    Args:
        reads: with predicted labels.
        architectures: the verdict on each.
        first: number of the batch's first read in its file, from 0.
        count: reads to draw at most.
    """
    for read in range(min(count, len(reads))):
        sequence = reads.sequence_of(read)
        strands = " ".join(molecule.strand for molecule in architectures[read].molecules)
        facts = [f"read {reads.read_ids[read]}", f"{len(sequence):,} bases"]
        if len(sequence) > MOST_DRAWN:
            facts.append(f"the first {MOST_DRAWN:,} are drawn")
        if strands:
            facts.append(f"strand {strands}")
        yield DrawnRead(
            title=f"{first + read} ({architectures[read]})",
            bookmark=f"{first + read}  {architectures[read].summary}, {reads.read_ids[read]}",
            note="  ·  ".join(facts),
            sequence=sequence[:MOST_DRAWN],
            predicted=reads.labels_of(read)[:MOST_DRAWN],
            truth=None,
        )
