"""The training loop, in this process: interruptions at any step, batch norm, memory, failures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from readlabel.messages import Attempt, GridPoint, Hyperparameters, Library, TrainingOptions
from readlabel.model.network import Network
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.parquet import read_reads
from readlabel.trainer.adam import Adam
from readlabel.trainer.batches import Batch, Batches
from readlabel.trainer.channel import Control, Request
from readlabel.trainer.checkpoint import Checkpoint, CheckpointFolder, Progress
from readlabel.trainer.failures import Interrupted, RunFailed
from readlabel.trainer.memory import Footprint
from readlabel.trainer.split import split_by_pairs
from readlabel.trainer.steps import Judge, Stepper
from readlabel.trainer.training import Listener, Training


class StopAt(Control):
    """Asks the run to stop when it looks for the n-th time."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def check(self) -> None:
        self._looks -= 1
        if self._looks == 0:
            self.ask(Request.STOP)
        super().check()


class Run:
    """A training that can be gone on with from one checkpoint folder, as a later worker would."""

    def __init__(self, folder: Path, hyperparameters: Hyperparameters, library: Library, reads: LabelledReads) -> None:
        self.point = GridPoint(hyperparameters=hyperparameters, library=library, options=TrainingOptions(seed=3))
        self.reads = reads
        self.folder = folder
        self.notes: list[str] = []
        self.training: Training
        self.network: Network

    def go(self, control: Control | None = None) -> Progress:
        point, hyperparameters = self.point, self.point.hyperparameters
        folder = CheckpointFolder(self.folder, "run")
        try:
            self.network = Network.build(hyperparameters, point.library, point.options)
            split = split_by_pairs(self.reads.pair, hyperparameters.train_fraction, point.options.seed)
            start = folder.load()[0] or Checkpoint(Progress(run_id="run", attempts=(Attempt(number=1),)), {})
            listener = Listener(on_epoch=lambda _history: None, on_note=self.notes.append)
            self.training = Training(self.network, point, self.reads, split, folder, start, listener)
            self.training.run(control or Control(), checkpoint_seconds=600)
            return self.training.progress
        finally:
            folder.close()

    def weights(self) -> dict[str, bytes]:
        return {name: variable.numpy().tobytes() for name, variable in self.network.weights.items()}


MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path, tiny: Hyperparameters, library: Library, reads: LabelledReads) -> MakeRun:
    count = iter(range(100))

    def make(**changes: object) -> Run:
        return Run(tmp_path / str(next(count)), tiny.model_copy(update=changes), library, reads)

    return make


def test_a_run_interrupted_anywhere_ends_with_the_weights_of_one_that_is_not(make_run: MakeRun) -> None:
    straight = make_run()
    finished = straight.go()
    assert finished.step == 16
    # An epoch looks 8 times between steps, 16 times in calibration, 3 times in validation.
    for looks, step, epochs in ((4, 3, 0), (20, 8, 0), (26, 8, 0), (28, 8, 1), (33, 13, 1)):
        broken = make_run()
        with pytest.raises(Interrupted):
            broken.go(StopAt(looks))
        left = broken.training.progress
        assert (left.step, len(left.history)) == (step, epochs)
        resumed = broken.go()
        assert broken.weights() == straight.weights()
        assert resumed.watch == finished.watch
        for one, other in zip(resumed.history, finished.history, strict=True):
            assert one.model_dump(include=_NUMBERS) == other.model_dump(include=_NUMBERS)


_NUMBERS = {"loss", "accuracy", "internal_validation_loss", "internal_validation_accuracy", "gradient_norm"}


def test_the_weights_kept_are_those_of_the_best_epoch(make_run: MakeRun) -> None:
    # A rate so high that things get better and worse by turns; which one does is luck.
    for rate in (0.6, 3.0, 15.0):
        run = make_run(learning_rate=rate, epochs=4, lr_schedule="constant", crf_layer=False)
        progress = run.go()
        losses = [epoch.internal_validation_loss for epoch in progress.history]
        best = int(np.argmin(losses)) + 1
        if best < len(losses):
            break
    assert best < len(losses), "the test needs a run that gets worse"
    assert progress.watch.best_epoch == best
    judge = Judge(run.network)
    split = split_by_pairs(run.reads.pair, 0.75, 3)
    batches = Batches(run.reads, split.internal_validation, np.zeros(40, np.int64), 4, 3)
    loss = sum(judge.judge(batch)[0] for batch in batches.in_order()) / len(split.internal_validation)
    assert loss + float(run.network.penalty()) == pytest.approx(losses[best - 1], rel=1e-6)


def test_train_fraction_one_trains_every_epoch_on_everything(make_run: MakeRun) -> None:
    run = make_run(train_fraction=1.0, epochs=3, learning_rate=0.5)
    progress = run.go()
    assert [epoch.internal_validation_loss for epoch in progress.history] == [None] * 3
    assert [epoch.learning_rate for epoch in progress.history] == [0.5] * 3
    assert progress.step == 30
    # Whatever the shapes, one graph serves every epoch.
    assert run.training._stepper._update.experimental_get_tracing_count() == 1


def test_a_read_of_a_hundred_thousand_bases_is_trained_on(tiny: Hyperparameters, library: Library) -> None:
    random = np.random.default_rng(0)
    grid = random.integers(1, 5, (1, 100_000)).astype(np.uint8)
    length = np.array([100_000], np.int32)
    network = Network.build(tiny, library, TrainingOptions(seed=5))
    stepper = _stepper(network)
    losses = [stepper.step(Batch(grid, grid - 1, length, length), number, 0.01).loss for number in (1, 2)]
    assert losses[1] < losses[0]


def test_train_fraction_one_half_trains_on_half_of_the_pairs_and_watches_the_rest(make_run: MakeRun) -> None:
    run = make_run(train_fraction=0.5, epochs=2, lr_schedule="constant", batch_size=2)
    progress = run.go()
    pairs = len(set(run.reads.pair.tolist()))
    half = 2 * (pairs // 2)  # a pair is two reads
    assert progress.step == 2 * -(-half // 2)
    assert [epoch.epoch for epoch in progress.history] == [1, 2]
    assert all(epoch.internal_validation_accuracy is not None for epoch in progress.history)


def test_train_fraction_zero_leaves_the_network_untrained_but_calibrated(make_run: MakeRun) -> None:
    run = make_run(train_fraction=0.0)
    assert run.go().step == 0
    fresh = Network.build(run.point.hyperparameters, run.point.library, run.point.options)
    for ours, start in zip(run.network.trainable_variables, fresh.trainable_variables, strict=True):
        assert np.array_equal(ours.numpy(), start.numpy())
    assert not np.allclose(run.network.moving_statistics[0].numpy(), 0)


def test_inference_mode_agrees_with_training_mode_on_held_out_reads_after_a_short_training(
    make_run: MakeRun, read_files: tuple[Path, Path]
) -> None:
    run = make_run(train_fraction=1.0, dropout_rate=0.0, epochs=5)
    assert run.go().step == 50
    held_out = read_reads(read_files[0])
    count = len(held_out)
    batch = next(Batches(held_out, np.arange(count), np.zeros(count, np.int64), count, 1).in_order())
    right = []
    for own_statistics in (True, False):
        emissions = run.network.emissions(
            batch.tokens, batch.lengths, batch.visible, training=False, batch_statistics=own_statistics
        )
        decoded = run.network.decode(emissions, tf.constant(batch.lengths)).numpy()
        real = np.arange(decoded.shape[1]) < batch.lengths[:, None]
        right.append(np.mean((decoded == batch.labels)[real]))
    assert right[1] > 0.7
    assert abs(right[0] - right[1]) < 0.005


class Frozen(Network):
    """A network whose batch norm keeps the moving statistics in training."""

    def emissions(self, *batch: tf.Tensor, **how: object) -> tf.Tensor:
        return super().emissions(*batch, **how, batch_statistics=False)


@pytest.fixture
def frozen(tiny: Hyperparameters, library: Library, reads: LabelledReads) -> tuple[Network, Batch]:
    """A network whose rows know nothing of each other, and a batch whose last row is empty."""
    point = tiny.model_copy(update={"dropout_rate": 0.0})
    batch = Batches(reads, np.arange(8), np.full(40, 7), 8, 1).pack(np.arange(7))
    return Frozen.build(point, library, TrainingOptions(seed=5)), batch


def _stepper(network: Network, limit: int = 0, told: list[str] | None = None) -> Stepper:
    adam, footprint = Adam(network.trainable_variables), Footprint.of(network.hyperparameters, len(network.labels))
    return Stepper(network, adam, footprint, limit, on_parts=[].append if told is None else told.append)


def test_micro_batches_give_the_update_of_the_whole_batch(frozen: tuple[Network, Batch]) -> None:
    network, batch = frozen
    start = [variable.numpy() for variable in network.trainable_variables]
    whole = Footprint.of(network.hyperparameters, len(network.labels)).bytes(*batch.tokens.shape)
    ends, results, told = [], [], []
    for limit in (whole, whole - 1):
        for variable, value in zip(network.trainable_variables, start, strict=True):
            variable.assign(value)
        stepper = _stepper(network, limit, told)
        results.append([stepper.step(batch, number, 1e-3) for number in (1, 2, 3)])
        ends.append([variable.numpy() for variable in network.trainable_variables])
    assert len(told) == 1
    assert "in parts, 2 here" in told[0]
    for once, parts in zip(*results, strict=True):
        assert parts.loss == pytest.approx(once.loss, rel=1e-5)
        assert parts.gradient_norm == pytest.approx(once.gradient_norm, rel=1e-4)
        assert parts.correct == once.correct
    for begin, once, parts in zip(start, *ends, strict=True):
        # Adam's steps have the size of the learning rate; what the order of summation moves is a small part of one.
        np.testing.assert_allclose(parts, once, atol=1e-4)
        assert not np.array_equal(begin, once)


class Cramped(Network):
    """A network on a machine that has memory for `MOST` rows at once: more make TensorFlow ask for what nobody has."""

    MOST = 8

    def emissions(self, tokens: tf.Tensor, *rest: tf.Tensor, **options: object) -> tf.Tensor:
        scores = super().emissions(tokens, *rest, **options)
        rows = tf.shape(tokens, tf.int64)[0]
        greed = tf.where(rows > self.MOST, tf.constant(1 << 50, tf.int64), 0)
        return scores + tf.minimum(tf.reduce_sum(tf.random.stateless_uniform([greed], [1, 2])), 0.0)


def test_when_memory_runs_out_batches_are_halved_until_they_fit(
    tiny: Hyperparameters, library: Library, reads: LabelledReads, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = Batches(reads, np.arange(40), np.full(40, 3), 20, 1)
    network = Cramped.build(tiny, library, TrainingOptions())
    told: list[str] = []
    stepper = _stepper(network, told=told)
    results = [stepper.step(batch, number, 1e-2) for number, batch in enumerate(batches.epoch(1), start=1)]
    assert all(result.finite for result in results)
    assert [text.split("in parts, ")[1].split(" here")[0] for text in told] == ["2", "4"]
    monkeypatch.setattr(Cramped, "MOST", 0)
    cramped = _stepper(Cramped.build(tiny, library, TrainingOptions()))
    with pytest.raises(RunFailed, match="a single read of") as caught:
        cramped.step(next(batches.epoch(1)), 1, 1e-2)
    assert caught.value.failure.reason == "OUT_OF_MEMORY"


def test_posterior_accuracy_is_that_of_the_most_probable_labels(frozen: tuple[Network, Batch]) -> None:
    network, batch = frozen
    real = np.arange(batch.tokens.shape[1]) < batch.lengths[:, None]
    with tf.GradientTape() as tape:
        emissions = network.emissions(batch.tokens, batch.lengths, batch.visible, training=True, step=1)
        tape.watch(emissions)
        loss = tf.reduce_sum(network.loss(emissions, batch.labels, batch.lengths))
    slope = tape.gradient(loss, emissions).numpy()
    probability = slope + np.eye(slope.shape[2])[batch.labels]
    np.testing.assert_allclose(probability[real].sum(-1), 1, atol=1e-4)
    assert _stepper(network).step(batch, 1, 0.0).correct == int((probability.argmax(-1) == batch.labels)[real].sum())


def test_numbers_that_are_none_end_the_run_and_leave_the_checkpoint(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(epochs=2)
    with pytest.raises(Interrupted):
        run.go(StopAt(28))
    shutil.copytree(run.folder, tmp_path / "good")
    split = split_by_pairs(run.reads.pair, 0.75, 3)
    folder = CheckpointFolder(run.folder, "run")
    stored, _ = folder.load()
    assert stored is not None
    spoiled = {name: np.full_like(array, np.nan) for name, array in stored.arrays.items() if "dense" in name}
    network = Network.build(run.point.hyperparameters, run.point.library, run.point.options)
    start = Checkpoint(stored.progress, {**stored.arrays, **spoiled})
    listener = Listener(on_epoch=lambda _history: None, on_note=run.notes.append)
    training = Training(network, run.point, run.reads, split, folder, start, listener)
    with pytest.raises(RunFailed, match=r"step 9 \(epoch 2\) gave loss nan") as caught:
        training.run(Control(), checkpoint_seconds=0)
    assert caught.value.failure.reason == "NUMERICS"
    assert '"learning_rate":0.01' in caught.value.failure.message
    assert (run.folder / "last.npz").read_bytes() == (tmp_path / "good" / "last.npz").read_bytes()
    folder.close()
