"""A full disk, however it is met: by a file or by SQLite."""

from __future__ import annotations

import errno
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from readlabel.messages import Failure, OutputError
from readlabel.server.config import ServerConfig

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def disk_is_full(error: BaseException) -> bool:
    """Whether the error says that there was no room left on the disk."""
    if isinstance(error, sqlite3.Error):
        # SQLite grows its shared memory file too, and has a code of its own for that.
        code = getattr(error, "sqlite_errorcode", 0)
        return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
    return isinstance(error, OSError) and error.errno in NO_SPACE


@contextmanager
def telling_of_a_full_disk(folder: Path) -> Iterator[None]:
    """For what is done in a folder before there is a caller or a run that could be told.

    Raises:
        OutputError: there was no room left on the disk.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if not disk_is_full(error):
            raise
        raise no_room(folder) from error


def no_room(path: Path) -> OutputError:
    """What a service without room ends with, where no run could be told."""
    return OutputError(f"{path}: no space left on the device; free some or give another --data-dir")


def full_disk(config: ServerConfig) -> Failure:
    """What a run that met a full disk ends with: folders that a person knows, not those that a worker writes to."""
    if config.private:
        places = [f"{config.data_dir.parent.parent} (TMPDIR)"]
        places += [str(config.checkpoint_dir)] if config.checkpoint_dir else []
        how = "free some there, or set TMPDIR to another folder, and give the same command again"
    else:
        places = [str(folder) for folder in (config.data_dir, config.checkpoint_dir) if folder is not None]
        places[0] = f"the service's host, {socket.gethostname()}: {places[0]}"
        how = "free some there, and give the same command again; the run goes on from its last checkpoint"
    return Failure(reason="DISK_FULL", message=f"no space left on {' or '.join(places)}; {how}")
