"""Runs as a TRAIN task leaves them: reads with known truth, predictions that err as models do, and scores of both."""

from __future__ import annotations

import itertools
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.preprocessing import LabelBinarizer

from readlabel.artifacts import names
from readlabel.evaluation import score
from readlabel.messages import (
    Attempt,
    BlobRef,
    Failure,
    Grid,
    GridEntry,
    GridPoint,
    Hyperparameters,
    Library,
    Metrics,
    RunRecord,
    RunSpec,
    Scores,
    Segment,
    Timings,
)
from readlabel.reads.labelled import KINDS, STRANDS, LabelledReads, runs
from readlabel.reads.parquet import write_reads
from readlabel.reads.predictions import Predictions, write_predictions
from readlabel.report.export import export
from readlabel.report.folders import open_folder

READS = 30
HISTORY_COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy", "lr")


def molecule(library: Library, rng: np.random.Generator) -> list[tuple[str, str]]:
    """(label, bases) of each segment of one molecule."""
    parts = []
    for segment in library.segments:
        lengths = {
            "random": segment.random_length,
            "cdna": int(rng.integers(60, 300)),
            "tail": int(rng.integers(0, 40)),
        }
        if segment.kind == "tail":
            bases = segment.pattern * lengths["tail"]
        elif segment.kind == "fixed":
            bases = segment.pattern
        else:
            bases = "".join(rng.choice(list("ACGT"), lengths[segment.kind]))
        parts.append((segment.name, bases))
    return parts


def simulate(library: Library, count: int = READS, seed: int = 1) -> LabelledReads:
    """Reads of a library: whole, concatenated and truncated ones, on both strands, wrapped in transcript bases."""
    rng = np.random.default_rng(seed)
    sequences, labels, kinds, strands = [], [], [], []
    for number in range(count):
        kind = "concatenated" if number % 5 == 3 else "truncated_3p" if number % 5 == 4 else "valid"
        parts = molecule(library, rng)
        if kind == "concatenated":
            parts += molecule(library, rng)
        if kind == "truncated_3p":
            parts = parts[:4]
        flanks = [("cDNA", "".join(rng.choice(list("ACGT"), int(rng.integers(0, 50))))) for _ in range(2)]
        parts = [flanks[0], *parts, flanks[1]]
        sequence = "".join(bases for _, bases in parts)
        label = np.repeat([library.labels.index(name) for name, _ in parts], [len(bases) for _, bases in parts])
        if number % 2:
            sequence, label = sequence[::-1], label[::-1]
        sequences.append(sequence)
        labels.append(label.astype(np.uint8))
        kinds.append(KINDS.index(kind))
        strands.append(STRANDS.index("-" if number % 2 else "+"))
    offsets = np.cumsum([0, *map(len, sequences)]).astype(np.int64)
    flat = np.concatenate(labels)
    return LabelledReads(
        label_names=library.labels,
        offsets=offsets,
        tokens=np.frombuffer("".join(sequences).translate(str.maketrans("ACGT", "\1\2\3\4")).encode(), np.uint8),
        labels=flat,
        read_ids=np.array([f"read_{number}" for number in range(count)], object),
        pair=np.arange(count, dtype=np.int64),
        kind=np.array(kinds, np.uint8),
        strand=np.array(strands, np.uint8),
        segments=runs(offsets, flat),
        transcript=np.array([None] * count, object),
    )


def perturb(labels: NDArray[np.uint8], num_labels: int, error: float, seed: int) -> NDArray[np.uint8]:
    """Labels as a model gives them: boundaries drift by some bases, and short islands of another label appear."""
    rng = np.random.default_rng(seed)
    wrong = labels.copy()
    for boundary in np.flatnonzero(labels[1:] != labels[:-1]) + 1:
        if rng.random() < error * 8:
            shift = int(rng.integers(1, 6))
            wrong[boundary : boundary + shift] = labels[boundary - 1]
    for start in np.flatnonzero(rng.random(len(labels)) < error / 5):
        wrong[start : start + int(rng.integers(1, 9))] = rng.integers(num_labels)
    return wrong


@dataclass(frozen=True)
class Sample:
    """A validation set on disk."""

    library: Library
    reads: LabelledReads
    path: Path


@pytest.fixture
def sample(tmp_path: Path, library_3p: Library) -> Sample:
    reads = simulate(library_3p)
    path = tmp_path / "validation.parquet"
    write_reads(path, [reads], library_3p)
    return Sample(library_3p, reads, path)


def record(point: GridPoint, **changes: object) -> RunRecord:
    """The provenance of a run of this point."""
    spec = RunSpec(
        point=point,
        training_reads=BlobRef(sha256="a" * 64, size_bytes=1_000_000),
        validation_reads=BlobRef(sha256="b" * 64, size_bytes=100_000),
    )
    values: dict[str, object] = {
        "run_id": spec.run_id,
        "spec": spec,
        "state": "SUCCEEDED",
        "attempts": (
            Attempt(
                number=1,
                device="cpu",
                threads=2,
                start_time="2026-01-02T03:04:05Z",
                end_time="2026-01-02T03:05:10Z",
            ),
        ),
        "timings": Timings(load_seconds=3, train_seconds=61.5, export_seconds=1, evaluate_seconds=4, total_seconds=70),
        "versions": {"readlabel": "0.1.0", "tensorflow": "2.15.1", "numpy": "1.26.4"},
        "trainable_parameters": 250_000 + 1000 * point.hyperparameters.conv_filters,
        "epochs_trained": 4,
        "best_epoch": 3,
        "bases_per_second": 98_000,
        "peak_memory_bytes": 1_500_000_000,
    }
    return RunRecord.model_validate(values | changes)


def metrics_of(reads: LabelledReads, predictions: Predictions) -> Metrics:
    def scores(labels: NDArray[np.uint8]) -> Scores:
        return score(reads.label_names, reads.offsets, reads.labels, labels)

    return Metrics(
        validation=scores(predictions.labels),
        tranquillyzer_padding=scores(predictions.tranquillyzer_labels),
        bases_per_second=250_000,
    )


def write_run(
    folder: Path, reads: LabelledReads, point: GridPoint, error: float = 0.02, seed: int = 5, **changes: object
) -> Path:
    """A run's folder of a model that errs on about this share of bases."""
    folder.mkdir(parents=True)
    count = len(reads.label_names)
    labels = perturb(reads.labels, count, error, seed)
    predictions = Predictions(reads.read_ids, reads.offsets, labels, perturb(labels, count, error / 10, seed + 1))
    write_predictions(folder / names.PREDICTIONS, predictions, reads.label_names)
    (folder / names.METRICS).write_text(metrics_of(reads, predictions).model_dump_json())
    (folder / names.WEIGHTS).write_bytes(b"\x89HDF\r\n\x1a\n" + f"weights {seed} {error}".encode())
    (folder / names.PARAMS).write_text('{"batch_size": "32"}')
    (folder / names.LABEL_BINARIZER).write_bytes(pickle.dumps(LabelBinarizer().fit(list(reads.label_names))))
    rows = ["\t".join(HISTORY_COLUMNS)]
    for epoch in range(4):
        rate = error + 0.4 / 3**epoch
        rows.append(f"{rate * 300}\t{1 - rate}\t{rate * 280 + epoch}\t{1 - rate * 0.9}\t{0.001 / 2**epoch}")
    (folder / names.HISTORY).write_text("\n".join(rows) + "\n")
    (folder / names.LOG).write_text("epoch 1 of 4\n")
    (folder / names.TENSORBOARD).write_bytes(b"events")
    (folder / names.RUN).write_text(record(point, **changes).model_dump_json(indent=2))
    return folder


def write_failed_run(folder: Path, point: GridPoint) -> Path:
    """A run's folder after a failure that lies in its parameters: only what every outcome has."""
    folder.mkdir(parents=True)
    failure = Failure(reason="NUMERICS", message="the loss is NaN in epoch 1, step 17; lower learning_rate <1>")
    failed = record(point, state="FAILED", failure=failure, epochs_trained=0, best_epoch=0)
    (folder / names.RUN).write_text(failed.model_dump_json(indent=2))
    (folder / names.LOG).write_text("loss is NaN\n")
    return folder


def point(library: Library, **hyperparameters: object) -> GridPoint:
    return GridPoint(hyperparameters=Hyperparameters.model_validate(hyperparameters), library=library)


def grid(library: Library) -> Grid:
    """Two numbers of filters × two decoders × two rates: eight combinations, indices 0 to 7."""
    values = itertools.product((32, 64), (True, False), (0.001, 0.01))
    return Grid(
        entries=tuple(
            GridEntry(
                model=library.model,
                index=index,
                point=point(library, conv_filters=filters, crf_layer=crf, learning_rate=rate, epochs=4),
                varying=("conv_filters", "crf_layer", "learning_rate"),
            )
            for index, (filters, crf, rate) in enumerate(values)
        )
    )


LIBRARY_5P = Library(
    model="10x5p_sc_ont",
    segments=(
        Segment(name="5p", pattern="TCTACACGACGCTCTTCCGATCT"),
        Segment(name="CBC", pattern="N16"),
        Segment(name="UMI", pattern="N10"),
        Segment(name="SLS", pattern="TTTCTTATATGGG"),
        Segment(name="cDNA", pattern="NN"),
        Segment(name="polyA", pattern="A"),
        Segment(name="3p", pattern="GTACTCTGCGTTGATACCACTGCTT"),
    ),
    barcodes=("CBC",),
    umis=("UMI",),
    strand="fwd",
)


@pytest.fixture
def make() -> SimpleNamespace:
    """The functions above, for test modules, which do not import each other."""
    return SimpleNamespace(
        simulate=simulate,
        perturb=perturb,
        point=point,
        record=record,
        run=write_run,
        failed_run=write_failed_run,
        metrics=metrics_of,
        grid=grid,
        library_5p=LIBRARY_5P,
    )


@dataclass(frozen=True)
class Results:
    """A grid's results as the pipeline publishes them: ``outdir/<model>/<variant>/``."""

    grid: Grid
    outdir: Path
    folders: tuple[Path, ...]
    validation: Path


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight combinations: six with a model, index 5 without any outcome, index 6 failed by its parameters."""
    root = tmp_path_factory.mktemp("published")
    reads = simulate(LIBRARY_5P)
    write_reads(root / "validation.parquet", [reads], LIBRARY_5P)
    for entry in grid(LIBRARY_5P).entries:
        run = root / "runs" / entry.variant
        if entry.index == 5:
            continue
        if entry.index == 6:
            write_failed_run(run, entry.point)
        else:
            write_run(run, reads, entry.point, error=0.004 * (entry.index + 1), seed=entry.index)
        export(open_folder(run), entry.variant, root / "results" / entry.model, root / "validation.parquet", 1)
    return root


@pytest.fixture
def results(tmp_path: Path, published: Path) -> Results:
    """A copy of the published results, for a test to change."""
    outdir = tmp_path / "results"
    shutil.copytree(published / "results", outdir)
    folders = tuple(sorted((outdir / LIBRARY_5P.model).iterdir()))
    return Results(grid(LIBRARY_5P), outdir, folders, published / "validation.parquet")
