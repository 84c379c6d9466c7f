"""The LSTM in chunks of time: the recurrence compiled by XLA, everything that can wait for it as large products.

An LSTM's step needs the state before it only for ``h × recurrent_kernel``; the inputs' share of the gates can be had
for a whole chunk at once, and so can all gradients except that of the state. So a chunk is: one product for its inputs,
one compiled loop, and on the way back one compiled loop and three products, while their operands are in the cache.
One chunk of either direction is compiled for a number of rows and units, never for a read length; one more for what is
left of a length that is no multiple of `CHUNK`, which `readlabel.model.buckets` has none of.

Inside, gates lie in the order i, f, o, c, and the sigmoids are written as ``(1 + tanh(x / 2)) / 2`` with the half moved
into the weights: one tanh over all four gates is what vectorises best. The compiled loops read with `tf.gather` and
write with `dynamic_update_slice`, which XLA does in place; an index or a concatenation it computes number by number.
"""

from __future__ import annotations

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

CHUNK = 32
"""Positions of a chunk: its gates (32 × 32 reads × 256 floats: 1 MB) fit into a core's cache."""


def run_chunks(
    inputs: tf.Tensor, kernel: tf.Tensor, recurrent_kernel: tf.Tensor, bias: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    """An LSTM over all of time, with its gradient.

    Args:
        inputs: ``(time, batch, features)``, time-major, of type `dtype`.
        kernel: ``(features, 4 × units)``, gates in Keras' order i, f, c, o.
        recurrent_kernel: ``(units, 4 × units)``.
        bias: ``(4 × units,)``.
        dtype: of the products over whole chunks; the recurrence is float32.

    Returns:
        ``(time, batch, units)`` float32.
    """
    return _chunks(inputs, _fold(kernel), _fold(recurrent_kernel), _fold(bias), dtype)


def _fold(weights: tf.Tensor) -> tf.Tensor:
    """Gates from Keras' order to i, f, o, c, and half of what goes into a sigmoid."""
    i, f, c, o = tf.split(weights, 4, -1)
    return tf.concat([i / 2, f / 2, o / 2, c], -1)


def _chunks(
    inputs: tf.Tensor, kernel: tf.Tensor, recurrent_kernel: tf.Tensor, bias: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    count = -(-tf.shape(inputs)[0] // CHUNK)
    batch, features, units = tf.shape(inputs)[1], inputs.shape[2], recurrent_kernel.shape[0]

    def product(left: tf.Tensor, right: tf.Tensor, **transposed: bool) -> tf.Tensor:
        return tf.matmul(tf.cast(left, dtype), tf.cast(right, dtype), **transposed)

    @tf.custom_gradient
    def run(
        inputs: tf.Tensor, kernel: tf.Tensor, recurrent_kernel: tf.Tensor, bias: tf.Tensor
    ) -> tuple[tf.Tensor, object]:
        # Nothing inside is differentiated: without this an eager tape would try, and fail in the compiled loops.
        inputs, kernel, recurrent_kernel, bias = map(tf.stop_gradient, (inputs, kernel, recurrent_kernel, bias))

        def rows(k: tf.Tensor) -> tf.Tensor:
            return tf.reshape(inputs[k * CHUNK : (k + 1) * CHUNK], [-1, features])

        def ahead(k: tf.Tensor, h: tf.Tensor, c: tf.Tensor, outputs: tf.TensorArray, *arrays: tf.TensorArray) -> tuple:
            given = tf.reshape(product(rows(k), kernel), [-1, batch, 4 * units])
            *state, hs, cs, gates = _advance(given, recurrent_kernel, bias, h, c)
            kept = zip(arrays, (cs, gates), strict=True)
            return (
                k + 1,
                *(tf.ensure_shape(s, h.shape) for s in state),
                outputs.write(k + 1, hs),
                *(array.write(k, v) for array, v in kept),
            )

        start = tf.zeros([batch, units])
        arrays = [tf.TensorArray(tf.float32, count, infer_shape=False) for _ in range(2)]
        # What is before the first position comes first: so the outputs and those one step before are slices of one.
        outputs = tf.TensorArray(tf.float32, count + 1, infer_shape=False).write(0, start[None])
        _, _, _, outputs, *kept = tf.while_loop(lambda k, *_: k < count, ahead, [0, start, start, outputs, *arrays])
        history = tf.ensure_shape(outputs.concat(), [None, None, units])

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            backward = tf.transpose(recurrent_kernel)
            shapes = ([None, None, units], [None, None, 4 * units])

            def back(
                k: tf.Tensor,
                dh: tf.Tensor,
                dc: tf.Tensor,
                dk: tf.Tensor,
                dr: tf.Tensor,
                db: tf.Tensor,
                array: tf.TensorArray,
            ) -> tuple:
                wanted = upstream[k * CHUNK : (k + 1) * CHUNK]
                read = (tf.ensure_shape(one.read(k), shape) for one, shape in zip(kept, shapes, strict=True))
                *state, dz = _retreat(wanted, *read, backward, dh, dc)
                dz = tf.reshape(dz, [-1, 4 * units])
                db += tf.matmul(tf.ones([1, tf.shape(dz)[0]]), dz)[0]
                dz = tf.cast(dz, dtype)
                before = tf.reshape(history[:-1][k * CHUNK : (k + 1) * CHUNK], [-1, units])
                dk += tf.cast(product(rows(k), dz, transpose_a=True), tf.float32)
                dr += tf.cast(product(before, dz, transpose_a=True), tf.float32)
                dx = tf.reshape(product(dz, kernel, transpose_b=True), [-1, batch, features])
                return k - 1, *(tf.ensure_shape(s, dh.shape) for s in state), dk, dr, db, array.write(k, dx)

            zeros = [tf.zeros_like(w) for w in (kernel, recurrent_kernel, bias)]
            array = tf.TensorArray(dtype, count, infer_shape=False)
            _, _, _, *by_weight, array = tf.while_loop(
                lambda k, *_: k >= 0, back, [count - 1, start, start, *zeros, array]
            )
            by_input = tf.ensure_shape(array.concat(), [None, None, features])
            return by_input, *by_weight

        return history[1:], gradient

    return run(inputs, kernel, recurrent_kernel, bias)


@tf.function(jit_compile=True, autograph=False)
def _advance(
    given: tf.Tensor, recurrent_kernel: tf.Tensor, bias: tf.Tensor, h: tf.Tensor, c: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """One chunk forward in time.

    Args:
        given: ``(time, batch, 4 × units)``, the inputs' share of the gates.
        recurrent_kernel: ``(units, 4 × units)``.
        bias: ``(4 × units,)``.
        h: ``(batch, units)``, output before the chunk.
        c: ``(batch, units)``, state before the chunk.

    Returns:
        Output and state after the chunk, then for each of its positions the output, the state before it and the tanhs
        of its gates.
    """
    units = h.shape[1]

    def step(
        i: tf.Tensor, h: tf.Tensor, c: tf.Tensor, hs: tf.Tensor, cs: tf.Tensor, gates: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        tanhs = tf.tanh(tf.gather(gates, i) + tf.matmul(h, recurrent_kernel))
        opened = 0.5 * tanhs[:, : 3 * units] + 0.5
        cs = _write(cs, i, c)
        c = opened[:, units : 2 * units] * c + opened[:, :units] * tanhs[:, 3 * units :]
        h = opened[:, 2 * units :] * tf.tanh(c)
        return i + 1, h, c, _write(hs, i, h), cs, _write(gates, i, tanhs)

    gates = tf.cast(given, tf.float32) + bias  # each position's tanhs take the place of what they are made of
    none = tf.zeros_like(gates[..., :units])
    _, *found = tf.while_loop(lambda i, *_: i < tf.shape(gates)[0], step, [0, h, c, none, none, gates])
    return tuple(found)


@tf.function(jit_compile=True, autograph=False)
def _retreat(
    wanted: tf.Tensor,
    cs: tf.Tensor,
    gates: tf.Tensor,
    backward_kernel: tf.Tensor,
    dh: tf.Tensor,
    dc: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """The gradient of one chunk, backward in time.

    Args:
        wanted: ``(time, batch, units)``, derivatives by the chunk's outputs from outside of the recurrence.
        cs: ``(time, batch, units)``, the state before each position.
        gates: ``(time, batch, 4 × units)``, tanhs of its gates.
        backward_kernel: ``(4 × units, units)``, the recurrent kernel transposed.
        dh: ``(batch, units)``, derivative by the output after the chunk, through the recurrence.
        dc: ``(batch, units)``, derivative by the state after the chunk.

    Returns:
        Derivatives by output and state before the chunk, and by what goes into the tanhs of its gates.
    """
    count, units = tf.shape(gates)[0], dh.shape[1]

    def step(j: tf.Tensor, dh: tf.Tensor, dc: tf.Tensor, dz: tf.Tensor, dzs: tf.Tensor) -> tuple[tf.Tensor, ...]:
        at = count - 1 - j
        tanhs, before, own = (tf.gather(array, at) for array in (gates, cs, wanted))
        i, f, o, candidate = tf.split(tanhs, 4, -1)
        out = tf.tanh((0.5 * f + 0.5) * before + (0.5 * i + 0.5) * candidate)
        dh += own
        dc += dh * (0.5 * o + 0.5) * (1 - out * out)
        parts = (
            dc * candidate * 0.5 * (1 - i * i),
            dc * before * 0.5 * (1 - f * f),
            dh * out * 0.5 * (1 - o * o),
            dc * (0.5 * i + 0.5) * (1 - candidate * candidate),
        )
        for gate, part in enumerate(parts):
            dz = xla.dynamic_update_slice(dz, part, [0, gate * units])
        return j + 1, tf.matmul(dz, backward_kernel), dc * (0.5 * f + 0.5), dz, _write(dzs, at, dz)

    arrays = [tf.tile(dh, [1, 4]), tf.zeros_like(gates)]  # whose numbers are all overwritten
    _, dh, dc, _, dzs = tf.while_loop(lambda j, *_: j < count, step, [0, dh, dc, *arrays])
    return dh, dc, dzs


def _write(array: tf.Tensor, place: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """The array ``(time, batch, features)`` with one position replaced, in the same memory."""
    return xla.dynamic_update_slice(array, value[None], tf.stack([place, 0, 0]))
