"""Private services in two containers of one host, which see nothing of each other but the folder of leases."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from readlabel import __version__

pytestmark = pytest.mark.containers
MODEL = "10x3p_sc_ont"
TINY = {"conv_layers": 1, "conv_filters": 4, "lstm_units": 4, "embedding_dim": 4, "train_fraction": 1}
MINUTE = 60

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path, anybody: int, root: Path, podman) -> Iterator[Start]:
    """Starts `readlabel train` on all cores of the host, each time in a container of its own."""
    simulate = [sys.executable, "-P", "-m", "readlabel.cli", "simulate", "--model-name", MODEL, "--num-reads", "30"]
    orders = ["--training-seq-orders", root / "assets" / "training_seq_orders.tsv"]
    given = tmp_path / "given"
    given.mkdir()
    for stream in ("training", "validation"):
        drawn = ["--stream", stream, "--out", given / f"{stream}.parquet"]
        subprocess.run([*simulate, *orders, *drawn], check=True, capture_output=True)
    (given / "orders.tsv").write_bytes((root / "assets" / "training_seq_orders.tsv").read_bytes())
    leases = tmp_path / "leases"
    leases.mkdir(mode=0o700)
    for path in (given, *given.iterdir(), leases):
        os.chown(path, anybody, anybody)
    names: list[str] = []

    def train(name: str, epochs: int) -> subprocess.Popen[str]:
        names.append(name)
        values = {**TINY, "epochs": epochs}
        return subprocess.Popen(
            [
                "podman", "run", "--rm", "--name", name, "--no-healthcheck", "--read-only", "--network", "none",
                "--cap-drop", "all", "--user", f"{anybody}:{anybody}",
                "--volume", f"{given}:/given:ro", "--volume", f"{leases}:/leases",
                "--env", "READLABEL_LEASE_DIR=/leases",
                f"localhost/readlabel/trainer:{__version__}", "readlabel", "train", "--devices", "cpu",
                "--training-seq-orders", "/given/orders.tsv", "--model-name", MODEL,
                "--train", "/given/training.parquet", "--validation", "/given/validation.parquet", "--out", "/tmp/run",
                *(word for key, value in values.items() for word in ("-p", f"{key}={value}")),
            ],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    yield train
    for name in names:
        podman("rm", "--force", "--ignore", "--time", "0", name)


def until(process: subprocess.Popen[str], beginning: str) -> list[str]:
    """Its lines, until one begins so."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if line.startswith(beginning):
            return lines
    raise AssertionError("\n".join(lines))


def test_one_trains_while_the_other_waits_and_says_so_until_the_first_is_gone(start, podman):
    prefix = f"readlabel-test-{os.getpid()}"
    with start(f"{prefix}-first", epochs=5000) as first:
        until(first, "epoch 1/")
        with start(f"{prefix}-second", epochs=1) as second:
            waiting = until(second, "note: waits for")
            assert waiting[-1].endswith("CPU cores: other services on this host train there")
            assert "running" not in waiting
            until(first, "epoch ")  # it is not disturbed
            podman("kill", f"{prefix}-first")
            assert first.wait(timeout=MINUTE) == 137
            until(second, "running")
            until(second, "epoch 1/1")
            assert second.wait(timeout=2 * MINUTE) == 0
