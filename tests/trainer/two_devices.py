"""Trains on two logical CPU devices, as on two GPUs, and on one; prints as JSON how far they are apart.

A program of its own, because TensorFlow's devices are set once for a process.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from readlabel.messages import Attempt, GridPoint, Hyperparameters, Library, TrainingOptions
from readlabel.model.network import Network
from readlabel.reads.parquet import read_library, read_reads
from readlabel.trainer.adam import Adam
from readlabel.trainer.batches import Batch, Batches
from readlabel.trainer.channel import Control
from readlabel.trainer.checkpoint import Checkpoint, CheckpointFolder, Progress
from readlabel.trainer.memory import Footprint
from readlabel.trainer.split import split_by_pairs
from readlabel.trainer.steps import Stepper, StepResult
from readlabel.trainer.training import Listener, Training

OPTIONS = TrainingOptions(seed=5)


class Frozen(Network):
    """A network whose batch norm keeps the moving statistics in training."""

    def emissions(self, *batch: tf.Tensor, **how: object) -> tf.Tensor:
        return super().emissions(*batch, **how, batch_statistics=False)


def gradients_of(
    kind: type[Network],
    point: Hyperparameters,
    library: Library,
    batch: Batch,
    rows: int,
    strategy: tf.distribute.Strategy,
) -> tuple[StepResult, list[np.ndarray]]:
    """What one update adds up when `rows` reads fit at once, and the gradients that it adds up to."""
    with strategy.scope():
        network = kind.build(point, library, OPTIONS)
        adam, footprint = Adam(network.trainable_variables), Footprint.of(point, len(network.labels))
        limit = footprint.bytes(rows, batch.tokens.shape[1])
        stepper = Stepper(network, adam, footprint, limit, on_parts=[].append)
        result = stepper.step(batch, 1, 0.0)
        if not stepper._sums:
            gradients, _, _ = stepper._gradients(
                batch.tokens,
                batch.labels,
                batch.lengths,
                batch.visible,
                np.int64(1 << 16),
                np.float32(batch.reads),
                1.0,
            )
            return result, [gradient.numpy() for gradient in gradients]
        return result, [total.numpy() for total in stepper._sums]


def apart(one: tuple[StepResult, list[np.ndarray]], other: tuple[StepResult, list[np.ndarray]]) -> dict[str, float]:
    """Differences, relative to the largest value; `correct` as a number of bases."""
    (result, gradients), (result_other, gradients_other) = one, other
    pairs = zip(gradients, gradients_other, strict=True)
    largest = max(np.abs(gradient).max() for gradient in gradients)
    return {
        "loss": abs(result.loss / result_other.loss - 1),
        "gradient_norm": abs(result.gradient_norm / result_other.gradient_norm - 1),
        "correct": abs(result.correct - result_other.correct),
        "gradients": max(float(np.abs(one - other).max()) for one, other in pairs) / largest,
    }


def train(folder: Path, point: GridPoint, reads_path: Path, epochs: int, strategy: tf.distribute.Strategy) -> Training:
    """Train from the folder's checkpoint, or from the start, until so many epochs are done."""
    checkpoints = CheckpointFolder(folder, "run")
    hyperparameters = point.hyperparameters.model_copy(update={"epochs": epochs})
    reads = read_reads(reads_path)
    split = split_by_pairs(reads.pair, hyperparameters.train_fraction, point.options.seed)
    start = checkpoints.load()[0] or Checkpoint(Progress(run_id="run", attempts=(Attempt(number=1),)), {})
    listener = Listener(on_epoch=lambda _history: None, on_note=lambda _text: None)
    point = point.model_copy(update={"hyperparameters": hyperparameters})
    with strategy.scope():
        network = Network.build(hyperparameters, point.library, point.options)
        training = Training(network, point, reads, split, checkpoints, start, listener)
        training.run(Control(), checkpoint_seconds=600)
    checkpoints.close()
    return training


def main(reads_path: Path, folder: Path, parameters: str) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    mirrored, alone = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), tf.distribute.get_strategy()
    library, reads = read_library(reads_path), read_reads(reads_path)
    point = Hyperparameters.model_validate_json(parameters)
    quiet = point.model_copy(update={"dropout_rate": 0.0})
    batches = Batches(reads, np.arange(len(reads)), np.full(len(reads), 3), 10, 1)
    batch = next(batches.epoch(1))

    found: dict[str, object] = {
        "frozen, against the whole batch": apart(
            gradients_of(Frozen, quiet, library, batch, 10, mirrored),
            gradients_of(Frozen, quiet, library, batch, 10, alone),
        ),
        "batch norm and dropout, against the same three parts": apart(
            gradients_of(Network, point, library, batch.rows(0, 5), 2, mirrored),
            gradients_of(Network, point, library, batch.rows(0, 5), 2, alone),
        ),
    }
    run = GridPoint(hyperparameters=point, library=library, options=OPTIONS)
    together = train(folder, run, reads_path, 1, mirrored)
    copies = [[copy.numpy() for copy in variable.values] for variable in together._network.trainable_variables]
    found["copies are equal"] = all(np.array_equal(first, second) for first, second in copies)
    resumed = train(folder, run, reads_path, 2, alone)
    found["losses"] = [epoch.internal_validation_loss for epoch in resumed.progress.history]
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
