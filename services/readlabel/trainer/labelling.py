"""Reads off a sequencer, labelled by an exported model: batches of reads in; labels, segments and verdicts out.

One batch at a time: however many reads there are, memory is bounded by a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from readlabel.evaluation.architecture import Architecture, judge
from readlabel.messages import InputError, Library
from readlabel.model.network import Network
from readlabel.model.predict import Padding, PredictionProgress, predict
from readlabel.reads.labelled import STRANDS, LabelledReads, runs
from readlabel.reads.segments import Verdicts
from readlabel.trainer.budget import Budget
from readlabel.trainer.variant import Variant

_NO_STRAND = STRANDS.index(".")
_UNEXPECTED = "unexpected pattern"


@dataclass(frozen=True)
class LabelledBatch:
    """Reads with what a model says of them.

    Attributes:
        reads: their labels and segments are the predicted ones.
        architectures: the verdict on each read.
    """

    reads: LabelledReads
    architectures: tuple[Architecture, ...]

    def verdicts(self) -> Verdicts:
        """The same as columns. The pattern of an unexpected read is left out: it is what the segments say."""
        rows = self.reads.segments.offsets
        molecule = np.zeros(int(rows[-1]), np.int32)
        strand = np.full(len(molecule), _NO_STRAND, np.uint8)
        for read, architecture in enumerate(self.architectures):
            for number, found in enumerate(architecture.molecules, 1):
                here = slice(int(rows[read]) + found.first, int(rows[read]) + found.end)
                molecule[here] = number
                strand[here] = STRANDS.index(found.strand)
        return Verdicts(
            valid=np.array([architecture.valid for architecture in self.architectures], bool),
            reason=tuple(
                architecture.reason if architecture.molecules else _UNEXPECTED for architecture in self.architectures
            ),
            molecule=molecule,
            strand=strand,
        )


def library_for(variant: Variant, network: Network, given: Library | None) -> Library:
    """The library whose segments a model's labels are.

    Args:
        variant: may know it.
        network: its labels must be the library's.
        given: what the caller says, which counts more.

    Raises:
        InputError: nobody knows it, or it has other labels than the network.
    """
    library = given or variant.library()
    if library is None:
        raise InputError(
            f"{variant.folder}: nothing here tells the order of the model's segments (no record of a run, no "
            "seq_orders.tsv): give --training-seq-orders FILE with --model-name NAME, or --library FILE"
        )
    if library.labels != network.labels:
        raise InputError(
            f"the library {library.model} has the labels {', '.join(library.labels)}, the model in {variant.folder} "
            f"{', '.join(network.labels)}: they must be the same"
        )
    return library


def label_reads(
    network: Network,
    library: Library,
    batches: Iterable[LabelledReads],
    budget: Budget,
    padding: Padding = "none",
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[LabelledBatch]:
    """Label reads as they come.

    Args:
        network: from an exported variant.
        library: judges the order of segments.
        batches: their own labels are not looked at.
        budget: how large batches may be that the network is shown.
        padding: what follows a read there, see `predict`.
        progress: told after each of these batches how many reads and bases it held.

    Raises:
        TrainingFailedError: the smallest batch does not fit into memory.
    """
    for unlabelled in batches:
        tell = None if progress is None else _steps(progress)
        labels = predict(network, unlabelled, padding=padding, progress=tell, **vars(budget))
        yield _judged(library, unlabelled, labels)


def _steps(progress: Callable[[int, int], None]) -> Callable[[PredictionProgress], None]:
    before = 0

    def tell(found: PredictionProgress) -> None:
        nonlocal before
        progress(found.batch_size, found.bases - before)
        before = found.bases

    return tell


def _judged(library: Library, unlabelled: LabelledReads, labels: NDArray[np.uint8]) -> LabelledBatch:
    segments = runs(unlabelled.offsets, labels)
    reads = replace(unlabelled, labels=labels, segments=segments)
    names = [library.labels[label] for label in segments.label.tolist()]
    bounds = segments.offsets.tolist()
    orders = (names[first:end] for first, end in pairwise(bounds))
    return LabelledBatch(reads, tuple(judge(library, order) for order in orders))
