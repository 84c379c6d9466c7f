"""What single molecules look like, seen without errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from readlabel.messages import InputError, Library
from readlabel.reads.labelled import KINDS, LabelledReads
from readlabel.reads.sequences import Sequences
from readlabel.reads.tokens import COMPLEMENT, tokenize
from readlabel.simulator.parameters import SimulationParameters

Draw = Callable[..., LabelledReads]
Make = Callable[..., Library]
COMPLEMENTS = str.maketrans("ACGTN", "TGCAN")


def transcripts_of(**sequences: str) -> Sequences:
    tokens = [tokenize(sequence, name) for name, sequence in sequences.items()]
    return Sequences(tuple(sequences), np.cumsum([0, *map(len, tokens)]), np.concatenate(tokens))


def reverse_complement(sequence: str) -> str:
    return sequence[::-1].translate(COMPLEMENTS)


def of_kind(reads: LabelledReads, kind: str) -> LabelledReads:
    return reads.take(np.flatnonzero(reads.kind == KINDS.index(kind)))


def names_of(reads: LabelledReads, read: int) -> list[str]:
    return [reads.label_names[label] for label, _, _ in reads.segments.of(read)]


@pytest.fixture
def silent(no_errors: dict[str, object]) -> dict[str, object]:
    return {**no_errors, "rc": False}


def test_fixed_motifs_and_tails_are_written_as_the_row_says(
    draw: Draw, make_library: Make, silent: dict[str, object]
) -> None:
    library = make_library("5p=ACGTT", "polyA=A", "3p=GGC", "polyT=T")
    reads = draw(200, library, invalid_fraction=0, **silent)
    for read in range(200):
        sequence = reads.sequence_of(read)
        assert sequence.startswith("ACGTT")
        middle = sequence[5:]
        assert set(middle[: middle.index("GGC")]) <= {"A"}
        assert set(middle[middle.index("GGC") + 3 :]) <= {"T"}


@pytest.mark.parametrize("strand", ["fwd", "rev"])
def test_cdna_shows_the_strand_of_its_transcript_that_the_library_says(
    draw: Draw, make_library: Make, silent: dict[str, object], strand: str
) -> None:
    rng = np.random.default_rng(1)
    source = "".join(rng.choice(list("ACGT"), 2000))
    library = make_library("5p=AC", "cDNA=NN", strand=strand)
    reads = draw(100, library, transcripts=transcripts_of(tx=source), invalid_fraction=0, **silent)
    for read in range(100):
        _, start, end = max(reads.segments.of(read), key=lambda segment: segment[2] - segment[1])
        cdna = reads.sequence_of(read)[start:end]
        assert (cdna if strand == "fwd" else reverse_complement(cdna)) in source


def test_cdna_comes_from_head_tail_and_middle_a_third_each(
    draw: Draw, make_library: Make, silent: dict[str, object]
) -> None:
    rng = np.random.default_rng(2)
    source = "".join(rng.choice(list("ACGT"), 5000))
    library = make_library("insert=NN")
    reads = draw(3000, library, transcripts=transcripts_of(tx=source), invalid_fraction=0, **silent)
    begin = np.array([source.index(reads.sequence_of(read)) for read in range(3000)])
    head, tail = begin == 0, begin + reads.lengths == 5000
    spread = 5 * np.sqrt(3000 * 2 / 9)
    assert abs(head.sum() - 1000) < spread
    assert abs(tail.sum() - 1000) < spread
    middle = begin[~head & ~tail] / (5000 - reads.lengths[~head & ~tail])
    assert abs(middle.mean() - 0.5) < 5 / np.sqrt(12 * 1000)


def test_a_transcript_shorter_than_wanted_is_taken_whole(
    draw: Draw, make_library: Make, silent: dict[str, object]
) -> None:
    library = make_library("insert=NN")
    reads = draw(20, library, transcripts=transcripts_of(short="ACGTTGCA"), invalid_fraction=0, **silent)
    assert {reads.sequence_of(read) for read in range(20)} == {"ACGTTGCA"}


def test_ambiguous_bases_of_a_transcript_stay_n_on_both_strands(draw: Draw, make_library: Make) -> None:
    library = make_library("insert=NN")
    source = transcripts_of(tx="acgtNNNNryTTGCA" * 20)
    reads = draw(20, library, transcripts=source, invalid_fraction=0, cdna_error=False)
    assert all("N" in reads.sequence_of(read) for read in range(40))


def test_the_source_transcript_is_named(draw: Draw, make_library: Make, silent: dict[str, object]) -> None:
    library = make_library("5p=ACGTACGT", "cDNA=NN")
    sources = {f"tx{i}|gene": base * 600 for i, base in enumerate("ACGT")}
    reads = draw(500, library, transcripts=transcripts_of(**sources), invalid_fraction=0.3, **silent)
    whole = of_kind(reads, "valid")
    for read in range(len(whole)):
        _, start, end = max(whole.segments.of(read), key=lambda segment: segment[2] - segment[1])
        assert set(whole.sequence_of(read)[start:end]) == set(sources[whole.transcript[read]])
    joined = of_kind(reads, "concatenated")
    assert len(joined)
    assert all(len(names.split(" ")) == 2 and set(names.split(" ")) <= set(sources) for names in joined.transcript)


def test_a_library_without_cdna_has_no_flanks_and_no_transcript(
    draw: Draw, make_library: Make, silent: dict[str, object]
) -> None:
    reads = draw(50, make_library("5p=ACGT", "CBC=N8"), invalid_fraction=0, **silent)
    assert set(reads.lengths) == {12}
    assert reads.transcript.tolist() == [None] * 50


def test_several_barcodes_and_umis_are_drawn_apart(draw: Draw, make_library: Make, silent: dict[str, object]) -> None:
    library = make_library("CBC=N12", "UMI=N12", "CBC=N12", "UMI2=N12")
    reads = draw(50, library, invalid_fraction=0, **silent)
    for read in range(50):
        sequence = reads.sequence_of(read)
        assert names_of(reads, read) == ["CBC", "UMI", "CBC", "UMI2"]
        assert len({sequence[start : start + 12] for start in range(0, 48, 12)}) == 4


def test_a_repeated_adapter_stands_three_times_outside_the_flank(
    draw: Draw, library_3p: Library, silent: dict[str, object]
) -> None:
    reads = draw(2000, invalid_fraction=1, **silent)
    motifs = {segment.name: segment.pattern for segment in library_3p.segments}
    first, last = of_kind(reads, "repeated_5p"), of_kind(reads, "repeated_3p")
    assert all(first.sequence_of(read).startswith(motifs["5p"] * 3) for read in range(len(first)))
    assert all(last.sequence_of(read).endswith(motifs["3p"] * 3) for read in range(len(last)))
    assert names_of(first, 0)[:3] == ["5p"] * 3
    assert names_of(last, 0)[-3:] == ["3p"] * 3


def test_a_second_molecule_is_joined_as_is_reversed_or_reverse_complemented(
    draw: Draw, make_library: Make, silent: dict[str, object]
) -> None:
    motif, end = "ACCTGGATTACA", "GGGTTCAC"
    library = make_library(f"5p={motif}", "CBC=N6", f"3p={end}")
    joined = of_kind(draw(20_000, library, invalid_fraction=1, **silent), "concatenated")
    seconds = [joined.sequence_of(read)[26:] for read in range(len(joined))]
    straight = sum(second.startswith(motif) and second.endswith(end) for second in seconds)
    reversed_ = sum(second.startswith(end[::-1]) and second.endswith(motif[::-1]) for second in seconds)
    turned = sum(
        second.startswith(reverse_complement(end)) and second.endswith(reverse_complement(motif)) for second in seconds
    )
    assert straight + reversed_ + turned == len(joined)
    for count, share in ((straight, 0.5), (reversed_, 0.25), (turned, 0.25)):
        assert abs(count - share * len(joined)) < 5 * np.sqrt(share * (1 - share) * len(joined))
    assert names_of(joined, 0)[:3] == ["5p", "CBC", "3p"]
    assert {tuple(names_of(joined, read)[3:]) for read in range(50)} == {("5p", "CBC", "3p"), ("3p", "CBC", "5p")}


def test_both_strands_of_a_reversed_second_molecule_are_complements(draw: Draw, no_errors: dict[str, object]) -> None:
    reads = draw(500, invalid_fraction=1, **no_errors)
    for first in range(0, len(reads), 2):
        np.testing.assert_array_equal(reads.tokens_of(first + 1), COMPLEMENT[reads.tokens_of(first)[::-1]])


def test_adapters_repeat_only_at_an_end_that_has_one(draw: Draw, make_library: Make) -> None:
    def kinds(library: Library) -> set[str]:
        return {KINDS[kind] for kind in draw(2000, library, invalid_fraction=1, rc=False).kind}

    others = {"concatenated", "truncated_5p", "truncated_3p"}
    assert kinds(make_library("5p=ACGT", "CBC=N8", "cDNA=NN")) == others | {"repeated_5p"}
    assert kinds(make_library("CBC=N8", "cDNA=NN", "3p=ACGT")) == others | {"repeated_3p"}
    assert kinds(make_library("CBC=N8", "polyT=T", "cDNA=NN")) == others
    assert kinds(make_library("CBC=N8", "link=ACGT", "UMI=N8")) == others | {"repeated_5p", "repeated_3p"}


def test_error_rates_of_an_unknown_segment_are_refused(draw: Draw) -> None:
    override = {"segment": "XYZ", "rates": {"mismatch": 0, "insertion": 0, "deletion": 0}}
    with pytest.raises(InputError, match="XYZ; 10x3p_sc_ont has the segments 3p, 5p"):
        draw(5, segment_errors=[override])


def test_rates_that_sum_to_1_as_they_are_typed_are_taken(draw: Draw, make_library: Make) -> None:
    """Added one after another, these come to a little more than 1."""
    reads = draw(50, make_library("5p=ACGT"), mismatch_rate=0.56, insertion_rate=0.33, deletion_rate=0.11)
    assert len(reads) == 100


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mismatch_rate": 0.5, "insertion_rate": 0.4, "deletion_rate": 0.2}, "sum to 1.1"),
        ({"min_cdna": 501}, "min_cdna 501 is above max_cdna 500"),
        ({"mismatch_rate": -0.1}, "greater than or equal to 0"),
        ({"polyt_error_rate": 0.5}, "less than or equal to 0.33"),
        ({"invalid_fraction": 1.5}, "less than or equal to 1"),
        ({"max_insertions": -1}, "greater than or equal to 0"),
        ({"max_insertions": 2.5}, "integer"),
        ({"mismatch_rate": float("nan")}, "finite"),
    ],
)
def test_parameters_out_of_range_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimulationParameters.model_validate(values)
