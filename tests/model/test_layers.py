"""Convolution and batch norm have gradients of their own: they are those of TensorFlow's operations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from readlabel.model.layers import BATCH_NORM_EPSILON, convolve, normalise_by_batch


@pytest.mark.parametrize("features", [4, 32, 40])
@pytest.mark.parametrize("width", [1, 2, 15])
@pytest.mark.parametrize("time", [1, 7, 48])
def test_a_convolution_has_the_values_and_gradients_of_tensorflows(features: int, width: int, time: int) -> None:
    random = np.random.default_rng([features, width, time])
    inputs = tf.constant(random.normal(size=(3, time, features)), tf.float32)
    kernel = tf.constant(random.normal(size=(width, features, 9)), tf.float32)
    bias = tf.constant(random.normal(size=9), tf.float32)

    def results(convolution: Callable[[], tf.Tensor]) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel, bias])
            outputs = convolution()
            weighted = tf.reduce_sum(outputs * tf.sin(outputs))
        return outputs, *tape.gradient(weighted, [inputs, kernel, bias])

    ours = results(lambda: convolve(inputs, kernel, bias, tf.float32))
    stock = results(lambda: tf.nn.relu(tf.nn.conv1d(inputs, kernel, 1, "SAME") + bias))
    for found, expected in zip(ours, stock, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * float(tf.reduce_max(tf.abs(expected))))


def test_batch_norm_has_the_values_and_gradients_of_its_formula_over_real_bases() -> None:
    random = np.random.default_rng(4)
    inputs, weights = (tf.constant(random.normal(1, 2, (3, 50, 6)), tf.float32) for _ in range(2))
    gamma, beta = (tf.constant(random.normal(1, 1, 6), tf.float32) for _ in range(2))
    real = tf.sequence_mask([50, 31, 0], 50)
    mask = tf.cast(real, tf.float32)[..., None]

    def formula() -> tf.Tensor:
        bases = tf.boolean_mask(inputs, real)
        mean = tf.reduce_mean(bases, 0)
        variance = tf.reduce_mean(tf.square(bases - mean), 0)
        return gamma * (inputs - mean) * tf.math.rsqrt(variance + BATCH_NORM_EPSILON) + beta

    def results(norm: Callable[[], tf.Tensor]) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            tape.watch([inputs, gamma, beta])
            outputs = norm()
            weighted = tf.reduce_sum(outputs * weights)
        return outputs, *tape.gradient(weighted, [inputs, gamma, beta])

    ours, stock = results(lambda: normalise_by_batch(inputs, mask, gamma, beta)), results(formula)
    for found, expected in zip(ours, stock, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * float(tf.reduce_max(tf.abs(expected))))
