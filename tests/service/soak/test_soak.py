"""A service under everything at once, for as long as READLABEL_SOAK_MINUTES says: nothing of it may grow.

Two slots train as scripted while a seeded mix of callers creates, cancels, resumes and deletes runs, kills clients and
workers, tears uploads apart, and opens streams that it does not read. READLABEL_SOAK_SEED repeats a mix.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
import psutil
import pytest

from readlabel.messages import TERMINAL_STATES, RunSpec, ServiceError, TrainingOptions
from readlabel.v1 import blob_service_pb2, blob_service_pb2_grpc, training_run_pb2, training_service_pb2_grpc
from readlabel.v1 import training_service_pb2 as pb
from readlabel.wire import make_chunk

MINUTES = float(os.environ.get("READLABEL_SOAK_MINUTES", "10"))
SEED = int(os.environ.get("READLABEL_SOAK_SEED") or int.from_bytes(os.urandom(4), "big"))
MOST_RUNS, MOST_STALLED = 60, 20
MOST_GROWTH_BYTES = 16 << 20
EXPECTED = {"DATA_LOSS", "INVALID_ARGUMENT", "OUT_OF_RANGE", "ABORTED", "CANCELLED"}
"""What a torn upload may be told."""

pytestmark = pytest.mark.timeout(MINUTES * 60 + 300)


@dataclass(frozen=True)
class Sample:
    """What the service holds at a moment."""

    memory_bytes: int
    files: int
    processes: int


def sample(service: Any) -> Sample:
    process = psutil.Process(service.process.pid)
    return Sample(process.memory_info().rss, process.num_fds(), len(process.children(recursive=True)))


class Mix:
    """The callers."""

    def __init__(self, service: Any, client: Any, scripts: list[Any], rng: random.Random) -> None:
        self.service = service
        self.client = client
        channel = grpc.insecure_channel(service.address)
        self.training = training_service_pb2_grpc.TrainingServiceStub(channel)
        self.blobs = blob_service_pb2_grpc.BlobServiceStub(channel)
        self.scripts = scripts
        self.rng = rng
        self.seeds: Iterator[int] = iter(range(1, 2**31))
        self.runs: list[str] = []
        self.close = channel.close
        self.stalled: list[Any] = []
        self.clients: list[subprocess.Popen[str]] = []
        self.done: dict[str, int] = {}

    def step(self) -> None:
        """One of the things that callers do."""
        actions = [self.create] * 6 + [self.cancel, self.resume, self.tear] * 2
        actions += [self.stall, self.kill_worker, self.look, self.delete, self.delete]
        actions += [self.start_client] if self.rng.random() < 0.2 else [self.kill_client]
        action = self.rng.choice(actions)
        self.done[action.__name__] = self.done.get(action.__name__, 0) + 1
        try:
            action()
        except ServiceError as error:
            # The mix is blind: a run that it cancels or resumes may have ended, or be gone.
            if error.reason not in ("RUN_ENDED", "NOT_RESUMABLE", "CANCELLING", "RUN_NOT_ENDED"):
                raise

    def create(self) -> None:
        if len(self.runs) >= MOST_RUNS:
            self.delete()
            return
        spec = self.rng.choice(self.scripts).spec
        point = spec.point.model_copy(update={"options": TrainingOptions(seed=next(self.seeds))})
        fresh: RunSpec = spec.model_copy(update={"point": point})
        self.runs.append(self.client.create(fresh, priority=self.rng.randint(-2, 2)).name)

    def some(self) -> str | None:
        return self.rng.choice(self.runs) if self.runs else None

    def cancel(self) -> None:
        if name := self.some():
            self.client.cancel(name)

    def resume(self) -> None:
        if name := self.some():
            self.client.resume(name)

    def look(self) -> None:
        list(self.client.list(page_size=7))
        self.client.server_info()

    def delete(self) -> None:
        """Forget a run that has ended; those that wait forever are cancelled first."""
        for name in self.runs[:5]:
            if self.client.get(name).state in TERMINAL_STATES:
                events = [event.sequence for event in self.client.watch(name)]
                assert events == list(range(1, len(events) + 1))
                self.client.delete(name)
                self.runs.remove(name)
                return
        if self.runs:
            self.client.cancel(self.runs[0])

    def stall(self) -> None:
        if name := self.some():
            self.stalled.append(self.training.WatchTrainingRun(pb.WatchTrainingRunRequest(name=name)))
        if len(self.stalled) > MOST_STALLED:
            self.stalled.pop(0).cancel()

    def tear(self) -> None:
        """Send an upload that is cut off, of another digest, or damaged."""
        data = self.rng.randbytes(self.rng.randint(1, 300_000))
        chunk = make_chunk(data)
        blob = training_run_pb2.BlobRef(sha256=self.rng.randbytes(32).hex(), size_bytes=len(data))
        requests = [blob_service_pb2.WriteBlobRequest(blob=blob)]
        kind = self.rng.choice(["end", "digest", "damage", "break"])
        if kind == "damage":
            chunk.crc32c ^= 1
        if kind != "end":
            requests.append(blob_service_pb2.WriteBlobRequest(chunk=chunk, finish_write=kind == "digest"))
        if kind == "break":
            call = self.blobs.WriteBlob.future(_then_nothing(requests))
            call.cancel()
            return
        try:
            self.blobs.WriteBlob(iter(requests), timeout=30)
        except grpc.RpcError as error:
            if error.code().name not in EXPECTED:
                raise

    def kill_worker(self) -> None:
        workers = psutil.Process(self.service.process.pid).children()
        if workers:
            with suppress(psutil.NoSuchProcess):  # its run has ended meanwhile
                self.rng.choice(workers).kill()

    def start_client(self) -> None:
        if name := self.some():
            self.clients.append(self.service.processes.start("runs", "watch", name, "--service", self.service.address))

    def kill_client(self) -> None:
        if self.clients:
            one = self.clients.pop(0)
            one.kill()
            one.communicate()

    def end(self) -> None:
        """Leave, and let every run come to an end."""
        for call in self.stalled:
            call.cancel()
        while self.clients:
            self.kill_client()
        for name in self.runs:
            if self.client.get(name).state not in TERMINAL_STATES:
                with suppress(ServiceError):  # it has ended meanwhile
                    self.client.cancel(name)
            list(self.client.watch(name))
        self.close()


def _then_nothing(requests: list[Any]) -> Iterator[Any]:
    """Requests of a caller who neither ends the stream nor sends more: its connection breaks."""
    yield from requests
    threading.Event().wait(1)


def test_nothing_grows(start_service: Callable[..., Any], make_script: Callable[..., Any]) -> None:
    print(f"READLABEL_SOAK_SEED={SEED}")  # pytest shows it when the test fails
    rng = random.Random(SEED)
    service = start_service("--devices", "cpu:2", "--threads", "2", "--grace", "5")
    scripts = [make_script(epochs=epochs) for epochs in (1, 3, 40)]
    scripts += [make_script(gated=True), make_script(die_at=1), make_script(silent_at=2)]
    scripts += [make_script(outcome="FAILED", reason=reason) for reason in ("NUMERICS", "DEVICE")]
    samples: list[Sample] = []
    with service.client() as client:
        for script in scripts:
            script.upload(client)
        mix = Mix(service, client, scripts, rng)
        until = time.monotonic() + 60 * MINUTES
        while time.monotonic() < until:
            mix.step()
            samples.append(sample(service))
        mix.end()
        assert not list(client.list(states=["QUEUED", "RUNNING", "CANCELLING"]))
        states = {run.state for run in client.list()}
        assert states <= TERMINAL_STATES
    assert service.terminate() == 0
    log = service.errors()
    assert "internal error" not in log
    assert "Traceback" not in log

    third = len(samples) // 3
    first, last = samples[:third], samples[-third:]
    print(f"{len(samples)} steps: {mix.done}")
    for what, most in (("memory_bytes", MOST_GROWTH_BYTES), ("files", 8), ("processes", 2)):
        before, after = (statistics.median(getattr(one, what) for one in part) for part in (first, last))
        print(f"{what}: {before:,.0f} in the first third, {after:,.0f} in the last")
        assert after <= before + most, what
