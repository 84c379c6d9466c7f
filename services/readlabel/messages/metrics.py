"""How well predicted labels agree with the truth."""

from __future__ import annotations

from pydantic import Field

from readlabel.messages._base import Message


class LabelScore(Message):
    """One label's agreement, counted in bases."""

    label: str
    precision: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)
    f1: float = Field(ge=0, le=1)
    true_bases: int = Field(ge=0)
    predicted_bases: int = Field(ge=0)


class Scores(Message):
    """Agreement over a set of reads."""

    reads: int = Field(ge=0)
    bases: int = Field(ge=0)
    accuracy: float = Field(ge=0, le=1, description="Share of bases labelled as the truth says.")
    macro_f1: float = Field(ge=0, le=1, description="Mean of the labels' F1.")
    exact_order: float = Field(ge=0, le=1, description="Share of reads whose order of segments is the true one.")
    labels: tuple[LabelScore, ...] = Field(description="In the library's label order.")
    confusion: tuple[tuple[int, ...], ...] = Field(description="Bases, [true label][predicted label].")


class Metrics(Message):
    """The content of ``metrics.json``: the exported model on the independent validation reads, in inference mode."""

    validation: Scores
    tranquillyzer_padding: Scores = Field(description="The same reads, padded as tranquillyzer's inference pads them.")
    bases_per_second: float = Field(ge=0, description="Speed of the prediction.")
