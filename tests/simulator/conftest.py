"""Libraries and simulations that the tests of this room share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from readlabel.messages import Library, Segment
from readlabel.reads.labelled import LabelledReads, concatenate
from readlabel.reads.sequences import Sequences
from readlabel.simulator.parameters import SimulationParameters, Stream
from readlabel.simulator.simulate import simulate


@pytest.fixture
def make_library() -> Callable[..., Library]:
    """`make_library("5p=ACGT", "cDNA=NN", strand="fwd")`."""

    def make(*segments: str, strand: str = "fwd") -> Library:
        pairs = [segment.split("=") for segment in segments]
        rows = tuple(Segment(name=name, pattern=pattern) for name, pattern in pairs)
        return Library.model_validate({"model": "test", "segments": rows, "strand": strand})

    return make


@pytest.fixture
def draw(library_3p: Library) -> Callable[..., LabelledReads]:
    """`draw(num_reads, library, mismatch_rate=0, …)`: all reads at once."""

    def make(
        num_reads: int,
        library: Library | None = None,
        *,
        seed: int = 1,
        stream: Stream = "training",
        transcripts: Sequences | None = None,
        **parameters: object,
    ) -> LabelledReads:
        chosen = SimulationParameters.model_validate(parameters)
        return concatenate(list(simulate(library or library_3p, chosen, seed, stream, num_reads, transcripts)))

    return make


@pytest.fixture
def no_errors() -> dict[str, object]:
    """Parameters of reads as the library's row says, base by base."""
    return {"mismatch_rate": 0, "insertion_rate": 0, "deletion_rate": 0, "polyt_error_rate": 0}
