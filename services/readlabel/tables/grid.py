"""The two tables → the grid: every combination of the asked-for models, with its place in the order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from readlabel.messages import Grid, GridEntry, GridPoint, InputError, Library, Problem, TrainingOptions
from readlabel.tables.seq_orders import read_seq_orders
from readlabel.tables.training_params import ParameterGrid, model_columns, read_training_params

ALL = "all"


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
