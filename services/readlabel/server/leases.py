"""Devices that several services on one host share: each is a file, and who trains on it holds the file's lock.

Who trains on several GPUs together holds the locks of all of them. Each core of the host is a file too, and a run on a
CPU slot holds as many as it has threads, whichever are free: which of them it really runs on is the system's affair.

The lock dies with the processes that hold it, so nothing has to be cleaned up after a crash; the worker holds it too,
so a device is not given away while a dead server's worker still writes its checkpoint. Who finds every device taken
draws a ticket, a locked file named by its time: the oldest ticket whose holder lives is the next.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from readlabel.artifacts.atomic import raise_output_error
from readlabel.messages import OutputError
from readlabel.server.devices import TOGETHER, Slot

_POLL_SECONDS = 0.25


def default_lease_dir() -> Path:
    """A folder that all services of this user on this host share; READLABEL_LEASE_DIR names another.

    Neither TMPDIR nor XDG_RUNTIME_DIR decides it: schedulers set these for each job, and then two jobs would not meet.
    """
    named = os.environ.get("READLABEL_LEASE_DIR")
    return Path(named) if named else Path(f"/tmp/readlabel-devices-{os.getuid()}")  # noqa: S108 - made_private checks it


class SlotLease:
    """The devices of one slot; `acquire` takes one that no other service trains on.

    Without a folder nothing is shared, and the first device is always free.

    Raises:
        OutputError: the folder cannot be used.
    """

    def __init__(self, folder: Path | None, slot: Slot) -> None:
        self._candidates = slot.candidates
        self._folder = folder
        self._files: dict[str, list[int]] = {}
        self._needed: dict[str, int] = {}
        self._held: list[int] = []
        cores = os.cpu_count() or 1
        self._line = _line(("cpu",) if slot.on_cpu else slot.candidates)
        self._waits_for = " or ".join(slot.candidates)
        if slot.on_cpu:
            self._waits_for = f"{min(slot.threads, cores)} of the host's {cores} CPU cores"
        if folder is None:
            return
        make_private(folder)
        for device in slot.candidates:
            names = [f"core-{number}" for number in range(cores)] if slot.on_cpu else device.split(TOGETHER)
            self._files[device] = [_open(folder / f"{_safe(name)}.lock") for name in names]
            self._needed[device] = min(slot.threads, cores) if slot.on_cpu else len(names)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """File descriptors a worker inherits, so that the lock lasts as long as it lives."""
        return tuple(file for files in self._files.values() for file in files)

    def close(self) -> None:
        """Give everything back."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self._files.clear()
        self._held = []  # closed, which unlocks too

    @asynccontextmanager
    async def acquire(self, on_wait: Callable[[str], None]) -> AsyncIterator[str]:
        """Hold one of the devices, after waiting for one to be free.

        Args:
            on_wait: called once, with a line that says what is waited for, when none is free at first.

        Yields:
            The device.
        """
        if self._folder is None:
            yield self._candidates[0]
            return
        with _Ticket(self._folder, self._line) as ticket:
            device = self._try(ticket)
            if device is None:
                on_wait(f"waits for {self._waits_for}: other services on this host train there")
            while device is None:
                await asyncio.sleep(_POLL_SECONDS)
                device = self._try(ticket)
        try:
            yield device
        finally:
            _unlock(self._held)
            self._held = []

    def _try(self, ticket: _Ticket) -> str | None:
        if not ticket.is_next():
            return None
        for device, files in self._files.items():
            self._held = _lock_some(files, self._needed[device])
            if self._held:
                return device
        return None


class _Ticket:
    """A place in the line of those who want the same devices."""

    def __init__(self, folder: Path, line: str) -> None:
        self._folder = folder
        self._pattern = f"*.{line}.ticket"
        self._path = folder / f"{time.time_ns():020d}.{os.getpid()}.{line}.ticket"

    def __enter__(self) -> _Ticket:
        drawing = self._path.with_suffix(".drawing")
        self._file = os.open(drawing, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        drawing.rename(self._path)  # locked before anyone can take it for a dead one's
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._file)

    def is_next(self) -> bool:
        """Whether no older ticket has a living holder."""
        for path in sorted(self._folder.glob(self._pattern)):
            if path.name >= self._path.name:
                return True
            with suppress(FileNotFoundError):
                file = os.open(path, os.O_RDWR)
                try:
                    if not _lock(file):
                        return False
                    path.unlink(missing_ok=True)
                finally:
                    os.close(file)
        return True


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_some(files: list[int], needed: int) -> list[int]:
    """Lock so many of the files, or none; those that are locked."""
    held: list[int] = []
    for file in files:
        if len(held) < needed and _lock(file):
            held.append(file)
    if len(held) < needed:
        _unlock(held)
        return []
    return held


def _unlock(files: list[int]) -> None:
    for file in files:
        fcntl.flock(file, fcntl.LOCK_UN)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise_output_error(path, error)


def make_private(folder: Path) -> None:
    """Make the folder, for this user alone.

    Raises:
        OutputError: it cannot be made, or somebody else has made something of that name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.lstat()
    except OSError as error:
        raise_output_error(folder, error)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise OutputError(f"{folder}: is not a folder of this user; give another with --lease-dir")


def _line(devices: tuple[str, ...]) -> str:
    """A name for those who want the same devices; the UUIDs of eight GPUs would not fit into a file name."""
    return hashlib.sha256("+".join(devices).encode()).hexdigest()[:16]


def _safe(device: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "_", device)
