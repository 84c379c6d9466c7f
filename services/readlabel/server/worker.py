"""One worker process: orders go in as JSON lines, events come out as JSON lines.

The worker's standard input is a pipe whose other end only this process holds, so the worker notices our end however it
comes. It runs in a session of its own: a terminal's Ctrl-C reaches the server alone, which then gives the order to
stop, and whatever the worker has started is killed with it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from readlabel.messages import (
    EVENT,
    CancelOrder,
    EpochEvent,
    FinishedEvent,
    NoteEvent,
    ReadyEvent,
    StartedEvent,
    StopOrder,
    TrainOrder,
)
from readlabel.server.disk import disk_is_full

Event = ReadyEvent | StartedEvent | EpochEvent | NoteEvent | FinishedEvent
_LINE_BYTES = 1 << 20
_TAIL_BYTES = 2000


class WorkerLostError(Exception):
    """The worker ended without an outcome; the text says how."""


class Worker:
    """A running worker process."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._ended: int | None = None
        self._events = self._read()

    @classmethod
    async def spawn(cls, command: Sequence[str], folder: Path, log: Path, descriptors: Sequence[int] = ()) -> Worker:
        """Start a worker.

        Args:
            command: the program and its arguments.
            folder: the folder it runs in.
            log: where its standard error goes.
            descriptors: files it inherits beside the standard ones.

        Raises:
            WorkerLostError: the program cannot be started.
            OSError: the disk is full.
        """
        try:
            with log.open("ab") as stderr:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=stderr,
                    cwd=folder,
                    pass_fds=descriptors,
                    start_new_session=True,
                    limit=_LINE_BYTES,
                )
        except OSError as error:
            if disk_is_full(error):
                raise
            raise WorkerLostError(f"a worker cannot be started with {command[0]}: {error.strerror or error}") from error
        return cls(process, log)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.returncode is None

    async def ready(self) -> None:
        """Wait until the worker can take its order.

        Raises:
            WorkerLostError: it ended, or said something else, before.
        """
        event = await anext(self._events, None)
        if not isinstance(event, ReadyEvent):
            raise await self.lost()

    async def order(self, order: TrainOrder | CancelOrder | StopOrder) -> None:
        """Give the worker an order; one that has ended already is told nothing."""
        if self._process.stdin is None:
            return
        with suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(order.model_dump_json().encode() + b"\n")
            await self._process.stdin.drain()

    async def next_event(self) -> Event | None:
        """The worker's next event, or None when it has ended or says what no worker says."""
        return await anext(self._events, None)

    async def end(self, grace_seconds: float) -> int:
        """Close the worker's standard input and wait for its end; kill it when the grace is over.

        Returns:
            Its exit status, negative for a signal.
        """
        if self._ended is not None:
            return self._ended
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            status = await asyncio.wait_for(self._process.wait(), grace_seconds)
        except TimeoutError:
            self.kill()
            status = await self._process.wait()
        self.kill()  # what it started and did not end itself
        self._ended = status
        return status

    def kill(self) -> None:
        """End the worker and all it started, at once."""
        if self._ended is None:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def lost(self, grace_seconds: float = 10) -> WorkerLostError:
        """Bring the worker to its end and say how it ended, with the last of what it wrote to standard error."""
        status = await self.end(grace_seconds)
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"
        tail = self._tail()
        return WorkerLostError(f"the worker {how} without an outcome" + (f"; it last wrote: {tail}" if tail else ""))

    async def _read(self) -> AsyncIterator[Event]:
        stdout = self._process.stdout
        while stdout is not None:
            try:
                line = await stdout.readline()
                if not line:
                    return
                yield EVENT.validate_json(line)
            except (ValidationError, ValueError):
                self.kill()  # out of step with us; nothing it says from here on can be trusted
                return

    def _tail(self) -> str:
        try:
            with self._log.open("rb") as handle:
                handle.seek(max(0, self._log.stat().st_size - _TAIL_BYTES))
                lines = handle.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return " / ".join(line.strip() for line in lines[-5:])
