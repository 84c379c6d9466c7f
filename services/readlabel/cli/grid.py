"""`readlabel grid`: a parameter table and a library table → grid.json."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from readlabel.artifacts.atomic import write_text
from readlabel.messages import TrainingOptions
from readlabel.tables import expand_grid


def main(
    training_params: Annotated[Path, typer.Option(help="Hyperparameters in rows, models in columns (TSV).")],
    training_seq_orders: Annotated[Path, typer.Option(help="One library a row (TSV, no header).")],
    out: Annotated[Path, typer.Option(help="The grid to write (JSON).")],
    model_name: Annotated[str, typer.Option(help="One model, several by comma, or all.")] = "all",
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Feeds split, shuffle, weights and dropout.")] = 1,
    messages: Annotated[
        Path | None, typer.Option(help="Also write each combination to a file of its own in this folder.")
    ] = None,
) -> None:
    """Expand a parameter table into its combinations.

    A comma list in a cell multiplies the grid; the last row of the table varies fastest. Every problem of both tables
    is reported at once, with row, column, value and what is allowed.

    Example:
      readlabel grid --training-params assets/training_params.tsv \\
        --training-seq-orders assets/training_seq_orders.tsv --out grid.json
    """
    names = [name.strip() for name in model_name.split(",")]
    grid = expand_grid(training_params, training_seq_orders, names, TrainingOptions(seed=seed))
    if messages is not None:
        for entry in grid.entries:
            write_text(messages / f"{entry.variant}.json", entry.point.model_dump_json(indent=2) + "\n")
    write_text(out, grid.model_dump_json(indent=2) + "\n")
    models = dict.fromkeys(entry.model for entry in grid.entries)
    print(f"{len(grid.entries)} combinations of {', '.join(models)} written to {out}")
