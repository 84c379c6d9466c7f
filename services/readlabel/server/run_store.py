"""The durable memory of runs and their events: one SQLite file in WAL mode, opened by the server alone.

A run is one JSON document with the columns that are searched beside it; a change of a run and the events that tell of
it are one transaction, so a reader of the stream and a reader of the run never disagree. Calls take well under a
millisecond and are made from the event loop's thread only, which makes each of them atomic for the server.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from readlabel.artifacts.atomic import no_space_left
from readlabel.messages import PARAMETER_FAILURES, EpochMetrics, OutputError, RunState, StoreError
from readlabel.server.config import now
from readlabel.wire import Note, RunEvent, StateChange, TrainingRun

SCHEMA_VERSION = 1
APPLICATION_ID = 0x524C4231
_SCHEMA = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    queue_number INTEGER NOT NULL,
    losses INTEGER NOT NULL,
    tags TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX runs_queue ON runs (state, priority DESC, queue_number);
CREATE TABLE events (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (run, sequence)
) WITHOUT ROWID;
"""

_QUEUED_SINCE = """
    SELECT MAX(json_extract(events.document, '$.event_time')) FROM events
    WHERE events.run = runs.id AND json_extract(events.document, '$.state_change.state') = 'QUEUED'
"""

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


@dataclass(frozen=True)
class Census:
    """How many runs there are, and how long the queue is.

    Attributes:
        runs: number of runs by state and reason of failure, which is empty where there is none.
        waiting_since: when the run that has waited longest entered the queue (RFC 3339), or None when none waits.
    """

    runs: Mapping[tuple[str, str], int]
    waiting_since: str | None


class RunStore:
    """Runs and events in one SQLite file."""

    def __init__(self, path: Path) -> None:
        """Open the store, or make it.

        Raises:
            StoreError: the file is damaged, of a later version, or no run store.
            OutputError: there is no space left.
        """
        fresh = not path.exists() or path.stat().st_size == 0
        if not fresh:
            _check(path)
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            if fresh:
                self._db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
                self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except sqlite3.Error as error:
            if no_space_left(path.parent):
                raise OutputError(
                    f"{path}: no space left on the device; free some or give another --data-dir"
                ) from error
            raise StoreError(f"{path}: the run store cannot be opened: {error}") from error

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
            if not self._db.execute(
                "UPDATE runs SET state=?, priority=?, queue_number=?, losses=?, tags=?, document=? WHERE id=?",
                (*row, run.run_id),
            ).rowcount:
                self._db.execute(
                    "INSERT INTO runs (state, priority, queue_number, losses, tags, document, id) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*row, run.run_id),
                )
            for number, one in enumerate(news, stored.run.last_sequence + 1):
                document = _event(number, time, one).model_dump_json(exclude_none=True)
                self._db.execute("INSERT INTO events VALUES (?, ?, ?)", (run.run_id, number, document))
        return StoredRun(run, stored.queue_number, stored.losses)

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
        """All runs in some states, the first created first."""
        marks = ",".join("?" * len(states))
        rows = self._db.execute(f"SELECT id FROM runs WHERE state IN ({marks}) ORDER BY number", states).fetchall()  # noqa: S608
        return [stored for row in rows if (stored := self.get(row[0])) is not None]

    def page(
        self, size: int, before: int | None, states: Sequence[RunState], tags: Mapping[str, str]
    ) -> tuple[list[TrainingRun], int | None]:
        """Some runs, the last created first.

        Args:
            size: at most so many.
            before: cursor of the page before, or None for the first.
            states: only these; empty is all.
            tags: only runs that have all of these.

        Returns:
            The runs without their record, and the cursor of the next page or None.
        """
        clauses, values = ["1"], list[str | int]()
        if before is not None:
            clauses.append("number < ?")
            values.append(before)
        if states:
            clauses.append(f"state IN ({','.join('?' * len(states))})")
            values += states
        for key, value in tags.items():
            clauses.append("EXISTS (SELECT 1 FROM json_each(runs.tags) AS tag WHERE tag.key = ? AND tag.value = ?)")
            values += [key, value]
        rows = self._db.execute(
            f"SELECT number, document FROM runs WHERE {' AND '.join(clauses)} ORDER BY number DESC LIMIT ?",  # noqa: S608
            (*values, size + 1),
        ).fetchall()
        runs = [TrainingRun.model_validate_json(row[1]).model_copy(update={"record": None}) for row in rows[:size]]
        return runs, rows[size - 1][0] if len(rows) > size else None

    def ended_before(self, time: str) -> list[TrainingRun]:
        """Runs that ended before a time (RFC 3339, as `now` writes it)."""
        rows = self._db.execute(
            "SELECT document FROM runs WHERE state IN ('SUCCEEDED', 'FAILED', 'CANCELLED') "
            "AND json_extract(document, '$.end_time') < ?",
            (time,),
        )
        return [TrainingRun.model_validate_json(row[0]) for row in rows]

    def queued_since(self, run_id: str) -> str | None:
        """When a run last entered the queue (RFC 3339), or None if it never did."""
        row = self._db.execute(f"SELECT ({_QUEUED_SINCE}) FROM runs WHERE id = ?", (run_id,)).fetchone()  # noqa: S608
        return None if row is None else row[0]


def needed_digests(path: Path) -> set[str]:
    """SHA-256 of every blob that a run needs: its artifacts, and its reads if it may still train.

    Over a connection of its own and without parsing a document in Python: it looks at every run, of which there may be
    hundreds of thousands, so call it in a thread.
    """
    marks = ",".join("?" * len(PARAMETER_FAILURES))
    may_train = f"state <> 'SUCCEEDED' AND COALESCE(json_extract(document, '$.failure.reason'), '') NOT IN ({marks})"
    with closing(_connect_to_read(path)) as db:
        db.execute("BEGIN")  # all are of one moment
        reads = db.execute(
            "SELECT json_extract(document, '$.spec.training_reads.sha256'), "  # noqa: S608
            f"json_extract(document, '$.spec.validation_reads.sha256') FROM runs WHERE {may_train}",
            tuple(PARAMETER_FAILURES),
        )
        needed = {digest for row in reads for digest in row}
        needed.update(
            row[0]
            for row in db.execute(
                "SELECT json_extract(artifact.value, '$.blob.sha256') "
                "FROM runs, json_each(runs.document, '$.artifacts') AS artifact"
            )
        )
    return needed


def take_census(path: Path) -> Census:
    """Count the runs of a store over a connection of its own: any thread may, while the service writes."""
    with closing(_connect_to_read(path)) as db:
        db.execute("BEGIN")  # both numbers are of one moment
        rows = db.execute(
            "SELECT state, COALESCE(json_extract(document, '$.failure.reason'), ''), COUNT(*) FROM runs GROUP BY 1, 2"
        )
        runs = {(state, reason): count for state, reason, count in rows}
        oldest = db.execute(f"SELECT MIN(({_QUEUED_SINCE})) FROM runs WHERE state = 'QUEUED'").fetchone()[0]  # noqa: S608
    return Census(runs, oldest)


def _event(sequence: int, time: str, news: News) -> RunEvent:
    if isinstance(news, StateChange):
        return RunEvent(sequence=sequence, event_time=time, state_change=news)
    if isinstance(news, EpochMetrics):
        return RunEvent(sequence=sequence, event_time=time, epoch=news)
    return RunEvent(sequence=sequence, event_time=time, note=news)


def _connect_to_read(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _check(path: Path) -> None:
    """Refuse a file that this version must not touch, without touching it."""
    try:
        with closing(_connect_to_read(path)) as db:
            application = db.execute("PRAGMA application_id").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
            damage = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise StoreError(
            f"{path}: the run store is damaged ({error}); restore it or give another --data-dir"
        ) from error
    if application != APPLICATION_ID:
        raise StoreError(f"{path}: this is no run store of readlabel; give another --data-dir")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: the run store is of a later version of readlabel (layout {version}, this one knows "
            f"{SCHEMA_VERSION}); upgrade readlabel or give another --data-dir"
        )
    if damage != "ok":
        raise StoreError(f"{path}: the run store is damaged ({damage}); restore it or give another --data-dir")
