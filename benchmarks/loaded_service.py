"""A service to measure, and what is asked of it from processes of their own; see `benchmarks/service.py`.

    python benchmarks/loaded_service.py FUNCTION JSON_ARGUMENTS

runs one of those processes, which prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shlex
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from readlabel.artifacts.digest import file_ref
from readlabel.client import Endpoint, TrainingClient
from readlabel.messages import BlobRef, GridPoint, Hyperparameters, Library, RunSpec, Segment, TrainingOptions
from readlabel.server.run_store import RunStore, StoredRun
from readlabel.v1 import training_service_pb2 as pb
from readlabel.v1 import training_service_pb2_grpc
from readlabel.wire import TrainingRun, run_name

ROOT = Path(__file__).resolve().parent.parent
SCRIPTED_WORKER = shlex.join([sys.executable, str(ROOT / "tests" / "service" / "scripted_worker.py")])
LIBRARY = Library(
    model="bench",
    segments=tuple(
        Segment(name=name, pattern=pattern)
        for name, pattern in (
            ("5p", "CTACACGACGCTCTTCCGATCT"),
            ("CBC", "N16"),
            ("cDNA", "NN"),
            ("3p", "CCCATGTACTCTGCGT"),
        )
    ),
    strand="fwd",
)
VALIDATION = "validation.parquet"
SWEEP = 50
NETWORK = Hyperparameters(
    batch_size=32,
    embedding_dim=32,
    conv_layers=1,
    conv_filters=32,
    conv_kernel_size=9,
    lstm_units=32,
    lr_schedule="constant",
    train_fraction=1.0,
)


class Bench:
    """A service with its reads, in a folder of its own."""

    def __init__(self, folder: Path, *options: str, scripted: bool = False) -> None:
        self.folder = folder
        command = [sys.executable, "-P", "-m", "readlabel.cli", "serve", "--socket", str(folder / "s"), *options]
        command += ["--data-dir", str(folder / "data"), *(["--worker-command", SCRIPTED_WORKER] if scripted else [])]
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self.process = subprocess.Popen(command, env=quiet, **pipes)
        assert self.process.stdout is not None
        told = list(itertools.takewhile(lambda line: " serves " not in line, self.process.stdout))
        self.metrics = next((line.split()[-1] for line in told if line.startswith("metrics at ")), "")
        self.address = f"unix:{folder / 's'}"
        self.client = TrainingClient(Endpoint(self.address))

    def spec(self, reads: Path, seed: int, epochs: int = 1) -> RunSpec:
        point = GridPoint(
            hyperparameters=NETWORK.model_copy(update={"epochs": epochs}),
            library=LIBRARY,
            options=TrainingOptions(seed=seed),
        )
        paths = reads, reads.with_name(VALIDATION)
        blobs = [file_ref(path) for path in paths]
        for path, blob in zip(paths, blobs, strict=True):
            self.client.upload(path, blob)
        return RunSpec(point=point, training_reads=blobs[0], validation_reads=blobs[1])

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def memory(self) -> int:
        """Of the service and all its processes."""
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        return sum(process.memory_info().rss for process in family)

    def wait_for_epoch(self, name: str, epoch: int) -> None:
        next(event for event in self.client.watch(name) if event.epoch is not None and event.epoch.epoch >= epoch)

    def warm(self) -> None:
        """Wait until a worker is there and does nothing any more."""
        while True:
            children = psutil.Process(self.process.pid).children()
            before = [sum(child.cpu_times()[:2]) for child in children]
            time.sleep(1)
            if children and before == [sum(child.cpu_times()[:2]) for child in children]:
                return


@contextmanager
def service(
    *options: str, scripted: bool = False, prepare: Callable[[Path], None] = lambda _folder: None
) -> Iterator[Bench]:
    """A service in a new folder, of which `prepare` may make the folder of its data."""
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as name:
        prepare(Path(name) / "data")
        bench = Bench(Path(name), *options, scripted=scripted)
        try:
            yield bench
        finally:
            bench.client.close()
            bench.process.terminate()
            bench.process.wait()


def simulate(path: Path, num_reads: int) -> Path:
    """Reads to train on, and as many beside them to judge the model by."""
    from readlabel.simulator.parameters import SimulationParameters
    from readlabel.simulator.write import write_simulated

    parameters = SimulationParameters(min_cdna=100, max_cdna=300)
    for file, stream in ((path, "training"), (path.with_name(VALIDATION), "validation")):
        write_simulated(file, LIBRARY, parameters, seed=1, stream=stream, num_reads=num_reads)
    return path


def many_runs(folder: Path, runs: int) -> None:
    """A service's folder with so many runs that have ended, `SWEEP` in each sweep."""
    folder.mkdir(mode=0o700)
    store = RunStore(folder / "runs.sqlite")
    blobs = [BlobRef(sha256=letter * 64, size_bytes=1) for letter in "ab"]
    spec = RunSpec(
        point=GridPoint(hyperparameters=NETWORK, library=LIBRARY), training_reads=blobs[0], validation_reads=blobs[1]
    )
    run = TrainingRun(name=run_name(f"{0:032x}"), spec=spec, state="SUCCEEDED", tags={"all": "x", "sweep": "0"})
    store.save(StoredRun(run, 1))
    store.close()
    with closing(sqlite3.connect(folder / "runs.sqlite", isolation_level=None)) as db:
        db.execute("BEGIN")
        db.execute(
            "WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?) "
            "INSERT INTO runs (id, state, priority, queue_number, losses, tags, document) "
            "SELECT printf('%032x', n), state, priority, n + 1, losses, tags, "
            "replace(document, id, printf('%032x', n)) FROM runs, copies WHERE number = 1",
            (runs - 1,),
        )
        db.execute("INSERT INTO tags SELECT number, 'all', 'x' FROM runs WHERE number > 1")
        db.execute("INSERT INTO tags SELECT number, 'sweep', (number - 1) / ? FROM runs WHERE number > 1", (SWEEP,))
        db.execute("COMMIT")


def script(folder: Path, epochs: int) -> tuple[Path, Path]:
    """Reads that tell the scripted worker to wait before each epoch for a file in a folder, and that folder."""
    gate = folder / "gate"
    gate.mkdir()
    path = folder / "script.parquet"
    path.write_text("PAR1\n" + json.dumps({"epochs": epochs, "gate": str(gate)}) + "\nPAR1")
    path.with_name(VALIDATION).write_text("nobody looks here")
    return path, gate


def ask_health(address: str, times: int) -> None:
    """Seconds of each of some health checks, 100 a second."""
    found = []
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for number in range(times + 20):
            begun = time.perf_counter()
            stub.Check(health_pb2.HealthCheckRequest())
            found.append(time.perf_counter() - begun)
            time.sleep(0.01)
            if number == 19:
                found.clear()  # the connection is made, and all is loaded
    print(json.dumps(found))


def read_streams(address: str, name: str, readers: int) -> None:
    """Say when all read; then, at the end, seconds from each epoch's time to each reader."""

    async def read_all() -> list[float]:
        delays: list[float] = []
        reading = 0

        async def read(stub: Any) -> None:
            nonlocal reading
            reading += 1
            async for event in stub.WatchTrainingRun(pb.WatchTrainingRunRequest(name=name, after_sequence=1)):
                if event.HasField("epoch"):
                    delays.append(time.time() - event.event_time.ToMicroseconds() / 1e6)
                elif reading == readers:
                    reading += 1
                    print("reading", flush=True)

        async with grpc.aio.insecure_channel(address) as channel:
            stub = training_service_pb2_grpc.TrainingServiceStub(channel)
            await asyncio.gather(*(read(stub) for _ in range(readers)))
        return delays

    print(json.dumps(asyncio.run(read_all())))


def apart(call: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, call, json.dumps(arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def result_of(process: subprocess.Popen[str]) -> list[float]:
    found: list[float] = json.loads(process.communicate()[0].splitlines()[-1])
    return found


if __name__ == "__main__":
    globals()[sys.argv[1]](*json.loads(sys.argv[2]))
