"""The CRF's sweep on scaled probabilities: fast, for potentials within a range of 30.

Probabilities are divided by their sum at each position (Rabiner 1989), so none underflows while transitions differ by
less than exp(30). Beyond it the likelihood stays right but labels that matter only for what follows are lost: the
gradient would silently be wrong, so `readlabel.model.crf_logspace` takes over.
"""

from __future__ import annotations

import tensorflow as tf

from readlabel.model.crf_sweep import compile_sweep

SCALED_RANGE = 30.0
"""Largest range of transitions, or of boundary potentials, for which this module is exact."""

_UNROLLED_LABELS = 24
"""Up to so many labels a sum of scaled rows compiles to faster code than a matrix product (measured)."""


class _Probabilities:
    """The `Algebra` of scaled probabilities."""

    zero = 0.0

    def from_log(self, potentials: tf.Tensor) -> tf.Tensor:
        return tf.exp(potentials)

    def propagate(self, weights: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
        labels = matrix.shape[0]
        if labels > _UNROLLED_LABELS:
            return tf.matmul(matrix, weights, transpose_a=True)
        columns = tf.split(tf.transpose(matrix), labels, 1)
        return tf.add_n([row * column for row, column in zip(tf.split(weights, labels), columns, strict=True)])

    def times(self, weights: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        return weights * others

    def normalise(self, weights: tf.Tensor, axis: int) -> tuple[tf.Tensor, tf.Tensor]:
        total = tf.reduce_sum(weights, axis, keepdims=True)
        return weights / total, tf.math.log(total)

    def to_probability(self, weights: tf.Tensor) -> tf.Tensor:
        return weights

    def expected_pairs(
        self, earlier: tf.Tensor, later: tf.Tensor, log_norms: tf.Tensor, matrix: tf.Tensor
    ) -> tf.Tensor:
        later = later * tf.exp(-log_norms)
        pairs = tf.matmul(tf.transpose(earlier, [2, 1, 0]), tf.transpose(later, [2, 0, 1]))
        return tf.transpose(pairs, [1, 2, 0]) * matrix[:, :, None]


sweep = compile_sweep(_Probabilities())
"""Compare rows with what potentials expect; potentials are shifted to a maximum of 0."""
