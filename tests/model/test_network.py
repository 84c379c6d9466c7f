"""The network built, what padding may not do to it, and what inference mode computes with."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from readlabel.model import Batch, Network, bucket_length

KINDS = [
    {},
    {"bidirectional": False},
    {"lstm_layers": 2},
    {"attention_heads": 4},
    {"crf_layer": False},
    {"conv_layers": 1},
    {"conv_layers": 5},
    {"boundary_potentials": True},
    {"conv_kernel_size": 4, "embedding_dim": 3, "vocab_size": 7},
    {"lstm_layers": 2, "bidirectional": False, "attention_heads": 2, "crf_layer": False},
]


def named(kind: dict[str, object]) -> str:
    return ",".join(f"{name}={value}" for name, value in kind.items()) or "default"


def differentiate(network: Network, batch: Batch, labels: np.ndarray, **how: Any) -> tuple[tf.Tensor, dict[str, Any]]:
    """Mean loss with its penalty, and the gradient of each trainable array by name."""
    how = {"training": True, "step": 1} | how
    with tf.GradientTape() as tape:
        emissions = network.emissions(*batch, **how)
        loss = tf.reduce_mean(network.loss(emissions, labels, batch.lengths)) + network.penalty()
    names = [spec.name for spec in network.describe() if spec.trainable]
    gradients = tape.gradient(loss, network.trainable_variables)
    return loss, {name: np.asarray(g) for name, g in zip(names, gradients, strict=True)}


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_layers_are_tranquillyzers(make_network: Any, tranquillyzer_network: Any, kind: dict[str, object]) -> None:
    network = make_network(**kind)
    model = tranquillyzer_network(network.hyperparameters, len(network.labels))
    ours = [spec for spec in network.describe() if "boundary" not in spec.name]
    theirs = weights_of(model)
    assert [spec.shape for spec in ours] == [tuple(weight.shape) for weight in theirs]
    assert [spec.name.split("/")[-1] for spec in ours] == [w.name.split("/")[-1].removesuffix(":0") for w in theirs]
    assert [spec.trainable for spec in ours] == [weight.trainable for weight in theirs]
    np.testing.assert_allclose(network.penalty(), penalty_of(model, network), rtol=1e-5)
    # Initial values differ in their random numbers only.
    for spec, weight in zip(ours, theirs, strict=True):
        value = network.weights[spec.name].numpy()
        if spec.initializer in ("zeros", "ones", "forget_bias"):
            np.testing.assert_array_equal(value, weight)
        else:
            assert np.abs(value).max() == pytest.approx(np.abs(weight).max(), rel=0.6)


BY_VALUE = [
    ({"embedding_dim": 9}, {"embedding/embeddings": (6, 9), "conv1d_0/kernel": (5, 9, 6)}),
    ({"vocab_size": 8}, {"embedding/embeddings": (9, 7)}),
    (
        {"conv_filters": 11},
        {
            "conv1d_0/kernel": (5, 7, 11),
            "conv1d_1/kernel": (5, 11, 11),
            "bilstm_0/forward_lstm_0/lstm_cell/kernel": (11, 16),
        },
    ),
    ({"conv_kernel_size": 3}, {"conv1d_0/kernel": (3, 7, 6), "conv1d_1/kernel": (3, 6, 6)}),
    (
        {"lstm_units": 10, "lstm_layers": 2},
        {
            "bilstm_0/forward_lstm_0/lstm_cell/kernel": (6, 40),
            "bilstm_0/backward_lstm_0/lstm_cell/recurrent_kernel": (10, 40),
            "bilstm_1/forward_lstm_1/lstm_cell/kernel": (20, 20),
            "time_dense/kernel": (10, 4),
        },
    ),
]


@pytest.mark.parametrize(("changes", "shapes"), BY_VALUE, ids=[named(changes) for changes, _ in BY_VALUE])
def test_each_size_is_that_of_its_layers(make_network: Any, changes: dict[str, object], shapes: dict[str, Any]) -> None:
    built = {spec.name: spec.shape for spec in make_network(**changes).describe()}
    assert {name: built.get(name) for name in shapes} == shapes


@pytest.mark.parametrize("regularization", [0.0, 0.001, 0.05])
def test_regularization_weighs_the_squares_of_every_kernel_and_of_nothing_else(
    make_network: Any, regularization: float
) -> None:
    network = make_network(regularization=regularization)
    kernels = [name for name in network.weights if name.endswith("kernel")]
    assert {name.split("_")[0] for name in kernels} == {"conv1d", "bilstm", "time"}
    squares = sum(float(np.square(network.weights[name].numpy()).sum()) for name in kernels)
    assert float(network.penalty()) == pytest.approx(regularization * squares, rel=1e-5)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.6])
def test_dropout_rate_is_the_share_dropped_after_every_layer(
    make_network: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch, rate: float
) -> None:
    """Each call of dropout is watched; what it is given holds few zeros of its own only after an LSTM or attention."""
    from readlabel.model import layers

    drop, shares = layers.Dropout.__call__, []

    def watched(self: Any, inputs: tf.Tensor, visible: tf.Tensor | None = None, **options: bool) -> tf.Tensor:
        outputs = drop(self, inputs, visible, **options)
        kept = np.asarray(inputs if visible is None else inputs * tf.cast(visible, inputs.dtype)) != 0
        shares.append(float((np.asarray(outputs)[kept] == 0).mean()))
        return outputs

    monkeypatch.setattr(layers.Dropout, "__call__", watched)
    batch, _ = make_batch([400, 400, 380])
    network = make_network(dropout_rate=rate, conv_filters=20, lstm_units=20, attention_heads=2)
    network.emissions(*batch, training=True, step=1)
    assert len(shares) == 2 + 1 + 2, "two convolutions, an LSTM, attention's scores and its sum"
    assert shares == pytest.approx([rate] * len(shares), abs=0.02)


def weights_of(model: tf.keras.Model) -> list[tf.Variable]:
    """Trainable weights, then moving statistics, without tf2crf's own dense layer and its metric."""
    every = (*model.trainable_weights, *model.non_trainable_weights)
    return [weight for weight in every if weight.shape.rank and not re.match("crf.*/dense", weight.name)]


def penalty_of(model: tf.keras.Model, network: Network) -> float:
    """What Keras adds to the loss of `model`, given the network's weights."""
    values = [v.numpy() for name, v in network.weights.items() if "boundary" not in name]
    for weight, value in zip(weights_of(model), values, strict=True):
        weight.assign(value)
    return float(tf.add_n(model.losses))


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_every_array_learns(make_network: Any, make_batch: Any, kind: dict[str, object]) -> None:
    network = make_network(**kind)
    batch, labels = make_batch([40, 30, 9], tails=[0, 7, 20])
    before, gradients = differentiate(network, batch, labels, training=False, batch_statistics=True)
    for name, gradient in gradients.items():
        # Adding the same to all keys changes no attention weight.
        assert name == "multihead_attention/key/bias" or np.abs(gradient).max() > 1e-7, name
        network.weights[name].assign_sub(0.002 * gradient)
    after, _ = differentiate(network, batch, labels, training=False, batch_statistics=True)
    assert after < before


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_widening_a_batch_changes_nothing(
    make_network: Any, make_batch: Any, shake: Any, kind: dict[str, object]
) -> None:
    network = shake(make_network(dropout_rate=0.0, **kind))
    lengths, tails = [50, 1, 33, 0], [3, 12, 0, 5]
    narrow, wide = (make_batch(lengths, tails, time, seed=4) for time in (0, 83))
    results = [differentiate(network, *given) for given in (narrow, wide)]
    assert float(results[0][0]) == pytest.approx(float(results[1][0]), rel=1e-6)
    largest = max(np.abs(gradient).max() for gradient in results[0][1].values())
    for name, gradient in results[0][1].items():
        np.testing.assert_allclose(gradient, results[1][1][name], rtol=2e-6, atol=1e-6 * largest, err_msg=name)
    emissions = [network.emissions(*batch, training=False).numpy() for batch, _ in (narrow, wide)]
    np.testing.assert_allclose(emissions[1][:, :53], emissions[0], atol=1e-5)
    assert not emissions[1][:, 53:].any()
    statistics = []
    for batch, _ in (narrow, wide):
        network.recalibrate(lambda batch=batch: [batch])
        statistics.append(np.concatenate([variable.numpy() for variable in network.moving_statistics]))
    np.testing.assert_allclose(statistics[0], statistics[1], rtol=1e-6, atol=1e-6)


def any_base(rows: list[tuple[int, int]]) -> bool:
    return any(length for length, _ in rows)


@settings(max_examples=6, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), min_size=1, max_size=4).filter(any_base),
    extra=st.integers(1, 60),
)
def test_whatever_the_lengths_widening_changes_no_loss_gradient_or_statistic(
    make_network: Any, make_batch: Any, shake: Any, rows: list[tuple[int, int]], extra: int
) -> None:
    network = shake(make_network(dropout_rate=0.0, lstm_layers=2, attention_heads=2))
    lengths, tails = (list(column) for column in zip(*rows, strict=True))
    widest = max(length + tail for length, tail in rows)
    results = []
    for time in (widest, widest + extra):
        batch, labels = make_batch(lengths, tails, time)
        loss, gradients = differentiate(network, batch, labels)
        statistics = network._moments(1, batch)
        results.append((loss, gradients, [value.numpy() for value in statistics]))
    narrow, wide = results
    assert float(wide[0]) == pytest.approx(float(narrow[0]), rel=1e-5, abs=2e-6)
    # Some gradients are sums that cancel (batch norm takes a shift away): their rounding is that of what is summed.
    largest = max(1, *(np.abs(gradient).max() for gradient in narrow[1].values()))
    for name, gradient in narrow[1].items():
        np.testing.assert_allclose(wide[1][name], gradient, rtol=1e-5, atol=2e-6 * largest, err_msg=name)
    for before, after in zip(narrow[2], wide[2], strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-5, atol=2e-6 * max(1, np.abs(before).max()))


@settings(max_examples=8, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(1, 70), st.integers(0, 30)), min_size=1, max_size=4), extra=st.integers(0, 40)
)
def test_batch_mates_change_no_label(
    make_network: Any, make_batch: Any, shake: Any, rows: list[tuple[int, int]], extra: int
) -> None:
    network = shake(make_network())
    lengths, tails = (list(column) for column in zip(*rows, strict=True))
    widest = max(length + tail for length, tail in rows)
    batch, _ = make_batch(lengths, tails, widest + extra)
    together = network.emissions(*batch, training=False)
    labels = network.decode(together, batch.lengths).numpy()
    for row, (length, tail) in enumerate(rows):
        alone = Batch(batch.tokens[row : row + 1, : length + tail], np.int32([length]), np.int32([length + tail]))
        emissions = network.emissions(*alone, training=False)
        np.testing.assert_allclose(together[row, : length + tail], emissions[0], atol=2e-5)
        np.testing.assert_array_equal(labels[row, :length], network.decode(emissions, [length])[0, :length])


def test_a_visible_tail_is_part_of_the_input(make_network: Any, make_batch: Any, shake: Any) -> None:
    network = shake(make_network())
    with_tail, without = (make_batch([30], [tail], 40)[0] for tail in (10, 0))
    seen, unseen = (network.emissions(*batch, training=False)[0, :30] for batch in (with_tail, without))
    assert np.abs(seen - unseen).max() > 1e-3


def test_recalibration_gives_the_statistics_of_all_real_bases(make_network: Any, make_batch: Any, shake: Any) -> None:
    network = shake(make_network())
    parts = [make_batch(lengths, [9] * len(lengths), seed=seed)[0] for seed, lengths in enumerate(([60, 20], [5, 70]))]
    network.recalibrate(lambda: parts)
    whole, _ = make_batch([60, 20, 5, 70], [9] * 4)
    for row, part in enumerate(part for part in parts for _ in range(2)):
        whole.tokens[row, : part.tokens.shape[1]] = part.tokens[row % 2]
    own = network.emissions(*whole, training=False, batch_statistics=True)
    moving = network.emissions(*whole, training=False)
    np.testing.assert_allclose(own, moving, atol=1e-5)


def test_recalibration_without_a_read_keeps_the_statistics(make_network: Any) -> None:
    network = make_network()
    network.recalibrate(list)
    assert [float(variable.numpy().mean()) for variable in network.moving_statistics] == [0, 1, 0, 1]


def test_softmax_loss_is_the_summed_cross_entropy(make_network: Any, make_batch: Any, shake: Any) -> None:
    network = shake(make_network(crf_layer=False))
    batch, labels = make_batch([20, 7, 0])
    emissions = network.emissions(*batch, training=False).numpy().astype(float)
    shares = np.log(np.exp(emissions) / np.exp(emissions).sum(-1, keepdims=True))
    expected = [-shares[row, np.arange(n), labels[row, :n]].sum() for row, n in enumerate(batch.lengths)]
    np.testing.assert_allclose(network.loss(emissions.astype(np.float32), labels, batch.lengths), expected, rtol=1e-5)


@pytest.mark.parametrize("boundaries", [False, True])
def test_the_oracle_gives_the_same_training_step(
    make_network: Any, make_batch: Any, shake: Any, boundaries: bool
) -> None:
    batch, labels = make_batch([40, 1, 25])
    networks = [
        shake(make_network(crf_backend=backend, boundary_potentials=boundaries)) for backend in ("readlabel", "tfa")
    ]
    (loss, gradients), (oracle_loss, oracle) = (differentiate(network, batch, labels) for network in networks)
    assert float(loss) == pytest.approx(float(oracle_loss), rel=1e-5)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, oracle[name], atol=1e-4 * max(1, np.abs(oracle[name]).max()))
    emissions = networks[0].emissions(*batch, training=False)
    decoded = [network.decode(emissions, batch.lengths) for network in networks]
    np.testing.assert_array_equal(*decoded)


def test_dropout_is_decided_by_seed_and_step(make_network: Any, make_batch: Any) -> None:
    batch, _ = make_batch([50, 40])

    def emissions(seed: int, step: int) -> np.ndarray:
        network = make_network(seed=1, attention_heads=1)
        network.options = network.options.model_copy(update={"seed": seed})
        return network.emissions(*batch, training=True, step=step).numpy()

    np.testing.assert_array_equal(emissions(1, 7), emissions(1, 7))
    assert (emissions(1, 7) != emissions(1, 8)).any()
    assert (emissions(1, 7) != emissions(2, 7)).any()


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    from readlabel.model.layers import Dropout

    dropped = Dropout(0.35, seed=3, step=tf.constant(5))(tf.ones([100, 1001])).numpy()
    assert (dropped == 0).mean() == pytest.approx(0.35, abs=0.005)
    assert dropped.max() == pytest.approx(1 / 0.65, rel=1e-4)


def test_training_without_a_step_is_refused(make_network: Any, make_batch: Any) -> None:
    batch, _ = make_batch([5])
    with pytest.raises(ValueError, match="step"):
        make_network().emissions(*batch, training=True)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("loss_scale", [1.0, 1e-7], ids=["usual gradients", "gradients below float16's range"])
def test_low_precision_agrees_with_float32(
    make_network: Any, make_batch: Any, precision: str, loss_scale: float
) -> None:
    batch, labels = make_batch([60, 44])
    results = []
    for arithmetic in ("float32", precision):
        network = make_network(precision=arithmetic)
        with tf.GradientTape() as tape:
            emissions = network.emissions(*batch, training=False, batch_statistics=True)
            loss = loss_scale * tf.reduce_sum(network.loss(emissions, labels, batch.lengths))
        results.append((loss, tape.gradient(loss, network.trainable_variables)))
    (exact, gradients), (rough, near) = results
    assert float(rough) == pytest.approx(float(exact), rel=0.01)
    for gradient, other, spec in zip(gradients, near, network.describe(), strict=False):
        np.testing.assert_allclose(other, gradient, atol=0.05 * np.abs(gradient).max(), err_msg=spec.name)


def test_seeds_decide_the_initial_weights(make_network: Any) -> None:
    first, again, other = (make_network(seed=seed).weights for seed in (1, 1, 2))
    for name, variable in first.items():
        np.testing.assert_array_equal(variable, again[name])
    assert (first["conv1d_0/kernel"].numpy() != other["conv1d_0/kernel"].numpy()).any()


def test_bucket_lengths_are_few_and_close() -> None:
    lengths = np.arange(1, 100_001)
    buckets = np.array([bucket_length(int(length)) for length in lengths])
    assert (buckets >= lengths).all()
    assert not (buckets % 32).any()
    assert (buckets <= 1.0625 * lengths + 32).all()
    assert len(np.unique(buckets)) < 140
