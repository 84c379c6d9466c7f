"""REPORT: a grid and its exported variants enter; leaderboard, page, merged drawings and the winners leave.

In this order: match the folders with the grid, rank, validation.pdf, leaderboard.tsv, best/, and report.html last,
which links to the others. The same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from readlabel import __version__
from readlabel.artifacts.names import VALIDATION_PDF_SUFFIX
from readlabel.messages import Grid
from readlabel.report.best import BEST, write_best
from readlabel.report.html import HTML, write_html
from readlabel.report.leaderboard import LEADERBOARD, Ranked, by_model, rank, write_leaderboard
from readlabel.report.page import build_page
from readlabel.report.pdf import Chapter, merge
from readlabel.report.variants import Stranger, gather
from readlabel.report.words import combination_text
from readlabel.tables import grid_doubts

VALIDATION_PDF = "validation.pdf"


@dataclass(frozen=True)
class Report:
    """What was written and found.

    Attributes:
        html: the page.
        ranked: the leaderboard.
        strangers: folders that are not of this grid.
    """

    html: Path
    ranked: tuple[Ranked, ...]
    strangers: tuple[Stranger, ...]


def build(
    grid: Grid,
    folders: Sequence[Path],
    out: Path,
    outdir: Path | None = None,
    losses: Mapping[str, str] | None = None,
) -> Report:
    """Write a grid's report.

    Args:
        grid: every combination.
        folders: exported variants, in any order; combinations without one are listed as missing.
        out: the report's folder.
        outdir: results that may hold folders of earlier grids, to name them.
        losses: why combinations have no folder, by variant, where that is known.

    Raises:
        InputError: a folder is no variant's, or a file in it is damaged.
        OutputError: something cannot be written.
    """
    variants, strangers = gather(grid, folders, outdir, losses)
    ranked = rank(variants)
    # The merge first: a damaged drawing is found before anything of an earlier report is replaced.
    first_pages = merge(out / VALIDATION_PDF, ", ".join(model for model, _ in by_model(ranked)), _chapters(ranked))
    write_leaderboard(out / LEADERBOARD, ranked)
    write_best(out / BEST, ranked)
    html = out / HTML
    write_html(html, build_page(ranked, strangers, first_pages, grid_doubts(grid), __version__))
    return Report(html, ranked, strangers)


def _chapters(ranked: Sequence[Ranked]) -> list[Chapter]:
    chapters = []
    for row in ranked:
        folder, entry = row.variant.folder, row.variant.entry
        path = None if folder is None else folder.path / f"{folder.variant}{VALIDATION_PDF_SUFFIX}"
        if path is not None and path.is_file():
            about = combination_text(entry.point.hyperparameters, entry.varying)
            metrics = row.variant.metrics
            figure = row.variant.state if metrics is None else f"{metrics.validation.accuracy:.2%} per base"
            chapters.append(Chapter(entry.variant, figure, about, path))
    return chapters
