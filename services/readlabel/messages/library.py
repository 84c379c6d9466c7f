"""A sequencing library: the order of segments in a read and the pattern of each.

A row of ``training_seq_orders.tsv`` says the same thing; `readlabel.tables` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator, model_validator

from readlabel.messages._base import Message

PatternKind = Literal["fixed", "random", "cdna", "tail"]
RESERVED_NAMES = frozenset({"all", "report", "pipeline_info"})
"""What cannot name a model: the word for every model, and folders beside the models' in the results."""
CDNA = "cDNA"
"""The label of transcript bases, and of the flanks a simulated read is wrapped in."""

_PARTS = re.compile(r"[ACGT]+|N[0-9]+|N+")
_COUNTED_TAIL = re.compile(r"[AT](?:[0-9]+|\{.*\}|\(.*\)[0-9]*)")
_WRITTEN_TAIL = re.compile(r"A{8,}|T{8,}")
_RANDOM = re.compile(r"N([1-9][0-9]{0,4})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class Segment(Message):
    """One segment of a library: a name and the pattern of its bases.

    Patterns: a DNA string is a fixed motif, ``N<k>`` is k random bases (a barcode or UMI), ``NN`` is cDNA, and a
    single ``A`` or ``T`` is a homopolymer tail of varying length.
    """

    name: str = Field(min_length=1, max_length=64, description="Label of the segment's bases.")
    pattern: str = Field(min_length=1, max_length=10_000, description="What its bases are.")

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError(f"segment name {value!r} may hold letters, digits and _.+- only, and starts with no sign")
        return value

    @field_validator("pattern")
    @classmethod
    def _pattern(cls, written: str) -> str:
        value = written.upper()
        if value == "NN" or _RANDOM.fullmatch(value) or (value and not set(value) - set("ACGT")):
            return value
        raise ValueError(
            f"pattern {written!r} is not understood: give a DNA motif of A, C, G and T, N<k> for k random bases (N16), "
            f"NN for cDNA, or A or T for a tail{_hint(value)}"
        )

    @model_validator(mode="after")
    def _one_cdna(self) -> Segment:
        if self.name.lower() == CDNA.lower() and (self.name != CDNA or self.kind != "cdna"):
            raise ValueError(
                f"segment {self.name!r} has the pattern {self.pattern!r}: {CDNA}, so spelled, is the name of "
                "transcript bases, whose pattern is NN, and of nothing else"
            )
        return self

    @property
    def kind(self) -> PatternKind:
        """Which of the four kinds of pattern this is."""
        if self.pattern == "NN":
            return "cdna"
        if self.pattern in ("A", "T"):
            return "tail"
        return "random" if self.pattern.startswith("N") else "fixed"

    @property
    def random_length(self) -> int:
        """Bases of a random segment (``N16`` gives 16); 0 for the other kinds."""
        match = _RANDOM.fullmatch(self.pattern)
        return int(match.group(1)) if match else 0


def _hint(pattern: str) -> str:
    """How to write what somebody surely meant: random bases letter by letter, alone or within a motif."""
    if pattern == "N":
        return "; write NN for cDNA, N1 for one random base"
    if _COUNTED_TAIL.fullmatch(pattern):
        return f"; write {pattern[0]}: the length of a tail varies"
    parts = _PARTS.findall(pattern)
    written = [f"N{len(part)}" if not part.strip("N") else part for part in parts]
    if not parts or "".join(parts) != pattern or "N0" in parts:
        return ""
    if len(parts) == 1:
        return f"; write {written[0]}"
    return f"; split it into segments of their own: {', '.join(written)}"


class Library(Message):
    """The segments of a library in 5' to 3' order.

    Example:
        >>> library = Library(
        ...     model="mini",
        ...     segments=(Segment(name="5p", pattern="ACGT"), Segment(name="cDNA", pattern="NN")),
        ...     strand="fwd",
        ... )
        >>> library.labels
        ('5p', 'cDNA')
    """

    model: str = Field(description="The name a model of this library goes by.")
    segments: tuple[Segment, ...] = Field(min_length=1, max_length=200)
    barcodes: tuple[str, ...] = Field((), max_length=200, description="Names of the segments that are cell barcodes.")
    umis: tuple[str, ...] = Field((), max_length=200, description="Names of the segments that are UMIs.")
    strand: Literal["fwd", "rev"] = Field(description="Strand of the transcript that a forward read shows.")

    @field_validator("model")
    @classmethod
    def _model(cls, value: str) -> str:
        if not _MODEL_NAME.fullmatch(value) or ".." in value:
            raise ValueError(
                f"model name {value!r} may hold letters, digits and _.- only (at most 100): it names folders and files"
            )
        if value in RESERVED_NAMES:
            raise ValueError(
                f"model name {value!r} is taken: results and tables use {', '.join(sorted(RESERVED_NAMES))}"
            )
        return value

    @model_validator(mode="after")
    def _known_segments(self) -> Library:
        names = {segment.name for segment in self.segments}
        for role, given in (("barcode", self.barcodes), ("UMI", self.umis)):
            for name in given:
                if name not in names:
                    raise ValueError(f"{role} {name!r} is not a segment of {self.model}: {', '.join(sorted(names))}")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """The distinct segment names, sorted: the classes a model tells apart, in scikit-learn's order."""
        return tuple(sorted({segment.name for segment in self.segments}))

    @property
    def doubts(self) -> tuple[str, ...]:
        """What may be meant otherwise, though it can be trained."""
        return tuple(
            f"{self.model}: {doubt}" for doubt in (*self._tail_doubts(), *self._cdna_doubts(), *self._role_doubts())
        )

    def _tail_doubts(self) -> Iterator[str]:
        tail, other, place = ("A", "rev", "behind") if self.strand == "fwd" else ("T", "fwd", "before")
        shows = f"strand {self.strand} says that reads show {'the transcript' if tail == 'A' else 'its complement'}"
        cdna = [place for place, segment in enumerate(self.segments) if segment.kind == "cdna"]
        for number, segment in enumerate(self.segments):
            if _WRITTEN_TAIL.fullmatch(segment.pattern):
                base = segment.pattern[0]
                yield (
                    f"{segment.name} is a motif of always {len(segment.pattern)} {base}; is it a tail, whose length "
                    f"varies (pattern {base})?"
                )
            if segment.kind != "tail":
                continue
            if segment.pattern != tail:
                yield (
                    f"{shows}, whose tail has the pattern {tail}, and {segment.name} has {segment.pattern}; "
                    f"is the strand {other}?"
                )
            elif cdna and (number < cdna[0] if tail == "A" else number > cdna[-1]):
                yield f"{shows}, with the tail {place} the cDNA, and {segment.name} is not there; is the order right?"

    def _cdna_doubts(self) -> Iterator[str]:
        others = [segment.name for segment in self.segments if segment.kind == "cdna" and segment.name != CDNA]
        if len(self.labels) == 1:
            yield f"{self.labels[0]} is its only label, so there is nothing to tell apart"
        elif others and not self.has_flanks:
            yield (
                f"{', '.join(others)} is cDNA by its pattern, NN, but not by its name: simulated reads get no flanks, "
                f"and tranquillyzer takes no transcript from it; is it {CDNA}?"
            )
        elif not self.has_flanks:
            yield f"it has no {CDNA} (pattern NN), so that its reads hold no transcript and have no flanks"

    def _role_doubts(self) -> Iterator[str]:
        given = (*self.barcodes, *self.umis)
        for name in dict.fromkeys(given):
            if given.count(name) > 1:
                yield f"{name} is named {given.count(name)} times among barcodes and UMIs"
            if all(segment.kind != "random" for segment in self.segments if segment.name == name):
                role = "barcode" if name in self.barcodes else "UMI"
                yield f"{role} {name} has no random bases (N<k>); is it another segment?"

    @property
    def num_outputs(self) -> int:
        """Width of the network's last layer: tranquillyzer counts segments of the row, a repeated name twice."""
        return len(self.segments)

    @property
    def has_flanks(self) -> bool:
        """Whether simulated reads are wrapped in transcript bases: their label is cDNA, so the library must have it.

        A segment of that name has the pattern NN, and no other spelling passes for it. NN under another name gives
        none: the network would need an output more than tranquillyzer gives it.
        """
        return CDNA in self.labels
