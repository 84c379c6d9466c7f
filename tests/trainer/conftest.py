"""Small labelled reads that a tiny network can learn something from, and real workers to train on them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import TypeVar

import numpy as np
import pytest

from readlabel.artifacts.digest import file_ref
from readlabel.messages import (
    EVENT,
    FinishedEvent,
    GridPoint,
    Hyperparameters,
    Library,
    Message,
    ReadyEvent,
    RunSpec,
    Segment,
    TrainingOptions,
    TrainOrder,
)
from readlabel.model.export import export
from readlabel.model.network import Network
from readlabel.reads.labelled import LabelledReads, runs
from readlabel.reads.parquet import write_reads

DEADLINE = 120.0
"""Seconds that a worker may take to say something, on a busy machine."""

LIBRARY = Library(
    model="mini",
    segments=(
        Segment(name="5p", pattern="ACGTACGT"),
        Segment(name="CBC", pattern="N6"),
        Segment(name="cDNA", pattern="NN"),
        Segment(name="3p", pattern="TTGGCCAA"),
    ),
    barcodes=("CBC",),
    strand="fwd",
)
TINY = Hyperparameters(
    batch_size=4,
    train_fraction=0.75,
    embedding_dim=4,
    conv_layers=2,
    conv_filters=6,
    conv_kernel_size=5,
    lstm_units=5,
    dropout_rate=0.2,
    regularization=1e-4,
    learning_rate=0.01,
    epochs=2,
)
_EventT = TypeVar("_EventT", bound=Message)
MakeOrder = Callable[..., TrainOrder]


def make_reads(pairs: int, seed: int = 0, shortest: int = 4, longest: int = 20) -> LabelledReads:
    """`pairs` pairs of reads as the library says, with cDNA of the given lengths."""
    random = np.random.default_rng(seed)
    names = LIBRARY.labels
    motif = {"5p": [1, 2, 3, 4, 1, 2, 3, 4], "3p": [4, 4, 3, 3, 2, 2, 1, 1]}
    tokens, labels = [], []
    for _ in range(2 * pairs):
        cdna = random.integers(1, 5, random.integers(shortest, longest + 1))
        parts = [motif["5p"], random.integers(1, 5, 6), cdna, motif["3p"]]
        tokens.append(np.concatenate(parts))
        labels.append(np.repeat([names.index(s.name) for s in LIBRARY.segments], [len(part) for part in parts]))
    offsets = np.concatenate([[0], np.cumsum([len(read) for read in tokens])]).astype(np.int64)
    flat = np.concatenate(labels).astype(np.uint8)
    count = 2 * pairs
    return LabelledReads(
        label_names=names,
        offsets=offsets,
        tokens=np.concatenate(tokens).astype(np.uint8),
        labels=flat,
        read_ids=np.array([f"read-{seed}-{i}" for i in range(count)], object),
        pair=np.arange(count) // 2,
        kind=np.zeros(count, np.uint8),
        strand=np.arange(count).astype(np.uint8) % 2,
        segments=runs(offsets, flat),
        transcript=np.full(count, None, object),
    )


class Worker:
    """A real worker process, its events as they come."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "readlabel.trainer", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.errors = b""
        self._events: Queue[Message | None] = Queue()
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read, self._listen)]
        for thread in self._threads:
            thread.start()

    def send(self, order: Message) -> None:
        """Order something."""
        assert self.process.stdin is not None
        self.process.stdin.write(order.model_dump_json().encode() + b"\n")
        self.process.stdin.flush()

    def hang_up(self) -> None:
        """End the worker's standard input, as its parent's death would."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def until(self, kind: type[_EventT]) -> tuple[list[Message], _EventT]:
        """The events before the next one of a kind, and that one."""
        before: list[Message] = []
        while True:
            event = self._events.get(timeout=DEADLINE)
            assert event is not None, f"the worker ended without {kind.__name__}:\n{self.errors.decode()}"
            if isinstance(event, kind):
                return before, event
            before.append(event)

    def train(self, order: TrainOrder) -> tuple[list[Message], FinishedEvent]:
        """Train to the end; the events on the way and the outcome."""
        self.until(ReadyEvent)
        self.send(order)
        events, finished = self.until(FinishedEvent)
        assert self.wait() == 0, self.errors.decode()
        return events, finished

    def wait(self) -> int:
        """The exit status, with every event read."""
        status = self.process.wait(DEADLINE)
        for thread in self._threads:
            thread.join(DEADLINE)
        return status

    def rest(self) -> list[Message]:
        """The events that nobody has taken yet, of a worker that ended."""
        events = iter(self._events.get_nowait, None)
        return [event for event in events if event is not None]

    def end(self) -> None:
        """Kill the worker if it still runs, and leave nothing open."""
        self.process.kill()
        self.hang_up()
        self.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._events.put(EVENT.validate_json(line))
        self._events.put(None)

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read()


@pytest.fixture(scope="session")
def reads() -> LabelledReads:
    """Forty reads."""
    return make_reads(20)


@pytest.fixture(scope="session")
def library() -> Library:
    """What the reads are of."""
    return LIBRARY


@pytest.fixture(scope="session")
def tiny() -> Hyperparameters:
    """Two convolutions, so that the second batch norm depends on the first; dropout, so that its noise is tested."""
    return TINY


@pytest.fixture(scope="session")
def network(tiny: Hyperparameters, library: Library) -> Network:
    """An untrained network whose labels vary."""
    built = Network.build(tiny, library, TrainingOptions())
    # An untrained network prefers one label everywhere, and any mistake would look right: so its scores are centred.
    kernel, bias = (built.weights[f"time_dense/{part}"] for part in ("kernel", "bias"))
    kernel.assign(kernel * 300)
    tokens, length = make_reads(20).tokens[None], np.array([make_reads(20).num_bases], np.int32)
    scores = built.emissions(tokens, length, length, training=False)
    bias.assign(bias - np.mean(scores, (0, 1)))
    return built


@pytest.fixture
def exported(tmp_path: Path, network: Network) -> Path:
    """Its files, in a run's layout."""
    export(network, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="session")
def read_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Parquet files of 48 training reads and 16 validation reads."""
    folder = tmp_path_factory.mktemp("reads")
    paths = folder / "train.parquet", folder / "validation.parquet"
    write_reads(paths[0], [make_reads(24, seed=1)], LIBRARY)
    write_reads(paths[1], [make_reads(8, seed=2)], LIBRARY)
    return paths


@pytest.fixture(scope="session")
def make_order(read_files: tuple[Path, Path]) -> MakeOrder:
    """Makes the order to train a tiny network; keyword arguments change its hyperparameters."""

    def make(folder: Path, *, seed: int = 1, attempt: int = 1, **changes: object) -> TrainOrder:
        return TrainOrder(
            spec=RunSpec(
                point=GridPoint(
                    hyperparameters=TINY.model_copy(update=changes),
                    library=LIBRARY,
                    options=TrainingOptions(seed=seed),
                ),
                training_reads=file_ref(read_files[0]),
                validation_reads=file_ref(read_files[1]),
            ),
            attempt=attempt,
            run_dir=str(folder / "run"),
            checkpoint_dir=str(folder / "checkpoints"),
            training_reads=str(read_files[0]),
            validation_reads=str(read_files[1]),
            threads=1,
        )

    return make


@pytest.fixture
def start_worker() -> Iterator[Callable[..., Worker]]:
    """Starts workers, and sees to it that none outlives the test."""
    started: list[Worker] = []

    def start(*arguments: str) -> Worker:
        started.append(Worker(*arguments))
        return started[-1]

    yield start
    for worker in started:
        worker.end()


@pytest.fixture(scope="session")
def worker_class() -> type[Worker]:
    """For fixtures that outlive a test; they end what they start."""
    return Worker
