"""The service's folders: one process uses its data folder at a time; the one of checkpoints is tried first."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

from readlabel.messages import InputError, OutputError


def lock_data_dir(folder: Path, private: bool) -> int:
    """Take the folder for this process alone; the lock dies with it.

    Raises:
        InputError: it is there already, and a private service removes its data folder when it ends.
        OutputError: it cannot be written, or another service uses it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=not private, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except FileExistsError as error:
        raise InputError(
            f"{folder}: is there already; a private service makes this folder and removes it when it ends, so give a "
            "socket in an empty folder"
        ) from error
    except OSError as error:
        raise OutputError(f"{folder}: the data folder cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise OutputError(f"{folder}: another readlabel serve uses this folder; give another --data-dir") from error
    return lock


def check_writable(checkpoints: Path) -> None:
    """Find out before a run trains, and not at its first checkpoint, that none can be kept.

    Raises:
        OutputError: the folder cannot be made or written.
    """
    try:
        checkpoints.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=checkpoints):
            pass
    except OSError as error:
        raise OutputError(f"{checkpoints}: the checkpoint folder cannot be written: {error.strerror}") from error
