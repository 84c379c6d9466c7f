"""What the CRF's recursions share: the padded chain, the compiled scan over time, and the posterior they give.

A row's end is an extra label END. Every real label leads to it once the row's bases are used up (with the right
boundary potential as its transition), it leads to itself, and nothing leads back, so no recursion needs a mask, and
rows of length 0 are END from the start.

Arrays are laid out ``(time, label, batch)``: the batch is innermost, where a compiled loop can use vector instructions.
Time is padded to chunks of `CHUNK` positions, and the compiled part covers one chunk. So XLA compiles once for a batch
size and not once for every read length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import tensorflow as tf

CHUNK = 128
"""Positions that one compiled call covers."""

FORBIDDEN = -1e30
"""Log potential of what cannot be. Finite, so that differences of two such are not NaN."""


class Chain(NamedTuple):
    """Log potentials of a batch of rows, padded; L' is the number of labels plus one for END.

    Attributes:
        emissions: ``(time', L', batch')``, time' = 1 + a multiple of `CHUNK`, at least time + 1.
        transitions: ``(L', L')``, from, to.
        start: ``(L',)``, of a row's first label.
        end: ``(L',)``, 0 for END and `FORBIDDEN` for the others.
    """

    emissions: tf.Tensor
    transitions: tf.Tensor
    start: tf.Tensor
    end: tf.Tensor


class Posterior(NamedTuple):
    """What forward-backward finds about a batch.

    Attributes:
        log_scales: ``(batch, time + 1)``; their sum over time is the log partition function of the chain.
        marginals: ``(batch, time, labels)``, the probability of each label; 0 beyond a row's end.
        pair_counts: ``(batch, labels, labels)``, how often each label is expected to follow each.
    """

    log_scales: tf.Tensor
    marginals: tf.Tensor
    pair_counts: tf.Tensor


class Algebra(Protocol):
    """The arithmetic of one recursion: sums of products of probabilities, or the same of their logarithms."""

    def propagate(self, state: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
        """Sum over the labels of `state` ``(L', batch)``, times ``matrix[from, to]``."""

    def weigh(self, state: tf.Tensor, emission: tf.Tensor) -> tf.Tensor:
        """Multiply by a position's emissions."""

    def normalise(self, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Divide by the sum over labels; also give the logarithm of that sum, ``(1, batch)``."""


class Swept(NamedTuple):
    """One sweep over a chain, ``(time', L', batch')`` each, in the algebra's numbers and at any scale per position.

    Attributes:
        before: weight of all paths up to a position, without its emission.
        forward: the same with its emission, normalised.
        after: weight of all paths after a position.
        log_scales: ``(time', 1, batch')``: logarithms of what `forward` was divided by.
    """

    before: tf.Tensor
    forward: tf.Tensor
    after: tf.Tensor
    log_scales: tf.Tensor


def make_chain(
    emissions: tf.Tensor, lengths: tf.Tensor, transitions: tf.Tensor, left: tf.Tensor, right: tf.Tensor
) -> Chain:
    """Append END, bring time to the front, and pad time and batch.

    Args:
        emissions: ``(batch, time, labels)`` float.
        lengths: ``(batch,)`` int32.
        transitions: ``(labels, labels)``.
        left: ``(labels,)``, of a row's first label.
        right: ``(labels,)``, of a row's last label.
    """
    batch, time, labels = tf.shape(emissions)[0], tf.shape(emissions)[1], emissions.shape[2]
    emissions = tf.transpose(emissions, [1, 2, 0])
    real = tf.sequence_mask(lengths, time)
    real = tf.transpose(real)[:, None, :]
    emissions = tf.concat([tf.where(real, emissions, FORBIDDEN), tf.where(real, FORBIDDEN, 0.0)], 1)
    end = tf.concat([tf.fill([labels], FORBIDDEN), [0.0]], 0)
    padded_batch = _padded_batch(batch)
    more_time = 1 - time + CHUNK * tf.maximum((time + CHUNK - 1) // CHUNK, 1)
    emissions = tf.concat([emissions, tf.tile(end[None, :, None], [more_time, 1, batch])], 0)
    more_rows = tf.tile(end[None, :, None], [tf.shape(emissions)[0], 1, padded_batch - batch])
    return Chain(
        emissions=tf.concat([emissions, more_rows], 2),
        transitions=tf.concat([tf.concat([transitions, right[:, None]], 1), end[None]], 0),
        start=tf.concat([left, [0.0]], 0),
        end=end,
    )


def compiled_sweep(algebra: Algebra) -> Callable[[Chain], Swept]:
    """Compile `algebra`'s forward and backward recursion over one chunk, and return the sweep over all chunks.

    The function returned takes a chain in the algebra's numbers (probabilities, or their logarithms).
    """

    @tf.function(jit_compile=True, reduce_retracing=False)
    def chunk(
        forward: tf.Tensor, backward: tf.Tensor, ahead: tf.Tensor, behind: tf.Tensor, matrix: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        matrix_back = tf.transpose(matrix)
        shape = forward.shape
        reads = [tf.TensorArray(forward.dtype, CHUNK, element_shape=shape).unstack(x) for x in (ahead, behind)]
        writes = [tf.TensorArray(forward.dtype, CHUNK, element_shape=s) for s in (shape, shape, shape, [1, shape[1]])]

        def advance(i: tf.Tensor, forward: tf.Tensor, backward: tf.Tensor, *arrays: tf.TensorArray) -> tuple:
            before = algebra.propagate(forward, matrix)
            forward, log_scale = algebra.normalise(algebra.weigh(before, reads[0].read(i)))
            after = algebra.propagate(backward, matrix_back)
            backward, _ = algebra.normalise(algebra.weigh(after, reads[1].read(CHUNK - 1 - i)))
            values = ((i, before), (i, forward), (CHUNK - 1 - i, after), (i, log_scale))
            return i + 1, forward, backward, *(a.write(j, v) for a, (j, v) in zip(arrays, values, strict=True))

        _, forward, backward, *arrays = tf.while_loop(
            lambda i, *_: i < CHUNK, advance, [0, forward, backward, *writes], maximum_iterations=CHUNK
        )
        return forward, backward, *(array.stack() for array in arrays)

    def sweep(chain: Chain) -> Swept:
        emissions = chain.emissions
        steps = tf.shape(emissions)[0] - 1
        chunks = steps // CHUNK
        start = tf.broadcast_to(chain.start[:, None], tf.shape(emissions)[1:])
        end = tf.broadcast_to(chain.end[:, None], tf.shape(emissions)[1:])
        first, log_scale = algebra.normalise(algebra.weigh(start, emissions[0]))
        last, _ = algebra.normalise(algebra.weigh(end, emissions[-1]))
        arrays = [tf.TensorArray(emissions.dtype, chunks, infer_shape=False) for _ in range(4)]

        def body(k: tf.Tensor, forward: tf.Tensor, backward: tf.Tensor, *arrays: tf.TensorArray) -> tuple:
            back = chunks - 1 - k
            ahead = emissions[1 + k * CHUNK : 1 + (k + 1) * CHUNK]
            behind = emissions[back * CHUNK : (back + 1) * CHUNK]
            forward, backward, *values = chunk(forward, backward, ahead, behind, chain.transitions)
            places = (k, k, back, k)
            return k + 1, forward, backward, *(a.write(j, v) for a, j, v in zip(arrays, places, values, strict=True))

        *_, before, forward, after, scales = tf.while_loop(lambda k, *_: k < chunks, body, [0, first, last, *arrays])
        return Swept(
            before=tf.concat([start[None], before.concat()], 0),
            forward=tf.concat([first[None], forward.concat()], 0),
            after=tf.concat([after.concat(), end[None]], 0),
            log_scales=tf.concat([log_scale[None], scales.concat()], 0),
        )

    return sweep


def _padded_batch(batch: tf.Tensor) -> tf.Tensor:
    """`bucket_batch`, of a tensor."""
    powers = tf.constant([1 << k for k in range(31)])
    return powers[tf.searchsorted(powers, [batch])[0]]
