"""Small networks and batches, and the two oracles: a float64 CRF by brute force, and tranquillyzer's network."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from readlabel.messages import Hyperparameters, Library, Segment, TrainingOptions
from readlabel.model import Batch, Network

SMALL = Hyperparameters(
    embedding_dim=7,
    conv_layers=2,
    conv_filters=6,
    conv_kernel_size=5,
    lstm_units=4,
    dropout_rate=0.25,
    regularization=0.001,
)
"""A real architecture at a size that trains a step in no time."""


@pytest.fixture(scope="session")
def make_network() -> Callable[..., Network]:
    """Build a network of `SMALL` with some hyperparameters changed."""

    def make(
        names: str = "3p 5p UMI cDNA", *, seed: int = 1, crf_backend: str = "readlabel", **changes: object
    ) -> Network:
        segments = tuple(Segment(name=name, pattern="NN") for name in names.split())
        library = Library(model="mini", segments=segments, strand="fwd")
        hyperparameters = Hyperparameters.model_validate(SMALL.model_dump() | changes)
        options = TrainingOptions.model_validate({"seed": seed, "crf_backend": crf_backend})
        return Network.build(hyperparameters, library, options)

    return make


@pytest.fixture(scope="session")
def shake() -> Callable[..., Network]:
    """Give every array of a network, moving statistics included, values that no initializer gives."""

    def shaken(network: Network, seed: int = 0) -> Network:
        random = np.random.default_rng(seed)
        for spec in network.describe():
            noise = random.normal(0, 0.4, spec.shape).astype(np.float32)
            network.weights[spec.name].assign_add(np.abs(noise) if "variance" in spec.name else noise)
        # Scores that vary from base to base and favour no label, or one would win everywhere.
        kernel, bias = (network.weights[f"time_dense/{part}"] for part in ("kernel", "bias"))
        kernel.assign(5 * kernel)
        lengths = np.array([200], np.int32)
        scores = network.emissions(random.integers(1, 6, (1, 200)).astype(np.uint8), lengths, lengths, training=False)
        bias.assign_sub(tf.reduce_mean(scores, [0, 1]))
        return network

    return shaken


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., tuple[Batch, NDArray[np.uint8]]]:
    """Random reads and labels; what lies beyond a row's visible end is garbage that nothing may look at."""

    def make(
        lengths: list[int], tails: list[int] | None = None, time: int = 0, labels: int = 4, seed: int = 0
    ) -> tuple[Batch, NDArray[np.uint8]]:
        random = np.random.default_rng(seed)
        n = np.array(lengths, np.int32)
        visible = n + np.array(tails or [0] * len(n), np.int32)
        reads = [(random.integers(1, 6, length), random.integers(0, labels, length)) for length in n]
        shape = (len(n), max(time, int(visible.max())))
        tokens = random.integers(0, 6, shape).astype(np.uint8)
        answers = random.integers(0, labels, shape).astype(np.uint8)
        for row, (bases, truth) in enumerate(reads):
            tokens[row, : visible[row]] = 0
            tokens[row, : n[row]] = bases
            answers[row, : n[row]] = truth
        return Batch(tokens, n, visible), answers

    return make


@pytest.fixture(scope="session")
def brute_force() -> Callable[..., tuple[Any, ...]]:
    """Log-likelihoods and all gradients of their sum, by log-space forward-backward in float64, row by row."""

    def brute(emissions: Any, labels: Any, lengths: Any, transitions: Any, left: Any, right: Any) -> tuple[Any, ...]:
        e, t, start, stop = (np.asarray(v, np.float64) for v in (emissions, transitions, left, right))
        results = np.zeros(len(e)), np.zeros_like(e), np.zeros_like(t), np.zeros_like(start), np.zeros_like(stop)
        likelihood, by_emission, by_transition, by_left, by_right = results
        for row, n in enumerate(lengths):
            if not n:
                continue
            y, x = np.asarray(labels[row, :n], int), e[row, :n]
            alpha, beta = np.zeros_like(x), np.zeros_like(x)
            alpha[0], beta[-1] = start + x[0], stop
            for k in range(1, n):
                alpha[k] = np.logaddexp.reduce(alpha[k - 1][:, None] + t, axis=0) + x[k]
                beta[n - 1 - k] = np.logaddexp.reduce(t + (x[n - k] + beta[n - k])[None], axis=1)
            partition = np.logaddexp.reduce(alpha[-1] + stop)
            likelihood[row] = x[np.arange(n), y].sum() + t[y[:-1], y[1:]].sum() + start[y[0]] + stop[y[-1]] - partition
            surprise = np.eye(len(t))[y] - np.exp(alpha + beta - partition)
            by_emission[row, :n] = surprise
            by_left += surprise[0]
            by_right += surprise[-1]
            np.add.at(by_transition, (y[:-1], y[1:]), 1)
            later = (x[1:] + beta[1:])[:, None, :]
            by_transition -= np.exp(alpha[:-1, :, None] + t[None] + later - partition).sum(0)
        return results

    return brute


@pytest.fixture(scope="session")
def tranquillyzer_network() -> Callable[[Hyperparameters, int], tf.keras.Model]:
    """tranquillyzer's network as its loader rebuilds it, from stock Keras and tf2crf (`docs/model.md` has the list)."""

    def build(hp: Hyperparameters, num_labels: int) -> tf.keras.Model:
        from tf2crf import CRF, ModelWithCRFLoss

        layers = tf.keras.layers
        l2 = tf.keras.regularizers.l2(hp.regularization)
        tokens = layers.Input((None,), dtype="int32")
        x = layers.Embedding(hp.vocab_size + 1, hp.embedding_dim)(tokens)
        for _ in range(hp.conv_layers):
            conv = layers.Conv1D(
                hp.conv_filters, hp.conv_kernel_size, padding="same", activation="relu", kernel_regularizer=l2
            )
            x = layers.Dropout(hp.dropout_rate)(layers.BatchNormalization()(conv(x)))
        for layer in range(hp.lstm_layers):
            units = hp.lstm_units // 2 if layer else hp.lstm_units
            lstm = layers.LSTM(units, return_sequences=True, kernel_regularizer=l2, recurrent_regularizer=l2)
            x = layers.Dropout(hp.dropout_rate)((layers.Bidirectional(lstm) if hp.bidirectional else lstm)(x))
        if hp.attention_heads:
            attention = layers.MultiHeadAttention(hp.attention_heads, hp.lstm_units, dropout=hp.dropout_rate)
            x = layers.Dropout(hp.dropout_rate)(layers.Add()([x, attention(x, x)]))
        x = layers.TimeDistributed(layers.Dense(num_labels, kernel_regularizer=l2))(x)
        if not hp.crf_layer:
            return tf.keras.Model(tokens, x)
        crf = CRF(units=num_labels, dtype="float32")
        model = ModelWithCRFLoss(tf.keras.Model(tokens, crf(x)), sparse_target=False)
        model(tf.zeros((1, 8), tf.int32))
        return model

    return build
