"""The winners: per model, a copy of the best variant's files and a word on why it is the best."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from readlabel.artifacts.atomic import atomic_folder
from readlabel.messages import OutputError
from readlabel.report.leaderboard import CRITERION, LEADERBOARD, Ranked, by_model, decided_by, exact_shares

BEST = "best"
_README = "README.md"
_BORDERS = (
    "  (both ends right to the base; where two random segments meet, each insertion or deletion moves the border, so "
    "that this share is low on noisy reads however good a model is)"
)


def write_best(target: Path, ranked: Sequence[Ranked]) -> None:
    """Write ``<target>/<model>/`` for each model that has a winner; earlier copies are replaced whole, or removed.

    Raises:
        OutputError: a folder cannot be written, or is in the way and no earlier copy.
    """
    for model, rows in by_model(ranked):
        folder = target / model
        if folder.exists() and not (folder / _README).is_file():
            raise OutputError(f"{folder}: is no earlier copy of a best variant, so it is not replaced; move it away")
        winner = rows[0]
        if winner.rank is None:
            shutil.rmtree(folder, ignore_errors=True)
            continue
        source = winner.variant.folder
        assert source is not None, "a ranked variant has files"
        with atomic_folder(folder) as temporary:
            for path in sorted(source.path.iterdir()):
                if path.is_file():
                    shutil.copyfile(path, temporary / path.name)
            (temporary / _README).write_text(_readme(rows), encoding="utf-8")


def _readme(rows: Sequence[Ranked]) -> str:
    best = rows[0].variant
    assert best.metrics is not None, "a ranked variant has metrics"
    assert best.record is not None, "a ranked variant has a record"
    scores, entry = best.metrics.validation, best.entry
    shares = exact_shares(scores, entry.point.library)
    ranked = [row for row in rows if row.rank is not None]
    lines = [
        f"# {entry.variant}: the best variant of {entry.model}",
        "",
        f"{CRITERION} The whole table: `../../{LEADERBOARD}`.",
        "",
        f"- variants compared: {len(ranked)} of {len(rows)}",
        f"- per-base accuracy: {scores.accuracy:.4%}",
        *([_tie_line(ranked)] if rows[0].tied else []),
        f"- macro-F1: {scores.macro_f1:.4%}",
        f"- exact order: {scores.exact_order:.2%}",
        *(f"- {name} cut out exactly: {share:.2%}" for name, share in shares),
        *([_BORDERS] if shares else []),
        f"- accuracy under tranquillyzer's padding: {best.metrics.tranquillyzer_padding.accuracy:.4%}",
        *([f"- **it {scores.missed}**: the best of these variants is not good at everything"] if scores.missed else []),
        "",
    ]
    if best.record.tranquillyzer_loads:
        lines += [
            "Hand it to tranquillyzer:",
            "",
            "    readlabel export --run . --install PATH/TO/tranquillyzer/models",
        ]
    else:
        loadable = next((row for row in ranked if _loads(row)), None)
        other = (
            "none of this grid's does"
            if loadable is None
            else f"the best that does is {loadable.variant.entry.variant}"
        )
        lines.append(f"It does not load in tranquillyzer; {other}.")
    return "\n".join(lines) + "\n"


def _tie_line(ranked: Sequence[Ranked]) -> str:
    others = ", ".join(row.variant.entry.variant for row in ranked[1:] if row.tied)
    return f"- tied with it in per-base accuracy, within the standard error: {others}; the {decided_by(ranked)} decided"


def _loads(row: Ranked) -> bool:
    return row.variant.record is not None and row.variant.record.tranquillyzer_loads
