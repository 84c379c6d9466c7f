"""The log-likelihood of label sequences under a linear-chain CRF, with its own gradient.

What enters are emissions, labels, lengths, transitions and optional boundary potentials; what leaves is one
log-likelihood a row, tensorflow-addons' ``crf_log_likelihood`` in value. The gradient is the difference between what
the labels show and what the model expects (Lafferty et al. 2001), both found in one forward-backward sweep, instead of
differentiating through the recursion. Scaled probabilities where they are safe, else logarithms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from readlabel.model import crf_logspace, crf_scaled
from readlabel.model.crf_chain import Posterior, make_chain


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
    left = none if left is None else tf.convert_to_tensor(left)
    right = none if right is None else tf.convert_to_tensor(right)
    labels = tf.cast(labels, tf.int32)

    @tf.custom_gradient
    def of_potentials(
        emissions: tf.Tensor, transitions: tf.Tensor, left: tf.Tensor, right: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
        # Nothing inside is differentiated: without this an eager tape would try, and fail in the compiled loop.
        emissions, transitions, left, right = map(tf.stop_gradient, (emissions, transitions, left, right))
        posterior, scores, counts = _compare(emissions, labels, lengths, transitions, left, right)
        counted = tf.cast(lengths > 0, emissions.dtype)
        result = tf.reduce_sum(scores - posterior.log_scales, 1) * counted

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            weight = upstream * counted
            surprise = counts.labels - posterior.marginals
            first = surprise[:, 0]
            last = tf.reduce_sum(surprise * counts.is_last, 1)
            return (
                surprise * weight[:, None, None],
                tf.tensordot(weight, counts.pairs - posterior.pair_counts, 1),
                tf.tensordot(weight, first, 1),
                tf.tensordot(weight, last, 1),
            )

        return result, gradient

    return of_potentials(tf.convert_to_tensor(emissions), tf.convert_to_tensor(transitions), left, right)


class _Counts(NamedTuple):
    """What the given labels show, as the posterior says what is expected.

    Attributes:
        labels: ``(batch, time, labels)``, 1 for the label of each base.
        pairs: ``(batch, labels, labels)``, how often each label follows each.
        is_last: ``(batch, time, 1)``, 1 at a row's last base.
    """

    labels: tf.Tensor
    pairs: tf.Tensor
    is_last: tf.Tensor


def _compare(
    emissions: tf.Tensor,
    labels: tf.Tensor,
    lengths: tf.Tensor,
    transitions: tf.Tensor,
    left: tf.Tensor,
    right: tf.Tensor,
) -> tuple[Posterior, tf.Tensor, _Counts]:
    """Posterior of the potentials, and scores ``(batch, time + 1)`` and counts of the given labels.

    Potentials are shifted to a maximum of 0 first; the shift adds the same to every path. The score of a position is on
    the scale of the posterior's: for a confident network they nearly cancel, which they must do position by position,
    because the difference of two sums over thousands of positions would have lost those digits.
    """
    emissions -= tf.reduce_max(emissions, -1, keepdims=True)
    transitions -= tf.reduce_max(transitions)
    left -= tf.reduce_max(left)
    right -= tf.reduce_max(right)
    batch, time, width = tf.shape(emissions)[0], tf.shape(emissions)[1], emissions.shape[2]
    chain = make_chain(emissions, lengths, transitions, left, right)
    lowest = tf.minimum(tf.reduce_min(transitions), tf.minimum(tf.reduce_min(left), tf.reduce_min(right)))
    posterior = tf.cond(
        lowest >= -crf_scaled.SCALED_RANGE,
        lambda: crf_scaled.forward_backward(chain, batch, time),
        lambda: crf_logspace.forward_backward(chain, batch, time),
    )

    real = tf.sequence_mask(lengths, time, emissions.dtype)
    is_last = (real - tf.pad(real[:, 1:], [[0, 0], [0, 1]]))[..., None]
    one_hot = tf.one_hot(labels, width, dtype=emissions.dtype) * real[..., None]
    pair = tf.gather(tf.reshape(transitions, [-1]), labels[:, :-1] * width + labels[:, 1:]) * real[:, 1:]
    scores = tf.reduce_sum(emissions * one_hot, 2)
    scores += tf.concat([tf.linalg.matvec(one_hot[:, 0], left)[:, None], pair], 1)
    ending = tf.linalg.matvec(one_hot * is_last, right)
    scores = tf.pad(scores, [[0, 0], [0, 1]]) + tf.pad(ending, [[0, 0], [1, 0]])
    pairs = tf.matmul(one_hot[:, :-1], one_hot[:, 1:], transpose_a=True)
    return posterior, scores, _Counts(labels=one_hot, pairs=pairs, is_last=is_last)
