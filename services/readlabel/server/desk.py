"""The rules of a run's life: what a caller may do to it, and what a worker's news makes of it.

Every change is one `RunStore.save` and one ring of the bell, made without giving up the event loop in between, so two
callers, or a caller and a worker, can never change a run at once.
"""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc

from readlabel.messages import (
    ENGINE_REVISION,
    TERMINAL_STATES,
    Attempt,
    EpochMetrics,
    Failure,
    InputError,
    Problem,
    RunRecord,
    RunState,
    StartedEvent,
)
from readlabel.server.blob_store import BlobStore
from readlabel.server.config import ServerConfig, now
from readlabel.server.news import Bell, shutting_down
from readlabel.server.run_store import News, RunStore, StoredRun
from readlabel.server.telemetry import Telemetry
from readlabel.wire import Artifact, Note, RpcError, StateChange, TrainingRun, run_name

MAX_LOSSES = 2
"""A run whose worker is lost, or whose device fails, so often without a caller asking again is FAILED."""

_ANEW: Mapping[str, Any] = MappingProxyType(
    {"state": "QUEUED", "failure": None, "artifacts": (), "record": None, "end_time": ""}
)
"""How a run stands that is queued, for the first time or again."""
_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


class RunDesk:
    """Everything that changes a run.

    Attributes:
        store: the runs.
        telemetry: counts what happens to them.
        bell: rings for watchers; it must after each change of a run.
        stopping: no run is taken from the queue any more.
    """

    def __init__(self, store: RunStore, blobs: BlobStore, config: ServerConfig, telemetry: Telemetry) -> None:
        self.store = store
        self.telemetry = telemetry
        self.bell = Bell(store)
        self.stopping = False
        self._blobs = blobs
        self._config = config
        self._work = asyncio.Event()
        self._cancel: dict[str, Callable[[], None]] = {}

    # What callers ask for

    def create(self, asked: TrainingRun, validate_only: bool) -> TrainingRun:
        """Find the run of this spec, or queue it; see CreateTrainingRun.

        Raises:
            RpcError: another engine, missing reads, a full queue, or a run that is about to be cancelled.
            InputError: what is to judge the model is what it learns from.
        """
        self._check_engine(asked)
        if asked.spec.training_reads.sha256 == asked.spec.validation_reads.sha256:
            why = "are the training reads: the figures would be of reads that the model has learned"
            raise InputError([Problem("training_run.spec.validation_reads", why)])
        run_id = asked.spec.run_id
        found = self.store.get(run_id)
        if found is not None and self._stands(found.run):
            return found.run
        self._check_reads(asked)
        if self.store.count("QUEUED") >= self._config.limits.queued_runs:
            raise RpcError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "QUEUE_FULL",
                f"{self._config.limits.queued_runs} runs wait already; try again when some have ended",
                retry_seconds=60,
            )
        if found is None:
            run = TrainingRun(
                name=run_name(run_id), spec=asked.spec, tags=asked.tags, priority=asked.priority, create_time=now()
            )
            found = StoredRun(run, 0)
        return found.run.model_copy(update=_ANEW) if validate_only else self._queue(found)

    def get(self, run_id: str) -> TrainingRun:
        """One run.

        Raises:
            RpcError: there is none of this id.
        """
        return self._stored(run_id).run

    def cancel(self, run_id: str) -> TrainingRun:
        """Ask a run to stop; see CancelTrainingRun."""
        stored = self._stored(run_id)
        state = stored.run.state
        if state in ("CANCELLING", "CANCELLED"):
            return stored.run
        if state == "QUEUED":
            return self._enter(stored, "CANCELLED").run
        if state != "RUNNING":
            raise RpcError(_PRECONDITION, "RUN_ENDED", f"{stored.run.name} is {state} already")
        stored = self._enter(stored, "CANCELLING")
        if run_id in self._cancel:
            self._cancel[run_id]()
        return stored.run

    def resume(self, run_id: str) -> TrainingRun:
        """Queue a stopped run again; see ResumeTrainingRun."""
        stored = self._stored(run_id)
        self._check_engine(stored.run)
        run = stored.run
        if run.is_outcome:
            raise RpcError(_PRECONDITION, "NOT_RESUMABLE", f"{run.name} is {run.state}: going on would change nothing")
        if self._stands(run):
            return run
        self._check_reads(run)
        return self._queue(stored)

    def delete(self, run_id: str, etag: str) -> None:
        """Forget a run, its checkpoints, and artifacts that no other run shares; see DeleteTrainingRun."""
        run = self._stored(run_id).run
        if run.state == "CANCELLING":
            raise RpcError(_PRECONDITION, "CANCELLING", f"{run.name} is being cancelled; try again", retry_seconds=2)
        if run.state not in TERMINAL_STATES:
            raise RpcError(_PRECONDITION, "RUN_NOT_ENDED", f"{run.name} is {run.state}; cancel it before it is deleted")
        if etag and etag != run.etag:
            raise RpcError(grpc.StatusCode.ABORTED, "ETAG_MISMATCH", f"{run.name} has changed; its etag is {run.etag}")
        self.forget([run])

    def forget(self, runs: Sequence[TrainingRun]) -> None:
        """Remove runs that have ended, their checkpoints, and artifacts that no other run shares."""
        for run in runs:
            shutil.rmtree(self.checkpoint_dir(run.run_id), ignore_errors=True)  # first: this makes room for the rest
            shutil.rmtree(self.run_dir(run.run_id), ignore_errors=True)
            self.store.delete(run.run_id)
            self.bell.ring(run.run_id)
        for blob in {artifact.blob for run in runs for artifact in run.artifacts}:
            if not self.store.needs(blob.sha256):
                self._blobs.discard(self._blobs.path(blob), unused_since=math.inf)

    def missing_reads(self, run: TrainingRun) -> dict[str, str]:
        """Those of a run's reads that are not here: field of the spec → SHA-256."""
        reads = {"training_reads": run.spec.training_reads, "validation_reads": run.spec.validation_reads}
        return {name: blob.sha256 for name, blob in reads.items() if not self._blobs.has(blob)}

    # What slots and their workers report

    async def wait_for_work(self) -> None:
        """Return when a run may be waiting."""
        while self.store.next_queued() is None:
            self._work.clear()
            await self._work.wait()

    def take(self, device: str, threads: int, cancel: Callable[[], None]) -> StoredRun | None:
        """Take the next run from the queue into a new attempt.

        Args:
            device: what it will train on.
            threads: CPU threads it may use.
            cancel: called when a caller asks the run to stop.
        """
        stored = None if self.stopping else self.store.next_queued()
        if stored is None:
            return None
        attempt = Attempt(number=len(stored.run.attempts) + 1, device=device, threads=threads, start_time=now())
        self.telemetry.left_queue(self.store.queued_since(stored.run.run_id), attempt.start_time)
        stored = self._enter(stored, "RUNNING", attempts=(*stored.run.attempts, attempt))
        self._cancel[stored.run.run_id] = cancel
        return stored

    def started(self, run_id: str, event: StartedEvent) -> None:
        """A worker has begun."""
        stored = self._stored(run_id)
        details = {"device": event.device, "threads": event.threads, "resumed_from_epoch": event.resumed_from_epoch}
        self._save(stored, attempts=_last(stored.run.attempts, details))

    def epoch(self, run_id: str, metrics: EpochMetrics) -> bool:
        """An epoch has ended. One that a resumed worker tells again from its checkpoint is told once.

        Returns:
            Whether it is news.
        """
        stored = self._stored(run_id)
        resumed = stored.run.attempts[-1].resumed_from_epoch if stored.run.attempts else 0
        if metrics.epoch <= min(resumed, stored.run.last_epoch):
            return False
        self._save(stored, [metrics], last_epoch=metrics.epoch)
        return True

    def note(self, run_id: str, text: str) -> None:
        """Something a reader of the run should know."""
        stored = self.store.get(run_id)
        if stored is not None:
            attempts = stored.run.attempts
            if attempts and stored.run.state != "QUEUED":
                attempts = _last(attempts, {"notes": (*attempts[-1].notes, text)})
            self._save(stored, [Note(text=text)], attempts=attempts)

    def note_next(self, text: str) -> None:
        """The same, for the run whose turn it is."""
        stored = self.store.next_queued()
        if stored is not None:
            self.note(stored.run.run_id, text)

    def finish(
        self,
        run_id: str,
        state: RunState,
        failure: Failure | None = None,
        artifacts: Sequence[Artifact] = (),
        record: RunRecord | None = None,
    ) -> None:
        """A run has an outcome."""
        self._end(self._stored(run_id), state, failure=failure, artifacts=tuple(artifacts), record=record)
        shutil.rmtree(self.run_dir(run_id), ignore_errors=True)
        if state == "SUCCEEDED" and not self._config.private:
            shutil.rmtree(self.checkpoint_dir(run_id), ignore_errors=True)

    def lost(self, run_id: str, failure: Failure, artifacts: Sequence[Artifact]) -> None:
        """A worker was lost or its device failed: once more from the checkpoint, then FAILED."""
        stored = self._stored(run_id)
        losses = stored.losses + 1
        if stored.run.state == "CANCELLING":
            self._end(stored, "CANCELLED", artifacts=tuple(artifacts))
        elif losses >= MAX_LOSSES:
            self._end(stored, "FAILED", failure=failure, artifacts=tuple(artifacts))
        else:
            self.note(run_id, f"{failure.message}; the run goes on from its checkpoint")
            self.telemetry.retried(failure.reason)
            self._interrupt(StoredRun(self._stored(run_id).run, stored.queue_number, losses))

    def interrupted(self, run_id: str) -> None:
        """The service stops before the run has ended: it keeps its place in the queue."""
        stored = self._stored(run_id)
        if stored.run.state == "CANCELLING":
            self._end(stored, "CANCELLED")
        else:
            self._interrupt(stored)

    def recover(self) -> list[str]:
        """Put right what a service that ended without warning left behind.

        Returns:
            What was done, a line a run.
        """
        done = []
        for stored in self.store.of_states(["QUEUED", "RUNNING", "CANCELLING"]):
            if stored.run.spec.point.engine_revision != ENGINE_REVISION:
                message = f"the service's engine is now of revision {ENGINE_REVISION}; create the run anew for it"
                self._end(stored, "FAILED", failure=Failure(reason="ENGINE_CHANGED", message=message))
            elif stored.run.state != "QUEUED":
                self.interrupted(stored.run.run_id)
            else:
                continue
            done.append(f"{stored.run.name} was {stored.run.state}, is now {self.get(stored.run.run_id).state}")
        return done

    def checkpoint_dir(self, run_id: str) -> Path:
        """Where a run checkpoints."""
        return (self._config.checkpoint_dir or self._config.data_dir / "checkpoints") / run_id

    def run_dir(self, run_id: str) -> Path:
        """Where a run's worker writes its artifacts."""
        return self._config.data_dir / "runs" / run_id

    def _stands(self, run: TrainingRun) -> bool:
        """Whether creating this run again gives it as it is.

        Raises:
            RpcError: it is being cancelled.
        """
        if run.state == "CANCELLING":
            raise RpcError(_PRECONDITION, "CANCELLING", f"{run.name} is being cancelled; try again", retry_seconds=2)
        if run.state == "SUCCEEDED":
            return all(self._blobs.has(artifact.blob) for artifact in run.artifacts)
        return run.is_outcome or run.state not in ("FAILED", "CANCELLED")

    def _check_engine(self, run: TrainingRun) -> None:
        if self.stopping:
            raise shutting_down()
        if run.spec.point.engine_revision != ENGINE_REVISION:
            raise RpcError(
                _PRECONDITION,
                "ENGINE_MISMATCH",
                f"the run is for engine revision {run.spec.point.engine_revision}, the service's is {ENGINE_REVISION}",
                metadata={"engine_revision": str(ENGINE_REVISION)},
            )

    def _check_reads(self, run: TrainingRun) -> None:
        missing = self.missing_reads(run)
        for blob in (run.spec.training_reads, run.spec.validation_reads):
            self._blobs.touch(blob)
        if missing:
            listed = ", ".join(f"{name} ({digest})" for name, digest in missing.items())
            raise RpcError(_PRECONDITION, "MISSING_BLOBS", f"upload first: {listed}", metadata=missing)

    def _stored(self, run_id: str) -> StoredRun:
        stored = self.store.get(run_id)
        if stored is None:
            raise RpcError(grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND", f"there is no {run_name(run_id)}")
        return stored

    def _queue(self, stored: StoredRun) -> TrainingRun:
        fresh = StoredRun(stored.run, self.store.next_queue_number())
        run = self._enter(fresh, **_ANEW).run
        self._work.set()
        return run

    def _interrupt(self, stored: StoredRun) -> None:
        self._cancel.pop(stored.run.run_id, None)
        self._enter(stored, "QUEUED", attempts=_last(stored.run.attempts, {"end_time": now()}))
        self._work.set()

    def _end(self, stored: StoredRun, state: RunState, **changes: object) -> None:
        self._cancel.pop(stored.run.run_id, None)
        self._enter(stored, state, attempts=_last(stored.run.attempts, {"end_time": now()}), **changes)

    def _enter(self, stored: StoredRun, state: RunState, **changes: object) -> StoredRun:
        run = stored.run.model_copy(update={"state": state, **changes})
        if state in TERMINAL_STATES:
            run = run.model_copy(update={"end_time": now()})
        self.telemetry.entered(run)
        change = StateChange(state=state, failure=run.failure, attempt=len(run.attempts))
        return self._save(StoredRun(run, stored.queue_number, stored.losses), [change])

    def _save(self, stored: StoredRun, news: Sequence[News] = (), **changes: object) -> StoredRun:
        changed = StoredRun(stored.run.model_copy(update=changes), stored.queue_number, stored.losses)
        saved = self.store.save(changed, news)
        self.bell.ring(saved.run.run_id)
        return saved


def _last(attempts: tuple[Attempt, ...], changes: dict[str, object]) -> tuple[Attempt, ...]:
    return (*attempts[:-1], attempts[-1].model_copy(update=changes)) if attempts else ()
