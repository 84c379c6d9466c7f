"""Files by content: the SHA-256 and size that name their bytes to the service."""

from __future__ import annotations

import hashlib
from pathlib import Path

from readlabel.messages import BlobRef, InputError


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
