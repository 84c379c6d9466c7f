"""The two tables → the grid: every combination of the asked-for models, with its place in the order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from readlabel.messages import Grid, GridEntry, GridPoint, InputError, Library, Problem, TrainingOptions
from readlabel.tables.seq_orders import read_seq_orders
from readlabel.tables.training_params import ParameterGrid, model_columns, read_training_params

ALL = "all"


_MANY = 1000
"""Combinations that nobody means to train without a word."""
_UNUSUAL_ABOVE = {
    "batch_size": 1024,
    "embedding_dim": 1024,
    "conv_layers": 16,
    "conv_filters": 2048,
    "conv_kernel_size": 255,
    "lstm_layers": 8,
    "lstm_units": 2048,
    "epochs": 1000,
}
"""Allowed, but larger than anybody trains with: as a rule a comma is missing, 32128 for 32,128."""


def grid_doubts(grid: Grid) -> tuple[str, ...]:
    """What may be meant otherwise, though it can be trained."""
    doubts = [doubt for entry in grid.entries if entry.index == 0 for doubt in entry.point.library.doubts]
    odd = {
        f"{entry.model}: {name} {value} is unusually large; is a comma missing?": None
        for entry in grid.entries
        for name, most in _UNUSUAL_ABOVE.items()
        if (value := getattr(entry.point.hyperparameters, name)) > most
    }
    many = [f"each of the {len(grid.entries):,} combinations is a training"] if len(grid.entries) > _MANY else []
    return (*doubts, *odd, *many)


def expand_grid(params: Path, seq_orders: Path, models: Sequence[str], options: TrainingOptions) -> Grid:
    """Expand both tables.

    Args:
        params: ``training_params.tsv``.
        seq_orders: ``training_seq_orders.tsv``.
        models: model names; ``all`` alone stands for every column of `params`.
        options: what all combinations share, the seed above all.

    Raises:
        InputError: with every problem of both tables.
    """
    problems: list[Problem] = []
    grids: list[ParameterGrid] = []
    libraries: dict[str, Library] = {}
    if "" in models:
        problems.append(Problem("model names", "one is empty; give one model, several by comma, or all"))
        models = [name for name in models if name]
    if ALL in models and list(models) != [ALL]:
        problems.append(Problem("model names", f"{ALL!r} stands alone; give it, or names"))
        models = [name for name in models if name != ALL]
    repeated = sorted({name for name in models if list(models).count(name) > 1})
    problems += [Problem("model names", f"{name!r} is given twice") for name in repeated]
    try:
        grids = read_training_params(params, None if list(models) == [ALL] else models)
    except InputError as error:
        problems += error.problems
    try:
        asked = model_columns(params) if list(models) == [ALL] else models
        libraries = read_seq_orders(seq_orders, asked)
    except InputError as error:
        problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise InputError(problems)
    return Grid(
        entries=tuple(
            GridEntry(
                model=grid.model,
                index=index,
                point=GridPoint(hyperparameters=hyperparameters, library=libraries[grid.model], options=options),
                varying=grid.varying,
            )
            for grid in grids
            for index, hyperparameters in enumerate(grid.combinations())
        )
    )
