"""One combination that fails by its parameters, one that is killed: the others do not notice, the exit status does."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

MODEL = "10x3p_sc_ont"
# 0.001 of 30 pairs leaves none to train on; 0.7 is killed whenever it trains, 0.9 whenever it is exported.
TABLE = {"train_fraction": "0.8,0.001,0.7,0.9"}
KILLED = '"train_fraction":0.7'
NOT_EXPORTED = f"{MODEL}_3"
TICK = 0.2


def trainings(launch) -> Iterator[psutil.Process]:
    """The `readlabel train` commands that work in the launch's work folder."""
    yield from (process for process in at_work(launch) if "--point" in words(process))


def at_work(launch) -> Iterator[psutil.Process]:
    """The readlabel commands that work in the launch's work folder."""
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(f"{launch.folder}/work/") and any(
                word.endswith("/readlabel") for word in process.cmdline()
            ):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def left_behind(launch) -> list[psutil.Process]:
    """Processes that work in the launch's folder or were told of it, and have not ended a minute later."""
    found = [process for process in psutil.process_iter() if str(launch.folder) in " ".join(words(process))]
    return psutil.wait_procs(found, timeout=60)[1]


def words(process: psutil.Process) -> list[str]:
    try:
        return [*process.cmdline(), process.cwd()]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def is_victim(process: psutil.Process) -> bool:
    told = words(process)
    return NOT_EXPORTED in told or ("--point" in told and KILLED in Path(told[-1], "point.json").read_text())


def kill_the_victims(launch) -> int:
    kills = 0
    for process in at_work(launch):
        try:
            if not is_victim(process):
                continue
            process.kill()
            process.wait(timeout=30)
            kills += 1
        except psutil.NoSuchProcess:
            continue
    return kills


@pytest.fixture(scope="module")
def broken(shared_launch):
    """The run with its victim, and how often that was killed."""
    kills = 0
    start = shared_launch.start(*shared_launch.tiny(TABLE), "--max_retries", "1", "--outdir", "results")
    while start.poll() is None:
        kills += kill_the_victims(shared_launch)
        try:
            start.wait(timeout=TICK)
        except subprocess.TimeoutExpired:
            continue
    return shared_launch.ended(start), kills


@pytest.fixture(scope="module")
def mended(broken, shared_launch):
    return shared_launch.train("--max_retries", "1", "-resume", table=TABLE)


def test_a_killed_training_is_tried_again_then_left_to_the_report_with_how_it_ended(broken, shared_launch):
    outcome, kills = broken
    assert kills == 4
    assert [task.exit for task in outcome.tasks if task.process == "TRAIN" and task.status == "FAILED"] == ["137"] * 2
    assert outcome.leaderboard[f"{MODEL}_2"]["state"] == "MISSING"
    reason = re.fullmatch(
        r"killed \(exit status 137\) after 2 attempts; its log: (work/\w\w/\w+/\.command\.log); -resume tries it again",
        outcome.leaderboard[f"{MODEL}_2"]["reason"],
    )
    assert reason is not None
    assert shared_launch.folder.joinpath(reason[1]).is_file()


def test_a_killed_export_is_said_to_have_been_killed(broken):
    outcome, _ = broken
    assert [task.exit for task in outcome.tasks if task.process == "EXPORT" and task.status == "FAILED"] == ["137"] * 2
    assert outcome.leaderboard[NOT_EXPORTED]["state"] == "MISSING"
    assert outcome.leaderboard[NOT_EXPORTED]["reason"].startswith(
        "killed (exit status 137) after 2 attempts; its log: "
    )


def test_a_training_that_fails_by_its_parameters_is_an_outcome_with_its_reason(broken):
    outcome, _ = broken
    row = outcome.leaderboard[f"{MODEL}_1"]
    assert row["state"] == "FAILED"
    assert "train_fraction 0.001" in row["reason"]
    assert (outcome.outdir / MODEL / f"{MODEL}_1" / f"{MODEL}_1_run.json").is_file()


def test_the_others_finish_and_everything_is_published_and_the_run_exits_non_zero(broken):
    outcome, _ = broken
    assert outcome.leaderboard[f"{MODEL}_0"]["state"] == "SUCCEEDED"
    assert (outcome.outdir / MODEL / f"{MODEL}_0" / f"{MODEL}_0.h5").is_file()
    assert (outcome.outdir / "report" / "report.html").is_file()
    assert "3 of 4 combinations have no model" in outcome.output
    assert outcome.exit_status == 1


def test_a_killed_training_leaves_no_process_and_no_note_behind(broken, shared_launch):
    assert left_behind(shared_launch) == []
    assert not (shared_launch.folder / "work" / "lost").exists()


def test_resume_tries_the_killed_ones_again_and_nothing_else(mended):
    assert (mended.count("TRAIN", "CACHED"), mended.count("TRAIN", "COMPLETED")) == (3, 1)
    assert (mended.count("EXPORT", "CACHED"), mended.count("EXPORT", "COMPLETED")) == (2, 2)
    assert {mended.leaderboard[variant]["state"] for variant in (f"{MODEL}_2", NOT_EXPORTED)} == {"SUCCEEDED"}
    assert mended.leaderboard[f"{MODEL}_1"]["state"] == "FAILED"
    assert mended.exit_status == 1


def test_the_reason_of_a_failed_task_is_its_last_error_or_last_line_and_never_fills_the_screen(launch, root):
    script = launch.folder / "main.nf"
    script.write_text(f"""
include {{ lastWords }} from '{root}/modules/loss'
include {{ brief     }} from '{root}/modules/outcome'

workflow {{
    println("[" + lastWords(['epoch 1/9', 'error: no room', 'error: no disk', 'traceback'], 1) + "]")
    println("[" + lastWords(['epoch 1/9', 'readlabel: command not found', ''], 127) + "]")
    println("[" + lastWords(['epoch 1/9'], 137) + "]")
    println("[" + brief('a' * 2000).size() + "]")
}}
""")
    command = [str(root / "nextflow"), "-q", "run", str(script)]
    done = subprocess.run(
        command, cwd=launch.folder, env=launch.environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[: no disk]", "[: readlabel: command not found]", "[]", "[402]"]


def test_a_run_is_not_resumed_while_it_goes_and_interrupted_it_says_how_to_go_on_and_leaves_no_process_behind(launch):
    start = launch.start(*launch.tiny({"epochs": "10000"}))
    while not any(trainings(launch)):
        assert start.poll() is None, (launch.folder / "launch.log").read_text()
        try:
            start.wait(timeout=TICK)
        except subprocess.TimeoutExpired:
            continue
    second = launch.train("-resume", table={"epochs": "10000"})
    assert second.exit_status == 1
    assert re.search(rf"error: another run holds the session .* \(process {start.pid}\)", second.output)

    start.send_signal(signal.SIGINT)
    outcome = launch.ended(start)
    assert outcome.exit_status != 0
    assert "The same command with -resume goes on" in outcome.output
    assert left_behind(launch) == []
