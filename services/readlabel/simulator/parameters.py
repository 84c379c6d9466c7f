"""What a user can choose about simulated reads; names and defaults are tranquillyzer's where it has them."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from readlabel.messages import BlobRef, Message

Stream = Literal["training", "validation"]
"""Which of a seed's independent streams of random numbers is drawn from."""

MAX_SEED = 2**31 - 1


class ErrorRates(Message):
    """Chances of each error at one base; a base meets at most one of them."""

    mismatch: float = Field(ge=0, le=1)
    insertion: float = Field(ge=0, le=1)
    deletion: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _at_most_one(self) -> ErrorRates:
        # Exactly summed: 0.33, 0.56 and 0.11 one by one come to a little more than 1.
        total = math.fsum((self.mismatch, self.insertion, self.deletion))
        if total > 1:
            raise ValueError(f"mismatch, insertion and deletion rate sum to {total:g}; at most 1 is possible")
        return self


class SegmentErrors(Message):
    """Error rates of the segments of one name, in place of the general ones."""

    segment: str
    rates: ErrorRates


class SimulationParameters(Message):
    """How reads are drawn from a library. docs/simulation.md gives each rule and its reason."""

    mismatch_rate: float = Field(0.05, ge=0, le=1, description="Chance that a base is substituted.")
    insertion_rate: float = Field(0.05, ge=0, le=1, description="Chance that bases are inserted after a base.")
    deletion_rate: float = Field(0.06, ge=0, le=1, description="Chance that a base is left out.")
    polyt_error_rate: float = Field(
        0.02, ge=0, le=1 / 3, description="Chance of each of the three errors at a base of a tail (A or T)."
    )
    max_insertions: int = Field(
        1,
        ge=0,
        le=100,
        description="Most bases inserted at one place; each after the first comes with its segment's insertion rate.",
    )
    cdna_error: bool = Field(False, description="Whether cDNA and flanks get errors too, at the general rates.")
    segment_errors: tuple[SegmentErrors, ...] = Field((), description="Rates of single segments, by name.")
    homopolymer_indel: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Each further base of a homopolymer run raises the run's insertion and deletion rates by this "
        "share of themselves.",
    )
    min_cdna: int = Field(100, ge=1, le=1_000_000, description="Fewest cDNA bases of a read.")
    max_cdna: int = Field(500, ge=1, le=1_000_000, description="Most cDNA bases of a read.")
    rc: bool = Field(True, description="Whether each read is followed by its reverse complement.")
    invalid_fraction: float = Field(0.3, ge=0, le=1, description="Share of reads that are no valid molecule.")

    @model_validator(mode="after")
    def _consistent(self) -> SimulationParameters:
        if self.min_cdna > self.max_cdna:
            raise ValueError(f"min_cdna {self.min_cdna} is above max_cdna {self.max_cdna}")
        ErrorRates(mismatch=self.mismatch_rate, insertion=self.insertion_rate, deletion=self.deletion_rate)
        names = [override.segment for override in self.segment_errors]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"segment_errors gives rates of {name} twice")
        return self

    @property
    def general_rates(self) -> ErrorRates:
        """Rates at every base that has none of its own."""
        return ErrorRates(mismatch=self.mismatch_rate, insertion=self.insertion_rate, deletion=self.deletion_rate)


class SimulationProvenance(Message):
    """What a file of simulated reads says about how it was made; enough to make it again."""

    simulator_revision: int
    parameters: SimulationParameters
    seed: int = Field(ge=0, le=MAX_SEED)
    stream: Stream
    num_reads: int = Field(ge=1)
    transcriptome: BlobRef | None = Field(None, description="The FASTA file by content; none: random transcripts.")
