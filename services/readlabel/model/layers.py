"""The network's position-wise parts: embedding, convolution, batch norm over real bases, dropout, attention.

Every function takes and gives ``(batch, time, features)`` tensors. Positions beyond a row's visible end enter as zeros
and are set back to zero by whoever needs it (`readlabel.model.network`), so that a wider batch changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

BATCH_NORM_EPSILON = 1e-3
"""Keras' default, which tranquillyzer's batch norm uses."""

_WIDE = 32
"""Features from which on a convolution's gradient is worth a product for each of its positions."""

_HALF_GRADIENT = 2.0**-7
"""What the largest upstream gradient of a float16 convolution is scaled to: kernels' gradients are sums over up to a
million positions and must stay below 65,504."""


def embed_and_convolve(
    tokens: tf.Tensor, table: tf.Tensor, kernel: tf.Tensor, visible_mask: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    """Embedding and first convolution (without bias) in one.

    Both are linear and nothing lies between them, so their composition is itself a convolution, over one-hot tokens:
    its kernel is ``sum_c table[row, c] × kernel[k, c, f]``. With fewer token symbols than embedding features this is
    the same function for a fraction of the arithmetic.

    Args:
        tokens: ``(batch, time)`` uint8.
        table: ``(rows, features)``.
        kernel: ``(width, features, filters)``.
        visible_mask: ``(batch, time, 1)`` float, 1 where visible; elsewhere a position contributes nothing.
        dtype: of the arithmetic.
    """
    rows = table.shape[0]
    one_hot = tf.one_hot(tf.cast(tokens, tf.int32), rows, dtype=tf.float32) * visible_mask
    if rows < table.shape[1]:
        return convolve(one_hot, tf.einsum("kcf,rc->krf", kernel, table), dtype)
    # A product and not a look-up, whose gradient would be sparse and summed in no fixed order.
    return convolve(tf.tensordot(one_hot, table, 1), kernel, dtype)


def convolve(inputs: tf.Tensor, kernel: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Convolve along time, same length out.

    Args:
        inputs: ``(batch, time, features)`` float32.
        kernel: ``(width, features, filters)`` float32.
        dtype: of the arithmetic; the result is float32.
    """
    if dtype == tf.float16:
        return _convolve_half(inputs, kernel)
    inputs, kernel = tf.cast(inputs, dtype), tf.cast(kernel, dtype)
    if kernel.shape[1] < _WIDE or tf.config.list_logical_devices("GPU"):
        return tf.cast(tf.nn.conv1d(inputs, kernel, 1, "SAME"), tf.float32)
    return tf.cast(_convolve_wide(inputs, kernel), tf.float32)


@tf.custom_gradient
def _convolve_wide(
    inputs: tf.Tensor, kernel: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """Convolve, with the kernel's gradient as one product for each of its positions.

    Position k of the kernel has met the inputs k further along, so its gradient is those times what comes from above,
    over all bases: large products, which a CPU does about twice as fast as the convolution operation's own gradient.
    """
    images, filters = inputs[:, None], kernel[None]

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        by_input = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(images),
            filter=filters,
            out_backprop=upstream[:, None],
            strides=[1, 1, 1, 1],
            padding="SAME",
        )
        width, features, count = kernel.shape
        left, right = (width - 1) // 2, width // 2
        # Rows lie in one line with gaps between them, so that every shift of all rows is one slice.
        line = tf.reshape(tf.pad(inputs, [[0, 0], [left, right], [0, 0]]), [-1, features])
        above = tf.reshape(tf.pad(upstream, [[0, 0], [0, width - 1], [0, 0]]), [-1, count])
        size = tf.shape(line)[0] - width + 1
        by_kernel = [tf.matmul(line[k : k + size], above[:size], transpose_a=True) for k in range(width)]
        return by_input[:, 0], tf.stack(by_kernel)

    return tf.nn.conv2d(images, filters, 1, "SAME")[:, 0], gradient


@tf.custom_gradient
def _convolve_half(
    inputs: tf.Tensor, kernel: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """Convolve in float16, whose smallest number is 6e-8: gradients are scaled to its range, each by its own maximum.

    So no loss scale has to be found by trial (Micikevicius et al. 2018), and no step is lost to it.
    """
    images, filters = tf.cast(inputs, tf.float16)[:, None], tf.cast(kernel, tf.float16)[None]

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scale = _HALF_GRADIENT / tf.maximum(tf.reduce_max(tf.abs(upstream)), 1e-30)
        scaled = tf.cast(upstream * scale, tf.float16)[:, None]
        by_input = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(images), filter=filters, out_backprop=scaled, strides=[1, 1, 1, 1], padding="SAME"
        )
        by_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=images, filter_sizes=tf.shape(filters), out_backprop=scaled, strides=[1, 1, 1, 1], padding="SAME"
        )
        return tf.cast(by_input[:, 0], tf.float32) / scale, tf.cast(by_kernel[0], tf.float32) / scale

    return tf.cast(tf.nn.conv2d(images, filters, 1, "SAME")[:, 0], tf.float32), gradient


def real_statistics(inputs: tf.Tensor, real_mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of each feature over real bases.

    Args:
        inputs: ``(batch, time, features)``.
        real_mask: ``(batch, time, 1)`` float, 1 on real bases.

    Returns:
        Mean and variance, ``(features,)`` each; 0 and 0 when there is no real base.
    """
    rows = tf.reshape(inputs, [-1, inputs.shape[-1]])
    weights = tf.reshape(real_mask, [1, -1])
    weights = weights / tf.maximum(tf.reduce_sum(weights), 1.0)
    mean = tf.matmul(weights, rows)[0]
    variance = tf.matmul(weights, tf.square(rows))[0] - tf.square(mean)
    return mean, tf.maximum(variance, 0.0)


class RunningMoments:
    """Mean and variance of a population met in parts, merged in float64 (Chan, Golub and LeVeque 1983).

    Attributes:
        count: values met, of each feature.
        mean: ``(features,)``.
    """

    def __init__(self, features: int) -> None:
        self.count = 0
        self.mean = np.zeros(features)
        self._squares = np.zeros(features)

    @property
    def variance(self) -> np.ndarray:
        """``(features,)``, of the population."""
        return self._squares / max(1, self.count)

    def add(self, count: int, mean: np.ndarray, variance: np.ndarray) -> None:
        """Merge a part of `count` values."""
        if not count:
            return
        total = self.count + int(count)
        delta = mean.astype(np.float64) - self.mean
        self._squares += variance.astype(np.float64) * count + delta**2 * (self.count * int(count) / total)
        self.mean = self.mean + delta * (int(count) / total)
        self.count = total


def normalise(inputs: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
    """Batch norm with the given statistics (Ioffe and Szegedy 2015), as one multiply-add per element."""
    scale = gamma * tf.math.rsqrt(variance + BATCH_NORM_EPSILON)
    return inputs * scale + (beta - mean * scale)


class Dropout:
    """Dropout whose masks are decided by seed, step and place in the network alone, so that a resumed run repeats them.

    Masks are drawn from 16 random bits an element: the rate is exact to 1/65,536, and so is the rescaling.

    Args:
        rate: share of elements dropped.
        seed: of the run.
        step: int64 scalar tensor, the training step.
    """

    _LEVELS = 1 << 16

    def __init__(self, rate: float, seed: int, step: tf.Tensor) -> None:
        self._dropped = round(rate * self._LEVELS)
        self._seed = seed
        self._step = tf.cast(step, tf.int64)
        self._places = 0

    def __call__(self, inputs: tf.Tensor, visible: tf.Tensor | None = None) -> tf.Tensor:
        """Drop elements; each call is one place in the network, numbered in the order of the calls.

        Args:
            inputs: of any shape.
            visible: ``(batch, time, 1)`` bool for inputs ``(batch, time, features)``: all else is dropped too.
        """
        self._places += 1
        if not self._dropped:
            return inputs if visible is None else inputs * tf.cast(visible, inputs.dtype)
        state = np.random.SeedSequence([self._seed, self._places]).generate_state(1, np.uint64)
        seed = tf.stack([tf.constant(int(state[0] >> np.uint64(1)), tf.int64), self._step])
        elements = tf.size(inputs)
        words = tf.random.stateless_uniform([(elements + 1) // 2], seed, None, None, tf.int32)
        draws = tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:elements]
        kept = tf.reshape(draws >= tf.constant(self._dropped, tf.uint16), tf.shape(inputs))
        kept = kept if visible is None else kept & visible
        scale = self._LEVELS / (self._LEVELS - self._dropped)
        return inputs * (tf.cast(kept, inputs.dtype) * scale)


def attend(inputs: tf.Tensor, weights: tuple[tf.Tensor, ...], visible: tf.Tensor, dropout: Dropout | None) -> tf.Tensor:
    """Multi-head self-attention (Vaswani et al. 2017), as Keras' MultiHeadAttention computes it.

    Args:
        inputs: ``(batch, time, features)``.
        weights: query, key, value and output kernels and biases, alternating, in Keras' shapes.
        visible: ``(batch,)``: positions at and beyond it are not attended to.
        dropout: on the attention weights; None in inference.
    """
    query_kernel, query_bias, key_kernel, key_bias, value_kernel, value_bias, kernel, bias = weights
    query = tf.einsum("btf,fhd->bhtd", inputs, query_kernel) + query_bias[None, :, None, :]
    key = tf.einsum("btf,fhd->bhtd", inputs, key_kernel) + key_bias[None, :, None, :]
    value = tf.einsum("btf,fhd->bhtd", inputs, value_kernel) + value_bias[None, :, None, :]
    scores = tf.matmul(query / np.sqrt(float(query_kernel.shape[-1])), key, transpose_b=True)
    seen = tf.sequence_mask(tf.maximum(visible, 1), tf.shape(inputs)[1])[:, None, None, :]
    shares = tf.nn.softmax(tf.where(seen, scores, tf.float32.min))
    if dropout is not None:
        shares = dropout(shares)
    return tf.einsum("bhtd,hdf->btf", tf.matmul(shares, value), kernel) + bias
