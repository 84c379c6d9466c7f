"""One table cell's text → the value of a hyperparameter, by the type and range that `Hyperparameters` gives it."""

from __future__ import annotations

import re
import typing
from typing import Any

import annotated_types
from pydantic import TypeAdapter, ValidationError

from readlabel.messages import Hyperparameters

_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})
# 0,01, 0,35 and 1,00E-03, alone or within a list; not 0,0.2 and not "0, 1", which only a list can mean.
_DECIMAL_COMMA = re.compile(r"(?:^|,)\s*(?:0,[0-9]+|0[0-9]+(?:[eE][-+]?[0-9]+)?)\s*(?:,|$)")

_THOUSANDS = re.compile(r"0[0-9]{2}")


def parse(name: str, text: str) -> bool | int | float | str | None:
    """The value that `text` stands for, or None when the hyperparameter does not allow it."""
    kind = Hyperparameters.model_fields[name].annotation
    value = _convert(kind, text)
    if value is None:
        return None
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(_annotated(name))
        validated: bool | int | float | str = adapter.validate_python(value)
    except ValidationError:
        return None
    return validated


def allowed(name: str) -> str:
    """What a hyperparameter allows, as the end of an error message: ``a whole number from 1 to 65536``."""
    kind = Hyperparameters.model_fields[name].annotation
    if kind is bool:
        return "allowed is TRUE or FALSE"
    if typing.get_origin(kind) is typing.Literal:
        return f"allowed is {', '.join(typing.get_args(kind))}"
    word = "a whole number" if kind is int else "a number"
    return f"allowed is {word} {_range(name)}"


def hint(name: str, text: str) -> str:
    """How to write what somebody surely meant by a value that is not allowed, as the end of an error message."""
    if ";" in text:
        return "; values are separated by commas"
    if _THOUSANDS.fullmatch(text) and Hyperparameters.model_fields[name].annotation is int:
        return "; thousands are written without a comma, and values of a list without leading zeros"
    return ""


def has_decimal_comma(name: str, cell: str) -> bool:
    """Whether a cell of fractions looks as if a comma in it were a decimal point."""
    return Hyperparameters.model_fields[name].annotation is float and _DECIMAL_COMMA.search(cell) is not None


def _convert(kind: Any, text: str) -> bool | int | float | str | None:
    if kind is bool:
        lowered = text.lower()
        return True if lowered in _TRUE else False if lowered in _FALSE else None
    if typing.get_origin(kind) is typing.Literal:
        return text
    try:
        number = float(text)
    except ValueError:
        return None
    if "_" in text or number != number or number in (float("inf"), float("-inf")):
        return None
    if kind is int:
        # Spreadsheets write 32 as 32.0 when a column holds fractions elsewhere.
        return int(number) if number.is_integer() else None
    return number


def _annotated(name: str) -> Any:
    field = Hyperparameters.model_fields[name]
    return typing.Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _range(name: str) -> str:
    low = high = ""
    for bound in Hyperparameters.model_fields[name].metadata:
        if isinstance(bound, annotated_types.Ge):
            low = f"from {bound.ge}"
        elif isinstance(bound, annotated_types.Gt):
            low = f"above {bound.gt}"
        elif isinstance(bound, annotated_types.Le):
            high = f"to {bound.le}"
        elif isinstance(bound, annotated_types.Lt):
            high = f"below {bound.lt}"
    if low.startswith("above") and high.startswith("to"):
        high = f"and at most {high.removeprefix('to ')}"
    elif low.startswith("from") and high.startswith("below"):
        high = f"to {high}"
    return f"{low} {high}".strip()
