"""What the tests of faults share: real trainings small enough to be killed often, and small disks."""

from __future__ import annotations

import os
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from readlabel.artifacts.digest import file_ref
from readlabel.client import TrainingClient
from readlabel.messages import GridPoint, RunSpec, TrainingOptions

SEED = int.from_bytes(os.urandom(4), "big")


@pytest.fixture
def rng() -> random.Random:
    """What random moments are drawn from."""
    print(f"random moments of seed {SEED}")  # pytest shows it when the test fails
    return random.Random(SEED)


@pytest.fixture
def pass_time() -> Callable[[float], None]:
    """Lets so many seconds pass."""

    def wait(seconds: float) -> None:
        threading.Event().wait(seconds)

    return wait


class RealRun:
    """A training with TensorFlow on few and short reads."""

    def __init__(self, reads: tuple[Path, Path], point: Path, seed: int) -> None:
        self.reads = reads
        self.blobs = tuple(map(file_ref, reads))
        told = GridPoint.model_validate_json(point.read_text())
        self.spec = RunSpec(
            point=told.model_copy(update={"options": TrainingOptions(seed=seed)}),
            training_reads=self.blobs[0],
            validation_reads=self.blobs[1],
        )
        self.epochs = told.hyperparameters.epochs

    def create(self, client: TrainingClient) -> str:
        """Upload the reads and create the run; its name."""
        for path, blob in zip(self.reads, self.blobs, strict=True):
            client.upload(path, blob)
        return client.create(self.spec).name


def fetch(client: TrainingClient, run: Any, folder: Path) -> Path:
    """The artifacts of a run, in a new folder."""
    client.download_all(run, folder)
    return folder


def epochs_of(client: TrainingClient, name: str) -> list[dict[str, Any]]:
    """A run's epochs as its stream, which must have no gap, tells them; without what a clock decides."""
    events = list(client.watch(name))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    clock = {"seconds", "bases_per_second", "memory_bytes"}
    return [event.epoch.model_dump(exclude=clock) for event in events if event.epoch is not None]


@pytest.fixture
def make_real_run(
    real_reads: tuple[Path, Path], write_point: Callable[..., Path], tmp_path: Path
) -> Callable[..., Any]:
    """Makes trainings that differ in their seed."""

    def make(seed: int, epochs: int) -> RealRun:
        point = write_point(tmp_path, epochs=epochs, lr_schedule="constant", train_fraction=1.0)
        return RealRun(real_reads, point, seed)

    return make


@pytest.fixture
def compare(start_service: Callable[..., Any], tmp_path: Path) -> Callable[..., None]:
    """Holds runs that were disturbed against the same trained without any disturbance."""

    def hold(disturbed: Any, runs: list[RealRun]) -> None:
        calm = start_service("--devices", "cpu:1", "--threads", "1", data_dir=tmp_path / "calm", scripted=False)
        with disturbed.client() as one, calm.client() as other:
            names = [run.create(other) for run in runs]
            for run, name in zip(runs, names, strict=True):
                whole = epochs_of(other, name)
                assert [epoch["epoch"] for epoch in whole] == list(range(1, run.epochs + 1))
                assert epochs_of(one, name) == whole
                folders = [
                    fetch(client, client.get(name), tmp_path / label / name)
                    for client, label in ((one, "disturbed-files"), (other, "calm-files"))
                ]
                weights = [(folder / "model.h5").read_bytes() for folder in folders]
                assert weights[0] == weights[1]
                lines = (folders[0] / "train.log").read_text().splitlines()
                told = [line.split()[2] for line in lines if line.split()[1] == "epoch"]
                assert len(told) == len(set(told)), "an epoch that was checkpointed is never trained again"

    return hold


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts file systems of a few bytes."""
    mounted: list[Path] = []

    def mount(size_bytes: int) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        options = f"size={size_bytes},mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "readlabel-test", folder], check=True)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)
