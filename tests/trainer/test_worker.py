"""Real worker processes: the protocol, the artifacts of a run, and every way to end one."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import psutil
import pytest
import tensorflow as tf

from readlabel.artifacts import names
from readlabel.evaluation import score
from readlabel.messages import (
    CancelOrder,
    EpochEvent,
    FinishedEvent,
    Message,
    Metrics,
    NoteEvent,
    ReadyEvent,
    RunRecord,
    StartedEvent,
    StopOrder,
    TrainOrder,
)
from readlabel.reads.parquet import read_reads
from readlabel.reads.predictions import read_predictions
from readlabel.trainer.checkpoint import CheckpointFolder
from readlabel.trainer.records import HISTORY_COLUMNS

MakeOrder = Callable[..., TrainOrder]
StartWorker = Callable[..., Any]
STEADY = {"epochs": 4, "lr_schedule": "constant"}
"""Four epochs that nothing ends early."""


@dataclass(frozen=True)
class Finished:
    """A run that nothing interrupted."""

    run_dir: Path
    events: list[Message]
    outcome: FinishedEvent


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, make_order: MakeOrder, worker_class: Callable[..., Any]
) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    worker = worker_class()
    try:
        events, outcome = worker.train(make_order(folder, **STEADY))
    finally:
        worker.end()
    return Finished(folder / "run", events, outcome)


def _arrays(run_dir: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with h5py.File(run_dir / names.WEIGHTS) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None
        )
    return found


def _record(run_dir: Path) -> RunRecord:
    return RunRecord.model_validate_json((run_dir / names.RUN).read_bytes())


def test_a_run_is_started_told_epoch_by_epoch_and_finished_with_every_artifact(finished: Finished) -> None:
    assert [type(event) for event in finished.events] == [StartedEvent] + [EpochEvent] * 4
    assert [event.metrics.epoch for event in finished.events if isinstance(event, EpochEvent)] == [1, 2, 3, 4]
    assert finished.outcome.state == "SUCCEEDED"
    assert set(finished.outcome.artifacts) == {artifact.name for artifact in names.ARTIFACTS}
    assert set(finished.outcome.artifacts) == {path.name for path in finished.run_dir.iterdir()}


def test_the_metrics_are_those_of_the_predictions_that_were_written(
    finished: Finished, read_files: tuple[Path, Path]
) -> None:
    metrics = Metrics.model_validate_json((finished.run_dir / names.METRICS).read_bytes())
    predictions, labels = read_predictions(finished.run_dir / names.PREDICTIONS)
    truth = read_reads(read_files[1])
    assert labels == truth.label_names
    assert predictions.read_ids.tolist() == truth.read_ids.tolist()
    assert metrics.validation == score(labels, truth.offsets, truth.labels, predictions.labels)
    padded = score(labels, truth.offsets, truth.labels, predictions.tranquillyzer_labels)
    assert metrics.tranquillyzer_padding == padded
    assert metrics.validation.accuracy > 0.6


def test_history_tensorboard_and_log_tell_the_epochs_that_the_events_told(finished: Finished) -> None:
    told = [event.metrics for event in finished.events if isinstance(event, EpochEvent)]
    with (finished.run_dir / names.HISTORY).open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert list(rows[0])[:5] == ["loss", "accuracy", "val_loss", "val_accuracy", "lr"]
    assert [float(row["val_loss"]) for row in rows] == [epoch.internal_validation_loss for epoch in told]
    assert [float(row["lr"]) for row in rows] == [epoch.learning_rate for epoch in told]
    board = {}
    for event in tf.compat.v1.train.summary_iterator(str(finished.run_dir / names.TENSORBOARD)):
        board |= {(event.step, value.tag): value.simple_value for value in event.summary.value}
    assert [board[epoch.epoch, "accuracy"] for epoch in told] == pytest.approx([epoch.accuracy for epoch in told])
    log = (finished.run_dir / names.LOG).read_text().splitlines()
    assert sum(" epoch " in line for line in log) == 4
    assert log[-1].endswith("SUCCEEDED")


def test_the_record_says_what_was_trained_with_what_and_how_long_it_took(finished: Finished) -> None:
    record = _record(finished.run_dir)
    assert record.state == "SUCCEEDED"
    assert record.run_id == record.spec.run_id
    assert record.epochs_trained == 4
    assert 1 <= record.best_epoch <= 4
    assert record.tranquillyzer_loads
    assert record.versions["tensorflow"] == tf.__version__
    [attempt] = record.attempts
    assert (attempt.number, attempt.device, attempt.threads) == (1, "cpu", 1)
    assert attempt.start_time <= attempt.end_time
    parts = record.timings.model_dump(exclude={"total_seconds"})
    assert all(seconds > 0 for seconds in parts.values())
    assert sum(parts.values()) <= record.timings.total_seconds
    assert 2**20 < record.peak_memory_bytes < 2**33
    assert record.trainable_parameters > 0


def test_stopped_orphaned_and_terminated_it_still_ends_bit_for_bit_like_another_process(
    finished: Finished, tmp_path: Path, make_order: MakeOrder, start_worker: StartWorker
) -> None:
    endings: list[tuple[Callable[[Any], object], int]] = [
        (lambda worker: worker.send(StopOrder()), 0),
        (lambda worker: worker.hang_up(), 0),
        (lambda worker: worker.process.send_signal(signal.SIGTERM), 143),
    ]
    for attempt, (end, status) in enumerate(endings, start=1):
        worker = start_worker()
        worker.until(ReadyEvent)
        worker.send(make_order(tmp_path, attempt=attempt, **STEADY))
        before, told = worker.until(EpochEvent)
        assert any(isinstance(event, StartedEvent) for event in before)
        while told.metrics.epoch < attempt:  # those of its checkpoint are told again
            _, told = worker.until(EpochEvent)
        end(worker)
        assert worker.wait() == status, worker.errors
        assert not any(isinstance(event, FinishedEvent) for event in worker.rest())
        assert not (tmp_path / "run" / names.RUN).exists()
    events, outcome = start_worker().train(make_order(tmp_path, attempt=4, **STEADY))
    assert isinstance(events[0], StartedEvent)
    assert events[0].resumed_from_epoch == 3
    assert outcome.state == "SUCCEEDED"
    assert _arrays(tmp_path / "run") == _arrays(finished.run_dir)
    record = _record(tmp_path / "run")
    assert [attempt.number for attempt in record.attempts] == [1, 2, 3, 4]
    assert [attempt.resumed_from_epoch for attempt in record.attempts] == [0, 1, 2, 3]
    assert sum(record.timings.model_dump(exclude={"total_seconds"}).values()) <= record.timings.total_seconds
    resumed, straight = ((run / names.HISTORY).read_text().splitlines() for run in (tmp_path / "run", finished.run_dir))
    assert [row.split("\t")[:6] for row in resumed] == [row.split("\t")[:6] for row in straight]


def test_a_run_is_read_while_it_trains_and_once_cancelled_keeps_its_checkpoint(
    tmp_path: Path, make_order: MakeOrder, start_worker: StartWorker
) -> None:
    worker = start_worker()
    worker.until(ReadyEvent)
    order = make_order(tmp_path, epochs=1000, lr_schedule="constant")
    reads = tmp_path / "train.parquet"
    reads.write_bytes(Path(order.training_reads).read_bytes())
    worker.send(order.model_copy(update={"training_reads": str(reads)}))
    _, first = worker.until(EpochEvent)
    reads.unlink()  # the reads are in memory; later epochs need no file
    worker.until(EpochEvent)
    told = first.metrics
    assert told.gradient_norm > 0
    assert told.bases_per_second > 0
    assert told.memory_bytes > 2**20
    with (tmp_path / "run" / names.HISTORY).open(newline="") as handle:
        row = next(csv.DictReader(handle, delimiter="\t"))
    assert [float(row[column]) for column, _ in HISTORY_COLUMNS] == [getattr(told, name) for _, name in HISTORY_COLUMNS]
    board = tf.compat.v1.train.summary_iterator(str(tmp_path / "run" / names.TENSORBOARD))
    tags = next({value.tag for value in event.summary.value} for event in board if event.step == 1)
    assert tags == {column for column, _ in HISTORY_COLUMNS}
    assert " epoch 1/1000: loss " in (tmp_path / "run" / names.LOG).read_text()
    worker.send(CancelOrder())
    _, outcome = worker.until(FinishedEvent)
    assert outcome.state == "CANCELLED"
    assert worker.wait() == 0
    assert _record(tmp_path / "run").state == "CANCELLED"
    assert (tmp_path / "checkpoints" / "last.npz").exists()


def test_a_killed_worker_leaves_no_evaluation_behind(
    tmp_path: Path, make_order: MakeOrder, start_worker: StartWorker
) -> None:
    worker = start_worker()
    worker.until(ReadyEvent)
    worker.send(make_order(tmp_path, epochs=1))
    worker.until(EpochEvent)
    parent, deadline = psutil.Process(worker.process.pid), time.monotonic() + 60
    while not (children := parent.children(recursive=True)):
        assert time.monotonic() < deadline, "no evaluation was started"
    worker.process.kill()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive


@pytest.mark.parametrize(
    ("changes", "reason", "message"),
    [
        ({"train_fraction": 0.001}, "INVALID_PARAMETERS", "leaves none to train on"),
        ({"cut": True}, "INVALID_INPUT", "train.parquet"),
        ({"locked": True}, "INTERNAL", "another worker is training this run"),
    ],
)
def test_a_run_that_cannot_be_trained_fails_with_its_reason_in_its_record(
    tmp_path: Path,
    make_order: MakeOrder,
    start_worker: StartWorker,
    changes: dict[str, Any],
    reason: str,
    message: str,
) -> None:
    order = make_order(tmp_path, **{name: value for name, value in changes.items() if name == "train_fraction"})
    if "cut" in changes:
        (tmp_path / "train.parquet").write_bytes(Path(order.training_reads).read_bytes()[:-100])
        order = order.model_copy(update={"training_reads": str(tmp_path / "train.parquet")})
    folder = CheckpointFolder(tmp_path / "checkpoints", order.spec.run_id) if "locked" in changes else None
    _, outcome = start_worker().train(order)
    assert outcome.state == "FAILED"
    assert outcome.failure is not None
    assert outcome.failure.reason == reason
    assert message in outcome.failure.message
    record = _record(tmp_path / "run")
    assert record.failure == outcome.failure
    assert {names.RUN, names.LOG} <= set(outcome.artifacts)
    if folder:
        folder.close()


def test_a_worker_waits_for_the_one_before_it_to_leave_its_checkpoints(
    tmp_path: Path, make_order: MakeOrder, start_worker: StartWorker
) -> None:
    order = make_order(tmp_path, train_fraction=0.0)
    folder = CheckpointFolder(tmp_path / "checkpoints", order.spec.run_id)
    worker = start_worker()
    worker.until(ReadyEvent)
    worker.send(order)
    _, note = worker.until(NoteEvent)
    while "another worker" not in note.text:
        _, note = worker.until(NoteEvent)
    folder.close()
    _, outcome = worker.until(FinishedEvent)
    assert outcome.state == "SUCCEEDED"


def test_a_run_dir_with_an_order_trains_without_anyone_on_standard_input(
    tmp_path: Path, make_order: MakeOrder, start_worker: StartWorker
) -> None:
    order = make_order(tmp_path, train_fraction=0.0)
    Path(order.run_dir).mkdir()
    (Path(order.run_dir) / "order.json").write_text(order.model_dump_json())
    worker = start_worker(order.run_dir)
    worker.hang_up()
    _, outcome = worker.until(FinishedEvent)
    assert outcome.state == "SUCCEEDED"
    assert worker.wait() == 0
    record = _record(tmp_path / "run")
    assert any("untrained" in note for note in record.notes)
    assert record.epochs_trained == record.best_epoch == 0


def test_orders_that_cannot_be_read_end_the_worker_with_a_usage_error(
    tmp_path: Path, start_worker: StartWorker
) -> None:
    worker = start_worker()
    worker.process.stdin.write(b'{"type": "dance"}\n')
    worker.process.stdin.flush()
    assert worker.wait() == 2
    assert b"not an order" in worker.errors
    (tmp_path / "order.json").write_text("{}")
    worker = start_worker(str(tmp_path))
    assert worker.wait() == 2
    assert b"order.json: not an order" in worker.errors


def test_an_idle_worker_goes_when_its_parent_does(start_worker: StartWorker) -> None:
    worker = start_worker()
    worker.until(ReadyEvent)
    worker.hang_up()
    assert worker.wait() == 0


def test_nothing_that_libraries_print_gets_between_the_events() -> None:
    code = (
        "import os, subprocess; from readlabel.trainer.channel import take_standard_output\n"
        "events = take_standard_output(); print('python', flush=True); os.write(1, b'C++')\n"
        "subprocess.run(['echo', 'child'], check=True); events.write('event')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env={**os.environ})
    assert done.stdout == b"event"
    assert done.stderr.replace(b"\n", b" ") == b"python C++child "
