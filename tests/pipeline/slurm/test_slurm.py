"""-profile slurm under a real Slurm: with containers and without, with GPUs asked for, and preempted."""

from __future__ import annotations

import json
import re
import subprocess

import h5py
import numpy as np
import pytest

pytestmark = pytest.mark.slurm
MODEL = "10x3p_sc_ont"
VARIANT = f"{MODEL}/{MODEL}_0/{MODEL}_0"
LONG = {"train_fraction": "1", "epochs": "300"}
# Nextflow asks Slurm more often than it would ask a cluster of many users.
CONFIG = """
executor { pollInterval = '1 sec'; queueStatInterval = '2 sec' }
"""
TICK = 0.2


@pytest.fixture
def slurm(launch, cluster) -> list[str]:
    """Arguments that run the pipeline under it, with limits that its node can give."""
    (launch.folder / "slurm.config").write_text(CONFIG)
    return ["-profile", "slurm", "-c", "slurm.config", "--max_cpus", "2", "--max_memory", "4 GB", "--queue", "main"]


def headers(launch) -> dict[str, str]:
    """What each task asked of Slurm."""
    found = {}
    for path in launch.folder.glob("work/*/*/.command.run"):
        lines = [line for line in path.read_text().splitlines() if line.startswith("#SBATCH")]
        found[re.search(r"-J nf-(\w+)", "\n".join(lines)).group(1) + f" {path.parent.name}"] = "\n".join(lines)
    return found


def weights(outcome) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(outcome.outdir / f"{VARIANT}.h5") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_a_grid_runs_as_jobs_of_a_partition_and_an_account_with_gpus_for_trainings_alone(launch, slurm, cluster):
    done = launch.train(*slurm, "--queue", "spare", "--account", "lab", "--gpus", "1", "--gpu_type", "tesla")
    assert done.exit_status == 0, done.output + cluster.logs()
    assert done.leaderboard[f"{MODEL}_0"]["state"] == "SUCCEEDED"
    asked = headers(launch)
    assert len(asked) == 7
    assert all("-p spare" in header and "--account=lab" in header for header in asked.values())
    assert {name.split("_")[0] for name, header in asked.items() if "--gres=gpu:tesla:1" in header} == {"TRAIN"}
    jobs = cluster.command("scontrol", "show", "jobs", "--oneliner")
    training = next(line for line in jobs.splitlines() if "JobName=nf-TRAIN" in line)
    assert "gres:gpu:tesla:1" in training
    assert "Partition=spare" in training


def test_the_same_runs_in_containers(launch, slurm, cluster):
    slurm[1] = "slurm,podman"
    done = launch.train(*slurm)
    assert done.exit_status == 0, done.output + cluster.logs()
    assert done.leaderboard[f"{MODEL}_0"]["state"] == "SUCCEEDED"
    scripts = [path.read_text() for path in launch.folder.glob("work/*/*/.command.run")]
    assert len(scripts) == 7
    assert all("podman run " in script and "#SBATCH" in script for script in scripts)


def preempt_the_first_training(launch, cluster, start) -> None:
    """What a scheduler does that takes a node back, as soon as the training has a few epochs behind it."""
    while start.poll() is None:
        for log in launch.folder.glob("work/*/*/.command.log"):
            if re.search(r"^epoch 20/", log.read_text(), re.MULTILINE):
                [job] = [
                    line.split("|")[0]
                    for line in cluster.command("squeue", "--noheader", "--format=%i|%Z").splitlines()
                    if line.endswith(str(log.parent))
                ]
                cluster.command("scancel", "--full", "--signal=TERM", job)
                return
        try:
            start.wait(timeout=TICK)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("it ended before it could be preempted")


@pytest.mark.parametrize("profile", ["slurm", "slurm,podman"])
def test_a_preempted_training_goes_on_from_its_checkpoint_to_the_weights_of_one_that_was_not(
    launch, slurm, cluster, profile
):
    slurm[1] = profile
    start = launch.start(*launch.tiny(LONG), *slurm, "--outdir", "preempted")
    preempt_the_first_training(launch, cluster, start)
    preempted = launch.ended(start, "preempted")
    assert preempted.exit_status == 0, preempted.output + cluster.logs()
    assert [task.exit for task in preempted.tasks if task.process == "TRAIN"] == ["143", "0"]
    record = json.loads((preempted.outdir / f"{VARIANT}_run.json").read_text())
    assert [attempt["resumed_from_epoch"] > 0 for attempt in record["attempts"]] == [False, True]

    whole = launch.run(*launch.tiny(LONG), "-work-dir", "local", outdir="whole")
    assert whole.exit_status == 0, whole.output
    expected = weights(whole)
    assert expected
    assert {
        name: bool(np.array_equal(value, expected[name])) for name, value in weights(preempted).items()
    } == dict.fromkeys(expected, True)
