"""How well predicted labels agree with the truth."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import Field

from readlabel.messages._base import Message

_RARELY_BELOW = 0.5


class LabelScore(Message):
    """One label's agreement, counted in bases."""

    label: str
    precision: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)
    f1: float = Field(ge=0, le=1)
    true_bases: int = Field(ge=0)
    predicted_bases: int = Field(ge=0)
    true_segments: int = Field(0, ge=0, description="Runs of the label in the truth.")
    exact_segments: int = Field(0, ge=0, description="Those that the prediction cuts out exactly: both ends are right.")

    @property
    def exact(self) -> float | None:
        """Share of the true segments that are cut out exactly; None where there are none."""
        return self.exact_segments / self.true_segments if self.true_segments else None


class Scores(Message):
    """Agreement over a set of reads."""

    reads: int = Field(ge=0)
    bases: int = Field(ge=0)
    accuracy: float = Field(ge=0, le=1, description="Share of bases labelled as the truth says.")
    accuracy_error: float = Field(0, ge=0, description="Standard error of `accuracy`, reads being the sample.")
    macro_f1: float = Field(ge=0, le=1, description="Mean of the labels' F1.")
    exact_order: float = Field(ge=0, le=1, description="Share of reads whose order of segments is the true one.")
    labels: tuple[LabelScore, ...] = Field(description="In the library's label order.")
    confusion: tuple[tuple[int, ...], ...] = Field(description="Bases, [true label][predicted label].")

    def exact_share(self, names: Collection[str]) -> float | None:
        """Share of the true segments of these labels that are cut out exactly; None where there are none."""
        chosen = [label for label in self.labels if label.label in names]
        true = sum(label.true_segments for label in chosen)
        return sum(label.exact_segments for label in chosen) / true if true else None

    @property
    def missed(self) -> str:
        """The labels that the model does not find, in words: ``never finds UMI; rarely finds CBC (12 % of its bases)``.

        Rarely is less than half of the label's true bases. Empty where each label is found.
        """
        there = [label for label in self.labels if label.true_bases]
        never = [label.label for label in there if not label.recall]
        rarely = [
            f"{label.label} ({_share_words(label.recall)} of its bases)"
            for label in there
            if 0 < label.recall < _RARELY_BELOW
        ]
        parts = [(f"{how} finds", names) for how, names in (("never", never), ("rarely", rarely)) if names]
        return "; ".join(f"{finds} {', '.join(names)}" for finds, names in parts)


class Metrics(Message):
    """The content of ``metrics.json``: the exported model on the independent validation reads, in inference mode."""

    validation: Scores
    tranquillyzer_padding: Scores = Field(description="The same reads, padded as tranquillyzer's inference pads them.")
    bases_per_second: float = Field(ge=0, description="Speed of the prediction.")


def _share_words(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "under 1%"
