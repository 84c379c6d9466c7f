"""Where reads, work and training can be: imported reads, awkward work folders, a standing service."""

from __future__ import annotations

import dataclasses
import json
import socket
import subprocess
import sys

import pytest

MODEL = "10x3p_sc_ont"
READLABEL = [sys.executable, "-m", "readlabel.cli"]


@pytest.fixture(scope="module")
def pickles(root, shared_launch):
    """reads.pkl and labels.pkl in one folder, as tranquillyzer's simulate-data leaves them."""
    folder = shared_launch.folder / "simulated reads"
    table = root / "assets" / "training_seq_orders.tsv"
    subprocess.run(
        [
            *READLABEL, "simulate", "--training-seq-orders", table, "--model-name", MODEL, "--num-reads", "20",
            "--max-cdna", "120", "--pkl", folder, "--out", shared_launch.folder / "unused.parquet",
        ],
        check=True,
    )  # fmt: skip
    return folder


def test_imported_reads_train_in_a_work_folder_with_spaces_and_200_characters(pickles, shared_launch):
    work = shared_launch.folder / f"work folder {'x' * 200}"
    trained = shared_launch.train("--reads", str(pickles), "-work-dir", str(work), outdir="my results")
    assert trained.exit_status == 0, trained.output
    assert trained.count("IMPORT_READS", "COMPLETED") == 1
    assert trained.count("SIMULATE", "COMPLETED") == 1, "the validation reads are simulated all the same"
    assert trained.leaderboard[f"{MODEL}_0"]["state"] == "SUCCEEDED"


def test_reads_without_labels_are_refused_before_anything_runs(pickles, shared_launch):
    alone = shared_launch.folder / "alone.pkl"
    alone.write_bytes((pickles / "reads.pkl").read_bytes())
    refused = shared_launch.train("--reads", str(alone), outdir="refused")
    assert refused.exit_status == 1
    assert "give reads.pkl with --labels labels.pkl, or a folder that holds both" in refused.output
    assert not refused.outdir.exists()


@pytest.fixture
def service(launch):
    """A standing service on this machine, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    token = launch.folder / "token"
    token.write_text("a-token-of-this-test\na-token-that-looks-on read\n")
    token.chmod(0o600)
    command = ["serve", "--listen", address, "--token-file", token, "--data-dir", launch.folder / "service"]
    with (launch.folder / "serve.log").open("w") as log:
        serve = subprocess.Popen([*READLABEL, *command], stdout=log, stderr=log)
    yield address
    serve.terminate()
    serve.wait(timeout=60)


def test_a_standing_service_trains_for_the_pipeline_that_has_its_token(launch, service):
    looking_on = launch.folder / "read"
    looking_on.write_text("a-token-that-looks-on\n")
    for given, message in (
        ((), "no token was sent: send the metadata 'authorization: Bearer <token>' (readlabel: --service_token_file)"),
        (("--service_token_file", "read"), "the token may only read"),
    ):
        locked_out = launch.train("--service", service, *given, outdir="locked out")
        assert locked_out.exit_status == 1
        assert "lets nobody in like this" in locked_out.output
        assert message in locked_out.output
        assert "Command executed" not in locked_out.output
        assert {task.process for task in locked_out.tasks} <= {"CHECK_SERVICE", "EXPAND_GRID"}

    trained = launch.train("--service", service, "--service_token_file", "token")
    assert trained.exit_status == 0, trained.output
    assert trained.leaderboard[f"{MODEL}_0"]["state"] == "SUCCEEDED"
    record = json.loads((trained.outdir / MODEL / f"{MODEL}_0" / f"{MODEL}_0_run.json").read_text())
    listing = [*READLABEL, "runs", "list", "--json", "--service", service, "--token-file", launch.folder / "token"]
    runs = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(runs) == 1
    assert record["run_id"] in runs[0]
    assert '"sweep"' in runs[0], "the service tells the runs of one launch of the pipeline from others"
    scripts = [path.read_text() for path in launch.folder.glob("work/*/*/.command.*") if path.is_file()]
    assert not any("a-token-of-this-test" in script for script in scripts)


def test_a_service_that_is_not_there_is_said_before_anything_is_simulated_for_it(launch):
    refused = launch.train("--service", "127.0.0.1:1", "--service_token_file", __file__)
    assert refused.exit_status == 1
    assert (
        refused.output.rstrip()
        .splitlines()[-1]
        .startswith(f"no training service answers; tried 127.0.0.1:1, without TLS, the token of {__file__}.")
    )
    assert "Command executed" not in refused.output
    assert {task.process for task in refused.tasks} <= {"CHECK_SERVICE", "EXPAND_GRID"}


def test_launch_folder_and_tables_with_spaces_and_quotes_in_their_paths_are_read(root, launch):
    launch = dataclasses.replace(launch, folder=launch.folder / "Ada's runs")
    launch.folder.mkdir()
    folder = launch.folder / "Ada's tables (new)"
    folder.mkdir()
    orders = folder / "my orders.tsv"
    orders.write_text((root / "assets" / "training_seq_orders.tsv").read_text())
    arguments = launch.tiny({})
    params = folder / "it's my params.tsv"
    (launch.folder / "params.tsv").rename(params)
    arguments[arguments.index("--training_params") + 1] = str(params)
    done = launch.run(*arguments, "--training_seq_orders", str(orders), "-stub-run")
    assert done.count("TRAIN", "COMPLETED") == 1, done.output
