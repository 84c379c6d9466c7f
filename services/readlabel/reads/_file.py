"""What the project's Parquet files share: a JSON header in the metadata, and clear words for a foreign file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from readlabel.messages import InputError
from readlabel.reads.header import KEY, Header, parse_header


def write_header(schema: Any, header: Header) -> Any:
    """The schema with the header in its metadata."""
    return schema.with_metadata({KEY: header.canonical_json().encode()})


@contextmanager
def open_file(path: Path, format_name: str, schema_version: int, schema: Any) -> Iterator[tuple[Any, Header]]:
    """Open a file, check header and columns, and give the pyarrow file and its header.

    Whatever pyarrow stumbles over while the block reads becomes an InputError too.

    Raises:
        InputError: the file is missing, cut short, damaged, of another format or of a later schema version.
    """
    try:
        with pq.ParquetFile(path, memory_map=True, page_checksum_verification=True) as file:
            header = parse_header(path, (file.schema_arrow.metadata or {}).get(KEY), format_name, schema_version)
            _check_columns(path, file.schema_arrow, schema)
            yield file, header
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a whole Parquet file (cut short or damaged?): {_first_line(error)}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read (cut short or damaged?): {_first_line(error)}") from error


def _check_columns(path: Path, found: Any, wanted: Any) -> None:
    for field in wanted:
        position = found.get_field_index(field.name)
        if position < 0:
            raise InputError(f"{path}: lacks the column {field.name}")
        if not found.field(position).type.equals(field.type):
            raise InputError(f"{path}: column {field.name} is {found.field(position).type}, not {field.type}")


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
