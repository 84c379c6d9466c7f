"""The most probable label sequence of each row under a linear-chain CRF (Viterbi 1967).

What enters are emissions, lengths, transitions and optional boundary potentials; what leaves are labels, equal to
tensorflow-addons' ``crf_decode``, ties going to the lowest label. Like the likelihood it runs in compiled chunks of
time with an absorbing END label. The forward sweep keeps scores, not the label that each came from: the backward sweep
finds those again where it passes, one label a row instead of all.
"""

from __future__ import annotations

import functools

import tensorflow as tf

from readlabel.model.crf_chain import CHUNK, lay_out, loop_arrays, make_potentials, make_rows


@tf.autograph.experimental.do_not_convert
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
    emissions, lengths = tf.convert_to_tensor(emissions), tf.convert_to_tensor(lengths, tf.int32)
    batch, time, count = tf.shape(emissions)[0], tf.shape(emissions)[1], emissions.shape[2]
    none = tf.zeros([count])
    potentials = make_potentials(
        tf.convert_to_tensor(transitions), none if left is None else left, none if right is None else right
    )
    rows = make_rows(emissions, tf.zeros([batch, time], tf.int32), lengths)
    table = potentials.transitions

    def ahead(k: tf.Tensor, scores: tf.Tensor, kept: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        chunk, _, ends, first = rows.chunk(k)
        scores, earlier = _advance(scores, chunk, ends, first, table, potentials.start)
        return k + 1, scores, kept.write(k, earlier)

    def back(k: tf.Tensor, label: tf.Tensor, paths: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        label, path = _follow(label, tf.ensure_shape(kept.read(k), [CHUNK, count + 1, None]), table)
        return k - 1, label, paths.write(k, path)

    kept = tf.TensorArray(tf.float32, rows.chunks, infer_shape=False)
    scores = tf.zeros([count + 1, tf.shape(rows.lengths)[0]])
    _, scores, kept = tf.while_loop(lambda k, *_: k < rows.chunks, ahead, [0, scores, kept])
    label = tf.argmax(scores + potentials.finish[:, None], 0, output_type=tf.int32)
    # Of float32, which GPUs can keep in a list; labels are few enough to be exact.
    paths = tf.TensorArray(tf.float32, rows.chunks, infer_shape=False)
    _, _, paths = tf.while_loop(lambda k, *_: k >= 0, back, [rows.chunks - 1, label, paths])
    labels = tf.transpose(tf.cast(tf.ensure_shape(paths.concat(), [None, None]), tf.uint8)[:time, :batch])
    return tf.where(tf.sequence_mask(lengths, time), labels, tf.constant(0, tf.uint8))


@tf.function(jit_compile=True, autograph=False)
def _advance(
    scores: tf.Tensor, emissions: tf.Tensor, lengths: tf.Tensor, first: tf.Tensor, table: tf.Tensor, start: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """One chunk forward.

    Args:
        scores: ``(L', rows)``, of the best path to each label at the position before the chunk.
        emissions: ``(CHUNK, labels, rows)``.
        lengths: ``(rows,)``.
        first: the chunk's first position.
        table: ``(L', L')`` transitions.
        start: ``(L',)``, used at position 0.

    Returns:
        The scores at the chunk's last position, and ``(CHUNK, L', rows)`` those before each of its positions.
    """
    reads, kept = loop_arrays(scores, scores)
    reads = reads.unstack(lay_out(emissions, lengths, first))
    columns = tf.split(tf.transpose(table), table.shape[0], 1)

    def step(i: tf.Tensor, scores: tf.Tensor, kept: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        kept = kept.write(i, scores)
        rows = zip(tf.split(scores, table.shape[0]), columns, strict=True)
        best = functools.reduce(tf.maximum, [row + column for row, column in rows])
        best = tf.where(first + i == 0, start[:, None], best) + reads.read(i)
        return i + 1, best - tf.reduce_max(best, 0, keepdims=True), kept

    _, scores, kept = tf.while_loop(lambda i, *_: i < CHUNK, step, [0, scores, kept], maximum_iterations=CHUNK)
    return scores, kept.stack()


@tf.function(jit_compile=True, autograph=False)
def _follow(label: tf.Tensor, kept: tf.Tensor, table: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """One chunk backward.

    Args:
        label: ``(rows,)`` int32, the label at the chunk's last position.
        kept: ``(CHUNK, L', rows)``, scores before each position.
        table: ``(L', L')`` transitions.

    Returns:
        The label at the position before the chunk, and ``(CHUNK, rows)`` float32 the labels at its positions.
    """
    reads = loop_arrays(kept[0])[0].unstack(kept)
    numbers = tf.range(table.shape[0])[:, None]

    def step(i: tf.Tensor, label: tf.Tensor, path: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        place = CHUNK - 1 - i
        path = path.write(place, label)
        scores = reads.read(place) + tf.gather(table, label, axis=1)
        best = tf.reduce_max(scores, 0, keepdims=True)
        label = tf.reduce_min(tf.where(scores == best, numbers, table.shape[0] - 1), 0)
        return i + 1, label, path

    _, label, path = tf.while_loop(
        lambda i, *_: i < CHUNK, step, [0, label, *loop_arrays(label)], maximum_iterations=CHUNK
    )
    return label, tf.cast(path.stack(), tf.float32)
