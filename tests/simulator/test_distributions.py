"""Rates, lengths and shares against the rules. Seeds are fixed; bounds are 5 standard deviations unless said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from readlabel.messages import Library
from readlabel.reads.labelled import KINDS, LabelledReads
from readlabel.reads.tokens import COMPLEMENT, TOKEN_OF

Draw = Callable[..., LabelledReads]
MOTIFS = {"5p": "TCTACACGACGCTCTTCCGATCT", "3p": "CCCATGTACTCTGCGTTGATACCACTGCTT"}


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


def bases_of(reads: LabelledReads, name: str, bases: int) -> NDArray[np.uint8]:
    """(segments, bases) tokens of the segments of one name in reads without indels."""
    rows = segments_named(reads, name)
    read = np.searchsorted(reads.segments.offsets, rows, "right") - 1
    begin = reads.offsets[read] + reads.segments.start[rows]
    return reads.tokens[begin[:, None] + np.arange(bases)]


VALID = {"invalid_fraction": 0, "rc": False}
ONLY = {"mismatch_rate": 0, "insertion_rate": 0, "deletion_rate": 0, "polyt_error_rate": 0}


@pytest.mark.parametrize("name", MOTIFS)
def test_mismatches_come_at_their_rate_and_hit_each_other_base_alike(draw: Draw, name: str) -> None:
    reads = draw(10_000, **{**VALID, **ONLY, "mismatch_rate": 0.05})
    wanted = TOKEN_OF[np.frombuffer(MOTIFS[name].encode(), np.uint8)]
    found = bases_of(reads, name, len(wanted))
    wrong = found != wanted
    assert_rate(wrong.sum(), wrong.size, 0.05)
    for token in range(1, 5):
        substitutes = np.bincount(found[wrong & (wanted == token)], minlength=6)[[t for t in range(1, 5) if t != token]]
        assert_rate(substitutes[0], substitutes.sum(), 1 / 3)
        assert_rate(substitutes[1], substitutes.sum(), 1 / 3)


@pytest.mark.parametrize("rc", [False, True])
def test_mismatches_are_spread_evenly_along_a_segment(draw: Draw, rc: bool) -> None:
    reads = draw(10_000, **{**VALID, **ONLY, "mismatch_rate": 0.2, "rc": rc})
    reads = reads.take(np.flatnonzero(reads.strand == rc))
    wanted = TOKEN_OF[np.frombuffer(MOTIFS["5p"].encode(), np.uint8)]
    wanted = COMPLEMENT[wanted][::-1] if rc else wanted
    by_position = (bases_of(reads, "5p", len(wanted)) != wanted).sum(axis=0)
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


@pytest.mark.parametrize("strand", [0, 1])
def test_an_insertion_follows_its_base_in_reading_direction_and_has_its_label(
    draw: Draw, make_library: Any, strand: int
) -> None:
    """An insertion after every base: every second base of either read is the motif's, and labels come in twos."""
    library = make_library("a=ACCGT", "b=GATTG")
    reads = draw(2000, library, **{**VALID, **ONLY, "insertion_rate": 1.0, "rc": True})
    reads = reads.take(np.flatnonzero(reads.strand == strand))
    bases = reads.tokens.reshape(2000, 20)
    motif = TOKEN_OF[np.frombuffer(b"ACCGTGATTG", np.uint8)]
    np.testing.assert_array_equal(bases[:, ::2], np.tile(COMPLEMENT[motif][::-1] if strand else motif, (2000, 1)))
    assert len(np.unique(bases[:, 1::2].reshape(-1))) == 4
    names = "bbbbbbbbbbaaaaaaaaaa" if strand else "aaaaaaaaaabbbbbbbbbb"
    wanted = [reads.label_names.index(name) for name in names]
    np.testing.assert_array_equal(reads.labels.reshape(2000, 20), np.tile(wanted, (2000, 1)))


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


def test_cdna_errors_come_at_the_general_rates(draw: Draw, make_library: Any) -> None:
    given: dict[str, Any] = {**VALID, **ONLY, "min_cdna": 200, "max_cdna": 200, "cdna_error": True}
    library = make_library("5p=ACGTACGT", "insert=NN")
    for name, rate in (("insert", 0.06), ("5p", 0.06)):
        bases = {"insert": 200, "5p": 8}[name]
        lost = bases - lengths_of(draw(3000, library, **{**given, "deletion_rate": rate}), name)
        assert_rate(lost.sum(), 3000 * bases, rate)
        more = lengths_of(draw(3000, library, **{**given, "insertion_rate": rate}), name) - bases
        assert_rate(more.sum(), 3000 * bases, rate)
    reads = draw(3000, library, **{**given, "mismatch_rate": 0.05, "rc": True})
    cdna = bases_of(reads, "insert", 200)
    differ = cdna[::2] != 5 - cdna[1::2, ::-1]
    assert_rate(differ.sum(), differ.size, 1 - (0.95**2 + 0.05**2 / 3))


@pytest.mark.parametrize(("name", "length"), [("CBC", 16), ("UMI", 12)])
def test_both_strands_meet_errors_of_their_own(draw: Draw, name: str, length: int) -> None:
    reads = draw(10_000, invalid_fraction=0, **{**ONLY, "mismatch_rate": 0.05})
    bases = bases_of(reads, name, length)
    differ = bases[::2] != 5 - bases[1::2, ::-1]
    # Two independent draws differ unless both are right, or both wrong in the same way.
    assert_rate(differ.sum(), differ.size, 1 - (0.95**2 + 0.05**2 / 3))


def test_rates_of_one_segment_can_be_set(draw: Draw) -> None:
    override = {"segment": "CBC", "rates": {"mismatch": 0, "insertion": 0, "deletion": 0.5}}
    reads = draw(5000, **VALID, segment_errors=[override])
    assert_rate(lengths_of(reads, "CBC").sum(), 5000 * 16, 0.5)
    assert lengths_of(reads, "UMI").mean() > 11


def test_rates_of_a_repeated_name_are_those_of_each_of_its_segments(draw: Draw, make_library: Any) -> None:
    library = make_library("CBC=N10", "5p=ACGTACGTAC", "CBC=N30", "tail=A")
    overrides = [
        {"segment": "CBC", "rates": {"mismatch": 0, "insertion": 0.2, "deletion": 0}},
        {"segment": "tail", "rates": {"mismatch": 0, "insertion": 0, "deletion": 1}},
    ]
    reads = draw(5000, library, **{**VALID, **ONLY}, segment_errors=overrides)
    lengths = lengths_of(reads, "CBC")
    assert_rate((lengths[::2] - 10).sum(), 5000 * 10, 0.2)
    assert_rate((lengths[1::2] - 30).sum(), 5000 * 30, 0.2)
    assert set(lengths_of(reads, "5p")) == {10}
    assert not len(lengths_of(reads, "tail"))


def test_indels_grow_with_the_homopolymer_when_asked(draw: Draw, make_library: Any) -> None:
    library = make_library("5p=CAAAAACGT")
    errors = {**VALID, **ONLY, "deletion_rate": 0.02, "homopolymer_indel": 1.0}
    reads = draw(40_000, library, **errors)
    lost = 9 - reads.lengths
    # Five bases in a run of five meet 5 times the rate, the other four the plain one.
    expected = 5 * 0.02 * 5 + 4 * 0.02
    assert abs(lost.mean() - expected) < 5 * np.sqrt(expected / 40_000)


def test_a_homopolymer_ends_with_its_read(draw: Draw, make_library: Any) -> None:
    errors = {**VALID, **ONLY, "deletion_rate": 0.02, "homopolymer_indel": 1.0}
    lost = 4 - draw(20_000, make_library("5p=AAAA"), **errors).lengths
    assert_rate(lost.sum(), 20_000 * 4, 0.02 * 4)


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
