"""Real servers, real clients, real sockets: every process of a test carries its mark, so that none can hide."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from readlabel.artifacts.digest import file_ref
from readlabel.client import Endpoint, TrainingClient
from readlabel.messages import GridPoint, Hyperparameters, Library, RunSpec, Segment, TrainingOptions

DEADLINE = 60
MARK = "READLABEL_TEST_MARK"
COMMAND = [sys.executable, "-m", "readlabel.cli"]
SCRIPTED_WORKER = shlex.join([sys.executable, str(Path(__file__).parent / "scripted_worker.py")])

LIBRARY = Library(
    model="mini",
    segments=(
        Segment(name="5p", pattern="ACGTACGTAC"),
        Segment(name="UMI", pattern="N8"),
        Segment(name="cDNA", pattern="NN"),
        Segment(name="3p", pattern="GGTTCCAA"),
    ),
    umis=("UMI",),
    strand="fwd",
)
TINY = Hyperparameters(
    batch_size=16, embedding_dim=4, conv_layers=1, conv_filters=4, conv_kernel_size=3, lstm_units=4, epochs=2,
    learning_rate=0.01,
)  # fmt: skip


def wait_until(condition: Callable[[], Any], what: str, seconds: float = DEADLINE) -> Any:
    """The first true value of a condition; fails when the time is over."""
    pause = threading.Event()
    ticks = int(seconds / 0.05)
    for _ in range(ticks):
        value = condition()
        if value:
            return value
        pause.wait(0.05)
    raise AssertionError(f"after {seconds} s still not: {what}")


class Processes:
    """Starts `readlabel` commands under one mark, and finds all that carry it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.environment = {**os.environ, MARK: self.mark, "TMPDIR": str(folder)}
        self.started: list[subprocess.Popen[str]] = []
        self.sockets: list[Path] = []

    def start(self, *arguments: object, inside: Sequence[str] = (), **options: Any) -> subprocess.Popen[str]:
        """Start `readlabel ARGUMENTS`, by another command that it is given to if wanted."""
        process = subprocess.Popen(
            [*inside, *COMMAND, *map(str, arguments)],
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "text": True,
                "env": self.environment,
                **options,
            },
        )
        self.started.append(process)
        return process

    def run(self, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `readlabel ARGUMENTS` to its end."""
        process = self.start(*arguments, **options)
        stdout, stderr = process.communicate(timeout=DEADLINE * 2)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def alive(self) -> list[psutil.Process]:
        """Processes with the mark that still run."""
        found = []
        for process in psutil.process_iter(["pid", "cmdline"]):
            try:
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def workers(self) -> list[psutil.Process]:
        """Those of them that are workers."""
        found = []
        for process in self.alive():
            try:
                if process.cmdline()[1].endswith("scripted_worker.py") or "readlabel.trainer" in process.cmdline():
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def end(self) -> None:
        """Kill what was started; what that had started must end by itself."""
        for process in self.started:
            process.kill()
            process.wait(DEADLINE)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        for folder in self.sockets:
            shutil.rmtree(folder, ignore_errors=True)
        self.wait_for_none()

    def wait_for_none(self) -> None:
        """Wait until no process is left."""
        wait_until(lambda: not self.alive(), f"no process left: {[p.info for p in self.alive()]}")


class Service:
    """A running `readlabel serve`."""

    def __init__(self, processes: Processes, data_dir: Path, *options: object, scripted: bool = True) -> None:
        self.processes = processes
        self.data_dir = data_dir
        arguments = ["serve", "--data-dir", data_dir, *options]
        if "--listen" not in options:
            self.folder = Path(tempfile.mkdtemp(prefix="rl-", dir="/tmp"))  # short enough for a socket
            processes.sockets.append(self.folder)
            arguments += ["--socket", self.folder / "s.sock"]
        if scripted:
            arguments += ["--worker-command", SCRIPTED_WORKER]
        self._log = processes.folder / f"service-{len(processes.started)}.log"
        with self._log.open("w") as log:  # no pipe: one that nobody reads would stop the service when it is full
            self.process = processes.start(*arguments, stderr=log)
        self.lines: list[str] = []
        up = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(up,), daemon=True)
        self._reader.start()
        assert up.wait(DEADLINE)
        assert self.process.poll() is None, self.errors()
        self.address = next(line for line in self.lines if " serves " in line).split(" serves ")[1].split(" | ")[0]

    def _read(self, up: threading.Event) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if " serves " in line:
                up.set()
        up.set()

    def errors(self) -> str:
        """What it wrote to standard error; for one that has ended."""
        self.process.wait(DEADLINE)
        return self._log.read_text()

    def client(self, patience: float = 0, **options: Any) -> TrainingClient:
        """A client of it."""
        return TrainingClient(Endpoint(self.address, **options), patience)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.process.kill()
        self.process.wait(DEADLINE)

    def terminate(self) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self.process.wait(DEADLINE)


class Script:
    """Reads that tell the scripted worker what to do, and the spec of a run on them."""

    def __init__(self, folder: Path, number: int, **words: Any) -> None:
        self.gate = folder / f"gate-{number}"
        self.gate.mkdir()
        if words.pop("gated", False):
            words["gate"] = str(self.gate)
        self.path = folder / f"script-{number}.parquet"  # in name and first and last letters: all that a client checks
        self.path.write_text("PAR1\n" + json.dumps({"epochs": 3, "number": number, **words}) + "\nPAR1")
        self.validation = folder / f"validation-{number}.parquet"
        self.validation.write_text("PAR1, nobody looks here, PAR1")
        point = GridPoint(hyperparameters=TINY, library=LIBRARY, options=TrainingOptions(seed=number))
        self.spec = RunSpec(point=point, training_reads=file_ref(self.path), validation_reads=file_ref(self.validation))

    def open(self, *epochs: int) -> None:
        """Let the worker train these epochs."""
        for epoch in epochs:
            (self.gate / str(epoch)).touch()

    def create(self, client: TrainingClient, **options: Any) -> str:
        """Upload the reads and create the run; its name."""
        self.upload(client)
        return client.create(self.spec, **options).name

    def upload(self, client: TrainingClient) -> bool:
        """Upload the reads; whether the training reads had to be sent."""
        client.upload(self.validation, self.spec.validation_reads)
        return client.upload(self.path, self.spec.training_reads)


@pytest.fixture(scope="session")
def make_processes() -> Iterator[Callable[[Path], Processes]]:
    """Makes what starts marked processes; at the end all of them, and all theirs, must be gone or are killed."""
    made: list[Processes] = []

    def make(folder: Path) -> Processes:
        (folder / "tmp").mkdir()
        made.append(Processes(folder / "tmp"))
        return made[-1]

    yield make
    for processes in made:
        processes.end()


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """Waits for a condition to become true."""
    return wait_until


@pytest.fixture(scope="session")
def service_class() -> type[Service]:
    """For a module that starts one service for all its tests."""
    return Service


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts marked processes; at the end of the test all of them, and all theirs, must be gone or are killed."""
    (tmp_path / "tmp").mkdir()
    with_mark = Processes(tmp_path / "tmp")
    yield with_mark
    with_mark.end()


@pytest.fixture
def start_service(processes: Processes, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts `readlabel serve` on a Unix socket with the scripted worker."""
    started: list[Service] = []

    def start(*options: object, data_dir: Path | None = None, scripted: bool = True) -> Service:
        service = Service(processes, data_dir or tmp_path / "data", *options, scripted=scripted)
        started.append(service)
        return service

    yield start
    for service in started:
        service.process.kill()


@pytest.fixture
def trained_in_turn(processes: Processes, make_script: Callable[..., Script], tmp_path: Path) -> Callable[..., None]:
    """Lets two private services, each by a command of its own, train at once: one waits, says so, and trains then."""
    environment = processes.environment | {"READLABEL_LEASE_DIR": str(tmp_path / "leases")}

    def start(script: Script, inside: Sequence[str]) -> tuple[subprocess.Popen[str], TrainingClient]:
        folder = Path(tempfile.mkdtemp(prefix="rl-", dir="/tmp"))
        processes.sockets.append(folder)
        options = ["--private", "--socket", folder / "s.sock", "--link", script.path, "--link", script.validation]
        options += ["--worker-command", SCRIPTED_WORKER]
        process = processes.start("serve", *options, inside=inside, stdin=subprocess.PIPE, env=environment)
        assert " serves " in process.stdout.readline()
        return process, TrainingClient(Endpoint(f"unix:{folder / 's.sock'}"))

    def train(*inside: Sequence[str]) -> None:
        scripts = [make_script(gated=True) for _ in inside]
        started, clients = zip(*map(start, scripts, inside), strict=True)
        names = [clients[0].create(scripts[0].spec).name]
        states = (event.state_change.state for event in clients[0].watch(names[0]) if event.state_change is not None)
        assert "RUNNING" in states
        names.append(clients[1].create(scripts[1].spec).name)
        note = next(event.note for event in clients[1].watch(names[1]) if event.note is not None)
        assert "other services on this host train there" in note.text
        assert clients[1].get(names[1]).state == "QUEUED"
        for script in scripts:
            script.open(1, 2, 3)
        for client, name in zip(clients, names, strict=True):
            assert [event.epoch.epoch for event in client.watch(name) if event.epoch is not None] == [1, 2, 3]
            client.close()
        for process in started:
            process.stdin.close()
            assert process.wait(DEADLINE) == 0

    return train


@pytest.fixture
def service(start_service: Callable[..., Service]) -> Service:
    """A service with one CPU slot and the scripted worker."""
    return start_service("--devices", "cpu:1")


@pytest.fixture
def client(service: Service) -> Iterator[TrainingClient]:
    """A client of that service."""
    with service.client() as one:
        yield one


@pytest.fixture
def make_script(tmp_path: Path) -> Callable[..., Script]:
    """Makes reads that are scripts; each differs from the others."""
    numbers = iter(range(1, 10_000))
    return lambda **words: Script(tmp_path, next(numbers), **words)


@pytest.fixture(scope="session")
def real_reads(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Simulated training and validation reads, few and short."""
    from readlabel.simulator.parameters import SimulationParameters
    from readlabel.simulator.write import write_simulated

    folder = tmp_path_factory.mktemp("reads")
    parameters = SimulationParameters(min_cdna=10, max_cdna=30, invalid_fraction=0)
    for name, seed, count in (("train", 1, 24), ("validation", 2, 8)):
        path = folder / f"{name}.parquet"
        write_simulated(path, LIBRARY, parameters, seed=seed, stream="training", num_reads=count)
    return folder / "train.parquet", folder / "validation.parquet"


@pytest.fixture(scope="session")
def write_point() -> Callable[..., Path]:
    """Writes point.json of a tiny network into a folder; keyword arguments change its hyperparameters."""

    def write(folder: Path, **changes: object) -> Path:
        point = GridPoint(hyperparameters=TINY.model_copy(update=changes), library=LIBRARY)
        path = folder / "point.json"
        path.write_text(point.model_dump_json())
        return path

    return write


@pytest.fixture
def point_file(tmp_path: Path, write_point: Callable[..., Path]) -> Callable[..., Path]:
    """The same, into the test's own folder."""
    return lambda **changes: write_point(tmp_path, **changes)
