"""Hyperparameters as a reader meets them: a combination enters, its values in the parameter table's words leave."""

from __future__ import annotations

from collections.abc import Iterable

from readlabel.messages import Hyperparameters, as_written


def combination_text(hyperparameters: Hyperparameters, names: Iterable[str]) -> str:
    """Several in a row: ``conv_filters 64, crf_layer TRUE``."""
    return ", ".join(f"{name} {as_written(getattr(hyperparameters, name))}" for name in names)
