"""A grid from its tables to its report; then -resume, which runs what is new and nothing else."""

from __future__ import annotations

import csv
import json
import pickle
import re
from collections import Counter

import pytest

MODEL = "10x3p_sc_ont"
OTHER = "10x5p_sc_ont"
RECORDS = {"trace.tsv", "report.html", "timeline.html", "dag.html", "versions.tsv"}
ALL = {"EXPAND_GRID": 1, "SIMULATE": 2, "TRAIN": 2, "EXPORT": 2, "REPORT": 1, "VERDICT": 1}


@pytest.fixture(scope="module")
def finished(shared_launch):
    return shared_launch.train(table={"conv_filters": "4,8"})


@pytest.fixture(scope="module")
def resumed(finished, shared_launch):
    """The same command with -resume, and what may differ from run to run: address, checkpoints, cores, file times."""
    assert finished.exit_status == 0, finished.output
    # Launches that trained nothing are in Nextflow's history too, and are not what -resume means.
    reads = shared_launch.folder / "reads"
    reads.mkdir()
    reads.joinpath("reads.pkl").write_bytes(pickle.dumps(["GATTACA"]))
    reads.joinpath("labels.pkl").write_bytes(pickle.dumps([["4p"] * 7]))
    refused = shared_launch.train("--reads", str(reads), table={"conv_filters": "4,8"}, outdir="refused")
    assert "label '4p' is none of the library's" in refused.output
    assert shared_launch.run("--help", outdir="unused").exit_status == 0
    assert shared_launch.train(table={"conv_filters": "none"}, outdir="faulty").exit_status != 0
    return shared_launch.train(
        "-resume", "--service", "localhost:1", "--checkpoint_dir", "elsewhere", "--train_cpus", "1",
        table={"conv_filters": "4,8"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def grown(resumed, shared_launch):
    """A value in the middle of the list: 8 moves from index 1 to 2, and index 1 is written anew."""
    (resumed.outdir / MODEL / f"{MODEL}_1" / "of-the-run-before").touch()
    return shared_launch.train("-resume", table={"conv_filters": "4,6,8"})


@pytest.fixture(scope="module")
def shrunk(grown, shared_launch):
    return shared_launch.train("-resume", table={"conv_filters": "8"})


@pytest.fixture(scope="module")
def returned(shrunk, shared_launch):
    """Back to a grid whose every task is cached."""
    return shared_launch.train("-resume", table={"conv_filters": "4,8"})


@pytest.fixture(scope="module")
def second(returned, shared_launch, root):
    """Another library, its strand the wrong way round, in the same results; the shell names a service."""
    orders = shared_launch.folder / "orders.tsv"
    text = (root / "assets" / "training_seq_orders.tsv").read_text()
    orders.write_text(text.replace("\tfwd", "\trev"))
    arguments = shared_launch.tiny({"parameter": OTHER})
    arguments[arguments.index(MODEL)] = OTHER
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READLABEL_SERVICE", "localhost:1")
        return shared_launch.run(*arguments, "--training_seq_orders", str(orders))


def filters(outcome) -> dict[str, int]:
    """Published variant to the conv_filters that its run.json tells."""
    records = {path.name: path / f"{path.name}_run.json" for path in (outcome.outdir / MODEL).iterdir()}
    return {
        name: json.loads(path.read_text())["spec"]["point"]["hyperparameters"]["conv_filters"]
        for name, path in records.items()
    }


def test_a_grid_is_trained_published_and_compared(finished):
    assert finished.exit_status == 0, finished.output
    assert {name: finished.count(name, "COMPLETED") for name in ALL} == ALL
    assert filters(finished) == {f"{MODEL}_0": 4, f"{MODEL}_1": 8}
    for variant in (f"{MODEL}_0", f"{MODEL}_1"):
        suffixes = (".h5", "_params.json", "_lbl_bin.pkl", "_history.tsv", "_val_viz.pdf", "_metrics.json")
        for suffix in suffixes:
            assert (finished.outdir / MODEL / variant / f"{variant}{suffix}").stat().st_size > 0
    assert {row["state"] for row in finished.leaderboard.values()} == {"SUCCEEDED"}
    assert (finished.outdir / "report" / "best" / MODEL).is_dir()
    for record in RECORDS:
        assert (finished.records / record).stat().st_size > 0


def test_a_run_ends_with_the_leaderboard_and_the_path_of_the_report(finished):
    last = finished.output.rstrip().splitlines()[-1]
    assert last == f"Report: {finished.outdir}/report/report.html"
    assert f"{MODEL}_0: TRAIN ({MODEL} " in finished.output
    assert "exact order" in finished.output


def test_a_training_logs_one_line_an_epoch(finished, shared_launch):
    runs = [run for run in shared_launch.folder.glob("work/*/*/run") if not run.is_symlink()]
    logs = [run.with_name(".command.log").read_text() for run in runs]
    assert len(logs) >= 2
    assert all(sum(line.startswith("epoch 1/1") for line in log.splitlines()) == 1 for log in logs)


def test_resume_after_a_finished_run_runs_nothing(resumed):
    assert resumed.exit_status == 0, resumed.output
    assert {task.status for task in resumed.tasks} == {"CACHED"}
    assert {name: resumed.count(name, "CACHED") for name in ALL} == ALL
    assert "will be replaced" not in resumed.output


def test_every_launch_keeps_the_records_of_its_own_under_the_time_it_started(resumed):
    launches = sorted((resumed.outdir / "pipeline_info").iterdir())
    assert len(launches) == 2
    for launch in launches:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.\d{3}_\d+", launch.name)
        assert {path.name for path in launch.iterdir()} == RECORDS
    assert "COMPLETED" in (launches[0] / "trace.tsv").read_text()
    assert "COMPLETED" not in (launches[1] / "trace.tsv").read_text()


def test_launches_with_one_outdir_that_start_at_once_keep_their_records_apart(launch):
    """One is refused: it withdraws its own records and no other's."""
    folders = [launch.folder / name for name in ("one", "other", "refused")]
    starts = []
    for folder in folders:
        folder.mkdir()
        wrong = ["--num_reads", "none"] if folder.name == "refused" else []
        neighbour = type(launch)(folder)
        arguments = [*neighbour.tiny({}), "-stub-run", "--outdir", "../results", *wrong]
        starts.append((neighbour, neighbour.start(*arguments)))
    outcomes = [neighbour.ended(start, "../results") for neighbour, start in starts]
    assert [outcome.exit_status for outcome in outcomes] == [0, 0, 1], [outcome.output for outcome in outcomes]
    records = list((launch.folder / "results" / "pipeline_info").iterdir())
    assert len(records) == 2
    for record in records:
        assert {path.name for path in record.iterdir()} == RECORDS
        with (record / "trace.tsv").open() as trace:
            assert Counter(row["name"].split()[0] for row in csv.DictReader(trace, delimiter="\t")) == ALL | {
                "TRAIN": 1,
                "EXPORT": 1,
            }


def test_a_grown_grid_trains_only_the_new_combination_though_indices_move(grown):
    assert grown.exit_status == 0, grown.output
    assert (grown.count("TRAIN", "CACHED"), grown.count("TRAIN", "COMPLETED")) == (2, 1)
    assert grown.count("SIMULATE", "COMPLETED") == 0
    assert filters(grown) == {f"{MODEL}_0": 4, f"{MODEL}_1": 6, f"{MODEL}_2": 8}
    assert not (grown.outdir / MODEL / f"{MODEL}_1" / "of-the-run-before").exists(), "no folder mixes two runs"
    assert [row["conv_filters"] for _, row in sorted(grown.leaderboard.items())] == ["4", "6", "8"]


def test_a_smaller_grid_keeps_the_folders_of_the_earlier_one_and_names_them(shrunk):
    assert shrunk.exit_status == 0, shrunk.output
    assert shrunk.count("TRAIN", "COMPLETED") == 0
    assert list(shrunk.leaderboard) == [f"{MODEL}_0"]
    assert f"These will be replaced: {MODEL}_0, report." in shrunk.output, "what another combination's folder held"
    assert filters(shrunk) == {f"{MODEL}_0": 8, f"{MODEL}_1": 6, f"{MODEL}_2": 8}
    for variant in (f"{MODEL}_1", f"{MODEL}_2"):
        assert f"not of this grid: {variant}" in shrunk.output
        assert variant in (shrunk.outdir / "report" / "report.html").read_text()


def test_going_back_to_an_earlier_grid_brings_its_files_and_its_report_back(returned):
    assert returned.exit_status == 0, returned.output
    assert returned.count("TRAIN", "COMPLETED") == 0
    assert {name: filters(returned)[name] for name in returned.leaderboard} == {f"{MODEL}_0": 4, f"{MODEL}_1": 8}
    assert [row["conv_filters"] for _, row in sorted(returned.leaderboard.items())] == ["4", "8"]


def test_the_best_model_of_another_library_stays_and_what_is_replaced_is_said(second):
    assert second.exit_status == 0, second.output
    told = f"These will be replaced: report (with what it says of {MODEL}; report/best/{MODEL} stays)."
    assert told in second.output
    best = second.outdir / "report" / "best"
    assert best.joinpath(MODEL, "README.md").is_file()
    assert best.joinpath(OTHER, f"{OTHER}_0.h5").is_file()
    assert list(second.leaderboard) == [f"{OTHER}_0"]
    assert set(filters(second)) >= {f"{MODEL}_0", f"{MODEL}_1"}


def test_what_the_tables_leave_in_doubt_is_on_the_console_and_in_the_report(second):
    assert f"WARN: {OTHER}: strand rev says" in second.output
    assert f'<p class="bad">{OTHER}: strand rev says' in (second.outdir / "report" / "report.html").read_text()


def test_a_service_that_only_the_shell_names_trains_nothing(second):
    """It is not there, so every training would have failed."""
    assert second.leaderboard[f"{OTHER}_0"]["state"] == "SUCCEEDED"
