"""One update of the network from one batch, and the judging of a batch: the compiled part of training.

Enter: a network and batches. Leave: changed weights, and numbers that add up over an epoch. A batch that does not fit
into memory is cut into micro-batches whose gradients are added up before the update, so its effective size stays.

Under the scope of a `tf.distribute.MirroredStrategy` each device holds the weights and computes some of a batch's
micro-batches, the others beside it. The update is that of one device which computes the same micro-batches in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from readlabel.model.network import Network
from readlabel.trainer.adam import Adam
from readlabel.trainer.batches import Batch
from readlabel.trainer.failures import RunFailed
from readlabel.trainer.memory import Footprint

_ROWS = tf.TensorSpec([None], tf.int32)
_GRID = tf.TensorSpec([None, None], tf.uint8)
_BATCH = (_GRID, _GRID, _ROWS, _ROWS)
_FLOAT = tf.TensorSpec([], tf.float32)
_COUNT = tf.TensorSpec([], tf.int64)
_PART = (*_BATCH, _COUNT, _FLOAT)
_MICRO_BATCHES = 1 << 16
"""More than a batch has reads: numbers the noise of micro-batch m of step s as s × this + m."""


@dataclass(frozen=True)
class StepResult:
    """What one update gave.

    Attributes:
        loss: mean over the reads of their loss, and the L2 penalty.
        correct: bases whose most probable label is the true one, dropout on.
        gradient_norm: of all gradients together, before clipping.
    """

    loss: float
    correct: int
    gradient_norm: float

    @property
    def finite(self) -> bool:
        """Whether the update was made of numbers."""
        return bool(np.isfinite(self.loss) and np.isfinite(self.gradient_norm))


class Stepper:
    """Trains a network batch by batch, on the devices of the strategy in whose scope it is made.

    Args:
        network: to train; made in the same scope, and so is `adam`.
        adam: the optimizer of its trainable variables.
        footprint: what a step on this network takes.
        limit: most bytes that a step may take by `footprint`; 0 sets none.
        on_parts: told, in words, when batches begin to be computed in parts, or in smaller ones than before.

    Attributes:
        limit: as given, or lower since memory ran out.
    """

    def __init__(
        self, network: Network, adam: Adam, footprint: Footprint, limit: int, on_parts: Callable[[str], None]
    ) -> None:
        self.limit = limit
        self._network = network
        self._adam = adam
        self._footprint = footprint
        self._on_parts = on_parts
        self._told = False
        self._sums: list[tf.Variable] = []
        self._strategy = tf.distribute.get_strategy()
        self._devices: int = self._strategy.num_replicas_in_sync
        self._update = tf.function(self._update_graph, input_signature=(*_BATCH, _FLOAT, _COUNT), autograph=False)
        self._add = tf.function(self._add_graph, input_signature=(_FLOAT, *_PART * self._devices), autograph=False)
        self._finish = tf.function(self._finish_graph, input_signature=(_FLOAT, _COUNT), autograph=False)

    def step(self, batch: Batch, number: int, rate: float) -> StepResult:
        """Update the network from one batch.

        Args:
            batch: its reads.
            number: of this update, from 1.
            rate: the learning rate.

        Raises:
            RunFailed: OUT_OF_MEMORY when not even a single read fits.
        """
        while True:
            parts = list(self._footprint.parts(batch, self.limit, at_least=self._devices))
            if len(parts) > self._devices and not self._told:
                self._told = True
                self._on_parts(
                    f"step {number}: {batch.reads} reads of up to {batch.tokens.shape[1]} positions do not fit into "
                    f"memory together, so such batches are computed in parts, {len(parts)} here, and their gradients "
                    "added up: the same effective batch, but batch norm sees a part at a time"
                )
            try:
                if len(parts) == self._devices == 1:
                    return self._whole(batch, number, rate)
                return self._parts(parts, number, rate)
            except tf.errors.ResourceExhaustedError as error:
                if parts[0].tokens.shape[0] == 1:
                    raise RunFailed(
                        "OUT_OF_MEMORY", f"a single read of {int(batch.lengths.max())} bases does not fit into memory"
                    ) from error
                self.limit = self._footprint.bytes(*parts[0].tokens.shape) // 2
                self._told = False

    def _whole(self, batch: Batch, number: int, rate: float) -> StepResult:
        loss, correct, norm = self._update(
            batch.tokens, batch.labels, batch.lengths, batch.visible, np.float32(rate), np.int64(number)
        )
        return StepResult(float(loss), int(correct), float(norm))

    def _parts(self, parts: list[Batch], number: int, rate: float) -> StepResult:
        if not self._sums:
            self._sums = [_sum_over_devices(variable) for variable in self._network.trainable_variables]
        for total in self._sums:
            total.assign(tf.zeros_like(total))
        loss, correct, reads = 0.0, 0, sum(part.reads for part in parts)
        for begin in range(0, len(parts), self._devices):
            given: list[object] = []
            for index in range(begin, begin + self._devices):
                # A device that no part is left for computes on rows without a read, of which nothing counts.
                part = parts[index] if index < len(parts) else parts[-1].without_reads()
                noise, share = np.int64(number * _MICRO_BATCHES + index), np.float32(part.reads / reads)
                given += [part.tokens, part.labels, part.lengths, part.visible, noise, share]
            part_loss, part_correct = self._add(np.float32(reads), *given)
            loss, correct = loss + float(part_loss), correct + int(part_correct)
        return StepResult(loss, correct, float(self._finish(np.float32(rate), np.int64(number))))

    def _update_graph(
        self,
        tokens: tf.Tensor,
        labels: tf.Tensor,
        lengths: tf.Tensor,
        visible: tf.Tensor,
        rate: tf.Tensor,
        number: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        reads = tf.cast(tf.math.count_nonzero(lengths), tf.float32)
        noise = number * _MICRO_BATCHES
        gradients, loss, correct = self._gradients(tokens, labels, lengths, visible, noise, reads, tf.constant(1.0))
        norm = tf.linalg.global_norm(gradients)
        self._adam.apply(gradients, rate, tf.cast(number, tf.float32))
        return loss, correct, norm

    def _add_graph(self, reads: tf.Tensor, *parts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Add the gradients of one part a device.

        Args:
            reads: see `_gradients`.
            parts: what `_PART` says, one device after the other.
        """

        def add(*part: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            tokens, labels, lengths, visible, noise, share = part
            gradients, loss, correct = self._gradients(tokens, labels, lengths, visible, noise, reads, share)
            for total, gradient in zip(self._sums, gradients, strict=True):
                total.assign_add(gradient)
            return loss, correct

        def part_of(device: tf.distribute.experimental.ValueContext) -> tuple[tf.Tensor, ...]:
            first = device.replica_id_in_sync_group * len(_PART)
            return parts[first : first + len(_PART)]

        results = self._strategy.run(add, self._strategy.experimental_distribute_values_from_function(part_of))
        return tuple(self._strategy.reduce(tf.distribute.ReduceOp.SUM, result, axis=None) for result in results)

    def _finish_graph(self, rate: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        gradients = [tf.convert_to_tensor(total) for total in self._sums]
        norm = tf.linalg.global_norm(gradients)
        # Each device updates its own copy of the weights, all by the same gradients.
        self._strategy.run(lambda: self._adam.apply(gradients, rate, tf.cast(number, tf.float32)))
        return norm

    def _gradients(
        self,
        tokens: tf.Tensor,
        labels: tf.Tensor,
        lengths: tf.Tensor,
        visible: tf.Tensor,
        noise: tf.Tensor,
        reads: tf.Tensor,
        share: tf.Tensor,
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """Gradients and loss of some of a batch's rows, and how many of their bases are right.

        Args:
            tokens: (rows, time) uint8; labels, lengths and visible likewise as in `Batch`.
            labels: see tokens.
            lengths: see tokens.
            visible: see tokens.
            noise: int64 scalar that decides the dropout masks.
            reads: float32 scalar, reads of the whole batch, over which the loss is a mean.
            share: float32 scalar, share of the batch in these rows, which carry that share of the L2 penalty.
        """
        variables = self._network.trainable_variables
        with tf.GradientTape() as tape:
            emissions = self._network.emissions(tokens, lengths, visible, training=True, step=noise)
            losses = self._network.loss(emissions, labels, lengths)
            loss = tf.reduce_sum(losses) / reads + share * self._network.penalty()
        *gradients, by_emission = tape.gradient(
            loss, [*variables, emissions], unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        # The derivative of a read's loss by an emission is the label's probability there, less 1 for the true label
        # (CRF: Lafferty et al. 2001; softmax alike). So the backward pass has computed the posterior already.
        truth = tf.one_hot(labels, by_emission.shape[-1], dtype=by_emission.dtype)
        most_probable = tf.argmax(by_emission * reads + truth, axis=-1, output_type=tf.int32)
        real = tf.sequence_mask(lengths, tf.shape(tokens)[1])
        correct = tf.math.count_nonzero(tf.equal(most_probable, tf.cast(labels, tf.int32)) & real)
        return [tf.convert_to_tensor(gradient) for gradient in gradients], loss, correct


def _sum_over_devices(variable: tf.Variable) -> tf.Variable:
    """A variable of that shape to which each device adds its own; outside of the devices it reads as their sum."""
    return tf.Variable(
        tf.zeros_like(variable),
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.SUM,
    )


class Judge:
    """Judges batches in inference mode: dropout off, batch norm with its moving statistics.

    Args:
        network: to judge.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._graph = tf.function(self._judge_graph, input_signature=_BATCH, autograph=False)

    def judge(self, batch: Batch) -> tuple[float, int]:
        """Sum of the reads' losses, without the L2 penalty, and the bases that are decoded right."""
        loss, correct = self._graph(batch.tokens, batch.labels, batch.lengths, batch.visible)
        return float(loss), int(correct)

    def _judge_graph(
        self, tokens: tf.Tensor, labels: tf.Tensor, lengths: tf.Tensor, visible: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        emissions = self._network.emissions(tokens, lengths, visible, training=False)
        losses = self._network.loss(emissions, labels, lengths)
        real = tf.sequence_mask(lengths, tf.shape(tokens)[1])
        right = tf.equal(self._network.decode(emissions, lengths), labels) & real
        return tf.reduce_sum(losses), tf.math.count_nonzero(right)
