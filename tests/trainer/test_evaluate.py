"""Exported variants, judged on labelled reads."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from readlabel.artifacts import names
from readlabel.artifacts.digest import file_ref
from readlabel.cli.evaluate import main as evaluate_command
from readlabel.evaluation import score
from readlabel.messages import (
    GridPoint,
    Hyperparameters,
    InputError,
    Library,
    Metrics,
    OutputError,
    RunRecord,
    RunSpec,
    Segment,
)
from readlabel.model.network import Network
from readlabel.model.predict import predict
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.parquet import read_reads, write_reads
from readlabel.trainer.budget import Budget
from readlabel.trainer.evaluate import evaluate


@pytest.fixture
def named(exported: Path) -> Path:
    """The same files as tranquillyzer names them."""
    for artifact in names.ARTIFACTS:
        if (exported / artifact.name).exists():
            (exported / artifact.name).rename(exported / f"mini_3{artifact.suffix}")
    return exported


def test_the_exported_files_score_as_the_network_they_were_made_of(
    exported: Path, network: Network, read_files: tuple[Path, Path], tmp_path: Path
) -> None:
    truth = read_reads(read_files[1])
    metrics = evaluate(exported, read_files[1], tmp_path / "out", Budget())
    expected = score(truth.label_names, truth.offsets, truth.labels, predict(network, truth))
    assert len(set(expected.confusion)) > 1
    assert metrics.validation == expected
    assert metrics == Metrics.model_validate_json((tmp_path / "out" / names.METRICS).read_bytes())


def test_a_budget_changes_no_label(exported: Path, read_files: tuple[Path, Path], tmp_path: Path) -> None:
    whole = evaluate(exported, read_files[1], tmp_path / "a", Budget())
    small = evaluate(exported, read_files[1], tmp_path / "b", Budget(target_tokens=100, max_batch_size=3))
    assert small.validation == whole.validation
    assert small.tranquillyzer_padding == whole.tranquillyzer_padding
    assert (tmp_path / "a" / names.PREDICTIONS).read_bytes() == (tmp_path / "b" / names.PREDICTIONS).read_bytes()


def test_the_command_judges_a_folder_named_as_tranquillyzer_names_it(
    named: Path, library: Library, read_files: tuple[Path, Path], tmp_path: Path
) -> None:
    learned = file_ref(read_files[1])
    point = GridPoint(hyperparameters=Hyperparameters(), library=library)
    spec = RunSpec(point=point, training_reads=learned, validation_reads=file_ref(read_files[0]))
    record = RunRecord(run_id=spec.run_id, spec=spec, state="SUCCEEDED")
    (named / "mini_3_run.json").write_text(record.model_dump_json())
    command = [sys.executable, "-m", "readlabel.cli", "evaluate", "--run", str(named), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--validation", str(read_files[1])], capture_output=True, text=True, check=True, timeout=300
    )
    metrics = Metrics.model_validate_json((tmp_path / "out" / names.METRICS).read_bytes())
    assert f"accuracy {metrics.validation.accuracy:.4f}" in " ".join(done.stdout.split())
    assert f"{metrics.validation.reads} reads" in done.stdout
    barcodes = metrics.validation.exact_share(["CBC"])
    assert f"exact order {metrics.validation.exact_order:.4f}" in " ".join(done.stdout.split())
    assert f"exact barcodes {barcodes:.4f}" in " ".join(done.stdout.split())
    assert "exact UMIs" not in done.stdout, "the library has none"
    assert done.stderr == f"note: {read_files[1]} holds the reads that this model has learned\n"


def test_reads_simulated_as_training_reads_are_told_before_they_flatter_a_model(
    exported: Path, library: Library, tmp_path: Path
) -> None:
    (tmp_path / "library.json").write_text(library.model_dump_json())

    def told(stream: str) -> str:
        command = [sys.executable, "-m", "readlabel.cli"]
        make = ("simulate", "--library", "library.json", "--num-reads", "2", "--seed", "7", "--stream", stream)
        judge = ("evaluate", "--run", str(exported), "--validation", "r.parquet")
        subprocess.run([*command, *make, "--out", "r.parquet"], cwd=tmp_path, check=True, timeout=300)
        done = subprocess.run([*command, *judge], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
        return done.stderr

    assert "note: r.parquet was simulated as training reads: a model trained with seed 7 may have" in told("training")
    assert told("validation") == ""


def test_folders_without_one_variant_are_refused(named: Path, read_files: tuple[Path, Path], tmp_path: Path) -> None:
    def refused(folder: Path, message: str) -> None:
        with pytest.raises(InputError, match=message):
            evaluate(folder, read_files[1], tmp_path / "out", Budget())

    refused(tmp_path / "nowhere", "there is no such folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "here is neither")
    shutil.copytree(named, tmp_path / "report" / "best" / "mini")
    refused(tmp_path / "report", "here is neither; did you mean .*/report/best/mini")
    (named / "other_0_params.json").write_text("{}")
    refused(named, "2 of the latter: mini_3, other_0; give .*/NAME")
    (named / "other_0_params.json").unlink()
    (named / "mini_3.h5").unlink()
    refused(named, r"mini_3\.h5: is missing")
    assert not (tmp_path / "out").exists()


def test_reads_of_another_library_are_judged_by_the_names_of_their_labels(
    exported: Path, reads: LabelledReads, library: Library, tmp_path: Path, read_files: tuple[Path, Path]
) -> None:
    def library_of(*labels: str) -> Library:
        segments = tuple(Segment(name=name, pattern="NN" if name == "cDNA" else "ACGT") for name in labels)
        return Library(model="other", segments=segments, strand="fwd")

    def write(names_of_reads: tuple[str, ...], number: Callable[[int], int]) -> Path:
        lut = np.array([number(index) for index in range(len(library.labels))], np.uint8)
        table = dataclasses.replace(reads.segments, label=lut[reads.segments.label])
        moved = dataclasses.replace(reads, label_names=names_of_reads, labels=lut[reads.labels], segments=table)
        path = tmp_path / f"{len(names_of_reads)}{names_of_reads[0]}.parquet"
        write_reads(path, [moved], library_of(*names_of_reads))
        return path

    same = write(library.labels, lambda index: index)
    more = write(("0th", *library.labels), lambda index: index + 1)
    strange = write(("3x", *library.labels[1:]), lambda index: index)
    scores = [evaluate(exported, path, tmp_path / "out", Budget()).validation for path in (same, more)]
    assert scores[0] == scores[1]
    with pytest.raises(InputError, match="the model does not know 3x; it knows 3p, 5p, CBC, cDNA"):
        evaluate(exported, strange, tmp_path / "out", Budget())


def test_where_the_figures_cannot_be_written_is_found_out_before_anything_is_labelled(
    exported: Path, read_files: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (Path("/sys/readlabel"), tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(OutputError, match="cannot be written"):
            evaluate_command(run=exported, validation=read_files[1], out=out)
    assert (tmp_path / "file").read_text() == "mine"
