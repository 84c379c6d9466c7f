"""One run from its order to its outcome: what to train in, a folder of artifacts and a `FinishedEvent` out.

In this order: device, reads, network, checkpoint, training, export, evaluation of the exported files by a process of
its own, and the record of it all. Whatever happens on the way becomes an outcome with a reason; only a run that is
asked to stop has none, because a later worker goes on with it.
"""

from __future__ import annotations

import errno
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import sklearn.preprocessing  # noqa: F401 - the export's, imported while a worker has yet no run that waits for it
import tensorflow as tf

from readlabel.artifacts.atomic import write_text
from readlabel.artifacts.names import ARTIFACTS, RUN
from readlabel.messages import (
    ENGINE_REVISION,
    Attempt,
    EpochEvent,
    EpochMetrics,
    Failure,
    FinishedEvent,
    InputError,
    Library,
    Metrics,
    NoteEvent,
    OutputError,
    RunRecord,
    StartedEvent,
    TrainOrder,
)
from readlabel.model.export import export, obstacles
from readlabel.model.network import Network
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.parquet import read_library, read_reads
from readlabel.trainer.channel import Control, Events
from readlabel.trainer.checkpoint import Checkpoint, CheckpointFolder, Progress
from readlabel.trainer.checkpoint_copy import CheckpointCopy
from readlabel.trainer.evaluator import evaluate_apart
from readlabel.trainer.failures import FolderInUse, Interrupted, RunFailed
from readlabel.trainer.machine import claim_device, peak_memory, strategy_of_devices, versions
from readlabel.trainer.memory import memory_to_plan_with
from readlabel.trainer.records import Records, utc_now
from readlabel.trainer.split import split_by_pairs
from readlabel.trainer.training import Listener, Training


def run_job(order: TrainOrder, events: Events, control: Control) -> None:
    """Train the run that is ordered.

    Args:
        order: what to train, and where its files are.
        events: told of every step on the way, the outcome last.
        control: looked at all the time.
    """
    job = _Job(order, events, control)
    try:
        job.run()
    except Interrupted as interrupted:
        if interrupted.cancelled:
            job.finish("CANCELLED", None)
    except Exception as error:  # whatever it is, the run's record must say it
        job.finish("FAILED", failure_of(error))


def failure_of(error: Exception) -> Failure:
    """The reason that a run's record gives for an exception."""
    match error:
        case RunFailed():
            return error.failure
        case InputError(__cause__=OSError(errno=int(number))) if number != errno.ENOENT:
            # The storage failed, not the reads: the next try may read them.
            return Failure(reason="INTERNAL", message=str(error))
        case InputError():
            return Failure(reason="INVALID_INPUT", message=str(error))
        case OutputError():
            full = _says_disk_full(error.__cause__)
            return Failure(reason="DISK_FULL" if full else "INTERNAL", message=str(error))
        case Exception() if _says_disk_full(error):
            return Failure(reason="DISK_FULL", message=f"no space left on the device: {error}"[:_LONGEST_MESSAGE])
        case MemoryError() | tf.errors.ResourceExhaustedError():
            return Failure(reason="OUT_OF_MEMORY", message=f"out of memory: {error}"[:_LONGEST_MESSAGE])
        case _:
            traceback.print_exception(error, file=sys.stderr)
            return Failure(reason="INTERNAL", message=f"{type(error).__name__}: {error}"[:_LONGEST_MESSAGE])


def _says_disk_full(error: BaseException | None) -> bool:
    if isinstance(error, tf.errors.ResourceExhaustedError):
        # TensorFlow has one word for memory and disk.
        return "no space left on device" in str(error).lower()
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


_FOLDER_PATIENCE_SECONDS = 30
"""A worker whose service is gone needs no longer for its last checkpoint."""

_LONGEST_MESSAGE = 2000
"""TensorFlow's messages can hold a whole graph."""


class _Job:
    """One attempt at one run; `finish` can be called at any point of `run`."""

    def __init__(self, order: TrainOrder, events: Events, control: Control) -> None:
        self._order = order
        self._events = events
        self._control = control
        self._run_dir = Path(order.run_dir)
        self._begun = time.monotonic()
        self._trained_before = 0.0
        self._records: Records | None = None
        self._record = RunRecord(run_id=order.spec.run_id, spec=order.spec, state="RUNNING", versions=versions())
        attempt = Attempt(number=order.attempt, threads=order.threads, start_time=utc_now())
        self._progress = Progress(run_id=order.spec.run_id, attempts=(attempt,))

    def run(self) -> None:
        """Go all the way to success."""
        order, point = self._order, self._order.spec.point
        self._records = Records(self._run_dir)
        if point.engine_revision != ENGINE_REVISION:
            raise RunFailed(
                "ENGINE_CHANGED",
                f"the run asks for engine revision {point.engine_revision}, this is revision {ENGINE_REVISION}",
            )
        self._set_attempt(device=claim_device(order.device, order.threads))
        with self._timed("load_seconds"):
            reads = self._load(point.library)
            split = split_by_pairs(reads.pair, point.hyperparameters.train_fraction, point.options.seed)
            strategy = strategy_of_devices()
            with strategy.scope():
                network = Network.build(point.hyperparameters, point.library, point.options)
        self._keep(trainable_parameters=network.trainable_parameters)
        if not len(split.training):
            self._note("train_fraction 0: an untrained network, as a baseline")
        if strategy.num_replicas_in_sync > 1:
            self._note(
                f"trained on {strategy.num_replicas_in_sync} GPUs: each computes a part of every batch, and batch norm "
                "sees a part at a time"
            )
        folder = self._take_folder()
        start = self._start(folder)
        self._records.restore(start.progress.history)
        listener = Listener(on_epoch=self._on_epoch, on_note=self._tell)
        with strategy.scope():
            training = Training(network, point, reads, split, folder, start, listener)
        attempt = self._progress.attempts[-1]
        self._tell_started(attempt)
        with self._timed("train_seconds"), strategy.scope():
            try:
                training.run(self._control, order.checkpoint_minutes * 60)
            finally:
                self._progress = training.progress
        with self._timed("export_seconds"):
            self._keep(tranquillyzer_loads=export(network, self._run_dir))
        for obstacle in obstacles(network):
            self._note(f"not for tranquillyzer: {obstacle}")
        with self._timed("evaluate_seconds"):
            metrics = self._evaluate()
        self._log(
            f"validation: accuracy {metrics.validation.accuracy:.4f}, macro-F1 {metrics.validation.macro_f1:.4f}, "
            f"exact order {metrics.validation.exact_order:.4f}, under tranquillyzer's padding accuracy "
            f"{metrics.tranquillyzer_padding.accuracy:.4f}"
        )
        self.finish("SUCCEEDED", None)

    def finish(self, state: Literal["SUCCEEDED", "FAILED", "CANCELLED"], failure: Failure | None) -> None:
        """Write the record and tell the outcome."""
        self._set_attempt(end_time=utc_now())
        history = self._progress.history
        self._keep(
            state=state,
            failure=failure,
            attempts=self._progress.attempts,
            timings=self._record.timings.model_copy(
                # Earlier attempts' epochs count as well, in the whole as in the part.
                update={
                    "train_seconds": self._progress.train_seconds,
                    "total_seconds": self._trained_before + time.monotonic() - self._begun,
                }
            ),
            epochs_trained=len(history),
            best_epoch=self._progress.watch.best_epoch or len(history),
            bases_per_second=history[-1].bases_per_second if history else 0,
            peak_memory_bytes=peak_memory(),
        )
        try:
            self._log(f"{state}: {failure.reason}: {failure.message}" if failure else state)
            write_text(self._run_dir / RUN, self._record.model_dump_json(indent=2) + "\n")
        except OutputError as error:
            # There is no success without its record, and whoever waits must hear of it all the same.
            state, failure = "FAILED", failure or failure_of(error)
        if self._records is not None:
            self._records.close()
        made = tuple(item.name for item in ARTIFACTS if (self._run_dir / item.name).exists())
        self._events.send(FinishedEvent(state=state, failure=failure, artifacts=made))

    def _evaluate(self) -> Metrics:
        """Evaluate what was exported. This process still holds its GPU's memory; what is left may be too little."""
        order, validation = self._order, Path(self._order.validation_reads)
        try:
            return evaluate_apart(self._run_dir, validation, order, self._control)
        except RunFailed as failed:
            if order.device == "cpu" or failed.failure.reason == "INVALID_INPUT":
                raise
        self._note("evaluated on the CPU: the GPU had no room for a second process")
        return evaluate_apart(self._run_dir, validation, order.model_copy(update={"device": "cpu"}), self._control)

    def _load(self, library: Library) -> LabelledReads:
        """Read the training reads, and see to it that both files hold the library's labels."""
        order = self._order
        for path in (order.training_reads, order.validation_reads):
            labels = read_library(Path(path)).labels
            if labels != library.labels:
                raise InputError(
                    f"{path}: its labels are {', '.join(labels)}; the library {library.model} of this run has "
                    f"{', '.join(library.labels)}"
                )
        return read_reads(Path(order.training_reads))

    def _take_folder(self) -> CheckpointFolder:
        """The run's checkpoints, as soon as no other worker holds them.

        One whose service was killed writes its last checkpoint while the next service starts this one.

        Raises:
            FolderInUse: it still holds them when the patience is over, so it is there to stay.
        """
        order, run_id = self._order, self._order.spec.run_id
        copy = CheckpointCopy(order.checkpoint_store, run_id) if order.checkpoint_store else None
        until, told = time.monotonic() + _FOLDER_PATIENCE_SECONDS, False
        while True:
            try:
                return CheckpointFolder(Path(order.checkpoint_dir), run_id, copy)
            except FolderInUse:
                if time.monotonic() > until:
                    raise
                if not told:
                    self._tell("waits for another worker of this run to write its last checkpoint")
                    told = True
                self._control.wait(0.2)

    def _start(self, folder: CheckpointFolder) -> Checkpoint:
        """The state to begin with: the checkpoint's, with this attempt after those before, or a fresh one."""
        stored, why_not = folder.load()
        if stored is not None:
            self._set_attempt(number=1 + max(attempt.number for attempt in stored.progress.attempts))
        if why_not:
            self._set_attempt(notes=(*self._progress.attempts[-1].notes, why_not))
            self._tell(why_not)
        limit = memory_to_plan_with(self._order.device)
        if stored is None:
            self._progress = self._progress.model_copy(update={"memory_limit": limit})
            return Checkpoint(self._progress, {})
        self._set_attempt(resumed_from_epoch=len(stored.progress.history))
        changes = {
            "attempts": (*stored.progress.attempts, *self._progress.attempts),
            "memory_limit": min((known for known in (stored.progress.memory_limit, limit) if known), default=0),
        }
        self._progress = stored.progress.model_copy(update=changes)
        self._trained_before = stored.progress.train_seconds
        return Checkpoint(self._progress, stored.arrays)

    def _tell_started(self, attempt: Attempt) -> None:
        step = self._progress.step
        self._log(
            f"attempt {attempt.number} on {attempt.device}, {self._record.trainable_parameters:,} parameters"
            + (f", goes on after step {step} of the run" if step else "")
        )
        self._events.send(
            StartedEvent(device=attempt.device, threads=attempt.threads, resumed_from_epoch=attempt.resumed_from_epoch)
        )
        # Who listens now may not be who listened then, and a worker can die between a checkpoint and its event.
        for metrics in self._progress.history:
            self._events.send(EpochEvent(metrics=metrics))

    def _on_epoch(self, history: tuple[EpochMetrics, ...]) -> None:
        assert self._records is not None
        self._records.epoch(history)
        self._events.send(EpochEvent(metrics=history[-1]))

    def _note(self, text: str) -> None:
        """Note something that a reader of the report should know."""
        self._keep(notes=(*self._record.notes, text))
        self._tell(text)

    def _tell(self, text: str) -> None:
        self._log(text)
        self._events.send(NoteEvent(text=text))

    def _log(self, text: str) -> None:
        if self._records is not None:
            self._records.note(text)

    def _keep(self, **changes: object) -> None:
        self._record = self._record.model_copy(update=changes)

    def _set_attempt(self, **changes: object) -> None:
        *before, last = self._progress.attempts
        attempts = (*before, last.model_copy(update=changes))
        self._progress = self._progress.model_copy(update={"attempts": attempts})

    @contextmanager
    def _timed(self, field: str) -> Iterator[None]:
        begin = time.monotonic()
        try:
            yield
        finally:
            self._keep(timings=self._record.timings.model_copy(update={field: time.monotonic() - begin}))
