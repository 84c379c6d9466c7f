"""`readlabel grid`: a parameter table and a library table → grid.json."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Annotated

import typer

from readlabel.artifacts.atomic import atomic_folder, write_text
from readlabel.messages import Grid, GridEntry, InputError, OutputError, TrainingOptions, as_written
from readlabel.tables import expand_grid, grid_doubts, write_example

_SHOWN_VALUES = 12
_MESSAGE = re.compile(r".+_[0-9]+\.json")


def _write_example(folder: Path | None) -> None:
    if folder is not None:
        for path in write_example(folder):
            print(path)
        raise typer.Exit


def main(
    training_params: Annotated[Path, typer.Option(help="Hyperparameters in rows, models in columns (TSV).")],
    training_seq_orders: Annotated[Path, typer.Option(help="One library a row (TSV, no header).")],
    out: Annotated[Path, typer.Option(help="The grid to write (JSON).")],
    model_name: Annotated[str, typer.Option(help="One model, several by comma, or all.")] = "all",
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Feeds split, shuffle, weights and dropout.")] = 1,
    messages: Annotated[
        Path | None, typer.Option(help="Also write each combination to a file of its own in this folder.")
    ] = None,
    _example: Annotated[
        Path | None,
        typer.Option(
            "--example",
            is_eager=True,
            callback=_write_example,
            help="Write two tables to start from into this folder, and do nothing else.",
        ),
    ] = None,
) -> None:
    """Expand a parameter table into its combinations.

    A comma list in a cell multiplies the grid; the last row of the table varies fastest. Every problem of both tables
    is reported at once, with row, column, value and what is allowed. --example writes a library and a grid of four
    combinations, to try the commands with and to put your own rows in.

    \b
    Example:
      readlabel grid --example tables
      readlabel grid --training-params tables/training_params.tsv \\
        --training-seq-orders tables/training_seq_orders.tsv \\
        --out grid.json --messages points
    """
    if any(out.resolve() == table.resolve() for table in (training_params, training_seq_orders)):
        raise InputError(f"--out: {out} is one of the tables to read; give the grid another name")
    names = [name.strip() for name in model_name.split(",")]
    grid = expand_grid(training_params, training_seq_orders, names, TrainingOptions(seed=seed))
    if messages is not None:
        _write_messages(messages, grid)
    write_text(out, grid.model_dump_json(indent=2) + "\n")
    models = {model: list(own) for model, own in itertools.groupby(grid.entries, key=lambda entry: entry.model)}
    for doubt in grid_doubts(grid):
        print(f"note: {doubt}")
    for model, entries in models.items():
        print(f"{model}: {_lists(entries)}")
    count = len(grid.entries)
    print(f"{count:,} combination{'s' if count != 1 else ''} of {', '.join(models)} written to {out}")


def _lists(entries: list[GridEntry]) -> str:
    """The values that a model's combinations are made of, as its column writes them."""
    points = [entry.point.hyperparameters for entry in entries]
    lists = []
    for name in entries[0].varying:
        values = list(dict.fromkeys(as_written(getattr(point, name)) for point in points))
        shown = values if len(values) <= _SHOWN_VALUES else [*values[:2], "…", values[-1], f"({len(values)} values)"]
        lists.append(f"{name} {','.join(values) if shown is values else ' '.join(shown)}")
    return " × ".join(lists) or "one combination, no comma list"


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
