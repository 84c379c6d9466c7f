"""What the service forgets: runs that ended long ago, and files that no run needs any more.

A blob is needed as long as a kept run has it as an artifact, or may still train on it. What is not needed stays for a
while after it was last used, because a caller who was just told that a blob is here creates the run next.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from readlabel.server.blob_store import BlobStore
from readlabel.server.config import Keep, ServerConfig
from readlabel.server.data_dir import lock_data_dir
from readlabel.server.desk import RunDesk
from readlabel.server.disk import telling_of_a_full_disk
from readlabel.server.run_queries import unneeded
from readlabel.server.run_store import RunStore
from readlabel.server.telemetry import Telemetry

log = logging.getLogger(__name__)

COLLECT_EVERY_SECONDS = 3600
FRESH_SECONDS = 3600
"""A blob that was used more recently stays, however short blobs are to be kept."""
_AT_ONCE = 20
"""Runs or files that are looked at before calls that wait have their turn."""


@dataclass(frozen=True)
class Collected:
    """What was removed: runs, files, and the bytes that the files held."""

    runs: int = 0
    files: int = 0
    size_bytes: int = 0

    def __str__(self) -> str:
        return f"removed {self.runs} runs and {self.files} files ({self.size_bytes:,} bytes) that are no longer needed"


class Retention:
    """Removes what need not be kept.

    Args:
        desk: knows the runs.
        blobs: the blob store beside them.
        keep: how long.
        data_dir: the service's folder.
    """

    def __init__(self, desk: RunDesk, blobs: BlobStore, keep: Keep, data_dir: Path) -> None:
        self._desk = desk
        self._blobs = blobs
        self._keep = keep
        self._data_dir = data_dir

    async def collect(self) -> Collected:
        """Remove now what need not be kept.

        Files go before runs, and again after them: to forget a run is written down, which takes room on the disk.
        """
        await self._remove_orphans()
        freed = await self._remove_files()
        runs = await self._remove_runs()
        if runs:
            freed += await self._remove_files()
        return Collected(runs, len(freed), sum(freed))

    async def keep_collecting(self) -> None:
        """Collect once an hour, for as long as the service runs."""
        while True:
            await asyncio.sleep(COLLECT_EVERY_SECONDS)
            try:
                collected = await self.collect()
                if collected != Collected():
                    log.info("%s", collected)
            except Exception:  # what was not removed now is removed in an hour
                log.exception("collecting what is no longer needed failed")

    async def _remove_runs(self) -> int:
        """Forget runs that ended long enough ago; how many."""
        if self._keep.runs_days is None:
            return 0
        until = datetime.now(UTC) - timedelta(days=self._keep.runs_days)
        time_ = until.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        runs = 0
        while ended := self._desk.store.ended_before(time_, _AT_ONCE):
            self._desk.forget(ended)
            runs += len(ended)
            await asyncio.sleep(0)
        return runs

    async def _remove_files(self) -> list[int]:
        """Remove blobs and unfinished uploads that no run needs; the bytes of each."""
        if self._keep.blobs_days is None:
            return []
        unused_since = time.time() - max(self._keep.blobs_days * 86_400, FRESH_SECONDS)
        # A run that comes to need one of them meanwhile takes it into use anew, and then `discard` leaves it.
        old = self._blobs.unused_since(unused_since)
        freed = []
        for number, path in enumerate(await asyncio.to_thread(unneeded, self._desk.store.path, old)):
            size_bytes = self._blobs.discard(path, unused_since)
            if size_bytes is not None:
                freed.append(size_bytes)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return freed

    async def _remove_orphans(self) -> None:
        """Remove the folders of runs that a service which was killed had forgotten in part."""
        for folder in ("checkpoints", "runs"):
            parent = self._data_dir / folder
            for number, path in enumerate(parent.iterdir() if parent.is_dir() else ()):
                if self._desk.store.state(path.name) is None:
                    shutil.rmtree(path, ignore_errors=True)
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)


async def collect_garbage(config: ServerConfig) -> Collected:
    """Collect in the folder of a service that does not run.

    Raises:
        OutputError: a service uses the folder, or its disk has no room left even after files were removed.
        StoreError: the run store is damaged or of a later version.
    """
    with ExitStack() as closing:
        closing.callback(os.close, lock_data_dir(config.data_dir, private=False))
        store = RunStore(config.data_dir / "runs.sqlite")
        closing.callback(store.close)
        closing.enter_context(telling_of_a_full_disk(config.data_dir))
        blobs = BlobStore(config.data_dir, config.limits.blob_bytes)
        desk = RunDesk(store, blobs, config, Telemetry())
        return await Retention(desk, blobs, config.keep, config.data_dir).collect()
