"""A run's checkpoints in an object store, where the next attempt finds them on whichever machine it runs.

A run trains from its folder on this machine; what is stored there is sent on. An object appears whole or not at all,
and the best weights are sent before the state that names them, so the newest state there can always be gone on from.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyarrow import fs

from readlabel.artifacts.atomic import atomic_path
from readlabel.messages import OutputError

_TRIAL = "lock"


class CheckpointCopy:
    """One run's folder in an object store.

    Args:
        address: the folder of all runs: ``s3://…``, ``gs://…`` or ``abfs://…``, with the options that Arrow's file
            systems take behind a question mark.
        run_id: the run's own folder in there.

    Raises:
        OutputError: there is no such store, or it lets nobody write.
    """

    def __init__(self, address: str, run_id: str) -> None:
        self._shown = address.partition("?")[0]
        with self._errors():
            self._store, base = fs.FileSystem.from_uri(address)
            self._folder = f"{base.rstrip('/')}/{run_id}"
            # Found out now rather than by the first checkpoint.
            self._write(_TRIAL, b"")

    def fetch(self, folder: Path) -> None:
        """Bring what lies there into a folder on this machine, the newest state last."""
        with self._errors():
            entries = self._store.get_file_info(fs.FileSelector(self._folder))
            found = {entry.base_name: entry.path for entry in entries if entry.is_file and entry.size}
            for name in sorted(found):  # best-… before last
                with self._store.open_input_stream(found[name]) as source, atomic_path(folder / name) as temporary:
                    temporary.write_bytes(source.read())

    def send(self, path: Path) -> None:
        """Store a file of the run's folder under its name."""
        with self._errors():
            self._write(path.name, path.read_bytes())

    def empty(self, name: str) -> None:
        """Give back the room of a file that nothing names any more.

        Arrow puts an empty object in the place of one that it deletes, too, and that would take one more permission.
        """
        with self._errors():
            self._write(name, b"")

    def _write(self, name: str, content: bytes) -> None:
        with self._store.open_output_stream(f"{self._folder}/{name}") as target:
            target.write(content)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # Arrow's own errors are of these kinds
            raise OutputError(f"{self._shown}: the checkpoints cannot be kept there: {error}") from error
