"""Bytes cross in checked chunks."""

from __future__ import annotations

from pathlib import Path

import pytest

from readlabel.messages import InputError
from readlabel.wire import MAX_CHUNK_BYTES, check_chunk, cut, make_chunk


def test_a_file_comes_in_chunks_from_any_offset(tmp_path: Path) -> None:
    path = tmp_path / "reads"
    data = bytes(range(256)) * (MAX_CHUNK_BYTES // 256 * 2) + b"end"
    path.write_bytes(data)
    for offset in (0, 1, MAX_CHUNK_BYTES, len(data) - 1, len(data)):
        pieces = list(cut(path, offset))
        assert b"".join(piece for _, piece in pieces) == data[offset:]
        assert all(len(piece) <= MAX_CHUNK_BYTES for _, piece in pieces)
        assert [at for at, _ in pieces] == list(range(offset, len(data), MAX_CHUNK_BYTES))


def test_a_damaged_chunk_is_refused() -> None:
    chunk = make_chunk(b"ACGT")
    assert check_chunk(chunk) == b"ACGT"
    chunk.data = b"ACGA"
    with pytest.raises(InputError, match="damaged"):
        check_chunk(chunk)


def test_a_chunk_without_checksum_or_too_large_is_refused() -> None:
    chunk = make_chunk(b"ACGT")
    chunk.ClearField("crc32c")
    with pytest.raises(InputError, match="crc32c: is required"):
        check_chunk(chunk)
    with pytest.raises(InputError, match="at most 1048576"):
        check_chunk(make_chunk(b"A" * (MAX_CHUNK_BYTES + 1)))
