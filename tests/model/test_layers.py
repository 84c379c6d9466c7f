"""The convolution has a gradient of its own on CPUs: it is that of TensorFlow's operation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from readlabel.model.layers import convolve


@pytest.mark.parametrize("features", [4, 32, 40])
@pytest.mark.parametrize("width", [1, 2, 15])
@pytest.mark.parametrize("time", [1, 7, 48])
def test_a_convolution_has_the_values_and_gradients_of_tensorflows(features: int, width: int, time: int) -> None:
    random = np.random.default_rng([features, width, time])
    inputs = tf.constant(random.normal(size=(3, time, features)), tf.float32)
    kernel = tf.constant(random.normal(size=(width, features, 9)), tf.float32)

    def results(convolution: Callable[[], tf.Tensor]) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            outputs = convolution()
            weighted = tf.reduce_sum(outputs * tf.sin(outputs))
        return outputs, *tape.gradient(weighted, [inputs, kernel])

    ours = results(lambda: convolve(inputs, kernel, tf.float32))
    stock = results(lambda: tf.nn.conv1d(inputs, kernel, 1, "SAME"))
    for found, expected in zip(ours, stock, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * float(tf.reduce_max(tf.abs(expected))))
