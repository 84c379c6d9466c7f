"""The leaderboard: variants enter, a ranked table leaves, as ``leaderboard.tsv`` and as rows for the page.

Per model, in the grid's order of models: the variants with a model, best first, then those without, by index.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from readlabel.artifacts.atomic import atomic_path
from readlabel.messages import Hyperparameters, InputError, Library, Scores, as_written
from readlabel.report.variants import SUCCEEDED, Variant

LEADERBOARD = "leaderboard.tsv"
CRITERION = (
    "Ranked by per-base accuracy. Variants within one standard error of the highest, estimated over the validation "
    "reads, are tied with it: among them the higher exact order decides, then macro-F1, per-base accuracy, fewer "
    "trainable parameters and the lower index."
)
ABSENT = "NA"

_HEAD = ("rank", "model", "variant", "index", "state")
_FIGURES = (
    "per_base_accuracy",
    "accuracy_error",
    "macro_f1",
    "exact_order",
    "exact_barcodes",
    "exact_umis",
    "tranquillyzer_accuracy",
    "train_seconds",
    "total_seconds",
    "epochs_trained",
    "trainable_parameters",
    "tranquillyzer_loads",
    "reason",
    "notes",
)


@dataclass(frozen=True)
class Ranked:
    """A variant with its place among those of its model: 1 is the best, None has no model.

    `tied` says that its accuracy is the best one's within the standard error, and that it is not alone in that.
    """

    rank: int | None
    variant: Variant
    tied: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a leaderboard says of one combination."""

    variant: str
    state: str
    reason: str


def rank(variants: Sequence[Variant]) -> tuple[Ranked, ...]:
    """Order variants as the leaderboard does; variants of one model stand together, models as they come."""
    models = dict.fromkeys(variant.entry.model for variant in variants)
    ranked: list[Ranked] = []
    for model in models:
        own = [variant for variant in variants if variant.entry.model == model]
        good = [variant for variant in own if variant.state == SUCCEEDED]
        top = [variant for variant in good if _accuracy(variant) >= _tie_limit(good)]
        rest = sorted((variant for variant in good if variant not in top), key=lambda v: (-_accuracy(v), *_merit(v)))
        bad = sorted((variant for variant in own if variant.state != SUCCEEDED), key=lambda v: v.entry.index)
        ordered = enumerate([*sorted(top, key=_merit), *rest], start=1)
        ranked += [Ranked(place, variant, place <= len(top) > 1) for place, variant in ordered]
        ranked += [Ranked(None, variant) for variant in bad]
    return tuple(ranked)


def decided_by(ranked: Sequence[Ranked]) -> str:
    """What put the best of one model's variants before the next of those tied with it; empty without a tie."""
    tied = [row.variant for row in ranked if row.tied]
    if len(tied) < 2:
        return ""
    return next(
        name for name, first, second in zip(_MERITS, _merit(tied[0]), _merit(tied[1]), strict=True) if first != second
    )


def by_model(ranked: Sequence[Ranked]) -> list[tuple[str, list[Ranked]]]:
    """The rows of each model, models as they come."""
    return [(model, list(rows)) for model, rows in groupby(ranked, key=lambda row: row.variant.entry.model)]


def varying(ranked: Sequence[Ranked]) -> tuple[str, ...]:
    """The hyperparameters that take several values for any of these variants' models, in the messages' order."""
    names = {name for row in ranked for name in row.variant.entry.varying}
    return tuple(name for name in Hyperparameters.model_fields if name in names)


def hyperparameter_text(variant: Variant, name: str) -> str:
    """A hyperparameter as the parameter table writes it."""
    return as_written(getattr(variant.entry.point.hyperparameters, name))


def comparability(ranked: Sequence[Ranked]) -> str:
    """A warning where variants of one model were judged on different reads, so that their order means little."""
    judged_on: dict[str, list[str]] = {}
    for row in ranked:
        if row.rank is not None and row.variant.record is not None:
            digest = row.variant.record.spec.validation_reads.sha256
            judged_on.setdefault(digest, []).append(row.variant.entry.variant)
    if len(judged_on) < 2:
        return ""
    sets = "; ".join(f"{', '.join(names)} on {digest[:12]}" for digest, names in sorted(judged_on.items()))
    return f"These variants were judged on different validation reads, so their figures do not compare: {sets}."


def exact_shares(scores: Scores, library: Library) -> tuple[tuple[str, float], ...]:
    """Shares of barcodes and of UMIs that are cut out exactly, where there are any."""
    shares = (("barcodes", scores.exact_share(library.barcodes)), ("UMIs", scores.exact_share(library.umis)))
    return tuple((name, share) for name, share in shares if share is not None)


def write_leaderboard(target: Path, ranked: Sequence[Ranked]) -> None:
    """Write the table: tabs, a header, one combination a row, ``NA`` for what a combination does not have.

    Raises:
        OutputError: the file cannot be written.
    """
    names = varying(ranked)
    with atomic_path(target) as path, path.open("w", encoding="utf-8", newline="") as handle:
        table = csv.writer(handle, delimiter="\t", lineterminator="\n")
        table.writerow((*_HEAD, *names, *_FIGURES))
        for row in ranked:
            table.writerow(_cells(row, names))


def read_outcomes(path: Path) -> tuple[Outcome, ...]:
    """Read from a leaderboard what became of each combination.

    Raises:
        InputError: the file cannot be read or is no leaderboard.
    """
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            table = csv.DictReader(handle, delimiter="\t")
            missing = {"variant", "state", "reason"} - set(table.fieldnames or ())
            if missing:
                raise InputError(f"{path}: is no leaderboard: column {', '.join(sorted(missing))} is missing")
            return tuple(Outcome(row["variant"], row["state"], row["reason"]) for row in table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _accuracy(variant: Variant) -> float:
    assert variant.metrics is not None, "a success has metrics"
    return variant.metrics.validation.accuracy


def _tie_limit(variants: Sequence[Variant]) -> float:
    """The accuracy from which on a variant is tied with the most accurate one."""
    best = max(variants, key=_accuracy, default=None)
    if best is None or best.metrics is None:
        return 0.0
    return best.metrics.validation.accuracy - best.metrics.validation.accuracy_error


_MERITS = ("exact order", "macro-F1", "per-base accuracy", "number of parameters", "index")


def _merit(variant: Variant) -> tuple[float, float, float, int, int]:
    """Smaller is better; CRITERION in numbers, among the tied."""
    assert variant.metrics is not None, "a success has metrics"
    assert variant.record is not None, "a success has a record"
    scores = variant.metrics.validation
    return (
        -scores.exact_order,
        -scores.macro_f1,
        -scores.accuracy,
        variant.record.trainable_parameters,
        variant.entry.index,
    )


def _cells(row: Ranked, names: Sequence[str]) -> list[str]:
    variant, record, metrics = row.variant, row.variant.record, row.variant.metrics
    head = [
        str(row.rank or ABSENT),
        variant.entry.model,
        variant.entry.variant,
        str(variant.entry.index),
        variant.state,
    ]
    values = [hyperparameter_text(variant, name) for name in names]
    scores = [ABSENT] * (len(_FIGURES) - 7)
    if metrics is not None:
        own, padded = metrics.validation, metrics.tranquillyzer_padding
        library = variant.entry.point.library
        whole = own.exact_share(library.barcodes), own.exact_share(library.umis)
        shares = (own.accuracy, own.accuracy_error, own.macro_f1, own.exact_order, *whole, padded.accuracy)
        scores = [ABSENT if share is None else f"{share:.6f}" for share in shares]
    run = [ABSENT] * 5
    if record is not None:
        run = [
            f"{record.timings.train_seconds:.1f}",
            f"{record.timings.total_seconds:.1f}",
            str(record.epochs_trained),
            str(record.trainable_parameters),
            str(record.tranquillyzer_loads).upper() if variant.state == SUCCEEDED else ABSENT,
        ]
    notes = [] if record is None else list(record.notes)
    if metrics is not None and metrics.validation.missed:
        notes.append(f"it {metrics.validation.missed}")
    return [*head, *values, *scores, *run, _one_line(variant.reason), _one_line("; ".join(notes))]


def _one_line(text: str) -> str:
    return " ".join(text.split()) or ABSENT
