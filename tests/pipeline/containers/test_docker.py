"""-profile docker, under a Docker daemon of this test's own that has been given the images."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from readlabel import __version__

pytestmark = pytest.mark.containers


@pytest.fixture
def docker() -> Iterator[Path]:
    """The daemon's socket, which DOCKER_HOST names; without networks, which no task here has."""
    with tempfile.TemporaryDirectory(prefix="readlabel-test-", dir="/tmp") as made:
        folder = Path(made)
        address = f"unix://{folder / 'socket'}"
        places = ["--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid"]
        command = ["dockerd", *places, "--host", address, "--iptables=false", "--bridge=none"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as daemon:
            assert daemon.stderr is not None
            said = []
            for line in daemon.stderr:
                said.append(line)
                if "API listen" in line:
                    break
            else:
                raise AssertionError("".join(said))
            # What it says from now on goes where it stops nobody.
            drain = subprocess.Popen(["cat"], stdin=daemon.stderr, stdout=subprocess.DEVNULL)
            os.environ["DOCKER_HOST"] = address
            try:
                yield folder / "socket"
            finally:
                del os.environ["DOCKER_HOST"]
                daemon.terminate()
                daemon.wait(timeout=60)
                drain.wait(timeout=60)


@pytest.fixture
def images(docker) -> None:
    """Those that `make images` has built with podman."""
    for image in ("client", "data", "trainer"):
        save = ["podman", "save", "--quiet", "--format", "docker-archive", f"localhost/readlabel/{image}:{__version__}"]
        with subprocess.Popen(save, stdout=subprocess.PIPE) as archive:
            subprocess.run(["docker", "load"], stdin=archive.stdout, check=True, capture_output=True)
        assert archive.returncode == 0


@pytest.fixture
def elsewhere(root) -> Iterator[tuple[Path, Path]]:
    """A folder that is not in /tmp, for the work; and the table of libraries in a folder of its own that is."""
    work, tables = (Path(tempfile.mkdtemp(prefix="readlabel test ", dir=place)) for place in ("/var/tmp", "/tmp"))
    shutil.copy(root / "assets" / "training_seq_orders.tsv", tables)
    yield work, tables / "training_seq_orders.tsv"
    for folder in (work, tables):
        shutil.rmtree(folder)


@pytest.mark.usefixtures("images")
def test_a_grid_is_trained_with_every_process_in_its_image_whether_nextflow_mounts_tmp_or_not(launch, elsewhere):
    work, orders = elsewhere
    done = launch.train("-profile", "docker", "-work-dir", str(work), "--training_seq_orders", str(orders))
    assert done.exit_status == 0, done.output
    assert {row["state"] for row in done.leaderboard.values()} == {"SUCCEEDED"}
    scripts = [path.read_text() for path in work.glob("*/*/.command.run")]
    started = [line for script in scripts for line in script.splitlines() if "docker run -i " in line]
    assert len(started) == 7
    assert all("--network none" in line and "--read-only" in line for line in started)
    # Two inputs with nothing but /tmp in common: Nextflow mounts that, and docker takes no second mount there.
    whole = {re.search(r"readlabel/([a-z]+):", line).group(1): " -v /tmp:/tmp " in line for line in started}
    assert (whole["client"], whole["trainer"]) == (True, False)
