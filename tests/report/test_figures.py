"""The report's figures can be recomputed from the predictions and the truth."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from readlabel.evaluation import score
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.parquet import read_reads
from readlabel.reads.predictions import read_predictions
from readlabel.report.build import build

MODEL = "10x5p_sc_ont"


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def plainly(names: tuple[str, ...], truth: LabelledReads, predicted: NDArray[np.uint8]) -> dict[str, float]:
    """The figures as their definitions say them, read by read and base by base."""
    pairs: Counter[tuple[str, str]] = Counter()
    orders = 0
    segments: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for first, end in pairwise(truth.offsets.tolist()):
        true, own = ([names[label] for label in labels[first:end]] for labels in (truth.labels, predicted))
        pairs.update(zip(true, own, strict=True))
        orders += [label for label, _ in groupby(true)] == [label for label, _ in groupby(own)]
        for label, start, stop in spans(true):
            segments[label] += 1
            found[label] += (label, start, stop) in spans(own)
    scores = []
    for name in names:
        hits = pairs[name, name]
        true_bases = sum(count for (label, _), count in pairs.items() if label == name)
        own_bases = sum(count for (_, label), count in pairs.items() if label == name)
        if true_bases + own_bases:
            scores.append(2 * hits / (true_bases + own_bases))
    return {
        "per_base_accuracy": sum(pairs[name, name] for name in names) / pairs.total(),
        "macro_f1": sum(scores) / len(scores),
        "exact_order": orders / len(truth),
        "exact_barcodes": found["CBC"] / segments["CBC"],
        "exact_umis": found["UMI"] / segments["UMI"],
    }


def spans(labels: list[str]) -> list[tuple[str, int, int]]:
    """Runs of equal labels: label, first base, the base after the last."""
    runs, start = [], 0
    for label, run in groupby(labels):
        end = start + len(list(run))
        runs.append((label, start, end))
        start = end
    return runs


def test_the_figures_are_those_of_the_predictions_and_the_truth(results) -> None:
    build(results.grid, results.folders, results.outdir / "report")
    truth = read_reads(results.validation)
    for row in table_of(results.outdir / "report" / "leaderboard.tsv")[:6]:
        folder = results.outdir / MODEL / row["variant"]
        predictions, labels = read_predictions(folder / f"{row['variant']}_predictions.parquet")
        own = score(labels, truth.offsets, truth.labels, predictions.labels)
        padded = score(labels, truth.offsets, truth.labels, predictions.tranquillyzer_labels)
        read = plainly(labels, truth, predictions.labels)
        assert float(row["per_base_accuracy"]) == pytest.approx(own.accuracy, abs=5e-7)
        assert float(row["macro_f1"]) == pytest.approx(own.macro_f1, abs=5e-7)
        assert float(row["exact_order"]) == pytest.approx(own.exact_order, abs=5e-7)
        for column in ("per_base_accuracy", "macro_f1", "exact_order", "exact_barcodes", "exact_umis"):
            assert float(row[column]) == pytest.approx(read[column], abs=5e-7), column
        assert float(row["tranquillyzer_accuracy"]) == pytest.approx(padded.accuracy, abs=5e-7)


def test_barcodes_and_umis_cut_out_exactly_are_in_the_table_and_the_page(results) -> None:
    report = build(results.grid, results.folders, results.outdir / "report")
    (row, *_) = table_of(results.outdir / "report" / "leaderboard.tsv")
    metrics = next(one.variant.metrics for one in report.ranked if one.rank == 1)
    label = next(label for label in metrics.validation.labels if label.label == "CBC")
    assert float(row["exact_barcodes"]) == pytest.approx(label.exact_segments / label.true_segments, abs=5e-7)
    text = report.html.read_text()
    assert "barcodes cut out exactly" in text
    assert "barcodes<br>exact" in text
    assert f'<td class="num" data-value="{label.exact}">{label.exact:.1%}</td>' in text
