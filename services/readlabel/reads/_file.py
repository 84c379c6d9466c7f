"""What the project's Parquet files share: a JSON header in the metadata, and clear words for a foreign file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, Field, JsonValue, ValidationError

from readlabel.messages import InputError, Library, Message

_KEY = b"readlabel"


class _Kind(BaseModel):
    """What of a header is looked at first: a later version may have fields that this one does not know."""

    format: str
    schema_version: int


class Header(Message):
    """The JSON kept under the key ``readlabel``.

    A provenance is JSON of whichever message its writer has: it is shown, never acted upon.
    """

    format: str
    schema_version: int = Field(ge=1)
    labels: tuple[str, ...] = Field(min_length=1, max_length=255)
    library: Library | None = None
    provenance: dict[str, JsonValue] | None = None


def write_header(schema: Any, header: Header) -> Any:
    """The schema with the header in its metadata."""
    return schema.with_metadata({_KEY: header.canonical_json().encode()})


@contextmanager
def open_file(path: Path, format_name: str, schema_version: int, schema: Any) -> Iterator[tuple[Any, Header]]:
    """Open a file, check header and columns, and give the pyarrow file and its header.

    Whatever pyarrow stumbles over while the block reads becomes an InputError too.

    Raises:
        InputError: the file is missing, cut short, damaged, of another format or of a later schema version.
    """
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            header = _header(path, file.schema_arrow, format_name, schema_version)
            _check_columns(path, file.schema_arrow, schema)
            yield file, header
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a whole Parquet file (cut short or damaged?): {_first_line(error)}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read (cut short or damaged?): {_first_line(error)}") from error


def _header(path: Path, schema: Any, format_name: str, schema_version: int) -> Header:
    text = (schema.metadata or {}).get(_KEY)
    if text is None:
        raise InputError(f"{path}: a Parquet file, but not one of readlabel's: its metadata has no key 'readlabel'")
    try:
        kind = _Kind.model_validate_json(text)
        if kind.format != format_name:
            raise InputError(f"{path}: holds {kind.format}, and {format_name} is wanted here")
        if kind.schema_version != schema_version:
            raise InputError(
                f"{path}: schema version {kind.schema_version} of {format_name}; this readlabel reads {schema_version}"
            )
        header = Header.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"{path}: its 'readlabel' metadata is not understood: {error.errors()[0]['msg']}") from error
    if header.library is not None and header.library.labels != header.labels:
        raise InputError(f"{path}: its labels are not those of its library")
    return header


def _check_columns(path: Path, found: Any, wanted: Any) -> None:
    for field in wanted:
        position = found.get_field_index(field.name)
        if position < 0:
            raise InputError(f"{path}: lacks the column {field.name}")
        if not found.field(position).type.equals(field.type):
            raise InputError(f"{path}: column {field.name} is {found.field(position).type}, not {field.type}")


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
