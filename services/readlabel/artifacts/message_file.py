"""A message in a file of its own, as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from readlabel.messages import InputError, Message

_MessageT = TypeVar("_MessageT", bound=Message)


def read_message(path: Path, kind: type[_MessageT]) -> _MessageT:
    """Read one message from its JSON file.

    Raises:
        InputError: the file cannot be read, or is not such a message; says the first thing that is wrong with it.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: is no {kind.__name__}: {where + ': ' if where else ''}{first['msg']}") from error
