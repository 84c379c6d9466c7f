"""What a library's reads are made of: its row as slots, with flanks, adapters that may repeat, and error rates.

Library and parameters enter; a `Layout` leaves, on which drawing a block needs no further decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from readlabel.messages import CDNA, InputError, Library, Segment
from readlabel.reads.labelled import KINDS
from readlabel.reads.tokens import TOKEN_OF, A, T
from readlabel.simulator.parameters import ErrorRates, SimulationParameters

MAX_FLANK = 49
"""Most transcript bases before the first and after the last segment: tranquillyzer draws from 0 to 50, 50 excluded."""
MAX_TAIL = 49
"""Most bases of a homopolymer tail before errors; drawn as flanks are."""
REPEATS = 3
"""Extra copies of an adapter in a read with repeated adapters."""

SlotKind = Literal["fixed", "random", "tail", "cdna", "flank"]


@dataclass(frozen=True)
class Slot:
    """One place in the order of a molecule's segments.

    Attributes:
        kind: how its bases are drawn.
        label: index of its label among the library's.
        motif: (bases,) tokens of a fixed slot, or MAX_TAIL equal ones of a tail; else empty.
        length: bases of a fixed or random slot; else 0.
    """

    kind: SlotKind
    label: int
    motif: NDArray[np.uint8]
    length: int


@dataclass(frozen=True)
class Layout:
    """A library as the simulator sees it.

    Attributes:
        slots: the segments of a molecule, flanks included.
        labels: (slots,) uint8, label of each slot.
        rates: (slots, 3) chances of mismatch, insertion and deletion at a base of each slot.
        invalid_kinds: the kinds of invalid read this library can have, as indices into KINDS.
        repeated: the slot repeated at the 5' end and at the 3' end; -1 where there is none.
        min_tail: fewest bases of a tail.
        reverse_cdna: whether cDNA shows the reverse complement of its transcript.
    """

    slots: tuple[Slot, ...]
    labels: NDArray[np.uint8]
    rates: NDArray[np.float64]
    invalid_kinds: NDArray[np.uint8]
    repeated: tuple[int, int]
    min_tail: int
    reverse_cdna: bool

    @property
    def random_bases(self) -> int:
        """Random bases that one molecule holds."""
        return sum(slot.length for slot in self.slots if slot.kind == "random")

    def most_transcript_bases(self, parameters: SimulationParameters) -> int:
        """Bases of transcripts that one molecule shows at most."""
        most = {"cdna": parameters.max_cdna, "flank": MAX_FLANK}
        return sum(most.get(slot.kind, 0) for slot in self.slots)

    @property
    def has_cdna(self) -> bool:
        """Whether a molecule shows a transcript as its cDNA."""
        return any(slot.kind == "cdna" for slot in self.slots)

    @property
    def has_flanks(self) -> bool:
        """Whether a molecule is wrapped in bases of other transcripts."""
        return any(slot.kind == "flank" for slot in self.slots)


def make_layout(library: Library, parameters: SimulationParameters) -> Layout:
    """Turn a library's row into slots.

    Raises:
        InputError: error rates are given for a segment the library lacks.
    """
    unknown = [rates.segment for rates in parameters.segment_errors if rates.segment not in library.labels]
    if unknown:
        raise InputError(
            f"error rates are given for {', '.join(unknown)}; "
            f"{library.model} has the segments {', '.join(library.labels)}"
        )
    slots = [_slot(segment, library) for segment in library.segments]
    names = [segment.name for segment in library.segments]
    if library.has_flanks:
        flank = Slot("flank", library.labels.index(CDNA), np.zeros(0, np.uint8), 0)
        slots = [flank, *slots, flank]
        names = [CDNA, *names, CDNA]
    repeated = _outermost_fixed(slots), _outermost_fixed(slots[::-1])
    repeated = repeated[0], len(slots) - 1 - repeated[1] if repeated[1] >= 0 else -1
    kinds = ["concatenated", "truncated_5p", "truncated_3p"]
    kinds += ["repeated_5p"] * (repeated[0] >= 0) + ["repeated_3p"] * (repeated[1] >= 0)
    return Layout(
        slots=tuple(slots),
        labels=np.array([slot.label for slot in slots], np.uint8),
        rates=np.array([_rates(slot, name, parameters) for slot, name in zip(slots, names, strict=True)]),
        invalid_kinds=np.array(sorted(KINDS.index(kind) for kind in kinds), np.uint8),
        repeated=repeated,
        # A molecule of tails alone could come out empty; then each tail has a base.
        min_tail=1 if all(slot.kind == "tail" for slot in slots) else 0,
        reverse_cdna=library.strand == "rev",
    )


def _slot(segment: Segment, library: Library) -> Slot:
    label = library.labels.index(segment.name)
    if segment.kind == "fixed":
        motif = TOKEN_OF[np.frombuffer(segment.pattern.encode(), np.uint8)]
        return Slot("fixed", label, motif, len(motif))
    if segment.kind == "tail":
        return Slot("tail", label, np.full(MAX_TAIL, A if segment.pattern == "A" else T, np.uint8), 0)
    return Slot(segment.kind, label, np.zeros(0, np.uint8), segment.random_length)


def _outermost_fixed(slots: list[Slot]) -> int:
    """The first fixed slot before any cDNA, or -1: the adapter at the end that `slots` begins with."""
    for index, slot in enumerate(slots):
        if slot.kind == "fixed":
            return index
        if slot.kind == "cdna":
            break
    return -1


def _rates(slot: Slot, name: str, parameters: SimulationParameters) -> tuple[float, float, float]:
    rates = {override.segment: override.rates for override in parameters.segment_errors}.get(name)
    if rates is None and slot.kind == "tail":
        rate = parameters.polyt_error_rate
        rates = ErrorRates(mismatch=rate, insertion=rate, deletion=rate)
    elif rates is None and slot.kind in ("cdna", "flank") and not parameters.cdna_error:
        rates = ErrorRates(mismatch=0, insertion=0, deletion=0)
    elif rates is None:
        rates = parameters.general_rates
    return rates.mismatch, rates.insertion if parameters.max_insertions else 0.0, rates.deletion
