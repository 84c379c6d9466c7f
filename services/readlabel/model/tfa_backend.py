"""tensorflow-addons' CRF: the oracle that readlabel's is held to, selectable as ``crf_backend="tfa"``.

The only module that knows the package, which is at its end of life. Boundary potentials, which its functions lack, are
added to the first and the last real position's emissions: the same score for every path.
"""

from __future__ import annotations

import warnings

import tensorflow as tf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # says at import that it is at its end of life
    import tensorflow_addons as tfa


def log_likelihood(
    emissions: tf.Tensor,
    labels: tf.Tensor,
    lengths: tf.Tensor,
    transitions: tf.Tensor,
    left: tf.Tensor | None = None,
    right: tf.Tensor | None = None,
) -> tf.Tensor:
    """See `readlabel.model.crf_likelihood.log_likelihood`."""
    emissions = _with_boundaries(emissions, lengths, left, right)
    return tfa.text.crf_log_likelihood(emissions, tf.cast(labels, tf.int32), lengths, transitions)[0]


def decode(
    emissions: tf.Tensor,
    lengths: tf.Tensor,
    transitions: tf.Tensor,
    left: tf.Tensor | None = None,
    right: tf.Tensor | None = None,
) -> tf.Tensor:
    """See `readlabel.model.viterbi.decode`."""
    path = tfa.text.crf_decode(_with_boundaries(emissions, lengths, left, right), transitions, lengths)[0]
    real = tf.sequence_mask(lengths, tf.shape(emissions)[1])
    return tf.cast(tf.where(real, path, 0), tf.uint8)


def _with_boundaries(
    emissions: tf.Tensor, lengths: tf.Tensor, left: tf.Tensor | None, right: tf.Tensor | None
) -> tf.Tensor:
    position = tf.range(tf.shape(emissions)[1])[None, :, None]
    end = lengths[:, None, None]
    if left is not None:
        emissions += tf.where((position == 0) & (end > 0), left, 0.0)
    if right is not None:
        emissions += tf.where(position == end - 1, right, 0.0)
    return emissions
