"""The commands `readlabel export`, `report` and `verdict`, run as a user runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from readlabel.cli.export import main as export
from readlabel.messages import Grid, GridEntry, InputError


def readlabel(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "readlabel.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_report_takes_folders_after_one_option_and_prints_the_leaderboard(results, tmp_path: Path) -> None:
    grid = tmp_path / "grid.json"
    grid.write_text(results.grid.model_dump_json())
    out = results.outdir / "report"
    done = readlabel("report", "--grid", grid, "--variants", *results.folders, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(out / "report.html")
    assert "10x5p_sc_ont_0" in done.stdout
    assert "NUMERICS: the loss is NaN" in done.stdout

    verdict = readlabel("verdict", "--leaderboard", out / "leaderboard.tsv")
    assert verdict.returncode == 1
    (line,) = verdict.stderr.splitlines()
    assert line.startswith("error: 2 of 8 combinations have no model: 10x5p_sc_ont_5 MISSING (")
    assert "10x5p_sc_ont_6 FAILED (NUMERICS" in line


def test_the_verdict_on_a_whole_grid_is_exit_0(tmp_path: Path) -> None:
    table = tmp_path / "leaderboard.tsv"
    table.write_text("variant\tstate\treason\nm_0\tSUCCEEDED\tNA\n")
    assert readlabel("verdict", "--leaderboard", table).returncode == 0


@pytest.mark.parametrize("content", ["", "a\tb\n1\t2\n"])
def test_the_verdict_refuses_what_is_no_leaderboard(tmp_path: Path, content: str) -> None:
    table = tmp_path / "leaderboard.tsv"
    table.write_text(content)
    done = readlabel("verdict", "--leaderboard", table)
    assert done.returncode == 2
    assert "is no leaderboard" in done.stderr


def test_export_installs_a_variant_that_was_exported_before(results, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    done = readlabel("export", "--run", results.folders[0], "--install", tmp_path / "models")
    assert done.returncode == 0, done.stderr
    written = {Path(line).name for line in done.stdout.splitlines()}
    assert written == {path.name for path in (tmp_path / "models").iterdir()}
    table = tmp_path / "models" / "seq_orders.tsv"
    assert "--model-name 10x5p_sc_ont --model-type CRF" in done.stderr
    assert f"--seq-order-file {table}" in done.stderr


def test_the_folder_of_a_run_is_no_variant_and_is_told_how_to_become_one(sample, make, tmp_path: Path) -> None:
    point = make.point(sample.library)
    grid = Grid(entries=(GridEntry(model=sample.library.model, index=0, point=point, varying=()),))
    (tmp_path / "grid.json").write_text(grid.model_dump_json())
    run = make.run(tmp_path / "run", sample.reads, point)
    out = tmp_path / "report"
    done = readlabel("report", "--grid", tmp_path / "grid.json", "--variants", run, "--out", out)
    assert done.returncode == 2
    assert f"{run}: is a run's folder; export it first: readlabel export --run {run} --name" in done.stderr
    assert f"--name {grid.entries[0].variant} " in done.stderr
    assert not out.exists()


@pytest.mark.parametrize("out", ["/sys/readlabel", "thesis.txt", "foreign"])
def test_a_variant_that_cannot_be_laid_out_is_one_clear_error(sample, make, tmp_path: Path, out: str) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))
    (tmp_path / "thesis.txt").write_text("mine")
    foreign = tmp_path / "foreign" / "mini_0"
    foreign.mkdir(parents=True)
    (foreign / "notes.txt").write_text("mine")
    given = ["--validation", sample.path, "--name", "mini_0", "--num-plot-reads", 1]
    done = readlabel("export", "--run", run, *given, "--out", tmp_path / out)
    assert (done.returncode, done.stdout) == (73, "")
    assert done.stderr.startswith(f"error: {tmp_path / out / 'mini_0'}: ")
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    assert [path.name for path in foreign.iterdir()] == ["notes.txt"]


def test_export_without_a_place_to_write_says_what_to_give(results) -> None:
    with pytest.raises(InputError, match=r"--out.*--install"):
        export(results.folders[0])


def test_a_folder_that_is_no_run_is_one_clear_line(tmp_path: Path) -> None:
    done = readlabel("export", "--run", tmp_path / "nothing", "--out", tmp_path, "--name", "a_0")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "is no folder" in done.stderr
