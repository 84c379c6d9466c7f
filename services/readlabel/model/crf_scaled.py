"""Forward-backward of a linear-chain CRF on scaled probabilities: fast, for transitions within a range of 30.

What enters is a `Chain` whose potentials are shifted to a maximum of 0; what leaves is its `Posterior`.

Probabilities are divided by their sum at each step (Rabiner 1989), so none underflows while transitions differ by less
than exp(30). Beyond it the sum stays right but labels that matter only for what follows are lost: the gradient would
silently be wrong, so `readlabel.model.crf_logspace` takes over.
"""

from __future__ import annotations

import tensorflow as tf

from readlabel.model.crf_chain import Chain, Posterior, compiled_sweep

SCALED_RANGE = 30.0
"""Largest range of transitions, or of boundary potentials, for which this module is exact."""

_UNROLLED_LABELS = 24
"""Up to so many labels a sum of scaled rows compiles to faster code than a matrix product (measured)."""


class _Probabilities:
    """The `Algebra` of scaled probabilities."""

    def propagate(self, state: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
        labels = matrix.shape[0]
        if labels > _UNROLLED_LABELS:
            return tf.matmul(matrix, state, transpose_a=True)
        total = state[0:1] * matrix[0][:, None]
        for label in range(1, labels):
            total += state[label : label + 1] * matrix[label][:, None]
        return total

    def weigh(self, state: tf.Tensor, emission: tf.Tensor) -> tf.Tensor:
        return state * emission

    def normalise(self, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total = tf.reduce_sum(state, 0, keepdims=True)
        return state / total, tf.math.log(total)


_SWEEP = compiled_sweep(_Probabilities())


def forward_backward(chain: Chain, batch: tf.Tensor, time: tf.Tensor) -> Posterior:
    """Compute a chain's posterior.

    Args:
        chain: log potentials, each array with maximum 0.
        batch: rows asked for; the chain may be padded beyond them.
        time: positions asked for.
    """
    chain = Chain(*(tf.exp(potentials) for potentials in chain))
    swept = _SWEEP(chain)
    labels = chain.transitions.shape[0] - 1
    weight = chain.emissions * swept.after
    joint = swept.before * weight
    norm = tf.math.reciprocal(tf.reduce_sum(joint, 1, keepdims=True))
    marginals = (joint * norm)[:time, :labels, :batch]
    earlier = swept.forward[: time - 1, :labels, :batch]
    later = (weight * norm)[1:time, :labels, :batch]
    pairs = tf.matmul(tf.transpose(earlier, [2, 1, 0]), tf.transpose(later, [2, 0, 1]))
    return Posterior(
        log_scales=tf.transpose(swept.log_scales[: time + 1, 0, :batch]),
        marginals=tf.transpose(marginals, [2, 0, 1]),
        pair_counts=pairs * chain.transitions[:labels, :labels],
    )
