"""The run store's file: its layout, how an older one becomes today's, and which files are left alone.

A layout is the one before it and what was added, so a new file and one that was brought up to date are the same. What
is searched for lies in indexed columns and tables beside the documents, so that a call costs the same among a million
runs.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from readlabel.artifacts.atomic import no_space_left
from readlabel.messages import StoreError
from readlabel.server.disk import no_room

log = logging.getLogger(__name__)

APPLICATION_ID = 0x524C4231
_FIRST = """
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
_SECOND = """
ALTER TABLE runs ADD COLUMN reason TEXT AS (COALESCE(json_extract(document, '$.failure.reason'), ''));
ALTER TABLE runs ADD COLUMN end_time TEXT AS (json_extract(document, '$.end_time'));
CREATE INDEX runs_of_state ON runs (state);
CREATE INDEX runs_of_reason ON runs (state, reason);
CREATE INDEX runs_ended ON runs (end_time);
CREATE INDEX runs_in_line ON runs (queue_number);
CREATE TABLE tags (
    run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;
INSERT INTO tags SELECT runs.number, tag.key, tag.value FROM runs, json_each(runs.tags) AS tag;
CREATE INDEX tags_of_value ON tags (key, value, run);
CREATE TABLE needs (
    run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (run, sha256)
) WITHOUT ROWID;
INSERT OR IGNORE INTO needs SELECT runs.number, json_extract(artifact.value, '$.blob.sha256')
    FROM runs, json_each(runs.document, '$.artifacts') AS artifact;
INSERT OR IGNORE INTO needs SELECT number, json_extract(document, reads.column1)
    FROM runs, (VALUES ('$.spec.training_reads.sha256'), ('$.spec.validation_reads.sha256')) AS reads
    WHERE state <> 'SUCCEEDED' AND reason NOT IN ('INVALID_INPUT', 'INVALID_PARAMETERS', 'NUMERICS');
CREATE INDEX needs_of_blob ON needs (sha256);
"""
_LAYOUTS = (_FIRST, _SECOND)
SCHEMA_VERSION = len(_LAYOUTS)


def open_store(path: Path) -> sqlite3.Connection:
    """Open a store to write to it, after bringing it to today's layout, or make it.

    Raises:
        StoreError: the file is damaged, of a later version, or no run store.
        OutputError: there is no space left.
    """
    version = _version_of(path)
    try:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        if version < SCHEMA_VERSION:
            if version:
                log.info("%s: is brought from layout %d to %d", path, version, SCHEMA_VERSION)
            marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
            # One transaction, the marks too: who is killed in its midst leaves the file as it was.
            db.executescript(f"BEGIN IMMEDIATE; {''.join(_LAYOUTS[version:])} {marks} COMMIT;")
    except sqlite3.Error as error:
        if no_space_left(path.parent):
            raise no_room(path) from error
        raise StoreError(f"{path}: the run store cannot be opened: {error}") from error
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that any thread may open for itself, while the service writes."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _version_of(path: Path) -> int:
    """The layout of a file, 0 when there is none yet; refuses what this version must not touch, without touching it."""
    if not path.exists() or path.stat().st_size == 0:
        return 0
    try:
        with closing(connect_to_read(path)) as db:
            application = db.execute("PRAGMA application_id").fetchone()[0]
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            tables = db.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0]
            damage = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if no_space_left(path.parent):
            raise no_room(path) from error
        raise damaged(path, str(error)) from error
    if (application, version, tables) == (0, 0, 0):  # left by a service that was killed in its first moment
        return 0
    if application != APPLICATION_ID:
        raise StoreError(f"{path}: this is no run store of readlabel; give another --data-dir")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: the run store is of a later version of readlabel (layout {version}, this one knows "
            f"{SCHEMA_VERSION}); upgrade readlabel or give another --data-dir"
        )
    if damage != "ok":
        raise damaged(path, damage)
    return version


def damaged(path: Path, why: str) -> StoreError:
    """What is told of a store that cannot be read."""
    return StoreError(f"{path}: the run store is damaged ({why}); restore it or give another --data-dir")
