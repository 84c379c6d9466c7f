"""Questions about many runs, each over a connection of its own: any thread may ask, while the service writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from readlabel.messages import RunState
from readlabel.server.run_schema import connect_to_read
from readlabel.wire import TrainingRun

_FEW = 10_000
"""A condition that fewer runs meet is looked up first; so many are found within milliseconds."""
_PAGE_BYTES = 3 << 20
"""The documents of a page, but for the first, are no longer: clients of gRPC take 4 MiB unless they are told more."""
_QUEUED_SINCE = """
    SELECT json_extract(events.document, '$.event_time') FROM events
    WHERE events.run = runs.id AND json_extract(events.document, '$.state_change.state') = 'QUEUED'
    ORDER BY events.sequence DESC LIMIT 1
"""


@dataclass(frozen=True)
class Census:
    """How many runs there are, and how long the queue is.

    Attributes:
        runs: number of runs by state and reason of failure, which is empty where there is none.
        waiting_since: when the run that has waited longest entered the queue (RFC 3339), or None when none waits.
    """

    runs: Mapping[tuple[str, str], int]
    waiting_since: str | None


@dataclass(frozen=True)
class _Condition:
    """What a run must meet to be listed.

    Attributes:
        finds: SELECT of the numbers of all that meet it.
        holds: expression that is true of a run whose number is ``found.number``.
        values: of the placeholders, which are the same in both.
    """

    finds: str
    holds: str
    values: tuple[str, ...]

    def is_met_by(self, db: sqlite3.Connection) -> int:
        """How many runs meet it, at most `_FEW`."""
        query = f"SELECT COUNT(*) FROM (SELECT * FROM ({self.finds}) LIMIT {_FEW})"  # noqa: S608
        return int(db.execute(query, self.values).fetchone()[0])


def list_runs(
    path: Path, size: int, before: int | None, states: Sequence[RunState], tags: Mapping[str, str]
) -> tuple[list[TrainingRun], int | None]:
    """Some runs, the last created first.

    Args:
        path: of the store.
        size: at most so many; fewer, if they are large.
        before: cursor of the page before, or None for the first.
        states: only these; empty is all.
        tags: only runs that have all of these.

    Returns:
        The runs without their record, and the cursor of the next page or None.
    """
    conditions = [_has_tag(key, value) for key, value in tags.items()]
    if states:
        conditions.append(_in_states(states))
    with closing(connect_to_read(path)) as db:
        db.execute("BEGIN")  # all is of one moment
        if len(conditions) > 1:
            conditions.sort(key=lambda condition: condition.is_met_by(db))
        first = conditions[0] if conditions else _Condition("SELECT number FROM runs", "", ())
        others = conditions[1:]
        clauses = ["number < ?", *(condition.holds for condition in others)]
        values = [*first.values, 1 << 62 if before is None else before]
        values += [value for condition in others for value in condition.values]
        numbers = db.execute(
            f"SELECT number FROM ({first.finds}) AS found WHERE {' AND '.join(clauses)} "  # noqa: S608
            "ORDER BY number DESC LIMIT ?",
            (*values, size + 1),
        ).fetchall()
        runs: list[TrainingRun] = []
        left = _PAGE_BYTES
        for row in numbers[:size]:
            query = "SELECT json_remove(document, '$.record') FROM runs WHERE number = ?"
            document = db.execute(query, row).fetchone()[0]
            left -= len(document.encode())
            if runs and left < 0:
                break
            runs.append(TrainingRun.model_validate_json(document))
    return runs, numbers[len(runs) - 1][0] if len(runs) < len(numbers) else None


def take_census(path: Path) -> Census:
    """Count the runs of a store."""
    with closing(connect_to_read(path)) as db:
        db.execute("BEGIN")  # both numbers are of one moment
        rows = db.execute("SELECT state, reason, COUNT(*) FROM runs GROUP BY state, reason")
        runs = {(state, reason): count for state, reason, count in rows}
        oldest = db.execute(f"SELECT MIN(({_QUEUED_SINCE})) FROM runs WHERE state = 'QUEUED'").fetchone()[0]  # noqa: S608
    return Census(runs, oldest)


def unneeded(path: Path, files: Iterable[Path]) -> list[Path]:
    """Those of the files of blobs and unfinished uploads whose blob no run needs."""
    with closing(connect_to_read(path)) as db:
        return [file for file in files if not is_needed(db, file.name.partition(".")[0])]


def is_needed(db: sqlite3.Connection, sha256: str) -> bool:
    """Whether a run needs a blob: as an artifact, or as reads if it may still train."""
    return db.execute("SELECT 1 FROM needs WHERE sha256 = ? LIMIT 1", (sha256,)).fetchone() is not None


def queued_since(db: sqlite3.Connection, run_id: str) -> str | None:
    """When a run last entered the queue (RFC 3339), or None if it never did."""
    row = db.execute(f"SELECT ({_QUEUED_SINCE}) FROM runs WHERE id = ?", (run_id,)).fetchone()  # noqa: S608
    return None if row is None else row[0]


def _has_tag(key: str, value: str) -> _Condition:
    return _Condition(
        "SELECT run AS number FROM tags WHERE key = ? AND value = ?",
        "EXISTS (SELECT 1 FROM tags WHERE run = found.number AND key = ? AND value = ?)",
        (key, value),
    )


def _in_states(states: Sequence[RunState]) -> _Condition:
    """A SELECT for each state: SQLite merges them in order, which it does not do for IN."""
    marks = ",".join("?" * len(states))
    return _Condition(
        " UNION ALL ".join("SELECT number FROM runs WHERE state = ?" for _ in states),
        f"EXISTS (SELECT 1 FROM runs WHERE number = found.number AND state IN ({marks}))",  # noqa: S608
        tuple(states),
    )
