"""What holds for every library and every parameter."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readlabel.messages import CDNA, Library, Segment
from readlabel.reads.labelled import KINDS, LabelledReads, concatenate, expand
from readlabel.reads.tokens import COMPLEMENT
from readlabel.simulator.parameters import SimulationParameters
from readlabel.simulator.simulate import simulate
from readlabel.simulator.transcripts import random_transcripts

PATTERNS = st.one_of(
    st.text("ACGT", min_size=2, max_size=30),
    st.integers(1, 20).map(lambda length: f"N{length}"),
    st.sampled_from(["NN", "A", "T"]),
)
SEGMENTS = st.lists(
    st.one_of(
        st.builds(Segment, name=st.sampled_from(["5p", "CBC", "UMI", "polyT", "3p"]), pattern=PATTERNS),
        st.just(Segment(name=CDNA, pattern="NN")),
    ),
    min_size=1,
    max_size=8,
)
LIBRARIES = st.builds(
    Library, model=st.just("test"), segments=SEGMENTS.map(tuple), strand=st.sampled_from(["fwd", "rev"])
)
RATES = st.floats(0, 0.3)
TRANSCRIPTS = random_transcripts(np.random.default_rng(0), SimulationParameters(), bases=20_000)


@st.composite
def all_parameters(draw: st.DrawFn) -> SimulationParameters:
    shortest = draw(st.integers(1, 50))
    return SimulationParameters(
        mismatch_rate=draw(RATES),
        insertion_rate=draw(RATES),
        deletion_rate=draw(RATES),
        polyt_error_rate=draw(RATES),
        max_insertions=draw(st.integers(0, 4)),
        cdna_error=draw(st.booleans()),
        homopolymer_indel=draw(st.sampled_from([0, 0.5])),
        min_cdna=shortest,
        max_cdna=shortest + draw(st.integers(0, 50)),
        rc=draw(st.booleans()),
        invalid_fraction=draw(st.sampled_from([0, 0.3, 1])),
    )


def reads_of(library: Library, parameters: SimulationParameters, num_reads: int, seed: int = 1) -> LabelledReads:
    return concatenate(list(simulate(library, parameters, seed, "training", num_reads, TRANSCRIPTS)))


@settings(max_examples=60, deadline=None)
@given(LIBRARIES, all_parameters(), st.integers(1, 40))
def test_bases_labels_and_segments_agree(library: Library, parameters: SimulationParameters, num_reads: int) -> None:
    reads = reads_of(library, parameters, num_reads)
    assert len(reads) == num_reads * (2 if parameters.rc else 1)
    assert len(reads.tokens) == len(reads.labels) == reads.offsets[-1]
    assert (reads.lengths > 0).all()
    assert reads.tokens.min() >= 1
    assert reads.tokens.max() <= 4
    np.testing.assert_array_equal(expand(reads.segments), reads.labels)
    assert reads.segments.tiles(reads.lengths, len(library.labels))
    assert len(set(reads.read_ids)) == len(reads)


@settings(max_examples=40, deadline=None)
@given(LIBRARIES, all_parameters(), st.booleans())
def test_every_segment_of_a_valid_read_appears_in_order(
    library: Library, parameters: SimulationParameters, deletions: bool
) -> None:
    """A tail or a flank may have length 0. Nothing else may be missing, unless deletions can take all its bases."""
    unlike = {"invalid_fraction": 0.0} if deletions else {"invalid_fraction": 0.0, "deletion_rate": 0.0}
    reads = reads_of(library, parameters.model_copy(update=unlike), 20)
    row = [(segment.name, deletions or segment.kind == "tail") for segment in library.segments]
    row = [(CDNA, True), *row, (CDNA, True)] if library.has_flanks else row
    for read in range(len(reads)):
        assert reads.kind_of(read) == "valid"
        wanted = row if reads.strand_of(read) == "+" else row[::-1]
        pattern = "".join(f"({name} )" + "?" * may_be_missing for name, may_be_missing in wanted)
        names = "".join(f"{reads.label_names[label]} " for label, _, _ in reads.segments.of(read))
        assert re.fullmatch(pattern, names), (names, row)


@settings(max_examples=40, deadline=None)
@given(LIBRARIES, all_parameters())
def test_without_errors_the_second_read_of_a_pair_is_the_reverse_complement(
    library: Library, parameters: SimulationParameters
) -> None:
    silent = {"mismatch_rate": 0.0, "insertion_rate": 0.0, "deletion_rate": 0.0, "polyt_error_rate": 0.0, "rc": True}
    reads = reads_of(library, parameters.model_copy(update=silent), 20)
    for first in range(0, len(reads), 2):
        np.testing.assert_array_equal(reads.tokens_of(first + 1), COMPLEMENT[reads.tokens_of(first)][::-1])
        np.testing.assert_array_equal(reads.labels_of(first + 1), reads.labels_of(first)[::-1])
        assert [reads.strand_of(first), reads.strand_of(first + 1)] == ["+", "-"]
        assert reads.pair[first] == reads.pair[first + 1]
        assert reads.kind[first] == reads.kind[first + 1]


@settings(max_examples=20, deadline=None)
@given(LIBRARIES, all_parameters(), st.integers(1, 30))
def test_fewer_reads_are_the_first_of_more(library: Library, parameters: SimulationParameters, fewer: int) -> None:
    few, many = reads_of(library, parameters, fewer), reads_of(library, parameters, 40)
    np.testing.assert_array_equal(few.tokens, many.tokens[: few.num_bases])
    assert few.read_ids.tolist() == many.read_ids.tolist()[: len(few)]


@pytest.mark.parametrize("rate", [0.9, 1.0])
def test_no_read_is_empty_even_when_nearly_every_base_is_left_out(rate: float) -> None:
    library = Library(model="test", segments=(Segment(name="5p", pattern="ACG"),), strand="fwd")
    parameters = SimulationParameters(mismatch_rate=0, insertion_rate=0, deletion_rate=rate, invalid_fraction=0)
    lengths = reads_of(library, parameters, 2000).lengths
    assert lengths.min() == 1
    assert (lengths == 1).mean() > 0.9


def test_a_library_of_tails_alone_has_no_empty_read() -> None:
    library = Library(model="test", segments=(Segment(name="polyA", pattern="A"),), strand="fwd")
    reads = reads_of(library, SimulationParameters(), 5000)
    assert reads.lengths.min() == 1
    assert {KINDS[kind] for kind in np.unique(reads.kind)} == {
        "valid",
        "concatenated",
        "truncated_5p",
        "truncated_3p",
    }


def test_neighbouring_segments_of_one_name_stay_two_segments() -> None:
    segments = (Segment(name="CBC", pattern="N8"), Segment(name="CBC", pattern="N9"))
    library = Library(model="test", segments=segments, strand="fwd")
    parameters = SimulationParameters(mismatch_rate=0, insertion_rate=0, deletion_rate=0, invalid_fraction=0)
    reads = reads_of(library, parameters, 3)
    assert reads.segments.of(0) == [(0, 0, 8), (0, 8, 17)]
    assert all(left[2] == right[1] for left, right in pairwise(reads.segments.of(1)))
