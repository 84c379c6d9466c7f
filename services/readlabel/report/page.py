"""What ``report.html`` says: the ranked variants enter, one immutable `Page` leaves, which the template lays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from readlabel.messages import Hyperparameters, LabelScore, Library, RunRecord
from readlabel.report.charts import Chart, line_chart, strip_chart
from readlabel.report.heat import Heat, heat_of
from readlabel.report.leaderboard import (
    CRITERION,
    Ranked,
    by_model,
    comparability,
    decided_by,
    exact_shares,
    hyperparameter_text,
    varying,
)
from readlabel.report.palette import fills
from readlabel.report.variants import MISSING, SUCCEEDED, Stranger
from readlabel.report.words import combination_text

_NAMED_MODELS = 3
"""More models are counted in the title."""


@dataclass(frozen=True)
class Link:
    """A file beside the report."""

    name: str
    href: str


@dataclass(frozen=True)
class VariantSection:
    """All that is shown of one variant."""

    row: Ranked
    varying: tuple[tuple[str, str], ...]
    combination: str
    whole: tuple[tuple[str, float], ...]
    charts: tuple[Chart, ...]
    labels: tuple[LabelScore, ...]
    heat: Heat | None
    hyperparameters: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]
    links: tuple[Link, ...]
    first_page: int | None


@dataclass(frozen=True)
class ModelSection:
    """All that is shown of one model: its library, its leaderboard and its variants."""

    model: str
    library: Library
    fills: Mapping[str, str]
    varying: tuple[str, ...]
    best: VariantSection | None
    variants: tuple[VariantSection, ...]
    tied: tuple[str, ...]
    decided_by: str
    notes: tuple[tuple[str, tuple[str, ...]], ...]
    effects: tuple[Chart, ...]
    warning: str


@dataclass(frozen=True)
class Page:
    """The content of ``report.html``."""

    title: str
    trained: str
    criterion: str
    counts: tuple[tuple[str, int], ...]
    models: tuple[ModelSection, ...]
    strangers: tuple[Stranger, ...]
    doubts: tuple[str, ...]
    has_drawings: bool
    version: str


def build_page(
    ranked: Sequence[Ranked],
    strangers: Sequence[Stranger],
    first_pages: Mapping[str, int],
    doubts: Sequence[str],
    version: str,
) -> Page:
    """Compose the page.

    Args:
        ranked: the leaderboard.
        strangers: folders that are not of this grid.
        first_pages: variant to its first page in the merged PDF, from 1.
        doubts: what of the grid's tables may be meant otherwise.
        version: of readlabel.
    """
    models = tuple(_model(model, rows, first_pages) for model, rows in by_model(ranked))
    good = sum(row.variant.state == SUCCEEDED for row in ranked)
    missing = sum(row.variant.state == MISSING for row in ranked)
    counts = (("with a model", good), ("failed", len(ranked) - good - missing), ("without an outcome", missing))
    names = [section.model for section in models]
    title = ", ".join(names) if len(names) <= _NAMED_MODELS else f"{len(names)} models"
    title += f", {len(ranked)} combination{'' if len(ranked) == 1 else 's'}"
    return Page(
        title=title,
        trained=_trained(ranked),
        criterion=CRITERION,
        counts=counts,
        models=models,
        strangers=tuple(strangers),
        doubts=tuple(doubts),
        has_drawings=bool(first_pages),
        version=version,
    )


def _trained(ranked: Sequence[Ranked]) -> str:
    """When the variants were trained, in UTC; the report's own date would make each report another one."""
    attempts = [attempt for row in ranked if row.variant.record for attempt in row.variant.record.attempts]
    times = [time for attempt in attempts for time in (attempt.start_time, attempt.end_time) if time]
    if not times:
        return ""
    (first_day, first), (last_day, last) = ((time[:10], time[11:16]) for time in (min(times), max(times)))
    if first_day == last_day:
        return f"Trained on {first_day}, {first} to {last} UTC."
    return f"Trained from {first_day} {first} to {last_day} {last} UTC."


def _model(model: str, rows: Sequence[Ranked], first_pages: Mapping[str, int]) -> ModelSection:
    library = rows[0].variant.entry.point.library
    names = varying(rows)
    sections = tuple(_variant(row, names, library, first_pages) for row in rows)
    good = [row for row in rows if row.rank is not None]
    return ModelSection(
        model=model,
        library=library,
        fills=fills(library.labels),
        varying=names,
        best=sections[0] if good else None,
        variants=sections,
        tied=tuple(row.variant.entry.variant for row in good[1:] if row.tied),
        decided_by=decided_by(good),
        notes=_notes(rows),
        effects=tuple(chart for name in names for chart in _effects(name, good)),
        warning=comparability(good),
    )


def _notes(rows: Sequence[Ranked]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each note of a run, with the variants that have it."""
    holders: dict[str, list[str]] = {}
    for row in rows:
        for note in () if row.variant.record is None else row.variant.record.notes:
            holders.setdefault(note, []).append(row.variant.entry.variant)
    return tuple((note, tuple(names)) for note, names in holders.items())


def _effects(name: str, rows: Sequence[Ranked]) -> tuple[Chart, ...]:
    """Per-base accuracy and exact order, side by side by what the variants take for one hyperparameter.

    None where all variants that have a model take the same.
    """
    by_value = sorted(rows, key=lambda row: getattr(row.variant.entry.point.hyperparameters, name))
    values = [hyperparameter_text(row.variant, name) for row in by_value]
    if len(set(values)) < 2:
        return ()
    charts = []
    for figure in ("accuracy", "exact_order"):
        groups: dict[str, list[tuple[str, float, bool]]] = {}
        for value, row in zip(values, by_value, strict=True):
            assert row.variant.metrics is not None, "a ranked variant has metrics"
            share = getattr(row.variant.metrics.validation, figure)
            groups.setdefault(value, []).append((row.variant.entry.variant, share, row.rank == 1))
        title = f"{name}: {'per-base accuracy' if figure == 'accuracy' else 'exact order'}"
        charts.append(strip_chart(title, list(groups.items())))
    return tuple(charts)


def _variant(row: Ranked, names: Sequence[str], library: Library, first_pages: Mapping[str, int]) -> VariantSection:
    variant = row.variant
    scores = None if variant.metrics is None else variant.metrics.validation
    order = tuple(dict.fromkeys(segment.name for segment in library.segments))
    by_label = {} if scores is None else {score.label: score for score in scores.labels}
    return VariantSection(
        row=row,
        varying=tuple((name, hyperparameter_text(variant, name)) for name in names),
        combination=combination_text(variant.entry.point.hyperparameters, names),
        whole=() if scores is None else exact_shares(scores, library),
        charts=_curves(row),
        labels=tuple(by_label[label] for label in order if label in by_label),
        heat=None if scores is None else heat_of(scores, order),
        hyperparameters=tuple((name, hyperparameter_text(variant, name)) for name in Hyperparameters.model_fields),
        provenance=() if variant.record is None else _provenance(variant.record),
        links=_links(row),
        first_page=first_pages.get(variant.entry.variant),
    )


def _curves(row: Ranked) -> tuple[Chart, ...]:
    history, record = row.variant.history, row.variant.record
    if history is None or record is None or len(history.loss) < 2:
        return ()  # one epoch draws no curve
    best = record.best_epoch
    charts = (
        line_chart(
            "Loss",
            "epoch",
            [("training", history.loss), ("internal validation", history.internal_validation_loss)],
            best,
            percent=False,
        ),
        line_chart(
            "Per-base accuracy",
            "epoch",
            [("training", history.accuracy), ("internal validation", history.internal_validation_accuracy)],
            best,
            percent=True,
        ),
        line_chart("Learning rate", "epoch", [("learning rate", history.learning_rate)], best, percent=False),
    )
    return tuple(chart for chart in charts if chart is not None)


def _links(row: Ranked) -> tuple[Link, ...]:
    """The variant's files where they are published: ``<outdir>/<model>/<variant>/`` beside ``<outdir>/report/``."""
    entry, folder = row.variant.entry, row.variant.folder
    if folder is None:
        return ()
    files = sorted(path.name for path in folder.path.iterdir() if path.is_file())
    return tuple(Link(name, f"../{entry.model}/{entry.variant}/{name}") for name in files)


def _provenance(record: RunRecord) -> tuple[tuple[str, str], ...]:
    point, timings = record.spec.point, record.timings
    facts = [
        ("run", record.run_id),
        ("seed", str(point.options.seed)),
        ("engine revision", str(point.engine_revision)),
        ("CRF backend", point.options.crf_backend),
        (
            "training reads",
            f"sha256 {record.spec.training_reads.sha256}, {_mib(record.spec.training_reads.size_bytes)}",
        ),
        (
            "validation reads",
            f"sha256 {record.spec.validation_reads.sha256}, {_mib(record.spec.validation_reads.size_bytes)}",
        ),
        ("epochs", f"{record.epochs_trained} trained, best {record.best_epoch}"),
        ("speed", f"{record.bases_per_second:,.0f} bases/s in training"),
        ("peak memory", _mib(record.peak_memory_bytes)),
        (
            "time",
            f"load {seconds(timings.load_seconds)}, train {seconds(timings.train_seconds)}, "
            f"export {seconds(timings.export_seconds)}, evaluate {seconds(timings.evaluate_seconds)}, "
            f"in all {seconds(timings.total_seconds)}",
        ),
    ]
    for attempt in record.attempts:
        text = f"{attempt.device}, {attempt.threads} threads, {attempt.start_time} to {attempt.end_time or 'its end'}"
        if attempt.resumed_from_epoch:
            text += f", resumed after epoch {attempt.resumed_from_epoch}"
        facts.append((f"attempt {attempt.number}", "; ".join((text, *attempt.notes))))
    facts.append(("versions", ", ".join(f"{name} {version}" for name, version in sorted(record.versions.items()))))
    return tuple(facts)


def seconds(value: float) -> str:
    """A duration for people: ``8.4 s``, ``2 min 05 s``, ``1 h 02 min``."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
