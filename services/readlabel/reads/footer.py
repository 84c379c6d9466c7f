"""What a Parquet file of labelled reads says of itself, found without pyarrow.

A path enters; its `Header` leaves: labels, library, and how the reads were made. A client, which has no array library,
tells from it what a worker would refuse after everything was sent.
"""

from __future__ import annotations

import os
from pathlib import Path

from readlabel.messages import InputError
from readlabel.reads._thrift import read_struct
from readlabel.reads.header import KEY, Header, parse_header

FORMAT = "readlabel.reads"
SCHEMA_VERSION = 1

_MAGIC = b"PAR1"
_TAIL = 8
"""Bytes after the footer: its length (4, little-endian) and the magic word."""
_FILE_METADATA = 5
_PAIR_KEY, _PAIR_VALUE = 1, 2


def read_header(path: Path) -> Header | None:
    """The header of a file of labelled reads; None where its footer is not understood here, and pyarrow may know more.

    Raises:
        InputError: the file cannot be read, is cut short, or is no file of labelled reads.
    """
    try:
        with path.open("rb") as handle:
            first = handle.read(len(_MAGIC))
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, size - _TAIL))
            tail = handle.read()
            if not first == tail[-len(_MAGIC) :] == _MAGIC:
                raise InputError(
                    f"{path}: is no whole Parquet file; labelled reads come from readlabel simulate or readlabel "
                    "import-reads"
                )
            length = int.from_bytes(tail[:4], "little")
            if length > size - _TAIL:
                return None
            handle.seek(size - _TAIL - length)
            footer = handle.read(length)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        _, (_, pairs) = read_struct(footer).get(_FILE_METADATA, (0, (0, ())))
        found = {pair[_PAIR_KEY][1]: pair[_PAIR_VALUE][1] for pair in pairs if _PAIR_VALUE in pair}
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        return None
    return parse_header(path, found.get(KEY), FORMAT, SCHEMA_VERSION)
