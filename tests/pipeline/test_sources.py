"""Where reads, work and training can be: imported reads, awkward work folders, a standing service."""

from __future__ import annotations

import dataclasses
import json
import socket
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

MODEL = "10x3p_sc_ont"
READLABEL = [sys.executable, "-m", "readlabel.cli"]
WRITES, LOOKS_ON = "a-token-of-this-test", "a-token-that-looks-on"
TICK = 0.1


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
    token.write_text(f"{WRITES}\n{LOOKS_ON} read\n")
    token.chmod(0o600)
    command = ["serve", "--listen", address, "--token-file", token, "--data-dir", launch.folder / "service"]
    with (launch.folder / "serve.log").open("w") as log:
        serve = subprocess.Popen([*READLABEL, *command], stdout=log, stderr=log)
    yield address
    serve.terminate()
    serve.wait(timeout=60)


def command_lines(start: subprocess.Popen[str]) -> set[tuple[str, ...]]:
    """The command lines of all processes that this user can see, looked at again and again until `start` has ended."""
    seen = set()
    while start.poll() is None:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                seen.add(tuple(process.cmdline()))
        with suppress(subprocess.TimeoutExpired):
            start.wait(timeout=TICK)
    return seen


def test_a_standing_service_trains_for_the_pipeline_that_has_its_token(launch, service):
    looking_on = launch.folder / "read"
    looking_on.write_text(f"{LOOKS_ON}\n")
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

    options = ("--service", service, "--service_token_file", "token", "--outdir", "results")
    start = launch.start(*launch.tiny({}), *options)
    seen = command_lines(start)
    trained = launch.ended(start)
    assert trained.exit_status == 0, trained.output
    assert trained.leaderboard[f"{MODEL}_0"]["state"] == "SUCCEEDED"
    record = json.loads((trained.outdir / MODEL / f"{MODEL}_0" / f"{MODEL}_0_run.json").read_text())
    listing = [*READLABEL, "runs", "list", "--json", "--service", service, "--token-file", launch.folder / "token"]
    runs = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(runs) == 1
    assert record["run_id"] in runs[0]
    assert '"sweep"' in runs[0], "the service tells the runs of one launch of the pipeline from others"
    assert any("train" in words for words in seen), "TRAIN's command was among those looked at"
    assert not any(secret in word for words in seen for word in words for secret in (WRITES, LOOKS_ON))
    written = [path for path in launch.folder.rglob("*") if path.is_file() and path.parent != launch.folder]
    written += [launch.folder / name for name in ("serve.log", "launch.log", ".nextflow.log")]
    assert any(path.name == ".command.run" for path in written)
    told = [path for path in written if any(secret.encode() in path.read_bytes() for secret in (WRITES, LOOKS_ON))]
    assert not told, "a token stands in a log, a work file or a result"


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
