"""Hyperparameters as a reader meets them: a combination enters, its values in the parameter table's words leave."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from readlabel.messages import Hyperparameters


def value_text(hyperparameters: Hyperparameters, name: str) -> str:
    """One value: TRUE and FALSE, 0.0001 rather than 1e-4, and 1 rather than 1.0.

    Example:
        >>> point = Hyperparameters(learning_rate=1e-4, regularization=1)
        >>> [value_text(point, name) for name in ("crf_layer", "learning_rate", "regularization")]
        ['TRUE', '0.0001', '1']
    """
    value = getattr(hyperparameters, name)
    if isinstance(value, bool):
        return str(value).upper()
    return format(Decimal(repr(value)), "f").removesuffix(".0") if isinstance(value, float) else str(value)


def combination_text(hyperparameters: Hyperparameters, names: Iterable[str]) -> str:
    """Several in a row: ``conv_filters 64, crf_layer TRUE``."""
    return ", ".join(f"{name} {value_text(hyperparameters, name)}" for name in names)
