"""The fused LSTM against Keras' own."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from readlabel.model.lstm import CudnnCell, FusedCell, make_cell, run_lstm

FEATURES, UNITS = 5, 6
PARTS = ("kernel", "recurrent_kernel", "bias")


def cells_with_equal_weights() -> tuple[list[FusedCell], list[CudnnCell]]:
    random = np.random.default_rng(0)
    fused = [FusedCell(FEATURES, UNITS, name) for name in ("forward", "backward")]
    keras = [CudnnCell(FEATURES, UNITS, name) for name in ("forward", "backward")]
    for pair in zip(fused, keras, strict=True):
        for part in PARTS:
            value = random.normal(0, 0.5, getattr(pair[0], part).shape)
            for cell in pair:
                getattr(cell, part).assign(value)
    return fused, keras


def run(cells: list, inputs: np.ndarray, visible: np.ndarray) -> list[np.ndarray]:
    variables = [getattr(cell, part) for cell in cells for part in PARTS]
    x = tf.constant(inputs)
    weights = tf.constant(np.random.default_rng(1).normal(size=(*inputs.shape[:2], 2 * UNITS)).astype(np.float32))
    mask = tf.sequence_mask(visible, inputs.shape[1], tf.float32)[..., None]
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = run_lstm(cells, x, tf.constant(visible), training=True) * mask
        target = tf.reduce_sum(output * weights)
    return [value.numpy() for value in (output, *tape.gradient(target, [x, *variables]))]


def test_fused_kernel_equals_keras_in_values_and_gradients() -> None:
    inputs = np.random.default_rng(2).normal(size=(3, 40, FEATURES)).astype(np.float32)
    visible = np.array([40, 17, 1], np.int32)
    found, expected = (run(cells, inputs, visible) for cells in cells_with_equal_weights())
    for fused, keras in zip(found, expected, strict=True):
        np.testing.assert_allclose(fused, keras, atol=1e-5 * np.abs(keras).max())


def test_two_directions_equal_the_bidirectional_layer_of_keras() -> None:
    fused, _ = cells_with_equal_weights()
    layer = tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(UNITS, return_sequences=True))
    layer.build((None, None, FEATURES))
    layer.set_weights(
        [getattr(cell, part).numpy() for cell in fused for part in ("kernel", "recurrent_kernel", "bias")]
    )
    inputs = np.random.default_rng(2).normal(size=(2, 30, FEATURES)).astype(np.float32)
    found = run_lstm(fused, tf.constant(inputs), tf.constant([30, 30]))
    np.testing.assert_allclose(found, layer(inputs), atol=1e-6)


def test_the_backward_direction_starts_at_each_rows_visible_end() -> None:
    fused, _ = cells_with_equal_weights()
    inputs = np.random.default_rng(2).normal(size=(2, 30, FEATURES)).astype(np.float32)
    together = run_lstm(fused, tf.constant(inputs), tf.constant([30, 11]))
    alone = run_lstm(fused, tf.constant(inputs[1:, :11]), tf.constant([11]))
    np.testing.assert_allclose(together[1, :11], alone[0], atol=1e-6)


def test_without_a_gpu_the_fused_kernel_is_chosen() -> None:
    assert not tf.config.list_logical_devices("GPU")
    assert isinstance(make_cell(FEATURES, UNITS, "lstm_0/lstm_cell"), FusedCell)
