"""LSTM layers that read each row up to its own visible end, on the fastest kernel of the device.

What enters is a batch ``(batch, time, features)`` and each row's visible length; what leaves is
``(batch, time, units)`` per direction, concatenated. A backward cell starts at the row's own visible end, so padding
beyond it has no influence.

Two cells compute the same function from the same weights, kept in Keras' layout (gates i, f, c, o; one kernel, one
recurrent kernel, one bias):

* `FusedCell` for CPUs. In inference TensorFlow's ``BlockLSTM``, one fused operation for all of time. (``BlockLSTMV2``
  has Keras' gate order, but its registered gradient is wrong in TensorFlow 2.15, so the gates are permuted for the
  first version.) In training `readlabel.model.lstm_chunks`, which is faster there and the same to rounding.
* `CudnnCell` for GPUs: ``tf.keras.layers.LSTM`` with the arguments under which Keras calls cuDNN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from readlabel.model.lstm_chunks import run_chunks


class Cell(Protocol):
    """One LSTM over time-ordered rows.

    Attributes:
        dtype: of the inputs it is given for training.
    """

    dtype: tf.DType
    kernel: tf.Variable
    recurrent_kernel: tf.Variable
    bias: tf.Variable

    def run(self, inputs: tf.Tensor, lengths: tf.Tensor, training: bool) -> tf.Tensor:
        """Map time-major ``(time, batch, features)`` to ``(time, batch, units)``; positions ≥ lengths are undefined.

        Only what is run for training has to have a gradient.
        """


class FusedCell(tf.Module):
    """An LSTM on the fused CPU kernel."""

    def __init__(self, inputs: int, units: int, name: str, dtype: tf.DType = tf.float32) -> None:
        super().__init__(name="fused_cell")
        self.units = units
        self.dtype = dtype
        self.kernel = tf.Variable(tf.zeros([inputs, 4 * units]), name=f"{name}/kernel")
        self.recurrent_kernel = tf.Variable(tf.zeros([units, 4 * units]), name=f"{name}/recurrent_kernel")
        self.bias = tf.Variable(tf.zeros([4 * units]), name=f"{name}/bias")

    def run(self, inputs: tf.Tensor, lengths: tf.Tensor, training: bool) -> tf.Tensor:
        """See `Cell`."""
        del lengths  # every position is computed: those beyond a row's end come after all that is read
        if training:
            return run_chunks(inputs, self.kernel, self.recurrent_kernel, self.bias, self.dtype)
        start = tf.zeros([tf.shape(inputs)[1], self.units])
        peephole = tf.zeros([self.units])
        return tf.raw_ops.BlockLSTM(
            seq_len_max=tf.shape(inputs, out_type=tf.int64)[0],
            x=inputs,
            cs_prev=start,
            h_prev=start,
            w=_keras_to_block(tf.concat([self.kernel, self.recurrent_kernel], 0)),
            wci=peephole,
            wcf=peephole,
            wco=peephole,
            b=_keras_to_block(self.bias),
            forget_bias=0.0,
            cell_clip=0.0,
            use_peephole=False,
        ).h


class CudnnCell(tf.Module):
    """An LSTM as Keras runs it on cuDNN."""

    def __init__(self, inputs: int, units: int, name: str) -> None:
        super().__init__(name="cudnn_cell")
        self.dtype = tf.float32
        self.layer = tf.keras.layers.LSTM(units, return_sequences=True, time_major=True, name=name.replace("/", "_"))
        self.layer.build((None, None, inputs))
        self.kernel = self.layer.cell.kernel
        self.recurrent_kernel = self.layer.cell.recurrent_kernel
        self.bias = self.layer.cell.bias

    def run(self, inputs: tf.Tensor, lengths: tf.Tensor, training: bool) -> tf.Tensor:
        """See `Cell`. cuDNN refuses rows of length 0, so these are run as rows of length 1."""
        del training
        mask = tf.transpose(tf.sequence_mask(tf.maximum(lengths, 1), tf.shape(inputs)[0]))
        return self.layer(inputs, mask=mask)


def make_cell(inputs: int, units: int, name: str, dtype: tf.DType = tf.float32) -> Cell:
    """The cell for this machine: cuDNN's where TensorFlow sees a GPU, else the fused CPU kernel's.

    Args:
        inputs: features of a position.
        units: width of the cell's output.
        name: of its weights, such as ``lstm_0/lstm_cell``.
        dtype: of the products that training on a CPU makes outside of the recurrence.
    """
    if tf.config.list_logical_devices("GPU"):
        return CudnnCell(inputs, units, name)
    return FusedCell(inputs, units, name, dtype)


def run_lstm(cells: Sequence[Cell], inputs: tf.Tensor, visible: tf.Tensor, training: bool = False) -> tf.Tensor:
    """Run one layer: a single cell forward in time, or two, the second backward from each row's visible end.

    Args:
        cells: forward, or forward and backward.
        inputs: ``(batch, time, features)``.
        visible: ``(batch,)`` int32, positions of each row that the layer may see.
        training: whether a gradient will be asked for.

    Returns:
        ``(batch, time, units × len(cells))`` float32; positions ≥ visible are undefined.
    """
    batch, time = tf.shape(inputs)[0], tf.shape(inputs)[1]
    features = inputs.shape[-1]
    flat = tf.reshape(inputs, [batch * time, features])
    outputs = []
    for cell, backward in zip(cells, (False, True), strict=False):
        order, inverse = _time_order(visible, time, backward)
        given = tf.cast(flat, cell.dtype if training else tf.float32)
        ordered = tf.reshape(_permute(given, order, inverse), [time, batch, features])
        result = cell.run(ordered, visible, training)
        outputs.append(_permute(tf.reshape(result, [time * batch, result.shape[-1]]), inverse, order))
    joined = outputs[0] if len(outputs) == 1 else tf.concat(outputs, -1)
    return tf.reshape(joined, [batch, time, joined.shape[-1]])


def _time_order(visible: tf.Tensor, time: tf.Tensor, backward: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Row numbers that bring ``(batch × time)`` rows into time-major order, and back.

    Backward reverses positions 0 … visible − 1 of each row and leaves the others in place.
    """
    batch = tf.shape(visible)[0]
    position = tf.range(time)[None, :]
    length = visible[:, None]
    source = tf.where(position < length, length - 1 - position, position) if backward else position
    rows = tf.range(batch)[:, None]
    order = tf.transpose(rows * time + source)  # (time, batch): where each time-major row comes from
    inverse = source * batch + rows  # (batch, time); the reversal is its own inverse
    return tf.reshape(order, [-1]), tf.reshape(inverse, [-1])


def _permute(rows: tf.Tensor, order: tf.Tensor, inverse: tf.Tensor) -> tf.Tensor:
    """Gather rows by a permutation. Its gradient is a gather too, not the scatter TensorFlow would register."""

    @tf.custom_gradient
    def permuted(rows: tf.Tensor) -> tuple[tf.Tensor, object]:
        return tf.gather(rows, order), lambda upstream: tf.gather(upstream, inverse)

    return permuted(rows)


def _keras_to_block(weights: tf.Tensor) -> tf.Tensor:
    """Reorder gates from Keras' i, f, c, o to BlockLSTM's i, c, f, o."""
    i, f, c, o = tf.split(weights, 4, -1)
    return tf.concat([i, c, f, o], -1)
