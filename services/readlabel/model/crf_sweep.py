"""Forward-backward of a linear-chain CRF over a batch: log-likelihood, marginals and pair counts in two sweeps.

A batch enters as `Rows` with its `Potentials`; what leaves is a `Comparison` of the rows' labels with what the model
expects. The forward sweep goes chunk by chunk and keeps each position's normalised forward weights; the backward sweep
turns them into the difference between labels and marginals. Weights are probabilities or logarithms: an `Algebra`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import tensorflow as tf

from readlabel.model.crf_chain import CHUNK, Potentials, Rows, lay_out, loop_arrays


class Algebra(Protocol):
    """The arithmetic of the recursion: sums of products of probabilities, or the same of their logarithms."""

    zero: float

    def from_log(self, potentials: tf.Tensor) -> tf.Tensor:
        """Log potentials as this algebra's numbers."""

    def propagate(self, weights: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
        """Sum over the labels of `weights` ``(L', rows)``, times ``matrix[from, to]``."""

    def times(self, weights: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        """Multiply, element by element."""

    def normalise(self, weights: tf.Tensor, axis: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Divide by the sum along an axis; also give the logarithm of that sum."""

    def to_probability(self, weights: tf.Tensor) -> tf.Tensor:
        """Normalised weights as probabilities."""

    def expected_pairs(
        self, earlier: tf.Tensor, later: tf.Tensor, log_norms: tf.Tensor, matrix: tf.Tensor
    ) -> tf.Tensor:
        """Sum over time of ``earlier[t, i] × matrix[i, j] × later[t, j] / norms[t]``, ``(L', L', rows)``.

        Args:
            earlier: ``(CHUNK, L', rows)``, forward weights at the position before each.
            later: ``(CHUNK, L', rows)``, emission times backward weights.
            log_norms: ``(CHUNK, 1, rows)``, logarithms of what makes each position's terms sum to 1.
            matrix: ``(L', L')``.
        """


class Comparison(NamedTuple):
    """What labels show against what the model expects.

    Attributes:
        log_likelihood: ``(rows,)``, without the potential of the last label.
        surprise: ``(time, labels, rows)``: 1 for the label of each base, less the label's probability.
        pair_surprise: ``(labels, labels, rows)``: how often each label follows each, less how often it is expected to.
    """

    log_likelihood: tf.Tensor
    surprise: tf.Tensor
    pair_surprise: tf.Tensor


def compile_sweep(algebra: Algebra) -> Callable[[Rows, Potentials], Comparison]:
    """The sweep in an algebra's numbers; one chunk of either direction is compiled."""

    @tf.function(jit_compile=True, autograph=False)
    def forward(
        weights: tf.Tensor,
        label: tf.Tensor,
        score: tf.Tensor,
        emissions: tf.Tensor,
        labels: tf.Tensor,
        lengths: tf.Tensor,
        first: tf.Tensor,
        potentials: Potentials,
    ) -> tuple[tf.Tensor, ...]:
        """One chunk: the state after it, and its weights ``(CHUNK, L', rows)`` and log scales ``(CHUNK, 1, rows)``."""
        positions = lay_out(emissions, lengths, first)
        reads = loop_arrays(weights)[0].unstack(algebra.from_log(positions))
        matrix, start = (algebra.from_log(p) for p in (potentials.transitions, potentials.start[:, None]))

        def advance(
            i: tf.Tensor, weights: tf.Tensor, kept: tf.TensorArray, scales: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray, tf.TensorArray]:
            before = tf.where(first + i == 0, start, algebra.propagate(weights, matrix))
            weights, scale = algebra.normalise(algebra.times(before, reads.read(i)), 0)
            return i + 1, weights, kept.write(i, weights), scales.write(i, scale)

        arrays = loop_arrays(weights, weights[:1])
        _, weights, kept, scales = tf.while_loop(
            lambda i, *_: i < CHUNK, advance, [0, weights, *arrays], maximum_iterations=CHUNK
        )
        scales = scales.stack()
        shown = _shown(positions, labels, label, lengths, first, potentials)
        # A confident network's terms nearly cancel, which they must do position by position: the difference of two sums
        # over thousands of positions would have lost those digits.
        score += tf.reduce_sum(shown - scales[:, 0], 0)
        return weights, labels[-1], score, kept.stack(), scales

    @tf.function(jit_compile=True, autograph=False)
    def backward(
        after: tf.Tensor,
        pairs: tf.Tensor,
        kept: tf.Tensor,
        scales: tf.Tensor,
        previous_weights: tf.Tensor,
        emissions: tf.Tensor,
        labels: tf.Tensor,
        lengths: tf.Tensor,
        first: tf.Tensor,
        potentials: Potentials,
    ) -> tuple[tf.Tensor, ...]:
        """One chunk: the state before it, pairs less those expected, and its surprise ``(CHUNK, labels, rows)``."""
        positions = algebra.from_log(lay_out(emissions, lengths, first))
        reads = loop_arrays(after)[0].unstack(positions)
        matrix = algebra.from_log(potentials.transitions)
        matrix_back = tf.transpose(matrix)

        def retreat(
            i: tf.Tensor, after: tf.Tensor, afters: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
            place = CHUNK - 1 - i
            afters = afters.write(place, after)
            after = algebra.propagate(algebra.times(reads.read(place), after), matrix_back)
            return i + 1, algebra.normalise(after, 0)[0], afters

        _, before_chunk, afters = tf.while_loop(
            lambda i, *_: i < CHUNK, retreat, [0, after, *loop_arrays(after)], maximum_iterations=CHUNK
        )
        afters = afters.stack()
        marginals, norms = algebra.normalise(algebra.times(kept, afters), 1)
        expected = algebra.expected_pairs(
            earlier=tf.concat([previous_weights[None], kept[:-1]], 0),
            later=algebra.times(positions, afters),
            log_norms=norms + scales,
            matrix=matrix,
        )
        real = first + tf.range(CHUNK)[:, None, None] < lengths
        count = emissions.shape[1]
        shown = tf.cast((labels[:, None] == tf.range(count)[:, None]) & real, tf.float32)
        surprise = shown - algebra.to_probability(marginals)[:, :count]
        return before_chunk, pairs - expected[:count, :count], surprise

    def sweep(rows: Rows, potentials: Potentials) -> Comparison:
        batch, count = tf.shape(rows.lengths)[0], rows.emissions.shape[1]
        none = tf.fill([count + 1, batch], algebra.zero)

        def ahead(
            k: tf.Tensor, weights: tf.Tensor, label: tf.Tensor, score: tf.Tensor, *arrays: tf.TensorArray
        ) -> tuple:
            before = (weights, label, score)
            *state, kept, scales = forward(*before, *rows.chunk(k), potentials)
            values = (kept, scales, weights)
            arrays = tuple(array.write(k, value) for array, value in zip(arrays, values, strict=True))
            return k + 1, *_shaped(state, before), *arrays

        arrays = [tf.TensorArray(tf.float32, rows.chunks, infer_shape=False) for _ in range(3)]
        _, weights, _, score, *arrays = tf.while_loop(
            lambda k, *_: k < rows.chunks, ahead, [0, none, tf.fill([batch], -1), tf.zeros([batch]), *arrays]
        )
        finish = algebra.from_log(potentials.finish[:, None])
        _, scale = algebra.normalise(algebra.times(weights, finish), 0)
        shapes = ([CHUNK, count + 1, None], [CHUNK, 1, None], [count + 1, None])

        def back(k: tf.Tensor, after: tf.Tensor, pairs: tf.Tensor, surprises: tf.TensorArray) -> tuple:
            kept = [tf.ensure_shape(array.read(k), shape) for array, shape in zip(arrays, shapes, strict=True)]
            *state, surprise = backward(after, pairs + _shown_pairs(rows, k), *kept, *rows.chunk(k), potentials)
            return k - 1, *_shaped(state, (after, pairs)), surprises.write(k, surprise)

        surprises = tf.TensorArray(tf.float32, rows.chunks, infer_shape=False)
        after = tf.tile(finish, [1, batch])
        _, _, pairs, surprises = tf.while_loop(
            lambda k, *_: k >= 0, back, [rows.chunks - 1, after, tf.zeros([count, count, batch]), surprises]
        )
        surprise = tf.ensure_shape(surprises.concat(), [None, count, None])
        return Comparison(score - scale[0], surprise, pairs)

    return sweep


def _shaped(values: Sequence[tf.Tensor], as_before: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Tell a loop that what it carries keeps the shape it had, which a compiled function does not say."""
    return [tf.ensure_shape(value, before.shape) for value, before in zip(values, as_before, strict=True)]


def _shown_pairs(rows: Rows, number: tf.Tensor) -> tf.Tensor:
    """How often each label follows each in one chunk, ``(labels, labels, rows)``.

    Counting is a scatter, for which a compiled loop would compare every pair of labels at every position.
    """
    count, batch = rows.emissions.shape[1], tf.shape(rows.lengths)[0]
    _, labels, lengths, first = rows.chunk(number)
    place = first + tf.range(CHUNK)[:, None]
    before = tf.gather(rows.labels, tf.maximum(place[:, 0] - 1, 0))
    counted = tf.cast((place > 0) & (place < lengths), tf.float32)
    cell = (before * count + labels) * batch + tf.range(batch)
    return tf.reshape(tf.math.unsorted_segment_sum(counted, cell, count * count * batch), [count, count, batch])


def _shown(
    positions: tf.Tensor,
    labels: tf.Tensor,
    previous: tf.Tensor,
    lengths: tf.Tensor,
    first: tf.Tensor,
    potentials: Potentials,
) -> tf.Tensor:
    """Log potential of each base's label and of the step to it, ``(CHUNK, rows)``; 0 beyond a row's end."""
    width = potentials.start.shape[0]
    before = tf.concat([previous[None], labels[:-1]], 0)
    place = first + tf.range(CHUNK)[:, None]
    steps = tf.gather(tf.reshape(potentials.transitions, [-1]), tf.maximum(before, 0) * width + labels)
    steps = tf.where(place == 0, tf.gather(potentials.start, labels), steps)
    emitted = tf.reduce_sum(tf.where(labels[:, None] == tf.range(width)[:, None], positions, 0.0), 1)
    return tf.where(place < lengths, emitted + steps, 0.0)
