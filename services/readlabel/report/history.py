"""A run's training history: ``history.tsv`` enters, columns of numbers leave."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from readlabel.messages import InputError

Column = tuple[float | None, ...]


@dataclass(frozen=True)
class History:
    """One number an epoch in each column; None where an epoch has none."""

    loss: Column
    accuracy: Column
    internal_validation_loss: Column
    internal_validation_accuracy: Column
    learning_rate: Column


def read_history(path: Path) -> History:
    """Read the columns that Keras names loss, accuracy, val_loss, val_accuracy and lr; others are left.

    Raises:
        InputError: the file cannot be read, or a cell is no number.
    """
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
        columns = [tuple(_number(row.get(name)) for row in rows) for name in _KERAS_NAMES]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: is no training history: {error}") from error
    return History(*columns)


_KERAS_NAMES = ("loss", "accuracy", "val_loss", "val_accuracy", "lr")


def _number(cell: str | None) -> float | None:
    """A finite number, or None for an empty cell and for what cannot be drawn."""
    value = float(cell) if cell else math.nan
    return value if math.isfinite(value) else None
