"""Against 1,000 reads that tranquillyzer 0.2.2 itself simulated from 10x3p_sc_ont with its defaults.

The numbers below were counted in that sample, in reads whose architecture is the library's. What differs is explained
where it does, as a mended fault or by the sample's transcriptome; docs/simulation.md has the list.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from readlabel.messages import Library
from readlabel.reads.labelled import KINDS, LabelledReads

Draw = Callable[..., LabelledReads]

# Label: reads of each length.
LENGTHS = {
    "5p": {18: 4, 19: 9, 20: 38, 21: 94, 22: 151, 23: 185, 24: 126, 25: 54, 26: 15, 27: 7, 29: 2},
    "CBC": {11: 1, 12: 5, 13: 29, 14: 70, 15: 137, 16: 239, 17: 144, 18: 52, 19: 7, 20: 1},
    "UMI": {9: 11, 10: 57, 11: 164, 12: 295, 13: 114, 14: 40, 15: 4},
    "3p": {24: 2, 25: 5, 26: 15, 27: 57, 28: 96, 29: 119, 30: 153, 31: 129, 32: 69, 33: 27, 34: 9, 35: 3, 36: 1},
}
# Edit distance between an adapter as read and as the row has it: segments. Mismatches and indels together.
EDITS = {
    "5p": {0: 15, 1: 53, 2: 136, 3: 168, 4: 147, 5: 95, 6: 60, 7: 18, 8: 5, 9: 1},
    "3p": {0: 2, 1: 24, 2: 66, 3: 120, 4: 141, 5: 138, 6: 107, 7: 64, 8: 20, 9: 12, 10: 2, 11: 1, 12: 1},
}
QUANTILES = (10, 25, 50, 75, 90)
# 679 flanks (without the 7 of length 0, which there become whole transcripts), 685 tails that have a base.
FLANKS = (5, 14, 25, 37, 45)
TAILS = (7, 15, 26, 38, 44)
# Molecules of each kind among 500: valid, concatenated, repeated at 5' and 3', truncated at either end.
KIND_COUNTS = {"valid": 349, "concatenated": 27, "repeated_5p": 25, "repeated_3p": 29, "truncated": 70}
# Bases of an adapter run in reads with a repeated adapter, in units of the adapter.
REPEATS = (2.5, 3.2)


def valid_lengths(draw: Draw, name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    reads = draw(10_000, invalid_fraction=0)
    rows = reads.segments.label == reads.label_names.index(name)
    return (reads.segments.end - reads.segments.start)[rows].astype(np.int64)


def assert_same_distribution(sample: list[int], ours: list[int]) -> None:
    """Two-sample chi-square over values, those at the ends pooled, within 4 standard deviations of its mean."""
    least, most = np.percentile(sample, [2, 98]).astype(int)
    bins = np.arange(least, most + 2) - 0.5
    bins[[0, -1]] = -np.inf, np.inf
    found, wanted = np.histogram(sample, bins)[0], np.histogram(ours, bins)[0] / len(ours) * len(sample)
    chi_square = ((found - wanted) ** 2 / (wanted * (1 + len(sample) / len(ours)))).sum()
    freedom = len(found) - 1
    assert chi_square < freedom + 4 * np.sqrt(2 * freedom), (found, wanted.round(1))


def spread_out(counts: dict[int, int]) -> list[int]:
    return [value for value, count in counts.items() for _ in range(count)]


def edit_distance(left: str, right: str) -> int:
    row = list(range(len(right) + 1))
    for i, letter in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (letter != other))
    return row[-1]


@pytest.mark.parametrize("name", LENGTHS)
def test_segments_are_as_long_as_tranquillyzer_makes_them(draw: Draw, name: str) -> None:
    assert_same_distribution(spread_out(LENGTHS[name]), valid_lengths(draw, name).tolist())


@pytest.mark.parametrize("name", EDITS)
def test_adapters_are_as_far_from_the_row_as_there(draw: Draw, library_3p: Library, name: str) -> None:
    motif = next(segment.pattern for segment in library_3p.segments if segment.name == name)
    reads = draw(3000, invalid_fraction=0, rc=False)
    code = reads.label_names.index(name)
    ours = [
        edit_distance(motif, reads.sequence_of(read)[start:end])
        for read in range(len(reads))
        for label, start, end in reads.segments.of(read)
        if label == code
    ]
    assert_same_distribution(spread_out(EDITS[name]), ours)


@pytest.mark.parametrize(("name", "wanted"), [("polyT", TAILS), ("flank", FLANKS)])
def test_flanks_and_tails_have_its_quantiles(draw: Draw, name: str, wanted: tuple[int, ...]) -> None:
    if name == "flank":
        reads = draw(10_000, invalid_fraction=0)
        first = reads.segments.offsets[:-1]
        cdna = reads.segments.label[first] == reads.label_names.index("cDNA")
        ours = (reads.segments.end - reads.segments.start)[first][cdna]
    else:
        ours = valid_lengths(draw, name)
    for quantile, value in zip(QUANTILES, wanted, strict=True):
        share = quantile / 100
        # The share of ours at or below the sample's quantile, which itself scatters over 680 values.
        spread = 4 * np.sqrt(share * (1 - share) / 680)
        assert (ours < value).mean() - spread < share < (ours <= value).mean() + spread


def test_kinds_have_its_shares(draw: Draw) -> None:
    reads = draw(20_000, rc=False)
    ours = {kind: (reads.kind == code).mean() for code, kind in enumerate(KINDS)}
    ours["truncated"] = ours["truncated_5p"] + ours["truncated_3p"]
    for kind, count in KIND_COUNTS.items():
        assert abs(count - 500 * ours[kind]) < 4 * np.sqrt(500 * ours[kind] * (1 - ours[kind])), kind


def test_a_repeated_adapter_is_as_long_as_there(draw: Draw) -> None:
    reads = draw(5000, invalid_fraction=1, rc=False)
    for kind, name, bases in (("repeated_5p", "5p", 23), ("repeated_3p", "3p", 31)):
        for read in np.flatnonzero(reads.kind == KINDS.index(kind))[:200]:
            segments = reads.segments.of(int(read))
            copies = segments[:3] if kind == "repeated_5p" else segments[-3:]
            assert {label for label, _, _ in copies} == {reads.label_names.index(name)}
            run = (copies[-1][2] - copies[0][1]) / bases
            assert REPEATS[0] - 0.4 < run < REPEATS[1] + 0.4
