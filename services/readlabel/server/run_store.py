"""The durable memory of runs and their events: one SQLite file in WAL mode, opened by the server alone.

A run is one JSON document with the columns that are searched beside it; a change of a run and the events that tell of
it are one transaction, so a reader of the stream and a reader of the run never disagree. Calls take well under a
millisecond and are made from the event loop's thread only, which makes each of them atomic for the server.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from readlabel.messages import EpochMetrics, RunState
from readlabel.server.config import now
from readlabel.server.disk import disk_is_full
from readlabel.server.run_queries import is_needed, queued_since
from readlabel.server.run_schema import damaged, open_store
from readlabel.wire import Note, RunEvent, StateChange, TrainingRun

News = StateChange | EpochMetrics | Note


@dataclass(frozen=True)
class StoredRun:
    """A run and what only the server knows of it.

    Attributes:
        run: what callers see.
        queue_number: its place among waiting runs of the same priority.
        losses: workers lost since it was last queued by a caller.
    """

    run: TrainingRun
    queue_number: int
    losses: int = 0


class RunStore:
    """Runs and events in one SQLite file."""

    def __init__(self, path: Path) -> None:
        """Open the store, or make it.

        Raises:
            StoreError: the file is damaged, of a later version, or no run store.
            OutputError: there is no space left.
        """
        self.path = path
        self._db = open_store(path)

    def close(self) -> None:
        """Close the file; the store must not be used afterwards."""
        self._db.close()

    def get(self, run_id: str) -> StoredRun | None:
        """The run of this id, or None."""
        row = self._db.execute("SELECT document, queue_number, losses FROM runs WHERE id = ?", (run_id,)).fetchone()
        return None if row is None else StoredRun(TrainingRun.model_validate_json(row[0]), row[1], row[2])

    def state(self, run_id: str) -> RunState | None:
        """The state of a run, or None when there is none."""
        row = self._db.execute("SELECT state FROM runs WHERE id = ?", (run_id,)).fetchone()
        return None if row is None else row[0]

    def save(self, stored: StoredRun, news: Sequence[News] = ()) -> StoredRun:
        """Write a run and append events to its stream, in one transaction.

        Args:
            stored: the run; its sequence, etag and update time are set here.
            news: what happened, in order.

        Returns:
            The run as it was written.
        """
        time = now()
        sequence = stored.run.last_sequence + len(news)
        etag = str(int(stored.run.etag or 0) + 1)
        run = stored.run.model_copy(update={"last_sequence": sequence, "etag": etag, "update_time": time})
        row = (run.state, run.priority, stored.queue_number, stored.losses, json.dumps(run.tags), run.model_dump_json())
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._write(run, row)
            for number, one in enumerate(news, stored.run.last_sequence + 1):
                document = _event(number, time, one).model_dump_json(exclude_none=True)
                self._db.execute("INSERT INTO events VALUES (?, ?, ?)", (run.run_id, number, document))
        return StoredRun(run, stored.queue_number, stored.losses)

    def _write(self, run: TrainingRun, row: tuple[str | int, ...]) -> None:
        """Write a run's row, and what is searched for beside it."""
        found = self._db.execute("SELECT number FROM runs WHERE id = ?", (run.run_id,)).fetchone()
        if found is not None:
            number = found[0]
            self._db.execute(
                "UPDATE runs SET state=?, priority=?, queue_number=?, losses=?, tags=?, document=? WHERE number=?",
                (*row, number),
            )
        else:
            number = self._db.execute(
                "INSERT INTO runs (state, priority, queue_number, losses, tags, document, id) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*row, run.run_id),
            ).lastrowid
            tags = ((number, *tag) for tag in run.tags.items())
            self._db.executemany("INSERT INTO tags (run, key, value) VALUES (?, ?, ?)", tags)
        needed = {artifact.blob.sha256 for artifact in run.artifacts}
        if not run.is_outcome:
            needed |= {run.spec.training_reads.sha256, run.spec.validation_reads.sha256}
        self._db.execute("DELETE FROM needs WHERE run = ?", (number,))
        self._db.executemany("INSERT INTO needs (run, sha256) VALUES (?, ?)", ((number, one) for one in needed))

    def delete(self, run_id: str) -> None:
        """Forget a run and its events."""
        with self._db:
            self._db.execute("DELETE FROM runs WHERE id = ?", (run_id,))

    def events(self, run_id: str, after: int, limit: int = 200) -> list[RunEvent]:
        """Events of a run with a sequence above `after`, in order, at most `limit`."""
        rows = self._db.execute(
            "SELECT document FROM events WHERE run = ? AND sequence > ? ORDER BY sequence LIMIT ?",
            (run_id, after, limit),
        )
        return [RunEvent.model_validate_json(row[0]) for row in rows]

    def next_queued(self) -> StoredRun | None:
        """The waiting run whose turn it is."""
        row = self._db.execute(
            "SELECT id FROM runs WHERE state = 'QUEUED' ORDER BY priority DESC, queue_number LIMIT 1"
        ).fetchone()
        return None if row is None else self.get(row[0])

    def next_queue_number(self) -> int:
        """A place behind all others."""
        return int(self._db.execute("SELECT COALESCE(MAX(queue_number), 0) + 1 FROM runs").fetchone()[0])

    def count(self, state: RunState) -> int:
        """Number of runs in a state."""
        return int(self._db.execute("SELECT COUNT(*) FROM runs WHERE state = ?", (state,)).fetchone()[0])

    def of_states(self, states: Sequence[RunState]) -> list[StoredRun]:
        """All runs in some states, the first created first.

        Raises:
            StoreError: one of them cannot be read: damage that `open_store` did not see.
        """
        marks = ",".join("?" * len(states))
        query = f"SELECT id FROM runs WHERE state IN ({marks}) ORDER BY number"  # noqa: S608
        try:
            rows = self._db.execute(query, states).fetchall()
            return [stored for row in rows if (stored := self.get(row[0])) is not None]
        except (sqlite3.Error, ValidationError) as error:
            if disk_is_full(error):
                raise
            raise damaged(self.path, type(error).__name__) from error

    def ended_before(self, time: str, limit: int) -> list[TrainingRun]:
        """Runs that ended before a time (RFC 3339, as `now` writes it), at most `limit`."""
        rows = self._db.execute(
            "SELECT document FROM runs WHERE end_time > '' AND end_time < ? "
            "AND +state IN ('SUCCEEDED', 'FAILED', 'CANCELLED') LIMIT ?",  # +: by the time, of which few are
            (time, limit),
        )
        return [TrainingRun.model_validate_json(row[0]) for row in rows]

    def needs(self, sha256: str) -> bool:
        """Whether a run needs a blob: as an artifact, or as reads if it may still train."""
        return is_needed(self._db, sha256)

    def queued_since(self, run_id: str) -> str | None:
        """When a run last entered the queue (RFC 3339), or None if it never did."""
        return queued_since(self._db, run_id)


def _event(sequence: int, time: str, news: News) -> RunEvent:
    if isinstance(news, StateChange):
        return RunEvent(sequence=sequence, event_time=time, state_change=news)
    if isinstance(news, EpochMetrics):
        return RunEvent(sequence=sequence, event_time=time, epoch=news)
    return RunEvent(sequence=sequence, event_time=time, note=news)
