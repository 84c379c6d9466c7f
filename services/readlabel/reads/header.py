"""What the project's Parquet files say of themselves: JSON under the key ``readlabel`` of the file's metadata.

This module knows no array library: a client looks into files with it before it sends them.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, JsonValue, ValidationError

from readlabel.messages import InputError, Library, Message

KEY = b"readlabel"


class _Kind(BaseModel):
    """What of a header is looked at first: a later version may have fields that this one does not know."""

    format: str
    schema_version: int


class Header(Message):
    """The JSON kept under the key ``readlabel``.

    A provenance is JSON of whichever message its writer has: it is shown and compared, never acted upon.
    """

    format: str
    schema_version: int = Field(ge=1)
    labels: tuple[str, ...] = Field(min_length=1, max_length=255)
    library: Library | None = None
    provenance: dict[str, JsonValue] | None = None


def parse_header(path: Path, text: bytes | None, format_name: str, schema_version: int) -> Header:
    """Understand a file's header.

    Args:
        path: the file, for the words of an error.
        text: what stands under `KEY`; None without it.
        format_name: the format that is wanted.
        schema_version: the version of it that is known.

    Raises:
        InputError: there is no header, or one of another format or version.
    """
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
