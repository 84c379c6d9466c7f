"""The figures of the leaderboard, against a slow count by hand and against scikit-learn."""

from __future__ import annotations

import doctest
from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from readlabel.evaluation import exact_order, score, scores

NAMES = ("3p", "5p", "CBC", "cDNA")


def test_the_docstring_examples_say_what_happens() -> None:
    assert doctest.testmod(scores).attempted > 0
    assert doctest.testmod(scores).failed == 0


@st.composite
def _labelled(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lengths = draw(st.lists(st.integers(0, 12), min_size=1, max_size=8))
    bases = sum(lengths)
    label = st.integers(0, len(NAMES) - 1)
    arrays = [np.array(draw(st.lists(label, min_size=bases, max_size=bases)), np.uint8) for _ in range(2)]
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), arrays[0], arrays[1]


@settings(max_examples=200, deadline=None)
@given(_labelled())
def test_orders_are_exact_where_the_collapsed_labels_are_equal(case: tuple[np.ndarray, ...]) -> None:
    offsets, truth, found = case
    slow = []
    for begin, end in pairwise(offsets):
        slow.append([k for k, _ in groupby(truth[begin:end])] == [k for k, _ in groupby(found[begin:end])])
    assert exact_order(offsets, truth, found).tolist() == slow


@settings(max_examples=100, deadline=None)
@given(_labelled())
def test_per_label_figures_are_those_of_scikit_learn(case: tuple[np.ndarray, ...]) -> None:
    offsets, truth, found = case
    result = score(NAMES, offsets, truth, found)
    if len(truth) == 0:
        assert (result.accuracy, result.macro_f1) == (0, 0)
        return
    labels = range(len(NAMES))
    precision, recall, f1, true_bases = precision_recall_fscore_support(truth, found, labels=labels, zero_division=0)
    assert [label.precision for label in result.labels] == pytest.approx(precision)
    assert [label.recall for label in result.labels] == pytest.approx(recall)
    assert [label.f1 for label in result.labels] == pytest.approx(f1)
    assert [label.true_bases for label in result.labels] == true_bases.tolist()
    assert np.array_equal(result.confusion, confusion_matrix(truth, found, labels=labels))
    assert result.accuracy == pytest.approx(np.mean(truth == found))


@settings(max_examples=200, deadline=None)
@given(_labelled())
def test_a_segment_is_exact_where_both_its_ends_are_right(case: tuple[np.ndarray, ...]) -> None:
    offsets, truth, found = case

    def segments(labels: np.ndarray) -> set[tuple[int, int, int]]:
        cut = set()
        for begin, end in pairwise(offsets.tolist()):
            for label, group in groupby(range(begin, end), key=lambda base: int(labels[base])):
                run = list(group)
                cut.add((label, run[0], run[-1]))
        return cut

    result = score(NAMES, offsets, truth, found)
    true, both = segments(truth), segments(truth) & segments(found)
    for index, label in enumerate(result.labels):
        assert label.true_segments == sum(segment[0] == index for segment in true)
        assert label.exact_segments == sum(segment[0] == index for segment in both)
    assert result.exact_share(NAMES) == (len(both) / len(true) if true else None)


def test_the_standard_error_is_what_resampling_the_reads_gives() -> None:
    rng = np.random.default_rng(1)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(50, 200, 300))])
    rates = np.repeat(rng.beta(1, 20, 300), np.diff(offsets))
    truth = np.zeros(offsets[-1], np.uint8)
    found = (rng.random(len(truth)) < rates).astype(np.uint8)
    right = np.add.reduceat(truth == found, offsets[:-1])
    samples = rng.integers(0, 300, (4000, 300))
    spread = (right[samples].sum(axis=1) / np.diff(offsets)[samples].sum(axis=1)).std()
    assert score(NAMES, offsets, truth, found).accuracy_error == pytest.approx(spread, rel=0.05)


def test_a_label_that_no_read_holds_does_not_pull_the_macro_f1() -> None:
    truth = np.array([0, 0, 3, 3], np.uint8)
    perfect = score(NAMES, np.array([0, 4]), truth, truth)
    assert perfect.macro_f1 == 1
    assert [label.f1 for label in perfect.labels] == [1, 0, 0, 1]


def test_a_label_predicted_where_there_is_none_counts_as_zero() -> None:
    truth = np.array([0, 0, 0, 0], np.uint8)
    result = score(NAMES, np.array([0, 4]), truth, np.array([0, 0, 0, 1], np.uint8))
    assert result.macro_f1 == pytest.approx((6 / 7 + 0) / 2)


def test_what_a_model_does_not_find_is_said_in_words() -> None:
    truth = np.array([0] * 10 + [1] * 4 + [2] * 10, np.uint8)
    found = np.array([0] * 10 + [0] * 4 + [2] * 4 + [0] * 6, np.uint8)
    scores = score(("5p", "UMI", "cDNA", "polyA"), np.array([0, 24]), truth, found)
    assert scores.missed == "never finds UMI; rarely finds cDNA (40% of its bases)"
    assert score(("5p", "UMI", "cDNA"), np.array([0, 24]), truth, truth).missed == ""


def test_labels_outside_the_library_and_arrays_that_do_not_fit_are_refused() -> None:
    truth = np.zeros(4, np.uint8)
    with pytest.raises(ValueError, match="predicted label 9 has no name"):
        score(NAMES, np.array([0, 4]), truth, np.full(4, 9, np.uint8))
    with pytest.raises(ValueError, match="3 predicted labels for 4 bases"):
        score(NAMES, np.array([0, 4]), truth, truth[:3])
    with pytest.raises(ValueError, match="offsets must rise"):
        score(NAMES, np.array([0, 3]), truth, truth)
