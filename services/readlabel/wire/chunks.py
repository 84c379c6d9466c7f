"""Bytes on the wire: cut into chunks of at most 1 MiB, each with its CRC-32C."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from readlabel.messages import InputError, Problem
from readlabel.v1 import blob_service_pb2 as pb

MAX_CHUNK_BYTES = 1 << 20


def make_chunk(data: bytes) -> pb.Chunk:
    """A chunk of these bytes with their checksum."""
    return pb.Chunk(data=data, crc32c=google_crc32c.value(data))


def check_chunk(chunk: pb.Chunk, where: str = "chunk") -> bytes:
    """The bytes of a chunk.

    Raises:
        InputError: it is larger than 1 MiB, has no checksum, or the checksum is not that of its bytes.
    """
    if len(chunk.data) > MAX_CHUNK_BYTES:
        raise InputError([Problem(f"{where}.data", f"{len(chunk.data)} bytes; at most {MAX_CHUNK_BYTES} are allowed")])
    if not chunk.HasField("crc32c"):
        raise InputError([Problem(f"{where}.crc32c", "is required")])
    if google_crc32c.value(chunk.data) != chunk.crc32c:
        raise InputError([Problem(f"{where}.crc32c", "is not that of the data: the bytes were damaged on the way")])
    return chunk.data


def cut(path: Path, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """A file's bytes from `offset` on, as (offset, at most 1 MiB)."""
    with path.open("rb") as handle:
        handle.seek(offset)
        while data := handle.read(MAX_CHUNK_BYTES):
            yield offset, data
            offset += len(data)
