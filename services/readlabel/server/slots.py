"""A device slot: waits for work, holds its device, and follows one worker after the other.

In order: a warm worker is started, a run comes into the queue, the device is leased, the worker gets its order, its
events become the run's news, with the first epoch the next warm worker is started, the run's own ends, and what it left
becomes blobs.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from readlabel.artifacts.names import ARTIFACTS, LOG, RUN
from readlabel.messages import (
    CancelOrder,
    EpochEvent,
    Failure,
    FinishedEvent,
    NoteEvent,
    OutputError,
    RunRecord,
    StartedEvent,
    StopOrder,
    TrainOrder,
)
from readlabel.server.blob_store import Adopt, BlobStore
from readlabel.server.config import ServerConfig
from readlabel.server.desk import RunDesk
from readlabel.server.devices import TOGETHER, Slot
from readlabel.server.disk import disk_is_full, full_disk
from readlabel.server.leases import SlotLease
from readlabel.server.metrics import SlotUse
from readlabel.server.run_store import StoredRun
from readlabel.server.worker import Worker, WorkerLostError
from readlabel.wire import ARTIFACT_NAME, Artifact, Device

log = logging.getLogger(__name__)

_MEDIA_TYPES = {artifact.name: artifact.media_type for artifact in ARTIFACTS}
_WORKER_LOG = "worker.log"
_MAX_RECORD_BYTES = 1 << 20
_AFTER_FAULT_SECONDS = 5


class SlotRunner:
    """One slot at work; `start` it, and `stop` it before the event loop ends."""

    def __init__(self, slot: Slot, desk: RunDesk, blobs: BlobStore, config: ServerConfig) -> None:
        self._slot = slot
        self._desk = desk
        self._blobs = blobs
        self._config = config
        self._lease = SlotLease(config.lease_dir, slot)
        self._logs = config.data_dir / "workers"
        self._numbers = itertools.count(1)
        self._spare: asyncio.Task[tuple[Worker, Path]] | None = None
        self._run: str | None = None
        self._device = ""
        self._worker: int | None = None
        self._orders: asyncio.Queue[CancelOrder | StopOrder] = asyncio.Queue()
        self._told: CancelOrder | StopOrder | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def device(self) -> Device:
        """The slot as callers see it."""
        return Device(name=self._slot.name, threads=self._slot.threads, run=f"runs/{self._run}" if self._run else "")

    @property
    def use(self) -> SlotUse:
        """The slot as metrics show it."""
        return SlotUse(self._slot.name, self._slot.threads, self._device, self._worker)

    def start(self) -> None:
        """Begin to take runs, with a worker already warming up."""
        self._logs.mkdir(parents=True, exist_ok=True)
        self._warm_up()
        self._task = asyncio.create_task(self._work(), name=f"slot {self._slot.name}")

    async def stop(self) -> None:
        """Let the run checkpoint within the grace period, and end every worker."""
        if self._task is None:
            return
        if self._run is not None:
            self._orders.put_nowait(StopOrder())
            await asyncio.wait([self._task], timeout=self._config.grace_seconds + 5)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._discard_spare()
        self._lease.close()

    async def _work(self) -> None:
        while not self._desk.stopping:
            try:
                await self._take_one()
            except Exception:  # such as a full disk under the run store; a fault must not take the slot out of service
                log.exception("slot %s failed; it tries again in %d s", self._slot.name, _AFTER_FAULT_SECONDS)
                await asyncio.sleep(_AFTER_FAULT_SECONDS)

    async def _take_one(self) -> None:
        await self._desk.wait_for_work()
        async with self._lease.acquire(self._desk.note_next) as device:
            self._orders, self._told = asyncio.Queue(), None
            stored = self._desk.take(device, self._slot.threads, lambda: self._orders.put_nowait(CancelOrder()))
            if stored is None:
                return
            self._run, self._device = stored.run.run_id, device
            try:
                await self._train(stored, device)
            except Exception as error:
                log.exception("%s: the slot failed", stored.run.name, extra={"run": self._run, "device": device})
                await self._fail(self._run, error)
            finally:
                self._run, self._device, self._worker = None, "", None
                self._desk.telemetry.idle(self._slot.name)

    async def _fail(self, run_id: str, error: Exception) -> None:
        """End a run for a fault of the service; a disk that is full keeps that from being written, so until it is."""
        failure = Failure(reason="INTERNAL", message=f"the service failed: {type(error).__name__}")
        if disk_is_full(error):
            failure = full_disk(self._config)
        while not self._desk.stopping:  # a run that is left RUNNING is queued again at the next start
            try:
                self._desk.finish(run_id, "FAILED", failure)
                return
            except Exception:
                log.exception("%s cannot be told; it is tried again in %d s", failure.reason, _AFTER_FAULT_SECONDS)
                if self._config.private:  # its client waits for this run alone and learns it from the exit status
                    os._exit(OutputError.exit_code)
                await asyncio.sleep(_AFTER_FAULT_SECONDS)

    async def _train(self, stored: StoredRun, device: str) -> None:
        run_id = stored.run.run_id
        if missing := self._desk.missing_reads(stored.run):
            # For a worker they would be a fault of what was asked, and so the run's outcome for good.
            why = f"{' and '.join(missing)} went from the service's store while the run waited; create it again"
            self._desk.finish(run_id, "FAILED", Failure(reason="INTERNAL", message=why))
            return
        worker, worker_log = None, None
        try:
            worker, worker_log = await self._ready_worker()
            self._worker = worker.pid
            await worker.order(self._order(stored, device))
            outcome = await self._follow(worker, run_id)
            if outcome is None and isinstance(self._told, StopOrder):
                await worker.end(0)
                self._desk.interrupted(run_id)
            elif outcome is None:
                raise await worker.lost()
            else:
                await worker.end(self._config.grace_seconds)
                with self._blobs.adoption() as adopt:
                    self._finish(run_id, outcome, await self._harvest(run_id, outcome.artifacts, None, adopt))
        except WorkerLostError as error:
            log.warning("%s: %s", stored.run.name, error, extra={"run": run_id, "device": device})
            failure = Failure(reason="WORKER_LOST", message=str(error))
            with self._blobs.adoption() as adopt:
                self._desk.lost(run_id, failure, await self._harvest(run_id, (LOG,), worker_log, adopt))
        except Exception:  # such as a full disk under the run store
            if worker is not None:  # killed while it stores its state, it would leave half of a file there
                await worker.end(self._config.grace_seconds)
            raise
        finally:
            if worker is not None:
                await worker.end(0)
            if worker_log is not None:
                worker_log.unlink(missing_ok=True)
        self._warm_up_next()

    async def _follow(self, worker: Worker, run_id: str) -> FinishedEvent | None:
        """Turn the worker's events into the run's news, until its outcome or its end (None)."""
        forwarding = asyncio.create_task(self._forward(worker))
        try:
            while (event := await worker.next_event()) is not None:
                match event:
                    case StartedEvent():
                        self._desk.started(run_id, event)
                    case EpochEvent():
                        if self._desk.epoch(run_id, event.metrics):
                            self._desk.telemetry.epoch(self._slot.name, event.metrics)
                        self._warm_up_next()
                    case NoteEvent():
                        self._desk.note(run_id, event.text)
                    case FinishedEvent():
                        return event
            return None
        finally:
            forwarding.cancel()

    async def _forward(self, worker: Worker) -> None:
        """Hand on the first order that comes during the run; a worker that does not obey in time is killed."""
        self._told = await self._orders.get()
        await worker.order(self._told)
        await asyncio.sleep(self._config.grace_seconds)
        worker.kill()

    def _finish(self, run_id: str, outcome: FinishedEvent, artifacts: list[Artifact]) -> None:
        if outcome.failure is not None and outcome.failure.reason == "DEVICE":
            self._desk.lost(run_id, outcome.failure, artifacts)
            return
        failure = outcome.failure
        if failure is not None and failure.reason == "DISK_FULL":
            failure = full_disk(self._config)
        record = next((self._read_record(artifact) for artifact in artifacts if artifact.name == RUN), None)
        self._desk.finish(run_id, outcome.state, failure, artifacts, record)

    async def _harvest(
        self, run_id: str, names: tuple[str, ...], worker_log: Path | None, adopt: Adopt
    ) -> list[Artifact]:
        """Move files of the run's folder into the blob store; a name that is no plain file there is left out."""
        folder = self._desk.run_dir(run_id)
        found = [(name, folder / name) for name in names if ARTIFACT_NAME.fullmatch(name)]
        if worker_log is not None:
            found.append((_WORKER_LOG, worker_log))
        artifacts = []
        for name, path in found:
            if path.is_file() and not path.is_symlink():
                media_type = _MEDIA_TYPES.get(name, "text/plain" if name == _WORKER_LOG else "application/octet-stream")
                artifacts.append(Artifact(name=name, media_type=media_type, blob=await adopt(path)))
        return artifacts

    def _read_record(self, artifact: Artifact) -> RunRecord | None:
        if artifact.blob.size_bytes > _MAX_RECORD_BYTES:
            return None
        try:
            return RunRecord.model_validate_json(self._blobs.path(artifact.blob).read_bytes())
        except ValidationError:
            log.warning("%s of %s cannot be read", RUN, artifact.blob.sha256)
            return None

    def _order(self, stored: StoredRun, device: str) -> TrainOrder:
        run = stored.run
        return TrainOrder(
            spec=run.spec,
            attempt=len(run.attempts),
            run_dir=str(self._desk.run_dir(run.run_id)),
            checkpoint_dir=str(self._desk.checkpoint_dir(run.run_id)),
            checkpoint_store=self._config.checkpoint_store,
            training_reads=str(self._blobs.path(run.spec.training_reads)),
            validation_reads=str(self._blobs.path(run.spec.validation_reads)),
            device="cpu" if device.startswith("cpu:") else device,
            threads=self._slot.threads,
        )

    def _warm_up(self) -> None:
        if self._spare is None:
            self._spare = asyncio.create_task(self._spawn(), name=f"spare of {self._slot.name}")

    def _warm_up_next(self) -> None:
        """Have a worker ready for the next run, from this one's first epoch on, so that its own start is not slowed."""
        if not self._config.private and not self._desk.stopping:
            self._warm_up()

    async def _spawn(self) -> tuple[Worker, Path]:
        first = self._slot.name.partition(TOGETHER)[0]  # the UUIDs of eight GPUs would not fit into a file name
        worker_log = self._logs / f"{first.replace(':', '-')}-{next(self._numbers)}.log"
        worker = await Worker.spawn(
            self._config.worker_command, self._config.data_dir, worker_log, self._lease.descriptors
        )
        try:
            await worker.ready()
        except BaseException:
            await worker.end(0)
            raise
        return worker, worker_log

    async def _ready_worker(self) -> tuple[Worker, Path]:
        """The warm worker if there is one that lives, else a new one."""
        spare, self._spare = self._spare, None
        if spare is not None:
            with suppress(WorkerLostError):
                worker, worker_log = await spare
                if worker.alive:
                    return worker, worker_log
        return await self._spawn()

    async def _discard_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is None:
            return
        spare.cancel()
        with suppress(asyncio.CancelledError, WorkerLostError, OSError):
            worker, _ = await spare
            await worker.end(0)
