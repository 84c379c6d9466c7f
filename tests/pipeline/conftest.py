"""The pipeline, run for real by ./nextflow in folders of its own, on tiny reads and tiny networks."""

from __future__ import annotations

import csv
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL = "10x3p_sc_ont"
TINY = {
    "batch_size": "16",
    "train_fraction": "0.8",
    "vocab_size": "5",
    "embedding_dim": "4",
    "conv_layers": "1",
    "conv_filters": "4",
    "conv_kernel_size": "5",
    "lstm_layers": "1",
    "lstm_units": "4",
    "bidirectional": "TRUE",
    "crf_layer": "FALSE",
    "attention_heads": "0",
    "dropout_rate": "0.1",
    "regularization": "0.0001",
    "learning_rate": "0.01",
    "epochs": "1",
}


@dataclass(frozen=True)
class Task:
    """A line of Nextflow's trace."""

    process: str
    status: str
    exit: str


@dataclass(frozen=True)
class Outcome:
    """A run of the pipeline that has ended."""

    exit_status: int
    output: str
    outdir: Path

    @property
    def records(self) -> Path:
        """Nextflow's records of the last launch with these results."""
        return max((self.outdir / "pipeline_info").iterdir())

    @property
    def tasks(self) -> list[Task]:
        """What ran, what was taken from the cache, what failed."""
        with (self.records / "trace.tsv").open(newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
        return [Task(row["name"].split(" ")[0], row["status"], row["exit"]) for row in rows]

    def count(self, process: str, status: str) -> int:
        """How many tasks of a process ended so."""
        return sum(task.process == process and task.status == status for task in self.tasks)

    @property
    def leaderboard(self) -> dict[str, dict[str, str]]:
        """Variant to its row."""
        with (self.outdir / "report" / "leaderboard.tsv").open(newline="") as handle:
            return {row["variant"]: row for row in csv.DictReader(handle, delimiter="\t")}


@dataclass(frozen=True)
class Launch:
    """A folder that the pipeline is started in."""

    folder: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it and return at once; its output goes to launch.log in the folder."""
        with (self.folder / "launch.log").open("w") as log:
            return subprocess.Popen(
                # A shell that starts tests in the background has them ignore interrupts.
                ["env", "--default-signal=INT", *self.command(*arguments)],
                cwd=self.folder,
                env=self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def ended(self, start: subprocess.Popen[str], outdir: str = "results") -> Outcome:
        """What became of a run that was started."""
        return Outcome(start.wait(), (self.folder / "launch.log").read_text(), self.folder / outdir)

    def run(self, *arguments: str, outdir: str = "results", limit: float = 540) -> Outcome:
        """Start it and wait for its end, for `limit` seconds at most."""
        done = subprocess.run(
            self.command(*arguments, "--outdir", outdir),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
        return Outcome(done.returncode, done.stdout + done.stderr, self.folder / outdir)

    def train(self, *arguments: str, table: dict[str, str] | None = None, outdir: str = "results") -> Outcome:
        """Run the tiny grid, with `table` in place of some of its rows."""
        return self.run(*self.tiny(table or {}), *arguments, outdir=outdir)

    def tiny(self, table: dict[str, str]) -> list[str]:
        """Write the parameter table; the arguments of a tiny run of it."""
        path = self.folder / "params.tsv"
        rows = {"parameter": MODEL} | TINY | table
        path.write_text("".join(f"{name}\t{value}\n" for name, value in rows.items()))
        sizes = {"--num_reads": "30", "--num_val_reads": "8", "--num_plot_reads": "1", "--max_cdna": "120"}
        return [
            "--model_name", MODEL, "--training_params", str(path),
            *(word for pair in sizes.items() for word in pair),
        ]  # fmt: skip

    def command(self, *arguments: str) -> list[str]:
        """The command line of a run."""
        return [str(ROOT / "nextflow"), "run", str(ROOT), *arguments]

    def environment(self) -> dict[str, str]:
        """The version that ./nextflow brings; what Nextflow notes about runs stays in the folder."""
        return os.environ | {"READLABEL_NEXTFLOW": "own", "NXF_HOME": str(self.folder / ".nextflow-home")}


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """An empty folder to start the pipeline in."""
    return Launch(tmp_path)


@pytest.fixture(scope="module")
def shared_launch(tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """One folder for a module's tests, which look at the same runs."""
    return Launch(tmp_path_factory.mktemp("launch"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
