"""The CRF against a float64 brute force and against tensorflow-addons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from readlabel.model import crf_likelihood, tfa_backend, viterbi

LABELS = 6


def potentials(lengths: list[int], time: int = 0, labels: int = LABELS, scale: float = 2.0, seed: int = 0) -> list[Any]:
    random = np.random.default_rng(seed)
    shape = (len(lengths), max(time, *lengths))
    return [
        (random.normal(0, scale, (*shape, labels))).astype(np.float32),
        random.integers(0, labels, shape).astype(np.int32),
        np.array(lengths, np.int32),
        random.normal(0, 1, (labels, labels)).astype(np.float32),
        random.normal(0, 1, labels).astype(np.float32),
        random.normal(0, 1, labels).astype(np.float32),
    ]


def differentiated(function: Callable[..., tf.Tensor], given: list[Any]) -> list[np.ndarray]:
    emissions, labels, lengths, *others = (tf.constant(value) for value in given)
    with tf.GradientTape() as tape:
        tape.watch([emissions, *others])
        value = function(emissions, labels, lengths, *others)
    return [value.numpy(), *(np.asarray(gradient) for gradient in tape.gradient(value, [emissions, *others]))]


def spread_over(values: np.ndarray, span: float) -> np.ndarray:
    """The same in proportion, with the largest this much above the smallest."""
    return (span * (values - values.min()) / np.ptp(values)).astype(np.float32)


def worst(found: list[np.ndarray], expected: tuple[np.ndarray, ...]) -> float:
    """The largest error among likelihoods and gradients, each relative to its largest value."""
    errors = [np.abs(f - e).max() / max(np.abs(e).max(), 1e-12) for f, e in zip(found, expected, strict=True)]
    return float(max(errors))


@pytest.mark.parametrize(
    ("lengths", "time"),
    [([37, 0, 1, 20], 37), ([1, 1, 0], 1), ([2, 1], 2), ([512, 511, 513], 0), ([1000, 700, 1], 1040)],
    ids=["unequal", "one position", "two positions", "at a chunk's end", "a thousand"],
)
def test_likelihood_and_gradients_equal_float64(brute_force: Any, lengths: list[int], time: int) -> None:
    given = potentials(lengths, time)
    assert worst(differentiated(crf_likelihood.log_likelihood, given), brute_force(*given)) <= 1e-5


@pytest.mark.parametrize("spread", [None, 100.0], ids=["scaled", "log space"])
def test_eight_thousand_positions_keep_their_digits(brute_force: Any, spread: float | None) -> None:
    given = potentials([8000, 5000, 1, 0], scale=5)
    if spread:
        given[3] = spread_over(given[3], spread)
    assert worst(differentiated(crf_likelihood.log_likelihood, given), brute_force(*given)) <= 1e-5


def test_a_confident_network_keeps_the_digits_of_its_small_loss(brute_force: Any) -> None:
    given = potentials([6000])
    given[0] += 16 * np.eye(LABELS, dtype=np.float32)[given[1]]
    expected = brute_force(*given)[0]
    assert abs(expected[0]) < 10
    np.testing.assert_allclose(crf_likelihood.log_likelihood(*given), expected, rtol=1e-5)


@pytest.mark.parametrize("spread", [29.0, 31.0, 100.0], ids=["scaled", "just log space", "log space"])
def test_both_sides_of_the_guard_are_exact(brute_force: Any, spread: float) -> None:
    given = potentials([400, 1, 0, 333])
    given[3] = spread_over(given[3], spread)
    assert worst(differentiated(crf_likelihood.log_likelihood, given), brute_force(*given)) <= 1e-5


@pytest.mark.parametrize("which", [3, 4, 5], ids=["transitions", "left boundary", "right boundary"])
def test_hard_constraints_are_exact(brute_force: Any, which: int) -> None:
    given = potentials([150, 90, 1])
    forbidden = np.random.default_rng(3).random(given[which].shape) < 0.4
    given[which] = np.where(forbidden, np.float32(-1e4), given[which])
    if which == 3:
        np.fill_diagonal(given[3], 0)
    assert worst(differentiated(crf_likelihood.log_likelihood, given), brute_force(*given)) <= 1e-5


def test_large_emissions_are_exact(brute_force: Any) -> None:
    given = potentials([400, 200], scale=200)
    assert worst(differentiated(crf_likelihood.log_likelihood, given), brute_force(*given)) <= 1e-5


@pytest.mark.parametrize("labels", [1, 30], ids=["one label", "more labels than are unrolled"])
def test_any_number_of_labels(brute_force: Any, labels: int) -> None:
    given = potentials([40, 7], labels=labels)
    assert worst(differentiated(crf_likelihood.log_likelihood, given), brute_force(*given)) <= 1e-5


def test_likelihood_equals_tensorflow_addons() -> None:
    given = potentials([200, 1, 0, 77])
    ours = differentiated(crf_likelihood.log_likelihood, given)
    theirs = differentiated(tfa_backend.log_likelihood, given)
    assert worst(ours, tuple(theirs)) <= 1e-4  # tensorflow-addons' own error


@pytest.mark.parametrize("boundaries", [False, True])
def test_its_weights_are_those_of_the_layer_of_tensorflow_addons(boundaries: bool) -> None:
    emissions, labels, lengths, transitions, left, right = potentials([60, 60, 17, 1])
    layer = tfa_backend.tfa.layers.CRF(LABELS, use_boundary=boundaries, use_kernel=False)
    mask = tf.sequence_mask(lengths, 60)
    layer(emissions, mask=mask)
    layer.set_weights([transitions, left, right] if boundaries else [transitions])
    decoded, scores, counted, chain = layer(emissions, mask=mask)
    ours = (transitions, left, right) if boundaries else (transitions,)
    theirs, _ = tfa_backend.tfa.text.crf_log_likelihood(scores, labels, counted, chain)
    np.testing.assert_allclose(crf_likelihood.log_likelihood(emissions, labels, lengths, *ours), theirs, rtol=1e-5)
    for row, length in enumerate(lengths):
        found = viterbi.decode(emissions, lengths, *ours)[row, :length]
        np.testing.assert_array_equal(found, decoded[row, :length])


def test_likelihood_is_the_same_inside_a_compiled_graph_of_any_length() -> None:
    graph = tf.function(
        crf_likelihood.log_likelihood,
        input_signature=[
            tf.TensorSpec([None, None, LABELS]),
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([LABELS, LABELS]),
        ],
    )
    for lengths in ([30, 12], [77, 3, 40]):
        given = potentials(lengths)[:4]
        np.testing.assert_array_equal(graph(*given), crf_likelihood.log_likelihood(*given))


def best_path(e: np.ndarray, t: np.ndarray, left: np.ndarray, right: np.ndarray) -> list[int]:
    score, origins = left + e[0], []
    for row in e[1:]:
        rivals = score[:, None] + t
        origins.append(rivals.argmax(0))
        score = rivals.max(0) + row
    path = [int((score + right).argmax())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return path[::-1]


@pytest.mark.parametrize("spread", [1.0, 100.0])
def test_decoding_equals_float64(spread: float) -> None:
    emissions, _, lengths, *others = potentials([1100, 512, 2, 1, 0, 300], time=1104)
    others[0] *= spread
    found = viterbi.decode(emissions, lengths, *others).numpy()
    assert found.dtype == np.uint8
    for row, length in enumerate(lengths):
        expected = best_path(emissions[row, :length].astype(float), *others) if length else []
        assert found[row, :length].tolist() == expected
        assert not found[row, length:].any()


def test_decoding_equals_tensorflow_addons_ties_included() -> None:
    emissions, _, lengths, transitions, *_ = potentials([300, 41, 1])
    rounded = np.round(emissions), np.round(transitions)
    ours, theirs = (d(rounded[0], lengths, rounded[1]) for d in (viterbi.decode, tfa_backend.decode))
    np.testing.assert_array_equal(ours, theirs)
