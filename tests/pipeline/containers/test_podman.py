"""-profile podman: a grid from tables to report in containers; a service in one; a training that is killed in one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from readlabel import __version__

pytestmark = pytest.mark.containers
MODEL = "10x3p_sc_ont"
VARIANT = f"{MODEL}/{MODEL}_0/{MODEL}_0"
# Long enough to be met in the middle; with every read in training nothing stops it early.
LONG = {"train_fraction": "1", "epochs": "300"}
TICK = 0.2


def commands(launch, work: str = "work") -> list[str]:
    """How each task starts its container."""
    scripts = [path.read_text() for path in (launch.folder / work).glob("*/*/.command.run")]
    return [line.strip() for script in scripts for line in script.splitlines() if " run -i " in line]


def image_of(command: str) -> str:
    found = re.search(r"localhost/readlabel/([a-z]+):", command)
    return found.group(1) if found else command


def weights(outcome) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(outcome.outdir / f"{VARIANT}.h5") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_a_grid_is_trained_with_every_process_in_its_image_without_network(launch):
    work = "work folder"
    done = launch.train("-profile", "podman", "-work-dir", work, table={"conv_filters": "4,8"})
    assert done.exit_status == 0, done.output
    assert {row["state"] for row in done.leaderboard.values()} == {"SUCCEEDED"}
    started = commands(launch, work)
    assert sorted(image_of(command) for command in started) == ["client", *["data"] * 6, *["trainer"] * 2]
    assert all("--network none" in command and "--read-only" in command for command in started)


@pytest.fixture
def open_to_all(launch) -> Iterator:
    """A folder to start the pipeline in where any user may write, whatever Nextflow makes there."""
    folder = Path(tempfile.mkdtemp(prefix="readlabel test ", dir="/var/tmp"))
    before = os.umask(0)
    try:
        folder.chmod(0o777)
        yield type(launch)(folder)
    finally:
        os.umask(before)
        shutil.rmtree(folder)


def test_a_grid_is_trained_by_a_user_that_the_machine_does_not_know(open_to_all, anybody, monkeypatch):
    options = f"--user {anybody}:{anybody} --cap-drop all --read-only --no-healthcheck --stop-timeout 60"
    (open_to_all.folder / "user.config").write_text(f"podman.runOptions = '{options}'\n")
    # Of the shell's own, beside the work folder: in the container that place belongs to root.
    monkeypatch.setenv("READLABEL_LEASE_DIR", str(open_to_all.folder / "leases"))
    done = open_to_all.train("-profile", "podman", "-c", "user.config")
    assert done.exit_status == 0, done.output
    assert {row["state"] for row in done.leaderboard.values()} == {"SUCCEEDED"}
    started = commands(open_to_all)
    assert sorted(image_of(command) for command in started) == ["client", *["data"] * 5, "trainer"]
    assert all(f"--user {anybody}:{anybody}" in command for command in started)
    [run] = (path.parent / "run" for path in open_to_all.folder.glob("work/*/*/point.json"))
    assert run.stat().st_uid == anybody


@pytest.fixture
def service(podman, tls, anybody, free_port):
    """`serve` as a container that stays, with a volume, TLS and a token; its name and address."""
    name = f"readlabel-test-{free_port}"
    podman(
        "run", "--detach", "--name", name, "--no-healthcheck", "--read-only", "--cap-drop", "all",
        "--user", f"{anybody}:{anybody}", "--network", "host",
        "--volume", f"{tls}:/secrets:ro", "--volume", f"{tls}/data:/data",
        f"localhost/readlabel/trainer:{__version__}", "readlabel", "serve", "--listen", f"0.0.0.0:{free_port}",
        "--data-dir", "/data", "--token-file", "/secrets/token", "--tls-cert", "/secrets/tls.crt",
        "--tls-key", "/secrets/tls.key",
    )  # fmt: skip
    yield name, f"localhost:{free_port}"
    podman("rm", "--force", "--time", "60", name)


def healthy(podman, name: str, address: str) -> str:
    ask = ["readlabel", "health", "--wait", "60", "--service", address, "--tls-ca", "/secrets/tls.crt"]
    return podman("exec", name, *ask)


def test_a_service_in_a_container_trains_for_the_pipeline_and_keeps_its_runs(launch, podman, service, tls):
    name, address = service
    assert healthy(podman, name, address) == f"{address} serves"
    trained = launch.train(
        "-profile", "podman", "--service", address,
        "--service_token_file", str(tls / "token"), "--service_tls_ca", str(tls / "tls.crt"),
    )  # fmt: skip
    assert trained.exit_status == 0, trained.output + podman("logs", name)
    assert trained.leaderboard[f"{MODEL}_0"]["state"] == "SUCCEEDED"
    assert "trainer" not in {image_of(command) for command in commands(launch)}

    podman("stop", "--time", "60", name)
    assert podman("inspect", "--format", "{{.State.ExitCode}}", name) == "0"
    podman("start", name)
    healthy(podman, name, address)
    options = ["--service", address, "--token-file", "/secrets/token", "--tls-ca", "/secrets/tls.crt"]
    [run] = podman("exec", name, "readlabel", "runs", "list", "--json", *options).splitlines()
    assert json.loads(run)["state"] == "SUCCEEDED"


def kill_the_first_training(launch, podman, start) -> None:
    """SIGKILL to its container, as soon as it has a few epochs behind it."""
    while start.poll() is None:
        for log in launch.folder.glob("work/*/*/.command.log"):
            if re.search(r"^epoch 20/", log.read_text(), re.MULTILINE):
                podman(
                    "kill", podman("ps", "--quiet", "--filter", f"ancestor=localhost/readlabel/trainer:{__version__}")
                )
                return
        try:
            start.wait(timeout=TICK)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("it ended before it could be killed")


def test_a_training_whose_container_is_killed_goes_on_to_the_weights_of_one_that_is_not(launch, podman):
    arguments = [*launch.tiny(LONG), "-profile", "podman"]
    start = launch.start(*arguments, "--outdir", "killed", "-work-dir", "work")
    kill_the_first_training(launch, podman, start)
    killed = launch.ended(start, "killed")
    assert killed.exit_status == 0, killed.output
    assert [task.exit for task in killed.tasks if task.process == "TRAIN"] == ["137", "0"]
    record = json.loads((killed.outdir / f"{VARIANT}_run.json").read_text())
    assert len(record["attempts"]) == 2
    assert record["attempts"][1]["resumed_from_epoch"] >= 1, "not from the start"

    whole = launch.run(*arguments, "-work-dir", "other work", outdir="whole")
    assert whole.exit_status == 0, whole.output
    expected = weights(whole)
    assert expected
    assert {
        name: bool(np.array_equal(value, expected[name])) for name, value in weights(killed).items()
    } == dict.fromkeys(expected, True)
