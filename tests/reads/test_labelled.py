from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from readlabel.reads.labelled import LabelledReads, concatenate, expand, runs

Make = Callable[..., LabelledReads]


@given(st.lists(st.lists(st.integers(0, 3), min_size=1), min_size=1))
def test_runs_and_expand_are_inverses(reads: list[list[int]]) -> None:
    offsets = np.concatenate([[0], np.cumsum([len(read) for read in reads])])
    labels = np.array([label for read in reads for label in read], np.uint8)
    table = runs(offsets, labels)
    np.testing.assert_array_equal(expand(table), labels)
    for index, read in enumerate(reads):
        segments = table.of(index)
        assert segments[0][1] == 0
        assert segments[-1][2] == len(read)
        assert all(left[0] != right[0] and left[2] == right[1] for left, right in pairwise(segments))


def test_take_gives_the_asked_reads_in_the_asked_order(make_reads: Make) -> None:
    reads = make_reads(20)
    taken = reads.take([7, 0, 7])
    assert taken.read_ids.tolist() == ["read-0-7", "read-0-0", "read-0-7"]
    for new, old in enumerate([7, 0, 7]):
        assert taken.sequence_of(new) == reads.sequence_of(old)
        assert taken.labels_of(new).tolist() == reads.labels_of(old).tolist()
        assert taken.segments.of(new) == reads.segments.of(old)
        assert taken.kind_of(new) == reads.kind_of(old)
        assert taken.strand_of(new) == reads.strand_of(old)


def test_slices_put_together_again_are_the_whole(
    make_reads: Make, assert_same_reads: Callable[[LabelledReads, LabelledReads], None]
) -> None:
    reads = make_reads(20)
    assert_same_reads(concatenate([reads.slice(0, 3), reads.slice(3, 3), reads.slice(3, 20)]), reads)


def test_no_reads_can_be_taken_too(make_reads: Make) -> None:
    none = make_reads(3).take([])
    assert len(none) == 0
    assert none.num_bases == 0
