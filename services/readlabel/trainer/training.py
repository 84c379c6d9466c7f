"""The training loop: a network and its reads in, trained weights and their history out.

An epoch is: an update from each batch, batch-norm statistics of the network as it then is, judgement of the internal
validation reads with these, checkpoint. All that the next step depends on is in the checkpoint, so a run that is
interrupted anywhere and goes on gives the weights of a run that is not.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from readlabel.messages import EpochMetrics, GridPoint
from readlabel.model.network import Batch as NetworkBatch
from readlabel.model.network import Network
from readlabel.reads.labelled import LabelledReads
from readlabel.trainer.adam import Adam
from readlabel.trainer.batches import Batch, Batches
from readlabel.trainer.channel import Control
from readlabel.trainer.checkpoint import Arrays, Checkpoint, CheckpointFolder, EpochSums
from readlabel.trainer.failures import Interrupted, RunFailed
from readlabel.trainer.machine import peak_memory
from readlabel.trainer.memory import Footprint
from readlabel.trainer.schedule import after_epoch, learning_rate
from readlabel.trainer.split import Split
from readlabel.trainer.steps import Judge, Stepper
from readlabel.trainer.tails import visible_tails

CALIBRATION_BATCHES = 24
"""Training batches that batch-norm statistics are computed from: some hundred thousand bases, a second's work."""
_CALIBRATION_EPOCH = 0
"""No epoch of training has this number, so every epoch is calibrated on the same reads, chosen by the seed."""


@dataclass(frozen=True)
class Listener:
    """Who hears of a training.

    Attributes:
        on_epoch: called with the history after each epoch, when it is checkpointed.
        on_note: called with a sentence that a reader of the run should know.
    """

    on_epoch: Callable[[tuple[EpochMetrics, ...]], None]
    on_note: Callable[[str], None]


class Training:
    """One run's training, from its start or from its checkpoint.

    Args:
        network: freshly built.
        point: what to train.
        reads: the training reads.
        split: which of them are trained on.
        folder: where checkpoints go.
        start: where to begin: a fresh `Progress` without arrays, or a checkpoint.
        listener: who hears of it.

    Attributes:
        progress: where the run stands.
    """

    def __init__(
        self,
        network: Network,
        point: GridPoint,
        reads: LabelledReads,
        split: Split,
        folder: CheckpointFolder,
        start: Checkpoint,
        listener: Listener,
    ) -> None:
        self.progress = start.progress
        self._network = network
        self._hyperparameters = point.hyperparameters
        self._folder = folder
        self._listener = listener
        tails = visible_tails(reads.read_ids, point.options.seed)

        def batches(members: NDArray[np.int64], tails: NDArray[np.int64]) -> Batches:
            return Batches(reads, members, tails, point.hyperparameters.batch_size, point.options.seed)

        self._batches = batches(split.training, tails)
        # The untrained baseline has no training reads; its statistics come from those it is judged on.
        self._calibration = self._batches if len(self._batches) else batches(split.internal_validation, tails)
        self._validation = batches(split.internal_validation, np.zeros_like(tails))
        self._adam = Adam(network.trainable_variables)
        if start.arrays:
            _assign({**self._weights(), **self._moments()}, start.arrays)
        self._judge = Judge(network)
        self._footprint = Footprint.of(point.hyperparameters, len(network.labels))
        self._stepper = Stepper(network, self._adam, self._footprint, self.progress.memory_limit, self._note)

    @property
    def total_steps(self) -> int:
        """Updates that the run makes when nothing stops it."""
        return len(self._batches) * self._hyperparameters.epochs

    def run(self, control: Control, checkpoint_seconds: float) -> None:
        """Train to the end; leaves the weights to export in the network.

        Args:
            control: looked at between steps.
            checkpoint_seconds: time between checkpoints within an epoch.

        Raises:
            Interrupted: somebody asked for it; the state is checkpointed.
            RunFailed: NUMERICS or OUT_OF_MEMORY; the last checkpoint stays as it was.
        """
        try:
            if not len(self._batches):
                self._calibrate(control)
                return
            while self.progress.step < self.total_steps or self.progress.sums.steps:
                if self.progress.watch.stopped:
                    break
                self._train_epoch(control, checkpoint_seconds)
                self._end_epoch(control)
        except Interrupted:
            self._save()
            raise
        best = self.progress.watch.best_epoch
        if best and best != len(self.progress.history):
            _assign(self._weights(), self._folder.load_best(best))

    def _train_epoch(self, control: Control, checkpoint_seconds: float) -> None:
        epoch = len(self.progress.history) + 1
        saved = time.monotonic()
        for batch in self._batches.epoch(epoch, start=self.progress.sums.steps):
            control.check()
            self._train_batch(batch)
            if time.monotonic() - saved >= checkpoint_seconds:
                self._save()
                saved = time.monotonic()

    def _train_batch(self, batch: Batch) -> None:
        begin = time.monotonic()
        number = self.progress.step + 1
        rate = learning_rate(self._hyperparameters, self.progress.watch, self.progress.step, self.total_steps)
        result = self._stepper.step(batch, number, rate)
        if not result.finite:
            raise RunFailed(
                "NUMERICS",
                f"step {number} (epoch {len(self.progress.history) + 1}) gave loss {result.loss:g} and gradient norm "
                f"{result.gradient_norm:g} at learning rate {rate:g}: try a lower learning_rate, or a warm-up "
                f"(lr_schedule warmup_cosine, warmup_steps); parameters: {self._hyperparameters.canonical_json()}",
            )
        sums, seconds = self.progress.sums, time.monotonic() - begin
        self.progress = self.progress.model_copy(
            update={
                "step": number,
                "memory_limit": self._stepper.limit,
                "train_seconds": self.progress.train_seconds + seconds,
                "sums": EpochSums(
                    steps=sums.steps + 1,
                    reads=sums.reads + batch.reads,
                    bases=sums.bases + batch.bases,
                    correct=sums.correct + result.correct,
                    loss=sums.loss + result.loss * batch.reads,
                    gradient_norm=sums.gradient_norm + result.gradient_norm,
                    learning_rate=rate,
                    seconds=sums.seconds + seconds,
                ),
            }
        )

    def _end_epoch(self, control: Control) -> None:
        begin = time.monotonic()
        self._calibrate(control)
        loss, accuracy = self._validate(control)
        seconds = time.monotonic() - begin
        sums, epoch = self.progress.sums, len(self.progress.history) + 1
        metrics = EpochMetrics(
            epoch=epoch,
            epochs=self._hyperparameters.epochs,
            loss=sums.loss / sums.reads,
            accuracy=sums.correct / sums.bases,
            internal_validation_loss=loss,
            internal_validation_accuracy=accuracy,
            learning_rate=sums.learning_rate,
            gradient_norm=sums.gradient_norm / sums.steps,
            bases_per_second=sums.bases / sums.seconds,
            memory_bytes=peak_memory(),
            seconds=sums.seconds + seconds,
        )
        watch = self.progress.watch
        if loss is not None and accuracy is not None:
            watch = after_epoch(self._hyperparameters, watch, epoch, loss, accuracy)
        self.progress = self.progress.model_copy(
            update={
                "sums": EpochSums(),
                "watch": watch,
                "history": (*self.progress.history, metrics),
                "train_seconds": self.progress.train_seconds + seconds,
            }
        )
        if watch.best_epoch == epoch:
            self._folder.save_best(epoch, _arrays(self._weights()))
        self._save()
        self._listener.on_epoch(self.progress.history)

    def _calibrate(self, control: Control) -> None:
        """Give batch norm the statistics of real training reads, so that inference mode works at any moment."""

        def batches() -> Iterator[NetworkBatch]:
            for batch in itertools.islice(self._calibration.epoch(_CALIBRATION_EPOCH), CALIBRATION_BATCHES):
                control.check()
                for part in self._footprint.parts(batch, self._stepper.limit):
                    yield NetworkBatch(part.tokens, part.lengths, part.visible)

        self._network.recalibrate(batches)

    def _validate(self, control: Control) -> tuple[float | None, float | None]:
        """Loss (L2 penalty included) and accuracy of the internal validation; None and None when there is none."""
        loss, correct, reads, bases = 0.0, 0, 0, 0
        for batch in self._validation.in_order():
            control.check()
            for part in self._footprint.parts(batch, self._stepper.limit):
                part_loss, part_correct = self._judge.judge(part)
                loss, correct = loss + part_loss, correct + part_correct
                reads, bases = reads + part.reads, bases + part.bases
        if not reads:
            return None, None
        mean = loss / reads + float(self._network.penalty())
        if not math.isfinite(mean):
            raise RunFailed(
                "NUMERICS",
                f"the internal validation loss after step {self.progress.step} is {mean:g}; "
                f"parameters: {self._hyperparameters.canonical_json()}",
            )
        return mean, correct / bases

    def _note(self, text: str) -> None:
        """Tell something, and keep it with this attempt."""
        *before, attempt = self.progress.attempts
        attempt = attempt.model_copy(update={"notes": (*attempt.notes, text)})
        self.progress = self.progress.model_copy(update={"attempts": (*before, attempt)})
        self._listener.on_note(text)

    def _save(self) -> None:
        self._folder.save(Checkpoint(self.progress, _arrays({**self._weights(), **self._moments()})))

    def _weights(self) -> dict[str, tf.Variable]:
        return {f"weight/{name}": variable for name, variable in self._network.weights.items()}

    def _moments(self) -> dict[str, tf.Variable]:
        return {f"moment/{number}": variable for number, variable in enumerate(self._adam.moments)}


def _arrays(variables: Mapping[str, tf.Variable]) -> Arrays:
    return {name: variable.numpy() for name, variable in variables.items()}


def _assign(variables: Mapping[str, tf.Variable], arrays: Arrays) -> None:
    for name, variable in variables.items():
        variable.assign(arrays[name])
