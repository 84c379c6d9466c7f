"""Who waits for news of a run is woken here; the news itself is read from the store.

A watcher keeps nothing but its place in the stream, so one that stops reading costs no memory and holds up nobody.
Watchers at the same place share what is read there: an event is read and translated once, however many watch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc

from readlabel.messages import TERMINAL_STATES, RunState
from readlabel.server.config import now
from readlabel.server.run_store import RunStore
from readlabel.v1 import training_run_pb2
from readlabel.wire import Heartbeat, RpcError, RunEvent, run_name, to_proto

_MAX_PAGES = 64


@dataclass(frozen=True)
class Page:
    """What there is for a watcher at one place of a run's stream.

    Attributes:
        events: those that follow, in order; all watchers there are given the same messages, and none changes them.
        state: of the run when there are none, or None when it is deleted.
    """

    events: tuple[training_run_pb2.RunEvent, ...]
    state: RunState | None = None


class Bell:
    """Rings for those who wait for one run, and keeps what was read since the last ring.

    It wakes one in each turn of the event loop, so that calls which come meanwhile are not held up by hundreds of
    watchers.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._lines: dict[str, dict[asyncio.Future[bool], None]] = {}
        self._pages: dict[tuple[str, int], Page] = {}
        self.closed = False

    def page(self, run_id: str, after: int) -> Page:
        """What follows a sequence of a run."""
        page = self._pages.get((run_id, after))
        if page is None:
            events = tuple(to_proto(event, training_run_pb2.RunEvent) for event in self._store.events(run_id, after))
            page = Page(events) if events else Page((), self._store.state(run_id))
            if len(self._pages) >= _MAX_PAGES:
                self._pages.clear()
            self._pages[run_id, after] = page
        return page

    @contextmanager
    def waiting(self, run_id: str) -> Iterator[asyncio.Future[bool]]:
        """What the next ring for this run completes with True."""
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
        """Wake all who wait for this run; call it after each change of the run."""
        for place in [place for place in self._pages if place[0] == run_id]:
            del self._pages[place]
        self._wake(deque(self._lines.pop(run_id, {})))

    def _wake(self, line: deque[asyncio.Future[bool]]) -> None:
        if line:
            _complete(line.popleft(), True)
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
) -> AsyncIterator[training_run_pb2.RunEvent]:
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
        page = bell.page(run_id, cursor)
        for event in page.events:
            yield event
            cursor = event.sequence
        if page.events:
            continue
        if page.state is None:
            raise RpcError(grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND", f"{run_name(run_id)} was deleted")
        if page.state in TERMINAL_STATES:
            return
        if bell.closed:
            raise shutting_down()
        if not await _rung(bell, run_id, heartbeat_seconds):
            yield to_proto(
                RunEvent(sequence=cursor, event_time=now(), heartbeat=Heartbeat()), training_run_pb2.RunEvent
            )


async def _rung(bell: Bell, run_id: str, seconds: float) -> bool:
    """Wait for the next ring, at most so long; whether it rang."""
    with bell.waiting(run_id) as ringing:
        # A timer of its own costs a tenth of what wait_for does, and hundreds wait anew after each event.
        silence = asyncio.get_running_loop().call_later(seconds, _complete, ringing, False)
        try:
            return await ringing
        finally:
            silence.cancel()


def _complete(ringing: asyncio.Future[bool], rang: bool) -> None:
    if not ringing.done():
        ringing.set_result(rang)
