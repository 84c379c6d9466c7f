"""Where a command takes its library from: a JSON file, or a row of the table of libraries."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import ValidationError

from readlabel.messages import InputError, Library, Problem
from readlabel.tables import read_library_row


def library_of(library: Path | None, training_seq_orders: Path | None, model_name: str | None) -> Library:
    """The library that a command's options name; what looks odd in its row is noted on standard error.

    Raises:
        InputError: the options name none or two, or what they name cannot be used.
    """
    if library is not None:
        if training_seq_orders is not None or model_name is not None:
            raise InputError("give --library, or --training-seq-orders with --model-name, not both")
        return _read_json(library)
    if training_seq_orders is None or model_name is None:
        raise InputError("which library? give --library FILE, or --training-seq-orders FILE with --model-name NAME")
    row = read_library_row(training_seq_orders, model_name)
    for doubt in row.doubts:
        print(f"note: {doubt}", file=sys.stderr)
    return row


def _read_json(path: Path) -> Library:
    try:
        return Library.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        raise InputError(
            [Problem(f"{path}, {'.'.join(map(str, found['loc'])) or 'file'}", found["msg"]) for found in error.errors()]
        ) from error
