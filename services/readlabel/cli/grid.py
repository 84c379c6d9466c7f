"""`readlabel grid`: a parameter table and a library table → grid.json."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from readlabel.artifacts.atomic import atomic_folder, write_text
from readlabel.messages import Grid, InputError, OutputError, TrainingOptions
from readlabel.tables import expand_grid

_MESSAGE = re.compile(r".+_[0-9]+\.json")


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

    \b
    Example:
      readlabel grid --training-params assets/training_params.tsv \\
        --training-seq-orders assets/training_seq_orders.tsv --out grid.json
    """
    if any(out.resolve() == table.resolve() for table in (training_params, training_seq_orders)):
        raise InputError(f"--out: {out} is one of the tables to read; give the grid another name")
    names = [name.strip() for name in model_name.split(",")]
    grid = expand_grid(training_params, training_seq_orders, names, TrainingOptions(seed=seed))
    if messages is not None:
        _write_messages(messages, grid)
    write_text(out, grid.model_dump_json(indent=2) + "\n")
    models = dict.fromkeys(entry.model for entry in grid.entries)
    for doubt in (doubt for entry in grid.entries if entry.index == 0 for doubt in entry.point.library.doubts):
        print(f"note: {doubt}")
    count = len(grid.entries)
    print(f"{count} combination{'s' if count != 1 else ''} of {', '.join(models)} written to {out}")


def _write_messages(folder: Path, grid: Grid) -> None:
    """Write the folder whole: no message of an earlier, larger grid stays in it.

    Raises:
        OutputError: it cannot be written, or holds anything but an earlier grid's messages.
    """
    if folder.exists():
        strange = (
            [path.name for path in folder.iterdir() if not _MESSAGE.fullmatch(path.name)] if folder.is_dir() else [""]
        )
        if strange:
            raise OutputError(
                f"{folder}: is no folder of an earlier grid's messages, so it is not replaced; move it away"
            )
    with atomic_folder(folder) as temporary:
        for entry in grid.entries:
            write_text(temporary / f"{entry.variant}.json", entry.point.model_dump_json(indent=2) + "\n")
