"""`readlabel report`: a grid and its exported variants → leaderboard, page, drawings and the best variants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from readlabel.artifacts.message_file import read_message
from readlabel.messages import Grid, InputError, Problem
from readlabel.report.build import Report, build
from readlabel.report.folders import open_folder
from readlabel.report.leaderboard import by_model, comparability, hyperparameter_text, varying
from readlabel.report.page import seconds

_LOG_WIDTH = 200
"""Columns where there is no terminal to ask: a log shows a wide table better than a broken one."""


def main(
    grid: Annotated[Path, typer.Option(help="The whole grid (JSON), as `readlabel grid` writes it.")],
    out: Annotated[Path, typer.Option(help="The report's folder.")],
    variants: Annotated[
        list[Path] | None, typer.Option(help="An exported variant's folder; give it again for more, or list the rest.")
    ] = None,
    more_variants: Annotated[
        list[Path] | None, typer.Argument(metavar="VARIANT", help="Further exported variants' folders.")
    ] = None,
    outdir: Annotated[
        Path | None, typer.Option(help="Results that may hold variants of earlier grids; they are named, not touched.")
    ] = None,
    losses: Annotated[
        Path | None, typer.Option(help="Why combinations have no folder: JSON, from a variant's name to words.")
    ] = None,
) -> None:
    """Compare the variants of a grid.

    Writes leaderboard.tsv, report.html, validation.pdf and best/, a copy of each model's best variant. Combinations of
    the grid without a folder are listed as MISSING. Folders that are not of this grid are named in the report and left
    alone.

    \b
    Example, with the files that the examples of grid and export make:
      readlabel report --grid grid.json --out comparison --variants variants/*
    """
    whole = read_message(grid, Grid)
    folders = [*(variants or ()), *(more_variants or ())]
    _require_exported(folders, whole)
    report = build(whole, folders, out, outdir, _read_losses(losses))
    _print(report)
    print(report.html)


def _require_exported(folders: list[Path], grid: Grid) -> None:
    """Refuse the folders of runs, which have neither a variant's name nor drawings.

    Raises:
        InputError: says for each how to export it.
    """
    problems = []
    for folder in map(open_folder, folders):
        if folder.variant is None:
            point = folder.record().spec.point
            name = next((entry.variant for entry in grid.entries if entry.point == point), "MODEL_INDEX")
            how = f"readlabel export --run {folder.path} --name {name} --validation VALIDATION --out variants"
            problems.append(Problem(str(folder.path), f"is a run's folder; export it first: {how}"))
    if problems:
        raise InputError(problems)


def _read_losses(path: Path | None) -> Mapping[str, str]:
    if path is None:
        return {}
    try:
        return TypeAdapter(dict[str, str]).validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"--losses {path}: cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = f"{first['loc'][0]}: " if first["loc"] else ""
        raise InputError(
            f"--losses {path}: is no JSON from a variant's name to words: {where}{first['msg']}"
        ) from error


def _print(report: Report) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_LOG_WIDTH)
    for model, rows in by_model(report.ranked):
        names = varying(rows)
        table = Table(title=model, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
        library = rows[0].variant.entry.point.library
        roles = [
            (title, labels) for title, labels in (("barcodes", library.barcodes), ("UMIs", library.umis)) if labels
        ]
        exact = [f"exact {title}" for title, _ in roles]
        for column in ("rank", "variant", *names, "per base", "macro-F1", "exact order", *exact, "training"):
            table.add_column(column, justify="left" if column == "variant" else "right", no_wrap=column == "variant")
        for row in rows:
            variant = row.variant
            values = [hyperparameter_text(variant, name) for name in names]
            if variant.metrics is not None and variant.record is not None:
                scores = variant.metrics.validation
                figures = [f"{scores.accuracy:.2%}", f"{scores.macro_f1:.2%}", f"{scores.exact_order:.1%}"]
                figures += [_share(scores.exact_share(labels)) for _, labels in roles]
                figures.append(seconds(variant.record.timings.train_seconds))
            else:
                figures = [variant.state]
            table.add_row(str(row.rank or "–"), variant.entry.variant, *values, *figures)
        console.print(table)
        if warning := comparability(rows):
            console.print(warning, markup=False, highlight=False)
        for row in rows:
            if row.variant.metrics is not None and (missed := row.variant.metrics.validation.missed):
                best = ", the best," if row.rank == 1 else ""
                console.print(f"{row.variant.entry.variant}{best} {missed}", markup=False, highlight=False)
            if row.variant.reason:
                console.print(f"{row.variant.entry.variant}: {row.variant.reason}", markup=False, highlight=False)
    for stranger in report.strangers:
        console.print(f"not of this grid: {stranger.name}: {stranger.why}", markup=False, highlight=False)


def _share(value: float | None) -> str:
    return "NA" if value is None else f"{value:.1%}"
