"""Rates, lengths and shares against the rules. Seeds are fixed; bounds are 5 standard deviations unless said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from readlabel.messages import Library
from readlabel.reads.labelled import KINDS, LabelledReads
from readlabel.reads.tokens import TOKEN_OF

Draw = Callable[..., LabelledReads]
MOTIF = "TCTACACGACGCTCTTCCGATCT"


def segments_named(reads: LabelledReads, name: str) -> NDArray[np.int64]:
    """Rows of the segment table that have a label."""
    return np.flatnonzero(reads.segments.label == reads.label_names.index(name))


def lengths_of(reads: LabelledReads, name: str) -> NDArray[np.int64]:
    rows = segments_named(reads, name)
    return (reads.segments.end[rows] - reads.segments.start[rows]).astype(np.int64)


def flanks(reads: LabelledReads) -> NDArray[np.int64]:
    """Lengths of the flanks of reads without errors, 0 where a read has none."""
    first, last = reads.segments.offsets[:-1], reads.segments.offsets[1:] - 1
    code = reads.label_names.index("cDNA")
    length = reads.segments.end - reads.segments.start
    return np.concatenate([np.where(reads.segments.label[row] == code, length[row], 0) for row in (first, last)])


def assert_rate(events: float, trials: int, rate: float) -> None:
    assert abs(events / trials - rate) < 5 * np.sqrt(rate * (1 - rate) / trials), (events / trials, rate)


def assert_uniform(values: NDArray[np.int64], least: int, most: int) -> None:
    """Pearson's chi-square against a uniform distribution, within 5 standard deviations of its mean."""
    counts = np.bincount(values - least, minlength=most - least + 1)
    assert values.min() >= least
    assert values.max() <= most
    expected = len(values) / len(counts)
    chi_square = ((counts - expected) ** 2 / expected).sum()
    freedom = len(counts) - 1
    assert abs(chi_square - freedom) < 5 * np.sqrt(2 * freedom), counts


def motif_bases(reads: LabelledReads, motif: str) -> NDArray[np.uint8]:
    """(segments, bases) of the fixed segment 5p in reads without indels."""
    rows = segments_named(reads, "5p")
    read = np.searchsorted(reads.segments.offsets, rows, "right") - 1
    begin = reads.offsets[read] + reads.segments.start[rows]
    return reads.tokens[begin[:, None] + np.arange(len(motif))]


VALID = {"invalid_fraction": 0, "rc": False}
ONLY = {"mismatch_rate": 0, "insertion_rate": 0, "deletion_rate": 0, "polyt_error_rate": 0}


def test_mismatches_come_at_their_rate_and_hit_each_other_base_alike(draw: Draw) -> None:
    reads = draw(10_000, **{**VALID, **ONLY, "mismatch_rate": 0.05})
    found = motif_bases(reads, MOTIF)
    wanted = TOKEN_OF[np.frombuffer(MOTIF.encode(), np.uint8)]
    wrong = found != wanted
    assert_rate(wrong.sum(), wrong.size, 0.05)
    for token in range(1, 5):
        substitutes = np.bincount(found[wrong & (wanted == token)], minlength=6)[[t for t in range(1, 5) if t != token]]
        assert_rate(substitutes[0], substitutes.sum(), 1 / 3)
        assert_rate(substitutes[1], substitutes.sum(), 1 / 3)


def test_mismatches_are_spread_evenly_along_a_segment(draw: Draw) -> None:
    reads = draw(10_000, **{**VALID, **ONLY, "mismatch_rate": 0.2})
    wanted = TOKEN_OF[np.frombuffer(MOTIF.encode(), np.uint8)]
    by_position = (motif_bases(reads, MOTIF) != wanted).sum(axis=0)
    for count in by_position:
        assert_rate(count, 10_000, 0.2)


@pytest.mark.parametrize(("name", "bases"), [("5p", 23), ("CBC", 16), ("UMI", 12), ("3p", 30)])
def test_insertions_and_deletions_come_at_their_rates_in_every_segment(draw: Draw, name: str, bases: int) -> None:
    longer = lengths_of(draw(10_000, **{**VALID, **ONLY, "insertion_rate": 0.05}), name) - bases
    assert_rate(longer.sum(), 10_000 * bases, 0.05)
    assert longer.min() == 0
    shorter = bases - lengths_of(draw(10_000, **{**VALID, **ONLY, "deletion_rate": 0.06}), name)
    assert_rate(shorter.sum(), 10_000 * bases, 0.06)
    assert shorter.min() == 0


def test_a_base_meets_at_most_one_error(draw: Draw) -> None:
    """With rates that sum to 1, as many bases are inserted as there are insertions, and the rest is known."""
    reads = draw(5000, **{**VALID, "mismatch_rate": 0.5, "insertion_rate": 0.25, "deletion_rate": 0.25})
    assert_rate(lengths_of(reads, "CBC").sum() / 2, 5000 * 16, 0.5)


def test_longer_insertions_come_with_the_same_chance_again_up_to_the_most(draw: Draw, make_library: Any) -> None:
    library = make_library("5p=AC")
    rate = 0.3
    reads = draw(50_000, library, **{**VALID, **ONLY, "insertion_rate": rate, "max_insertions": 3})
    # Bases inserted at one place: 0 with 1 - r, 1 with r(1 - r), 2 with r²(1 - r), 3 with r³.
    one = np.array([1 - rate, rate * (1 - rate), rate**2 * (1 - rate), rate**3])
    two = np.convolve(one, one)
    counts = np.bincount(reads.lengths - 2, minlength=7)
    for count, share in zip(counts, two, strict=True):
        assert_rate(count, 50_000, share)


def test_no_insertions_when_none_are_allowed(draw: Draw) -> None:
    reads = draw(500, **{**VALID, **ONLY, "insertion_rate": 0.5, "max_insertions": 0})
    assert set(lengths_of(reads, "CBC")) == {16}


def test_inserted_bases_are_of_every_kind(draw: Draw, make_library: Any) -> None:
    reads = draw(5000, make_library("5p=AA"), **{**VALID, **ONLY, "insertion_rate": 1.0})
    counts = np.bincount(reads.tokens, minlength=6)[1:5]
    assert reads.num_bases == 5000 * 4
    for count in counts[1:]:
        assert_rate(count, 10_000, 0.25)


def test_tails_have_their_own_rate(draw: Draw) -> None:
    clean = lengths_of(draw(20_000, **{**VALID, **ONLY}), "polyT").sum()
    errors = {"mismatch_rate": 0, "insertion_rate": 0, "deletion_rate": 0, "polyt_error_rate": 0.1}
    reads = draw(20_000, **{**VALID, **errors})
    rows = segments_named(reads, "polyT")
    read = np.searchsorted(reads.segments.offsets, rows, "right") - 1
    begin = reads.offsets[read] + reads.segments.start[rows]
    length = reads.segments.end[rows] - reads.segments.start[rows]
    bases = np.concatenate([reads.tokens[b : b + n] for b, n in zip(begin, length, strict=True)])
    # One of ten substituted (never by T), one of ten followed by a random base (T in a quarter), one of ten left out.
    assert_rate((bases != 4).sum() / clean * len(bases), len(bases), 0.1 + 0.1 * 0.75)
    assert abs(len(bases) / clean - 1) < 0.01
    assert set(lengths_of(reads, "CBC")) == {16}


def test_cdna_and_flanks_have_no_errors_unless_asked(draw: Draw) -> None:
    def differing(reads: LabelledReads) -> int:
        """Pairs whose two strands show cDNA of different length."""
        code = reads.label_names.index("cDNA")
        bases = np.add.reduceat((reads.labels == code).astype(int), reads.offsets[:-1])
        return int((bases[::2] != bases[1::2]).sum())

    assert differing(draw(500, invalid_fraction=0)) == 0
    assert differing(draw(500, invalid_fraction=0, cdna_error=True)) > 400


def test_both_strands_meet_errors_of_their_own(draw: Draw) -> None:
    reads = draw(10_000, invalid_fraction=0, **{**ONLY, "mismatch_rate": 0.05})
    rows = segments_named(reads, "CBC")
    read = np.searchsorted(reads.segments.offsets, rows, "right") - 1
    place = reads.offsets[read] + reads.segments.start[rows]
    bases = reads.tokens[place[:, None] + np.arange(16)]
    differ = bases[::2] != 5 - bases[1::2, ::-1]
    # Two independent draws differ unless both are right, or both wrong in the same way.
    assert_rate(differ.sum(), differ.size, 1 - (0.95**2 + 0.05**2 / 3))


def test_rates_of_one_segment_can_be_set(draw: Draw) -> None:
    override = {"segment": "CBC", "rates": {"mismatch": 0, "insertion": 0, "deletion": 0.5}}
    reads = draw(5000, **VALID, segment_errors=[override])
    assert_rate(lengths_of(reads, "CBC").sum(), 5000 * 16, 0.5)
    assert lengths_of(reads, "UMI").mean() > 11


def test_indels_grow_with_the_homopolymer_when_asked(draw: Draw, make_library: Any) -> None:
    library = make_library("5p=CAAAAACGT")
    errors = {**VALID, **ONLY, "deletion_rate": 0.02, "homopolymer_indel": 1.0}
    reads = draw(40_000, library, **errors)
    lost = 9 - reads.lengths
    # Five bases in a run of five meet 5 times the rate, the other four the plain one.
    expected = 5 * 0.02 * 5 + 4 * 0.02
    assert abs(lost.mean() - expected) < 5 * np.sqrt(expected / 40_000)


def test_flanks_and_tails_are_uniform_below_50(draw: Draw, no_errors: dict[str, object]) -> None:
    reads = draw(20_000, **VALID, **no_errors)
    assert_uniform(flanks(reads), 0, 49)
    tails = np.zeros(20_000, np.int64)
    present = lengths_of(reads, "polyT")
    tails[: len(present)] = present
    assert_uniform(tails, 0, 49)


def test_cdna_is_uniform_between_its_bounds(draw: Draw, make_library: Any, no_errors: dict[str, object]) -> None:
    library = make_library("5p=ACGT", "insert=NN")
    reads = draw(20_000, library, **VALID, **no_errors, min_cdna=100, max_cdna=150)
    assert_uniform(lengths_of(reads, "insert"), 100, 150)


def test_barcodes_are_random_bases(draw: Draw, no_errors: dict[str, object]) -> None:
    reads = draw(20_000, **VALID, **no_errors)
    bases = reads.tokens[reads.labels == reads.label_names.index("CBC")]
    assert_uniform(bases.astype(np.int64), 1, 4)


def test_invalid_reads_have_their_share_and_each_kind_the_same(draw: Draw) -> None:
    reads = draw(20_000, rc=False)
    counts = np.bincount(reads.kind, minlength=len(KINDS))
    assert_rate(counts[0], 20_000, 0.7)
    for count in counts[1:6]:
        assert_rate(count, 20_000, 0.3 / 5)
    assert counts[6] == 0


def test_both_strands_come_equally_often(draw: Draw) -> None:
    reads = draw(100)
    assert np.bincount(reads.strand).tolist() == [100, 100]
    assert set(draw(100, rc=False).strand) == {0}


@pytest.mark.parametrize("kind", ["truncated_5p", "truncated_3p"])
def test_a_truncated_read_loses_up_to_70_percent_of_one_end(
    draw: Draw, make_library: Any, no_errors: dict[str, object], kind: str
) -> None:
    library: Library = make_library("a=N50", "b=N50")
    reads = draw(20_000, library, rc=False, invalid_fraction=1, **no_errors)
    chosen = reads.take(np.flatnonzero(reads.kind == KINDS.index(kind)))
    assert_uniform(chosen.lengths, 30, 99)
    shortened = "a" if kind == "truncated_5p" else "b"
    whole = lengths_of(chosen, "b" if shortened == "a" else "a")
    assert lengths_of(chosen, shortened).max() == 49
    assert (whole == 50).sum() > 0.6 * len(chosen)
