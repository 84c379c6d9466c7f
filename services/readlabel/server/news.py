"""Who waits for news of a run is woken here; the news itself is read from the store.

A watcher keeps nothing but its place in the stream, so one that stops reading costs no memory and holds up nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import grpc

from readlabel.messages import TERMINAL_STATES
from readlabel.server.config import now
from readlabel.server.run_store import RunStore
from readlabel.wire import Heartbeat, RpcError, RunEvent, run_name


class Bell:
    """Rings for those who wait for one run.

    It wakes one in each turn of the event loop, so that calls which come meanwhile are not held up by hundreds of
    watchers.
    """

    def __init__(self) -> None:
        self._lines: dict[str, dict[asyncio.Future[None], None]] = {}
        self.closed = False

    @contextmanager
    def waiting(self, run_id: str) -> Iterator[asyncio.Future[None]]:
        """What the next ring for this run completes; enter before looking at the store."""
        ringing = asyncio.get_running_loop().create_future()
        self._lines.setdefault(run_id, {})[ringing] = None
        try:
            yield ringing
        finally:
            line = self._lines.get(run_id, {})
            line.pop(ringing, None)
            if not line:
                self._lines.pop(run_id, None)

    def ring(self, run_id: str) -> None:
        """Wake all who wait for this run."""
        self._wake(deque(self._lines.pop(run_id, {})))

    def _wake(self, line: deque[asyncio.Future[None]]) -> None:
        if line:
            ringing = line.popleft()
            if not ringing.done():
                ringing.set_result(None)
            asyncio.get_running_loop().call_soon(self._wake, line)

    def close(self) -> None:
        """Wake everybody for the last time: the service stops."""
        self.closed = True
        for run_id in list(self._lines):
            self.ring(run_id)


def shutting_down() -> RpcError:
    """What every call is told while the service stops."""
    return RpcError(
        grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", "the service is stopping; runs go on when it is back", 5
    )


async def watch(
    store: RunStore, bell: Bell, run_id: str, after: int, heartbeat_seconds: float
) -> AsyncIterator[RunEvent]:
    """A run's events after a sequence: those there are, then the new ones, until it is in a terminal state.

    Args:
        store: where the events are.
        bell: rung after each change of the store.
        run_id: an existing run.
        after: the last sequence that the watcher knows.
        heartbeat_seconds: longest silence.

    Raises:
        RpcError: `after` lies beyond the last event, the run is deleted meanwhile, or the service stops.
    """
    stored = store.get(run_id)
    if stored is not None and after > stored.run.last_sequence:
        raise RpcError(
            grpc.StatusCode.OUT_OF_RANGE,
            "SEQUENCE_OUT_OF_RANGE",
            f"after_sequence {after} lies beyond the last event, {stored.run.last_sequence}; the run was made anew",
        )
    cursor = after
    while True:
        with bell.waiting(run_id) as ringing:
            events = store.events(run_id, cursor)
            if not events:
                state = store.state(run_id)
                if state is None:
                    raise RpcError(grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND", f"{run_name(run_id)} was deleted")
                if state in TERMINAL_STATES:
                    return
                if bell.closed:
                    raise shutting_down()
                try:
                    await asyncio.wait_for(ringing, heartbeat_seconds)
                except TimeoutError:
                    events = [RunEvent(sequence=cursor, event_time=now(), heartbeat=Heartbeat())]
        for event in events:
            yield event
            cursor = event.sequence
