"""Which reads are trained on."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readlabel.trainer import split
from readlabel.trainer.failures import RunFailed
from readlabel.trainer.split import split_by_pairs


def test_the_docstring_example_says_what_happens() -> None:
    assert doctest.testmod(split) == (0, 3)


@settings(max_examples=100, deadline=None)
@given(pairs=st.integers(4, 60), low=st.floats(0.3, 0.9), high=st.floats(0.3, 0.9), seed=st.integers(0, 2**31 - 1))
def test_fractions_nest_and_no_pair_is_on_both_sides(pairs: int, low: float, high: float, seed: int) -> None:
    pair = np.repeat(np.arange(pairs) * 7, np.random.default_rng(seed).integers(1, 3, pairs))
    low, high = sorted((low, high))
    small, large = split_by_pairs(pair, low, seed), split_by_pairs(pair, high, seed)
    assert set(small.training) <= set(large.training)
    for sides in (small, large):
        assert not set(pair[sides.training]) & set(pair[sides.internal_validation])
        assert sorted([*sides.training, *sides.internal_validation]) == list(range(len(pair)))


def test_the_seed_decides_the_split() -> None:
    pair = np.arange(100) // 2
    first = split_by_pairs(pair, 0.5, 1)
    assert np.array_equal(first.training, split_by_pairs(pair, 0.5, 1).training)
    assert not np.array_equal(first.training, split_by_pairs(pair, 0.5, 2).training)


def test_all_or_nothing_needs_no_second_side() -> None:
    pair = np.arange(10) // 2
    assert len(split_by_pairs(pair, 1, 1).internal_validation) == 0
    assert len(split_by_pairs(pair, 0, 1).training) == 0


def test_a_fraction_that_leaves_nothing_to_train_on_is_the_parameters_fault() -> None:
    with pytest.raises(RunFailed, match=r"train_fraction 0\.01 of 5 read pairs leaves none to train on") as caught:
        split_by_pairs(np.arange(10) // 2, 0.01, 1)
    assert caught.value.failure.reason == "INVALID_PARAMETERS"


def test_a_fraction_just_below_one_still_keeps_a_pair_back() -> None:
    assert len(split_by_pairs(np.arange(10) // 2, 0.999, 1).internal_validation) == 2


def test_no_reads_at_all_is_the_inputs_fault() -> None:
    with pytest.raises(RunFailed) as caught:
        split_by_pairs(np.zeros(0, np.int64), 0.5, 1)
    assert caught.value.failure.reason == "INVALID_INPUT"
