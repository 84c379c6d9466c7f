"""Files by content: the SHA-256 and size that name their bytes to the service."""

from __future__ import annotations

import hashlib
from pathlib import Path

from readlabel.messages import BlobRef, InputError


class RunningDigest:
    """Names bytes that pass by."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._size = 0

    def update(self, data: memoryview) -> None:
        """Take the next bytes."""
        self._digest.update(data)
        self._size += len(data)

    def ref(self) -> BlobRef:
        """The name of all bytes so far."""
        return BlobRef(sha256=self._digest.hexdigest(), size_bytes=self._size)


def file_ref(path: Path) -> BlobRef:
    """Name a file's bytes.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
            return BlobRef(sha256=digest, size_bytes=handle.tell())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
