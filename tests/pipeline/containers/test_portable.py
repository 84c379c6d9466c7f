"""Each process's own script where only its declared inputs are visible, read-only, and its user is nobody's."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.containers
ROOT = Path(__file__).resolve().parents[3]
MODEL = "10x3p_sc_ont"
# What each process declares, and what its script writes for itself.
OUTPUTS = {
    "EXPAND_GRID": {"grid.json"},
    "SIMULATE": {"validation.parquet", "library.json"},
    "IMPORT_READS": {"training.parquet", "library.json"},
    "TRAIN": {"run", "point.json"},
    "EXPORT": {MODEL},
    "REPORT": {"report", "losses.json"},
    "VERDICT": set(),
}
MINUTE = 60


@dataclass(frozen=True)
class Task:
    """A task that the pipeline has run: its script, its image and its inputs."""

    folder: Path
    image: str

    def inputs(self) -> list[Path]:
        """The links that Nextflow staged, relative to the task's folder."""
        return [path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_symlink()]


@pytest.fixture(scope="module")
def tasks(shared_launch) -> dict[str, Task]:
    """One task of every process, imported reads included."""
    orders = ROOT / "assets" / "training_seq_orders.tsv"
    simulate = [sys.executable, "-P", "-m", "readlabel.cli", "simulate", "--training-seq-orders", orders]
    pickles = ["--model-name", MODEL, "--num-reads", "30", "--pkl", "reads", "--out", "reads.parquet"]
    subprocess.run([*simulate, *pickles], cwd=shared_launch.folder, check=True, capture_output=True)
    done = shared_launch.train("-profile", "podman", "--reads", "reads")
    assert done.exit_status == 0, done.output
    found = {}
    for script in shared_launch.folder.glob("work/*/*/.command.run"):
        text = script.read_text()
        process = re.search(r"^### name: '([A-Z_]+)", text, re.MULTILINE)
        image = re.search(r"localhost/readlabel/[a-z]+:[\w.-]+", text)
        assert process is not None
        assert image is not None
        found[process.group(1)] = Task(script.parent, image.group(0))
    return found


class Scratch:
    """A copy of a task where its container may write to its own folder and to checkpoints only."""

    def __init__(self, task: Task, folder: Path, user: int) -> None:
        self.folder, self.given, self.checkpoints = folder / "its task", folder / "its inputs", folder / "checkpoints"
        self._user, self._image = user, task.image
        for made in (self.folder, self.given, self.checkpoints):
            made.mkdir()
        shutil.copy(task.folder / ".command.sh", self.folder)
        for number, link in enumerate(task.inputs()):
            copy = self.given / str(number)
            source = (task.folder / link).resolve()
            if source.is_dir():
                shutil.copytree(source, copy)
            else:
                shutil.copy(source, copy)
            place = self.folder / link
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(f"/a scratch folder/inputs/{number}")
        self.staged = {link.parts[0] for link in task.inputs()}
        subprocess.run(["chmod", "-R", "a=rX", self.given], check=True)
        for owned in (self.folder, self.checkpoints):
            subprocess.run(["chown", "-R", "--no-dereference", f"{user}:{user}", owned], check=True)

    def command(self, *options: str) -> list[str]:
        """What runs the script there."""
        folder = "/a scratch folder"
        return [
            "podman", "run", "--rm", *options, "--no-healthcheck", "--read-only", "--network", "none",
            "--cap-drop", "all", "--user", f"{self._user}:{self._user}",
            "--volume", f"{self.folder}:{folder}/task", "--volume", f"{self.given}:{folder}/inputs:ro",
            "--volume", f"{self.checkpoints}:{folder}/checkpoints",
            "--volume", f"{ROOT / 'bin'}:{folder}/bin:ro",
            "--env", f"READLABEL_CHECKPOINT_DIR={folder}/checkpoints", "--workdir", f"{folder}/task",
            # A shell that passes no signal on, as Nextflow's is.
            self._image, "bash", "-c", f'PATH="{folder}/bin:$PATH"; bash -ue .command.sh & wait $!',
        ]  # fmt: skip

    def left(self) -> set[str]:
        """What lies in the task's folder beyond what was put there, and Nextflow's own `.command.…`."""
        return {path.name for path in self.folder.glob("*") if not path.name.startswith(".command.")} - self.staged

    def digest(self) -> dict[str, str]:
        files = [path for path in sorted(self.given.rglob("*")) if path.is_file()]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("process", list(OUTPUTS))
def test_a_process_needs_its_inputs_alone_and_leaves_its_outputs_alone(tasks, tmp_path, anybody, process):
    scratch = Scratch(tasks[process], tmp_path, anybody)
    given = scratch.digest()
    done = subprocess.run(scratch.command(), capture_output=True, text=True, timeout=5 * MINUTE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert scratch.left() == OUTPUTS[process]
    assert scratch.digest() == given
    assert process == "TRAIN" or list(scratch.checkpoints.iterdir()) == []


def test_a_training_that_is_told_to_end_leaves_its_checkpoint_and_nothing_else(tasks, tmp_path, anybody, podman):
    scratch = Scratch(tasks["TRAIN"], tmp_path, anybody)
    script = scratch.folder / ".command.sh"
    longer = re.sub(r'"epochs": *\d+', '"epochs":5000', script.read_text())
    assert longer != script.read_text()
    script.write_text(re.sub(r'"train_fraction": *[0-9.]+', '"train_fraction":1.0', longer))
    os.chown(script, anybody, anybody)
    name = f"readlabel-test-{os.getpid()}"
    with subprocess.Popen(scratch.command("--name", name), stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert any(line.startswith("epoch 3/") for line in started.stdout)
        podman("kill", "--signal", "TERM", name)
        assert started.wait(timeout=2 * MINUTE) == 143
    assert scratch.left() == {"point.json"}
    [run] = scratch.checkpoints.iterdir()
    assert (run / "last.npz").is_file()
    assert run.stat().st_uid == anybody
