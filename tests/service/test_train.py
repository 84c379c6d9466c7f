"""`readlabel train` as a TRAIN task runs it: the real client, the real service, the real trainer."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readlabel.artifacts.digest import file_ref
from readlabel.artifacts.names import ARTIFACTS
from readlabel.messages import GridPoint, Metrics, RunRecord, RunSpec
from readlabel.simulator.parameters import SimulationParameters
from readlabel.simulator.write import write_simulated

DEADLINE = 240
NOBODYS = Path("/sys/readlabel")
"""A place where not even root may make a file."""
PointFile = Callable[..., Path]


def train(processes: Any, point: Path, reads: tuple[Path, Path], out: Path, *more: object, **options: Any) -> Any:
    """Start `readlabel train`."""
    arguments = ["train", "--point", point, "--train", reads[0], "--validation", reads[1], "--out", out, *more]
    return processes.start(*arguments, **options)


def lines_until(process: subprocess.Popen[str], word: str) -> list[str]:
    """The lines of a process up to the one that begins with a word."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith(word):
            return lines
    assert process.stderr is not None
    raise AssertionError(f"no line begins with {word!r}: {lines}\n{process.stderr.read()}")


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    stdout, stderr = process.communicate(timeout=DEADLINE)
    return process.returncode, stdout, stderr


def traces(processes: Any) -> list[str]:
    """What is left in the temporary folder."""
    return [path.name for path in processes.folder.iterdir() if path.name.startswith("readlabel-")]


class Whole:
    """A training that nothing disturbed: started in a folder with a long name that holds spaces."""

    def __init__(self, folder: Path, processes: Any, point: Path, reads: tuple[Path, Path]) -> None:
        self.processes = processes
        self.folder = folder / ("a long folder " * 8).strip() / ("and another one " * 8).strip()
        self.folder.mkdir(parents=True)
        assert len(str(self.folder)) > 200
        for source in reads:
            (self.folder / source.name).symlink_to(source)
        staged = (Path(reads[0].name), Path(reads[1].name))
        process = train(processes, point, staged, Path("run"), "--threads", "1", cwd=self.folder)
        self.status, self.stdout, self.stderr = end(process)
        self.left = processes.alive()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, make_processes: Any, real_reads: Any, write_point: Any) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    return Whole(folder, make_processes(folder), write_point(folder, epochs=6, lr_schedule="constant"), real_reads)


def test_a_private_service_trains_from_a_long_folder_with_spaces(whole: Whole) -> None:
    assert whole.status == 0, whole.stderr
    out = whole.folder / "run"
    record = RunRecord.model_validate_json((out / "run.json").read_text())
    assert (record.state, record.epochs_trained) == ("SUCCEEDED", 6)
    assert {path.name for path in out.iterdir()} == {artifact.name for artifact in ARTIFACTS}
    lines = whole.stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("epoch ")] == [f"{epoch}/6" for epoch in range(1, 7)]
    scores = Metrics.model_validate_json((out / "metrics.json").read_text()).validation
    assert lines[-1].startswith(f"run: accuracy {scores.accuracy:.4f}")


def test_a_private_service_leaves_neither_process_nor_file(whole: Whole) -> None:
    assert whole.left == []
    assert traces(whole.processes) == []
    assert sorted(path.name for path in whole.folder.iterdir()) == ["run", "train.parquet", "validation.parquet"]


def test_a_failure_by_parameters_is_an_outcome(
    processes: Any, point_file: PointFile, real_reads: tuple[Path, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "not-reads.parquet"
    broken.write_bytes(b"PAR1, but these are no reads, PAR1")
    status, stdout, stderr = end(train(processes, point_file(), (broken, real_reads[1]), tmp_path / "run"))
    assert status == 0, stderr
    record = RunRecord.model_validate_json((tmp_path / "run" / "run.json").read_text())
    assert record.failure is not None
    assert (record.state, record.failure.reason) == ("FAILED", "INVALID_INPUT")
    assert "failed by its parameters (INVALID_INPUT)" in stdout
    processes.wait_for_none()
    assert traces(processes) == []


def test_a_failure_never_takes_the_place_of_a_model(
    whole: Whole, processes: Any, point_file: PointFile, real_reads: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copytree(whole.folder / "run", tmp_path / "run")
    broken = tmp_path / "not-reads.parquet"
    broken.write_bytes(b"PAR1, but these are no reads, PAR1")
    point = point_file()
    spec = RunSpec(
        point=GridPoint.model_validate_json(point.read_text()),
        training_reads=file_ref(broken),
        validation_reads=file_ref(real_reads[1]),
    )
    record = RunRecord.model_validate_json((tmp_path / "run" / "run.json").read_text())
    same_run = record.model_copy(update={"run_id": spec.run_id})
    (tmp_path / "run" / "run.json").write_text(same_run.model_dump_json())
    status, _, stderr = end(train(processes, point, (broken, real_reads[1]), tmp_path / "run"))
    assert status == 73
    assert "holds a finished run, which stays; the new one failed (INVALID_INPUT)" in stderr
    assert RunRecord.model_validate_json((tmp_path / "run" / "run.json").read_text()).state == "SUCCEEDED"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_client_however_it_ends(
    processes: Any, point_file: PointFile, real_reads: tuple[Path, Path], tmp_path: Path, number: int
) -> None:
    checkpoints = ["--checkpoint-dir", tmp_path / "checkpoints"]
    process = train(processes, point_file(epochs=10_000), real_reads, tmp_path / "run", *checkpoints)
    lines_until(process, "epoch 2/")
    assert len(processes.alive()) >= 3
    process.send_signal(number)
    status, stdout, stderr = end(process)
    assert ("the same command goes on from there" in stdout) == (number != signal.SIGKILL)
    assert status == {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}[signal.Signals(number)], stderr
    processes.wait_for_none()
    assert traces(processes) == []
    assert not (tmp_path / "run").exists()
    assert [path.name for path in tmp_path.iterdir() if ".partial" in path.name] == []
    (kept,) = (tmp_path / "checkpoints").iterdir()
    assert len(kept.name) == 32


@pytest.mark.parametrize("place", ["a folder", "an object store"])
def test_a_killed_command_goes_on_to_the_same_weights(
    processes: Any, point_file: PointFile, real_reads: tuple[Path, Path], tmp_path: Path, whole: Whole,
    object_store: tuple[str, Path], place: str,
) -> None:  # fmt: skip
    checkpoints = tmp_path / "checkpoints" if place == "a folder" else object_store[0]
    point = point_file(epochs=6, lr_schedule="constant")
    more = ["--checkpoint-dir", checkpoints, "--threads", "1"]
    process = train(processes, point, real_reads, tmp_path / "run", *more)
    lines_until(process, "epoch 2/6")
    process.kill()
    end(process)
    processes.wait_for_none()
    status, _, stderr = end(train(processes, point, real_reads, tmp_path / "run", *more))
    assert status == 0, stderr
    assert (tmp_path / "run" / "model.h5").read_bytes() == (whole.folder / "run" / "model.h5").read_bytes()
    record = RunRecord.model_validate_json((tmp_path / "run" / "run.json").read_text())
    assert record.attempts[-1].resumed_from_epoch >= 2
    assert record.epochs_trained == 6
    log = (tmp_path / "run" / "train.log").read_text()
    assert all(f" epoch {epoch}/6" in log for epoch in range(1, 7))
    if place == "a folder":
        assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_standing_service_trains_the_same_command_once(
    start_service: Callable[..., Any],
    processes: Any,
    point_file: PointFile,
    real_reads: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    service = start_service(scripted=False)
    more = ["--service", service.address, "--tag", "sweep=demo"]
    status, stdout, stderr = end(train(processes, point_file(), real_reads, tmp_path / "run", *more))
    assert status == 0, stderr
    assert "sent train.parquet" in stdout
    status, stdout, stderr = end(train(processes, point_file(), real_reads, tmp_path / "again", *more))
    assert status == 0, stderr
    assert "sent" not in stdout
    assert "was already trained" in stdout
    assert "epoch" not in stdout
    for artifact in ARTIFACTS:
        assert (tmp_path / "run" / artifact.name).read_bytes() == (tmp_path / "again" / artifact.name).read_bytes()
    with service.client() as client:
        (run,) = client.list(tags={"sweep": "demo"})
        assert len(run.attempts) == 1
        assert run.record is None
        assert client.get(run.name).record is not None
        with pytest.raises(StopIteration):
            next(iter((service.data_dir / "checkpoints").iterdir()))


def test_a_client_of_a_standing_service_that_is_stopped_leaves_the_run_and_says_how_to_cancel(
    service: Any, processes: Any, make_script: Callable[..., Any], tmp_path: Path
) -> None:
    script = make_script(gated=True)
    point = tmp_path / "scripted-point.json"
    point.write_text(script.spec.point.model_dump_json())
    process = train(processes, point, (script.path, script.validation), tmp_path / "run", "--service", service.address)
    script.open(1)
    lines_until(process, "epoch 1/3")
    process.terminate()
    status, stdout, _ = end(process)
    assert status == 143
    how_to_cancel = f"readlabel runs cancel {script.spec.run_id} --service {service.address}"
    assert how_to_cancel in stdout
    watching = processes.start("runs", "watch", script.spec.run_id, "--service", service.address)
    lines_until(watching, "epoch 1/3")
    watching.send_signal(signal.SIGINT)
    status, stdout, _ = end(watching)
    assert status == 130
    assert how_to_cancel in stdout
    again = train(processes, point, (script.path, script.validation), tmp_path / "run", "--service", service.address)
    lines_until(again, "epoch 1/3")
    script.open(2, 3)
    status, _, stderr = end(again)
    assert status == 0, stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "SUCCEEDED"
    with service.client() as client:
        assert len(client.get(script.spec.run_id).attempts) == 1


def test_a_run_that_another_caller_cancels_is_no_outcome(
    service: Any, processes: Any, make_script: Callable[..., Any], tmp_path: Path
) -> None:
    script = make_script(gated=True)
    point = tmp_path / "scripted-point.json"
    point.write_text(script.spec.point.model_dump_json())
    process = train(processes, point, (script.path, script.validation), tmp_path / "run", "--service", service.address)
    lines_until(process, "running")
    with service.client() as client:
        client.cancel(script.spec.run_id)
    status, _, stderr = end(process)
    assert status == 75
    assert "was cancelled" in stderr
    assert not (tmp_path / "run").exists()


def test_a_private_service_that_is_lost_is_an_accident_of_the_machine(
    processes: Any, point_file: PointFile, real_reads: tuple[Path, Path], tmp_path: Path
) -> None:
    process = train(processes, point_file(epochs=10_000), real_reads, tmp_path / "run")
    lines_until(process, "running")
    (service,) = (one for one in processes.alive() if "--private" in one.cmdline())
    service.kill()
    status, _, stderr = end(process)
    assert status == 75
    assert stderr.startswith("error: the private training service ended early")
    processes.wait_for_none()
    assert traces(processes) == []
    assert not (tmp_path / "run").exists()


def test_what_cannot_go_well_is_said_before_anything_starts(
    whole: Whole, processes: Any, point_file: PointFile, real_reads: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    (tmp_path / "earlier").mkdir()
    shutil.copy(whole.folder / "run" / "run.json", tmp_path / "earlier")
    fewer, foreign = tmp_path / "fewer.parquet", tmp_path / "foreign.parquet"
    library = GridPoint.model_validate_json(point_file().read_text()).library
    short = SimulationParameters(min_cdna=10, max_cdna=30, invalid_fraction=0)
    write_simulated(fewer, library, short, seed=1, stream="training", num_reads=6)
    two = library.model_copy(update={"segments": library.segments[::2], "umis": ()})
    write_simulated(foreign, two, short, seed=3, stream="training", num_reads=6)
    cases: list[tuple[list[object], int, str]] = [
        (["--out", tmp_path / "file" / "run"], 73, "cannot be written"),
        (["--out", tmp_path / "file"], 73, "file: is there already and is no plain folder"),
        (["--out", NOBODYS / "run"], 73, "cannot be written"),
        (["--out", tmp_path / "mine"], 73, "mine: holds thesis.txt, which is no file of a run"),
        (["--out", tmp_path / "earlier"], 73, "earlier: holds another run"),
        (["--checkpoint-dir", tmp_path / "file" / "c"], 73, "c: the checkpoint folder cannot be written"),
        (["--checkpoint-dir", "ftp://lab/c"], 2, "it takes a folder, or an address that begins with s3://, gs://"),
        (["--train", tmp_path / "none"], 2, "none: cannot be read"),
        (["--validation", tmp_path / "file"], 2, "file: is no whole Parquet file"),
        (["--validation", real_reads[0]], 2, "hold the same reads: the figures would be of reads that the model has"),
        (["--validation", fewer], 2, "come from the same seed and stream, so that the one begins with the reads of"),
        (["--train", foreign], 2, "foreign.parquet: its labels are 5p, cDNA; the library mini of this run has 3p, 5p"),
        (["--service", "127.0.0.1:1"], 69, "no training service answers; tried 127.0.0.1:1, without TLS, no token"),
        (["-p", "conv_filters=zero", "-p", "epochs=0"], 2, "-p epochs"),
        (
            ["-p", "conv_filter=3"],
            2,
            "-p conv_filter=3: 'conv_filter' is no hyperparameter; did you mean conv_filters?",
        ),
        (["-p", "conv_filters=32,64"], 2, "-p conv_filters=32,64: one value here; lists are for the table that"),
        (["-p", "dropout_rate=0,2"], 2, "write a decimal point"),
        (["-p", "crf_layer=maybe"], 2, "'maybe' is not allowed; allowed is TRUE or FALSE"),
        (["--devices", "tpu"], 2, "--devices 'tpu' is not understood"),
    ]
    good = ["--point", point_file(), "--train", real_reads[0], "--validation", real_reads[1], "--out", tmp_path / "run"]
    for changed, status, message in cases:
        ended = processes.run("train", *good, *changed)
        assert (ended.returncode, ended.stdout) == (status, ""), ended.stderr
        assert message in ended.stderr, changed
        assert "Traceback" not in ended.stderr
    bad_point = tmp_path / "bad.json"
    bad_point.write_text(point_file().read_text().replace('"batch_size":16', '"batch_size":0'))
    ended = processes.run("train", *good, "--point", bad_point)
    assert ended.returncode == 2
    assert "bad.json, hyperparameters.batch_size: Input should be greater than or equal to 1" in ended.stderr
    assert (tmp_path / "mine" / "thesis.txt").exists()
    assert [path.name for path in (tmp_path / "earlier").iterdir()] == ["run.json"]
    processes.wait_for_none()
    assert traces(processes) == []
    assert not (tmp_path / "run").exists()
