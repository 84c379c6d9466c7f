"""The CRF's sweep on logarithms: right for any potentials, hard constraints included, and several times slower."""

from __future__ import annotations

import tensorflow as tf

from readlabel.model.crf_chain import FORBIDDEN
from readlabel.model.crf_sweep import compile_sweep


class _Logarithms:
    """The `Algebra` of log probabilities."""

    zero = FORBIDDEN

    def from_log(self, potentials: tf.Tensor) -> tf.Tensor:
        return potentials

    def propagate(self, weights: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
        return tf.reduce_logsumexp(weights[:, None, :] + matrix[:, :, None], 0)

    def times(self, weights: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        return weights + others

    def normalise(self, weights: tf.Tensor, axis: int) -> tuple[tf.Tensor, tf.Tensor]:
        total = tf.reduce_logsumexp(weights, axis, keepdims=True)
        return weights - total, total

    def to_probability(self, weights: tf.Tensor) -> tf.Tensor:
        return tf.exp(weights)

    def expected_pairs(
        self, earlier: tf.Tensor, later: tf.Tensor, log_norms: tf.Tensor, matrix: tf.Tensor
    ) -> tf.Tensor:
        # The whole exponent is at most 0; that of `later` alone could overflow after a forbidden transition.
        exponents = earlier[:, :, None] + matrix[:, :, None] + (later - log_norms)[:, None]
        return tf.reduce_sum(tf.exp(exponents), 0)


sweep = compile_sweep(_Logarithms())
"""Compare rows with what potentials expect."""
