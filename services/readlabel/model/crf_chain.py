"""What the CRF's recursions share: potentials with an absorbing END, and compiled chunks of time.

A row's end is an extra label END. Every real label leads to it once the row's bases are used up (with the right
boundary potential as its transition), it leads to itself, and nothing leads back, so no recursion needs a mask, and
rows of length 0 are END from the start.

Time is cut into chunks of `CHUNK` positions and one chunk is compiled, so XLA compiles once for a batch size and not
once for every read length. Inside a chunk arrays are laid out ``(time, label, batch)``: the batch is innermost, where a
compiled loop can use vector instructions. L' is the number of labels plus one for END.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

CHUNK = 512
"""Positions that one compiled call covers: a call costs about as much as 300 of them (measured)."""

FORBIDDEN = -1e30
"""Log potential of what cannot be. Finite, so that differences of two such are not NaN."""


class Potentials(NamedTuple):
    """Log potentials between labels, END included.

    Attributes:
        transitions: ``(L', L')``, from, to.
        start: ``(L',)``, of a row's first label.
        finish: ``(L',)``, of the label at the last position computed.
    """

    transitions: tf.Tensor
    start: tf.Tensor
    finish: tf.Tensor


class Rows(NamedTuple):
    """A batch in the layout of the loops, cut to whole chunks and to a number of rows that is a power of two.

    Attributes:
        emissions: ``(chunks × CHUNK, labels, rows)``.
        labels: ``(chunks × CHUNK, rows)`` int32.
        lengths: ``(rows,)`` int32; 0 for rows that fill up the batch.
    """

    emissions: tf.Tensor
    labels: tf.Tensor
    lengths: tf.Tensor

    @property
    def chunks(self) -> tf.Tensor:
        """Number of chunks."""
        return tf.shape(self.emissions)[0] // CHUNK

    def chunk(self, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Emissions and labels of one chunk, all lengths, and the chunk's first position."""
        first = number * CHUNK
        window = slice(first, first + CHUNK)
        return self.emissions[window], self.labels[window], self.lengths, first


def make_potentials(transitions: tf.Tensor, left: tf.Tensor, right: tf.Tensor) -> Potentials:
    """Add END.

    Args:
        transitions: ``(labels, labels)``, from, to.
        left: ``(labels,)``, of a row's first label.
        right: ``(labels,)``, of a row's last label.
    """
    end = tf.concat([tf.fill(tf.shape(left), FORBIDDEN), [0.0]], 0)
    return Potentials(
        transitions=tf.concat([tf.concat([transitions, right[:, None]], 1), end[None]], 0),
        start=tf.concat([left, [0.0]], 0),
        finish=tf.concat([right, [0.0]], 0),
    )


def make_rows(emissions: tf.Tensor, labels: tf.Tensor, lengths: tf.Tensor) -> Rows:
    """Pad and turn a batch, see `Rows`.

    Args:
        emissions: ``(batch, time, labels)``.
        labels: ``(batch, time)`` int32.
        lengths: ``(batch,)`` int32.
    """
    rows, time = tf.shape(emissions)[0], tf.shape(emissions)[1]
    more_time = CHUNK * tf.maximum((time + CHUNK - 1) // CHUNK, 1) - time
    # XLA compiles for each batch size: the next power of two, at least 8.
    powers = tf.constant([1 << k for k in range(3, 31)])
    more_rows = powers[tf.searchsorted(powers, [rows])[0]] - rows
    return Rows(
        emissions=tf.pad(tf.transpose(emissions, [1, 2, 0]), [[0, more_time], [0, 0], [0, more_rows]]),
        labels=tf.pad(tf.transpose(labels), [[0, more_time], [0, more_rows]]),
        lengths=tf.pad(lengths, [[0, more_rows]]),
    )


def lay_out(emissions: tf.Tensor, lengths: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
    """A chunk's emissions as log potentials of all labels, END included.

    Args:
        emissions: ``(CHUNK, labels, rows)``.
        lengths: ``(rows,)``.
        first: the chunk's first position.

    Returns:
        ``(CHUNK, L', rows)``; each position's best label has potential 0, which adds the same to every path.
    """
    emissions -= tf.reduce_max(emissions, 1, keepdims=True)
    real = first + tf.range(CHUNK)[:, None, None] < lengths
    return tf.concat([tf.where(real, emissions, FORBIDDEN), tf.where(real, FORBIDDEN, 0.0)], 1)


def loop_arrays(*shapes_of: tf.Tensor) -> list[tf.TensorArray]:
    """One array per tensor, to hold a value of its shape for each position of a chunk."""
    return [tf.TensorArray(value.dtype, CHUNK, element_shape=value.shape) for value in shapes_of]
