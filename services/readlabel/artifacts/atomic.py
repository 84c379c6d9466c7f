"""Files that appear whole or not at all: written under a temporary name beside the target, synced, then renamed.

A target that is a symbolic link to a file is followed, as everything else that writes files does: the file it names is
replaced, and the link stays.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from readlabel.messages.errors import OutputError

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_LAST_BYTES = 1 << 20


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path in the target's folder; when the block ends well, it becomes the target.

    When the block raises, the temporary file is removed and an earlier target stays as it was.

    Raises:
        OutputError: the folder cannot be made or written, or there is no space left.
    """
    temporary: Path | None = None
    try:
        place = _place_of(target)
        handle, temporary = _begin(place)
        os.close(handle)
        yield temporary
        _sync(temporary)
        _appear(temporary, place)
    except OSError as error:
        raise_output_error(target, error)
    except OutputError as error:
        # Of another writer that was given the temporary name; a user knows the file by the name it was to get.
        raise OutputError(str(error).replace(str(temporary), str(target))) from error.__cause__
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


class AtomicFile:
    """One of the files of `atomic_files`. What goes wrong while it is written names it, whichever others there are."""

    def __init__(self, target: Path) -> None:
        self._target = target
        with _naming(target):
            self._place = _place_of(target)
            handle, self._temporary = _begin(self._place)
            self._file = os.fdopen(handle, "wb")

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes.

        Raises:
            OutputError: they cannot be written.
        """
        with _naming(self._target):
            self._file.write(data)

    def _end(self) -> None:
        with _naming(self._target):
            self._file.flush()
            os.fsync(self._file.fileno())

    def _appear(self) -> None:
        with _naming(self._target):
            _appear(self._temporary, self._place)

    def _put_away(self) -> None:
        self._temporary.unlink(missing_ok=True)
        with suppress(OSError):  # of bytes that found no space, which has been said
            self._file.close()


@contextmanager
def atomic_files() -> Iterator[Callable[[Path], AtomicFile]]:
    """Give a function that begins a file; when the block ends well, all files begun appear together, else none.

    The first gets its name when the last is on the disk: a full disk cannot part them.

    Raises:
        OutputError: a file cannot be written.
    """
    files: list[AtomicFile] = []

    def begin(target: Path) -> AtomicFile:
        files.append(AtomicFile(target))
        return files[-1]

    try:
        yield begin
        for file in files:
            file._end()
        for file in files:
            file._appear()
    finally:
        for file in files:
            file._put_away()


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder beside the target; when the block ends well, it replaces the target whole.

    Whether an earlier folder may be replaced is the caller's to know: everything in it goes.

    Raises:
        OutputError: something that is no folder is in the place, it cannot be written, or there is no space left.
    """
    temporary: Path | None = None
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise OutputError(f"{target}: is there already and is no plain folder; move it away or give another name")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        temporary.chmod(0o777 & ~_umask())
        yield temporary
        if target.exists():
            old = temporary.with_suffix(".old")
            target.rename(old)
            temporary.rename(target)
            shutil.rmtree(old)
        else:
            temporary.rename(target)
    except OSError as error:
        raise_output_error(target, error)
    except OutputError as error:
        # A user knows the folder by the name it was to get.
        raise OutputError(str(error).replace(str(temporary), str(target))) from error.__cause__
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def require_writable(folder: Path) -> None:
    """Find out before long work whether files can be written to a folder, which need not be there yet.

    Raises:
        OutputError: they cannot.
    """
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not existing.is_dir():
        raise OutputError(f"{folder}: cannot be written: {existing} is no folder")
    try:
        with tempfile.TemporaryDirectory(prefix=".readlabel.", dir=existing):
            pass
    except OSError as error:
        raise_output_error(folder, error)


def no_space_left(folder: Path) -> bool:
    """Whether a folder's disk is full to the last MiB: libraries that fail there name all kinds of other reasons."""
    try:
        return shutil.disk_usage(folder).free < _LAST_BYTES
    except OSError:
        return False


def write_text(target: Path, text: str) -> None:
    """Write a whole text file atomically (UTF-8)."""
    with atomic_path(target) as path:
        path.write_text(text, encoding="utf-8")


def raise_output_error(target: Path, error: OSError) -> NoReturn:
    """Turn an OSError met while writing `target` into an OutputError that says what to do."""
    if error.errno in _NO_SPACE:
        raise OutputError(f"{target}: no space left on the device; free some and run the same command again") from error
    raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise_output_error(target, error)


def _place_of(target: Path) -> Path:
    """Where the file of a name lies."""
    if target.exists() and not target.is_file():
        raise OutputError(f"{target}: is there already and is no plain file; give another name")
    place = Path(os.path.realpath(target)) if target.is_symlink() else target
    if place.is_symlink():
        raise OutputError(f"{target}: is a symbolic link that leads nowhere but to itself; give another name")
    return place


def _begin(place: Path) -> tuple[int, Path]:
    """An open temporary file in the folder of the place it is for."""
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", suffix=".partial", dir=place.parent)
    return handle, Path(name)


def _appear(temporary: Path, place: Path) -> None:
    temporary.chmod(0o666 & ~_umask())
    temporary.replace(place)


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
