"""Blobs as plain files named by their SHA-256: ``blobs/ab/abcd…``, and unfinished uploads in ``uploads/``.

A file appears under its name only when it is whole and its digest was computed from what lies on the disk. Blocking
work runs in threads, so that a large blob never holds up the event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import grpc

from readlabel.artifacts.digest import file_ref
from readlabel.messages import BlobRef, InputError, Problem
from readlabel.wire import RpcError

Adopt = Callable[[Path], Awaitable[BlobRef]]
"""Moves a file into the store."""


class BlobStore:
    """The blobs of one service."""

    def __init__(self, root: Path, max_blob_bytes: int) -> None:
        self._blobs = root / "blobs"
        self._uploads = root / "uploads"
        self._max_blob_bytes = max_blob_bytes
        self._active: set[str] = set()
        self._adopted = Counter[str]()
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._uploads.mkdir(parents=True, exist_ok=True)

    def path(self, blob: BlobRef) -> Path:
        """Where a blob lies, or would lie."""
        return self._blobs / blob.sha256[:2] / blob.sha256

    def has(self, blob: BlobRef) -> bool:
        """Whether the blob is here, whole."""
        try:
            return self.path(blob).stat().st_size == blob.size_bytes
        except OSError:
            return False

    def committed(self, blob: BlobRef) -> int:
        """Bytes of the blob that are kept, of a finished or an unfinished upload."""
        if self.has(blob):
            return blob.size_bytes
        try:
            return self._partial(blob).stat().st_size
        except OSError:
            return 0

    def link(self, source: Path) -> BlobRef:
        """Put a local file into the store by a symbolic link.

        Raises:
            InputError: it cannot be read.
        """
        blob = file_ref(source)
        path = self.path(blob)
        if not self.has(blob):
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(source.resolve())
        return blob

    @contextmanager
    def adoption(self) -> Iterator[Adopt]:
        """What moves files of the same file system into the store, where all of them stay until the block is left.

        By then a run names them: one that is deleted meanwhile and had the same artifact takes it from nobody.
        """
        adopted = Counter[str]()

        async def adopt(source: Path) -> BlobRef:
            blob = await asyncio.to_thread(file_ref, source)
            adopted[blob.sha256] += 1
            self._adopted[blob.sha256] += 1
            path = self.path(blob)
            path.parent.mkdir(exist_ok=True)
            source.replace(path)
            self.touch(blob)
            return blob

        try:
            yield adopt
        finally:
            self._adopted -= adopted

    def touch(self, blob: BlobRef) -> None:
        """Note that a blob is used now; none of that digest is no error."""
        with suppress(OSError):
            os.utime(self.path(blob), follow_symlinks=False)

    def unused_since(self, time: float) -> Iterator[Path]:
        """Files of blobs and unfinished uploads that were last used before a time (seconds since 1970)."""
        files = itertools.chain(self._blobs.glob("*/*"), self._uploads.iterdir())
        return (path for path in files if _used_before(path, time))

    def discard(self, path: Path, unused_since: float) -> int | None:
        """Remove the file of a blob or an unfinished upload, unless it was used since a time (seconds since 1970).

        What is being uploaded or adopted stays.

        Returns:
            The bytes it held; None when it stays, or is not there.
        """
        digest = path.name.partition(".")[0]
        if digest in self._active or digest in self._adopted or not _used_before(path, unused_since):
            return None
        size_bytes = path.lstat().st_size
        path.unlink()
        return size_bytes

    def upload(self, blob: BlobRef) -> Upload:
        """Begin the upload of a blob, or go on with it.

        Raises:
            RpcError: another caller uploads it now, it is too large, or the disk has no room for it.
        """
        if blob.size_bytes > self._max_blob_bytes:
            raise InputError([Problem("blob.size_bytes", f"at most {self._max_blob_bytes} are allowed")])
        if blob.sha256 in self._active:
            raise RpcError(
                grpc.StatusCode.ABORTED,
                "UPLOAD_IN_PROGRESS",
                "another caller uploads this blob now; ask GetWriteStatus until it is complete",
                retry_seconds=0.5,
            )
        needed = blob.size_bytes - self.committed(blob)
        free = shutil.disk_usage(self._uploads).free
        if needed > free:
            raise RpcError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "DISK_FULL",
                f"the service's disk has {free} bytes free and the blob needs {needed}",
            )
        return Upload(self, blob, self._partial(blob), self._active)

    def _partial(self, blob: BlobRef) -> Path:
        return self._uploads / f"{blob.sha256}.{blob.size_bytes}"


class Upload:
    """The one upload of a blob that is under way; a context manager that keeps the bytes when it is left early."""

    def __init__(self, store: BlobStore, blob: BlobRef, partial: Path, active: set[str]) -> None:
        self._store = store
        self._blob = blob
        self._partial = partial
        self._active = active
        self._active.add(blob.sha256)
        try:
            self._file: BinaryIO = partial.open("ab")
        except OSError:
            self._active.discard(blob.sha256)
            raise
        self.committed = self._file.tell()

    def __enter__(self) -> Upload:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        self._active.discard(self._blob.sha256)

    async def append(self, data: bytes) -> None:
        """Keep these bytes at the end.

        Raises:
            InputError: the blob would become larger than was said.
            OSError: they could not be written; the upload stands where it stood.
        """
        if self.committed + len(data) > self._blob.size_bytes:
            raise InputError([Problem("chunk", f"goes beyond the blob's {self._blob.size_bytes} bytes")])
        try:
            await asyncio.to_thread(self._write, data)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file.fileno(), self.committed)
            raise
        self.committed += len(data)

    async def finish(self) -> None:
        """Make the blob visible under its digest.

        Raises:
            InputError: bytes are missing.
            RpcError: the bytes have another digest; they are thrown away.
        """
        if self.committed != self._blob.size_bytes:
            wrong = f"{self.committed} bytes came of the blob's {self._blob.size_bytes}"
            raise InputError([Problem("finish_write", wrong)])
        if await asyncio.to_thread(self._sync_and_hash) != self._blob.sha256:
            self._partial.unlink()
            raise RpcError(
                grpc.StatusCode.DATA_LOSS,
                "DIGEST_MISMATCH",
                f"the bytes that came do not have the digest {self._blob.sha256}; they were thrown away",
            )
        target = self._store.path(self._blob)
        target.parent.mkdir(exist_ok=True)
        self._partial.replace(target)
        self._store.touch(self._blob)  # its bytes may have come long ago

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()

    def _sync_and_hash(self) -> str:
        os.fsync(self._file.fileno())
        with self._partial.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()


def _used_before(path: Path, time: float) -> bool:
    try:
        return path.lstat().st_mtime < time
    except OSError:
        return False
