"""A full disk, however it is met: by a file or by SQLite."""

from __future__ import annotations

import errno
import sqlite3

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def disk_is_full(error: BaseException) -> bool:
    """Whether the error says that there was no room left on the disk."""
    if isinstance(error, sqlite3.Error):
        # SQLite grows its shared memory file too, and has a code of its own for that.
        code = getattr(error, "sqlite_errorcode", 0)
        return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
    return isinstance(error, OSError) and error.errno in NO_SPACE
