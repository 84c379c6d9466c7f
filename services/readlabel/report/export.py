"""EXPORT: a run's folder and its validation reads enter; the variant as tranquillyzer lays it out and its PDF leave."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from readlabel.artifacts.atomic import atomic_folder
from readlabel.artifacts.names import ARTIFACTS, PREDICTIONS, RUN, VALIDATION_PDF_SUFFIX
from readlabel.evaluation.architecture import judge
from readlabel.messages import Hyperparameters, InputError, Library, OutputError
from readlabel.reads.labelled import LabelledReads, concatenate
from readlabel.reads.parquet import iter_reads
from readlabel.reads.predictions import Predictions, read_predictions
from readlabel.report.drawing import DrawnRead, style_of
from readlabel.report.folders import RunFolder
from readlabel.report.layout import runs_of
from readlabel.report.pdf import write_drawings
from readlabel.report.words import combination_text

DEFAULT_PLOT_READS = 20
_VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


def export(
    run: RunFolder, variant: str, out: Path, validation: Path | None, num_plot_reads: int = DEFAULT_PLOT_READS
) -> Path:
    """Lay a run out as ``out/<variant>/<variant>.h5`` and so on, and draw its first validation reads.

    A run that did not succeed is laid out with the files it has, and without drawings.

    Args:
        run: the run, in either layout.
        variant: ``<model>_<i>``.
        out: where the variant's folder goes; an earlier one of that name is replaced whole.
        validation: the reads that the predictions are of; needed for a run that succeeded.
        num_plot_reads: how many reads to draw, from the first on.

    Returns:
        The variant's folder.

    Raises:
        InputError: a file is missing or of another run.
        OutputError: the folder cannot be written, or something else is in its place.
    """
    if not _VARIANT.match(variant):
        raise InputError(f"variant name {variant!r}: letters, digits and _.- name folders and files")
    record = run.record()
    if record.state == "SUCCEEDED":
        run.require_success(record)
        if validation is None:
            raise InputError(f"{run.path}: the run SUCCEEDED; give the validation reads to draw its predictions on")
    target = out / variant
    if target.exists() and not _is_earlier_export(target, variant):
        raise OutputError(f"{target}: is no earlier export of {variant}, so it is not replaced; move it away")
    with atomic_folder(target) as folder:
        laid_out = RunFolder(folder, variant)
        for artifact in ARTIFACTS:
            if run.file(artifact.name).is_file():
                shutil.copyfile(run.file(artifact.name), laid_out.file(artifact.name))
        if record.state == "SUCCEEDED" and validation is not None:
            point = record.spec.point
            reads = drawn_reads(point.library, validation, run.file(PREDICTIONS), num_plot_reads)
            about = combination_text(point.hyperparameters, Hyperparameters.model_fields)
            pdf = folder / f"{variant}{VALIDATION_PDF_SUFFIX}"
            write_drawings(pdf, variant, reads, style_of(point.library), about)
    return target


def drawn_reads(library: Library, validation: Path, predictions: Path, count: int) -> Iterator[DrawnRead]:
    """The first reads of a validation set with what a model predicts of them.

    Raises:
        InputError: a file cannot be read, or the predictions are not of these reads.
    """
    reads = _first_reads(validation, count)
    predicted, label_names = read_predictions(predictions)
    if not label_names == reads.label_names == library.labels:
        raise InputError(
            f"{predictions}: its labels are {', '.join(label_names)}; {validation} has {', '.join(reads.label_names)} "
            f"and the run's library {', '.join(library.labels)}: they must be the same"
        )
    for number in range(len(reads)):
        yield _drawn(library, reads, predicted, number, f"{predictions} is not of the reads of {validation}")


def _drawn(library: Library, reads: LabelledReads, predicted: Predictions, number: int, mismatch: str) -> DrawnRead:
    read_id = str(reads.read_ids[number])
    if number >= len(predicted) or str(predicted.read_ids[number]) != read_id:
        raise InputError(f"{mismatch}: read {number} is {read_id} there")
    labels = predicted.labels[predicted.offsets[number] : predicted.offsets[number + 1]]
    truth = reads.labels_of(number)
    if len(labels) != len(truth):
        raise InputError(f"{mismatch}: read {read_id} has {len(truth)} bases there, and {len(labels)} predicted ones")
    architecture = judge(library, [library.labels[run.label] for run in runs_of(labels)])
    wrong, kind = int((labels != truth).sum()), reads.kind_of(number)
    errors = f"{wrong:,} wrong ({wrong / len(truth):.1%})" if wrong else "no base wrong"
    facts = [
        f"read {read_id}",
        f"{len(truth):,} bases",
        f"strand {reads.strand_of(number)}",
        kind if kind == "imported" else f"simulated as {kind.replace('_', ' ')}",
        errors,
    ]
    true_order = "_".join(library.labels[run.label] for run in runs_of(truth))
    facts.append("order right" if true_order == architecture.order else f"true order: {true_order}")
    return DrawnRead(
        title=f"{number} ({architecture})",
        bookmark=f"{number}  {architecture.summary}, {errors}",
        note="  ·  ".join(facts),
        sequence=reads.sequence_of(number),
        predicted=labels,
        truth=truth,
    )


def _is_earlier_export(target: Path, variant: str) -> bool:
    """Whether a folder is one that `export` may replace: an empty one, or one with the variant's record."""
    return target.is_dir() and (RunFolder(target, variant).file(RUN).is_file() or not any(target.iterdir()))


def _first_reads(path: Path, count: int) -> LabelledReads:
    batches: list[LabelledReads] = []
    missing = count
    for batch in iter_reads(path):
        batches.append(batch.slice(0, min(missing, len(batch))))
        missing -= len(batches[-1])
        if not missing:
            break
    return concatenate(batches)
