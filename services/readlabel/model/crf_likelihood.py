"""The log-likelihood of label sequences under a linear-chain CRF, with its own gradient.

What enters are emissions, labels, lengths, transitions and optional boundary potentials; what leaves is one
log-likelihood a row, tensorflow-addons' ``crf_log_likelihood`` in value. The gradient is the difference between what
the labels show and what the model expects (Lafferty et al. 2001), both found in one forward-backward sweep, instead of
differentiating through the recursion. Scaled probabilities where they are safe, else logarithms.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from readlabel.model import crf_logspace, crf_scaled
from readlabel.model.crf_chain import make_potentials, make_rows


@tf.autograph.experimental.do_not_convert
def log_likelihood(
    emissions: tf.Tensor,
    labels: tf.Tensor,
    lengths: tf.Tensor,
    transitions: tf.Tensor,
    left: tf.Tensor | None = None,
    right: tf.Tensor | None = None,
) -> tf.Tensor:
    """Log probability of each row's labels.

    Args:
        emissions: ``(batch, time, labels)`` float32.
        labels: ``(batch, time)`` integers; positions ≥ length are ignored.
        lengths: ``(batch,)`` int32; a row of length 0 has log-likelihood 0.
        transitions: ``(labels, labels)``, from, to.
        left: ``(labels,)`` score of a row's first label; None is 0.
        right: ``(labels,)`` score of a row's last label; None is 0.

    Returns:
        ``(batch,)`` float32. Differentiable in emissions, transitions, left and right.
    """
    none = tf.zeros([emissions.shape[-1]])
    labels, lengths = tf.cast(labels, tf.int32), tf.convert_to_tensor(lengths, tf.int32)

    @tf.custom_gradient
    def of_potentials(
        emissions: tf.Tensor, transitions: tf.Tensor, left: tf.Tensor, right: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
        # Nothing inside is differentiated: without this an eager tape would try, and fail in the compiled loop.
        emissions, transitions, left, right = map(tf.stop_gradient, (emissions, transitions, left, right))
        batch, time = tf.shape(emissions)[0], tf.shape(emissions)[1]
        # A shift of all transitions adds the same to every path.
        transitions, left, right = (potentials - tf.reduce_max(potentials) for potentials in (transitions, left, right))
        rows, potentials = make_rows(emissions, labels, lengths), make_potentials(transitions, left, right)
        lowest = tf.reduce_min(tf.concat([tf.reshape(transitions, [-1]), left, right], 0))
        compared = tf.cond(
            lowest >= -crf_scaled.SCALED_RANGE,
            lambda: crf_scaled.sweep(rows, potentials),
            lambda: crf_logspace.sweep(rows, potentials),
        )
        last = tf.gather(labels, tf.maximum(lengths - 1, 0), batch_dims=1)
        counted = tf.cast(lengths > 0, emissions.dtype)
        result = (compared.log_likelihood[:batch] + tf.gather(right, last)) * counted

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            weight = upstream * counted
            surprise = tf.transpose(compared.surprise[:time, :, :batch] * weight, [2, 0, 1])
            at_last = tf.gather(surprise, tf.maximum(lengths - 1, 0), batch_dims=1)
            return (
                surprise,
                tf.linalg.matvec(compared.pair_surprise[:, :, :batch], weight),
                tf.reduce_sum(surprise[:, 0], 0),
                tf.reduce_sum(at_last, 0),
            )

        return result, gradient

    return of_potentials(
        tf.convert_to_tensor(emissions),
        tf.convert_to_tensor(transitions),
        none if left is None else tf.convert_to_tensor(left),
        none if right is None else tf.convert_to_tensor(right),
    )
