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
    tokens: tf.Tensor, table: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, visible_mask: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    """Embedding and first convolution, with its ReLU, in one.

    Both are linear and nothing lies between them, so their composition is itself a convolution, over one-hot tokens:
    its kernel is ``sum_c table[row, c] × kernel[k, c, f]``. With fewer token symbols than embedding features this is
    the same function for a fraction of the arithmetic.

    Args:
        tokens: ``(batch, time)`` uint8.
        table: ``(rows, features)``.
        kernel: ``(width, features, filters)``.
        bias: ``(filters,)``.
        visible_mask: ``(batch, time, 1)`` float, 1 where visible; elsewhere a position contributes nothing.
        dtype: see `convolve`.
    """
    rows = table.shape[0]
    one_hot = tf.one_hot(tf.cast(tokens, tf.int32), rows, dtype=tf.float32) * visible_mask
    if rows < table.shape[1]:
        return convolve(one_hot, tf.einsum("kcf,rc->krf", kernel, table), bias, dtype)
    # A product and not a look-up, whose gradient would be sparse and summed in no fixed order.
    return convolve(tf.tensordot(one_hot, table, 1), kernel, bias, dtype)


def convolve(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Convolve along time, same length out, add a bias and cut off what is below 0 (ReLU).

    Args:
        inputs: ``(batch, time, features)``.
        kernel: ``(width, features, filters)`` float32.
        bias: ``(filters,)`` float32.
        dtype: of the arithmetic; on a CPU also of the result, but for float16, else the result is float32.
    """
    if dtype == tf.float16:
        return tf.nn.relu(tf.nn.bias_add(_convolve_half(tf.cast(inputs, tf.float32), kernel), bias))
    inputs, kernel, bias = (tf.cast(values, dtype) for values in (inputs, kernel, bias))
    if tf.config.list_logical_devices("GPU"):
        return tf.cast(_convolve_images(inputs, kernel, bias), tf.float32)
    return _convolve_on_cpu(inputs, kernel, bias)


def _convolve_images(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """TensorFlow's operations, next to each other: then a CPU computes the three in one."""
    images = tf.nn.conv2d(tf.expand_dims(inputs, 1), tf.expand_dims(kernel, 0), 1, "SAME")
    return tf.squeeze(tf.nn.relu(tf.nn.bias_add(images, bias)), 1)


@tf.custom_gradient
def _convolve_on_cpu(
    inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
    """Convolve, with gradients as a CPU finds them fastest and sums in float32 whatever the type."""
    outputs = _convolve_images(inputs, kernel, bias)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        upstream = tf.raw_ops.ReluGrad(gradients=upstream, features=outputs)
        by_input = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(inputs[:, None]),
            filter=kernel[None],
            out_backprop=upstream[:, None],
            strides=[1, 1, 1, 1],
            padding="SAME",
        )
        flat = tf.reshape(upstream, [-1, kernel.shape[2]])
        # A product, which adds up in float32; TensorFlow's gradient of a bias adds up bfloat16 in bfloat16.
        by_bias = tf.matmul(tf.ones([1, tf.shape(flat)[0]], flat.dtype), flat)[0]
        by_kernel = (_kernel_gradient if kernel.shape[1] < _WIDE else _wide_kernel_gradient)(inputs, kernel, upstream)
        return by_input[:, 0], by_kernel, by_bias

    return outputs, gradient


def _kernel_gradient(inputs: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.Conv2DBackpropFilter(
        input=inputs[:, None],
        filter_sizes=[1, *kernel.shape],
        out_backprop=upstream[:, None],
        strides=[1, 1, 1, 1],
        padding="SAME",
    )[0]


def _wide_kernel_gradient(inputs: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """The gradient by the kernel as one product for each of its positions.

    Position k of the kernel has met the inputs k further along, so its gradient is those times what comes from above,
    over all bases: large products, which a CPU does about twice as fast as the convolution operation's own gradient.
    """
    width, features, count = kernel.shape
    left, right = (width - 1) // 2, width // 2
    # Rows lie in one line with gaps between them, so that every shift of all rows is one slice.
    line = tf.reshape(tf.pad(inputs, [[0, 0], [left, right], [0, 0]]), [-1, features])
    above = tf.reshape(tf.pad(upstream, [[0, 0], [0, width - 1], [0, 0]]), [-1, count])
    size = tf.shape(line)[0] - width + 1
    return tf.stack([tf.matmul(line[k : k + size], above[:size], transpose_a=True) for k in range(width)])


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
    rows = tf.cast(tf.reshape(inputs, [-1, inputs.shape[-1]]), tf.float32)
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
    """Batch norm with the given statistics (Ioffe and Szegedy 2015), in the type of the inputs."""
    images, *_ = tf.raw_ops.FusedBatchNormV3(
        x=tf.expand_dims(inputs, 1),
        scale=gamma,
        offset=beta,
        mean=mean,
        variance=variance,
        epsilon=BATCH_NORM_EPSILON,
        is_training=False,
    )
    return tf.squeeze(images, 1)


@tf.custom_gradient
def normalise_by_batch(
    inputs: tf.Tensor, real_mask: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]]:
    """Batch norm with the statistics of this batch's real bases (`real_statistics`), its gradient in few passes."""
    mean, variance = real_statistics(inputs, real_mask)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        images, by_gamma, by_beta, *_ = tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=upstream[:, None],
            x=inputs[:, None],
            scale=gamma,
            reserve_space_1=mean,
            reserve_space_2=variance,
            reserve_space_3=tf.zeros([0]),
            epsilon=BATCH_NORM_EPSILON,
            is_training=False,
        )
        # The statistics move with each real base. By mean and variance the output changes as by beta and gamma, so what
        # comes from above through them is a batch norm of the inputs again.
        share = gamma * tf.math.rsqrt(variance + BATCH_NORM_EPSILON) / tf.maximum(tf.reduce_sum(real_mask), 1.0)
        through = normalise(inputs, mean, variance, share * by_gamma, share * by_beta)
        return images[:, 0] - through * tf.cast(real_mask, inputs.dtype), None, by_gamma, by_beta

    return normalise(inputs, mean, variance, gamma, beta), gradient


class Dropout:
    """Dropout whose masks are decided by seed, step and place in the network alone, so that a resumed run repeats them.

    An element is kept by 8 random bits, and by how many of their 256 values is drawn for each row of features, so that
    the rate is exact. A rate below 1/256 is raised to that.

    Args:
        rate: share of elements dropped.
        seed: of the run.
        step: int64 scalar tensor, the training step.

    Attributes:
        scale: what an element that is kept is multiplied by.
    """

    def __init__(self, rate: float, seed: int, step: tf.Tensor) -> None:
        self._kept = 1 - max(rate, 1 / 256) if rate else 1.0
        self.scale = 1 / self._kept
        self._seed = seed
        self._step = tf.cast(step, tf.int64)
        self._places = 0

    def __call__(self, inputs: tf.Tensor, visible: tf.Tensor | None = None, scaled: bool = False) -> tf.Tensor:
        """Drop elements; each call is one place in the network, numbered in the order of the calls.

        Args:
            inputs: of any shape ``(…, features)``.
            visible: ``(…, 1)`` bool; all else is dropped too.
            scaled: whether the inputs have been multiplied by `scale` already.
        """
        self._places += 1
        if self._kept == 1:
            return inputs if visible is None else inputs * tf.cast(visible, inputs.dtype)
        mask = tf.cast(self._mask(tf.shape(inputs), visible), inputs.dtype)
        return inputs * (mask if scaled else mask * self.scale)

    def _mask(self, shape: tf.Tensor, visible: tf.Tensor | None) -> tf.Tensor:
        state = np.random.SeedSequence([self._seed, self._places]).generate_state(1, np.uint64)
        seed = tf.stack([tf.constant(int(state[0] >> np.uint64(1)), tf.int64), self._step])
        elements, rows = tf.reduce_prod(shape), tf.reduce_prod(shape[:-1])
        words = tf.random.stateless_uniform([rows + (elements + 3) // 4], seed, None, None, tf.int32)
        values, more = divmod(256 * self._kept, 1)
        kept = tf.cast(words[:rows] < int((more - 0.5) * 2**32), tf.uint8) + tf.constant(int(values), tf.uint8)
        kept = tf.reshape(kept, tf.concat([shape[:-1], [1]], 0))
        kept = kept if visible is None else kept * tf.cast(visible, tf.uint8)
        draws = tf.reshape(tf.bitcast(words[rows:], tf.uint8), [-1])[:elements]
        return tf.reshape(draws, shape) < kept


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
