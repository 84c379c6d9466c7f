"""Forward-backward of a linear-chain CRF on logarithms: right for any transitions, hard constraints included.

What enters is a `Chain` of log potentials; what leaves is its `Posterior`. Several times slower than
`readlabel.model.crf_scaled`, whose precondition it lacks.
"""

from __future__ import annotations

import tensorflow as tf

from readlabel.model.crf_chain import Chain, Posterior, compiled_sweep


class _Logarithms:
    """The `Algebra` of log probabilities."""

    def propagate(self, state: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
        return tf.reduce_logsumexp(state[:, None, :] + matrix[:, :, None], 0)

    def weigh(self, state: tf.Tensor, emission: tf.Tensor) -> tf.Tensor:
        return state + emission

    def normalise(self, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total = tf.reduce_logsumexp(state, 0, keepdims=True)
        return state - total, total


_SWEEP = compiled_sweep(_Logarithms())


def forward_backward(chain: Chain, batch: tf.Tensor, time: tf.Tensor) -> Posterior:
    """Compute a chain's posterior. Arguments as for `readlabel.model.crf_scaled.forward_backward`."""
    swept = _SWEEP(chain)
    labels = chain.transitions.shape[0] - 1
    weight = chain.emissions + swept.after
    joint = swept.before + weight
    norm = tf.reduce_logsumexp(joint, 1, keepdims=True)
    marginals = tf.exp(joint - norm)[:time, :labels, :batch]
    earlier = swept.forward[: time - 1, :labels, :batch]
    later = (weight - norm)[1:time, :labels, :batch]

    # exp(earlier + transition + later) is at most 1, but the exponential of `later` alone may overflow: one preceding
    # label at a time keeps the memory at that of the marginals.
    def pairs_from(label: tf.Tensor) -> tf.Tensor:
        joint = earlier[:, label, None, :] + chain.transitions[label, :labels, None] + later
        return tf.reduce_sum(tf.exp(joint), 0)

    pairs = tf.map_fn(pairs_from, tf.range(labels), fn_output_signature=tf.TensorSpec([labels, None], tf.float32))
    return Posterior(
        log_scales=tf.transpose(swept.log_scales[: time + 1, 0, :batch]),
        marginals=tf.transpose(marginals, [2, 0, 1]),
        pair_counts=tf.transpose(pairs, [2, 0, 1]),
    )
