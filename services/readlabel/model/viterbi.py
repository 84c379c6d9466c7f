"""The most probable label sequence of each row under a linear-chain CRF (Viterbi 1967).

What enters are emissions, lengths, transitions and optional boundary potentials; what leaves are labels, equal to
tensorflow-addons' ``crf_decode``, ties going to the lowest label. Like the likelihood it runs in compiled chunks of
time with an absorbing END label.
"""

from __future__ import annotations

import tensorflow as tf

from readlabel.model.crf_chain import CHUNK, make_chain


def decode(
    emissions: tf.Tensor,
    lengths: tf.Tensor,
    transitions: tf.Tensor,
    left: tf.Tensor | None = None,
    right: tf.Tensor | None = None,
) -> tf.Tensor:
    """Label every base of every row.

    Args:
        emissions: ``(batch, time, labels)`` float32.
        lengths: ``(batch,)`` int32.
        transitions: ``(labels, labels)``, from, to.
        left: ``(labels,)`` score of a row's first label; None is 0.
        right: ``(labels,)`` score of a row's last label; None is 0.

    Returns:
        ``(batch, time)`` uint8; 0 beyond a row's end.
    """
    none = tf.zeros([emissions.shape[-1]])
    emissions = emissions - tf.reduce_max(emissions, -1, keepdims=True)
    chain = make_chain(
        emissions, lengths, transitions, none if left is None else left, none if right is None else right
    )
    batch, time = tf.shape(emissions)[0], tf.shape(emissions)[1]
    positions, width = chain.emissions, chain.transitions.shape[0]
    chunks = (tf.shape(positions)[0] - 1) // CHUNK

    def forward(k: tf.Tensor, best: tf.Tensor, origins: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        best, origin = _advance(best, positions[1 + k * CHUNK : 1 + (k + 1) * CHUNK], chain.transitions)
        return k + 1, best, origins.write(k, origin)

    def backward(k: tf.Tensor, label: tf.Tensor, paths: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        label, path = _follow(label, tf.ensure_shape(origins.read(k), [CHUNK, width, None]))
        return k - 1, label, paths.write(k, path)

    first = chain.start[:, None] + positions[0]
    arrays = tf.TensorArray(tf.uint8, chunks, infer_shape=False, clear_after_read=True)
    _, _, origins = tf.while_loop(lambda k, *_: k < chunks, forward, [0, first, arrays])
    ended = tf.fill([tf.shape(positions)[2]], tf.constant(width - 1, tf.uint8))
    arrays = tf.TensorArray(tf.uint8, chunks, infer_shape=False)
    _, _, paths = tf.while_loop(lambda k, *_: k >= 0, backward, [chunks - 1, ended, arrays])
    labels = tf.transpose(paths.concat()[:time, :batch])
    return tf.where(tf.sequence_mask(lengths, time), labels, tf.constant(0, tf.uint8))


@tf.function(jit_compile=True)
def _advance(best: tf.Tensor, emissions: tf.Tensor, transitions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """One chunk forward: scores of the best path to each label, and the label each of them came from.

    Args:
        best: ``(L', batch)`` at the position before the chunk.
        emissions: ``(CHUNK, L', batch)``.
        transitions: ``(L', L')``.

    Returns:
        The scores at the chunk's last position, and ``(CHUNK, L', batch)`` uint8 origins.
    """
    shape = best.shape
    reads = tf.TensorArray(best.dtype, CHUNK, element_shape=shape).unstack(emissions)
    writes = tf.TensorArray(tf.uint8, CHUNK, element_shape=shape)

    def step(i: tf.Tensor, best: tf.Tensor, origins: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        score = best[0:1] + transitions[0][:, None]
        origin = tf.zeros_like(score, tf.int32)
        for label in range(1, shape[0]):
            rival = best[label : label + 1] + transitions[label][:, None]
            origin = tf.where(rival > score, label, origin)
            score = tf.maximum(score, rival)
        score += reads.read(i)
        score -= tf.reduce_max(score, 0, keepdims=True)
        return i + 1, score, origins.write(i, tf.cast(origin, tf.uint8))

    _, best, origins = tf.while_loop(lambda i, *_: i < CHUNK, step, [0, best, writes], maximum_iterations=CHUNK)
    return best, origins.stack()


@tf.function(jit_compile=True)
def _follow(label: tf.Tensor, origins: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """One chunk backward: from the labels after each of its positions to the labels at them.

    Args:
        label: ``(batch,)`` uint8 at the chunk's last position.
        origins: ``(CHUNK, L', batch)`` uint8, of the chunk's positions.

    Returns:
        The labels at the position before the chunk, and ``(CHUNK, batch)`` labels at the positions before each.
    """
    width = origins.shape[1]
    reads = tf.TensorArray(tf.uint8, CHUNK, element_shape=origins.shape[1:]).unstack(origins)
    writes = tf.TensorArray(tf.uint8, CHUNK, element_shape=label.shape)
    numbers = tf.range(width, dtype=tf.int32)[:, None]

    def step(i: tf.Tensor, label: tf.Tensor, path: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        place = CHUNK - 1 - i
        here = numbers == tf.cast(label, tf.int32)[None]
        label = tf.reduce_sum(tf.where(here, tf.cast(reads.read(place), tf.int32), 0), 0)
        label = tf.cast(label, tf.uint8)
        return i + 1, label, path.write(place, label)

    _, label, path = tf.while_loop(lambda i, *_: i < CHUNK, step, [0, label, writes], maximum_iterations=CHUNK)
    return label, path.stack()
