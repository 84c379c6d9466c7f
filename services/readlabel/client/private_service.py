"""A training service of one's own: started for one client, gone with it.

It listens on a Unix socket in a 0700 temporary folder with a short path, because gRPC refuses longer ones than the
107 bytes of a socket's address and work folders are longer. Its standard input is a pipe that only this process holds:
when this process ends, however it does, the service reads the end of the file, checkpoints, and leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from readlabel.artifacts.atomic import no_space_left
from readlabel.client.connection import Endpoint
from readlabel.messages import InputError, OutputError, ReadlabelError, ServiceUnavailableError, TrainingFailedError

COMMAND = (sys.executable, "-P", "-m", "readlabel.cli", "serve")
_SOCKET = "s.sock"
# A TMPDIR below a scheduler's job folder can be long.
_LONGEST_FOLDER = 80
_STOP_MARGIN_SECONDS = 15
_NO_ROOM = "the private training service has no place to work in; free some space, or set TMPDIR to another folder"


@dataclass(frozen=True)
class PrivateOptions:
    """How a private service trains.

    Attributes:
        devices: as of ``readlabel serve --devices``.
        threads: CPU threads; 0 is all there are.
        checkpoint_dir: where runs checkpoint, so that a later service goes on; None forgets with the service.
        checkpoint_store: address in an object store where they are kept for a later service elsewhere; "" for none.
        lease_dir: where services of one host agree on devices.
        grace_seconds: runs may take so long to checkpoint at the end.
        worker_command: what starts a worker, instead of the default.
    """

    devices: str = "auto"
    threads: int = 0
    checkpoint_dir: Path | None = None
    checkpoint_store: str = ""
    lease_dir: Path | None = None
    grace_seconds: float = 30
    worker_command: str | None = None


class PrivateService:
    """A context manager around a service of one's own.

    Args:
        link: files that are in its blob store from the start.
        options: see PrivateOptions.

    Raises:
        OutputError: the temporary folder cannot be written.
    """

    def __init__(self, link: Sequence[Path], options: PrivateOptions) -> None:
        self._link = link
        self._options = options
        self._folder: Path | None = None
        self._process: subprocess.Popen[str] | None = None
        try:
            # A file without a name: it is gone with the processes that hold it.
            self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the service has stopped
        except OSError as error:
            raise OutputError(f"{_NO_ROOM}: {error.strerror or error}") from error

    def __enter__(self) -> Endpoint:
        """Start it and wait until it listens.

        Raises:
            InputError: its options do not go together, or a file to link cannot be read.
            OutputError: a folder that it works in cannot be written, or there is no space left.
            ServiceUnavailableError: it ended instead; says why.
        """
        try:
            return self._start()
        except BaseException:
            self._stop(at_once=True)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop(at_once=False)

    def ended(self, within: float) -> bool:
        """Whether it has ended, or does so within some seconds."""
        if self._process is None:
            return True
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within)
        return self._process.returncode is not None

    def failure(self) -> ReadlabelError:
        """Why it ended before its time."""
        if self._process is not None and self._process.returncode == OutputError.exit_code:
            return OutputError(f"{_NO_ROOM}: {_short_temporary_folder()}: no space left on the device")
        return TrainingFailedError(f"the private training service ended early:\n{self._why()}")

    def _why(self) -> str:
        """The last of what it wrote to its log."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return "\n".join(lines[-10:])

    def _start(self) -> Endpoint:
        place = _short_temporary_folder()
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="readlabel-", dir=place))
        except OSError as error:
            raise OutputError(f"{_NO_ROOM}: {place}: {error.strerror or error}") from error
        if no_space_left(place):  # its log lies there too, so it could not say why it ends
            raise OutputError(f"{_NO_ROOM}: {place}: no space left on the device")
        socket = self._folder / _SOCKET
        self._process = subprocess.Popen(
            [*COMMAND, "--private", "--socket", str(socket), *self._arguments()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=self._folder,
            text=True,
            start_new_session=True,  # a terminal's Ctrl-C is for this process, which ends the service in order
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if " serves " in line:
                return Endpoint(f"unix:{socket}")
        status = self._process.wait()
        why = self._why().removeprefix("error: ")
        if status == InputError.exit_code:
            raise InputError(why)
        if status == OutputError.exit_code:
            raise OutputError(why)
        raise ServiceUnavailableError(f"the private training service did not start (status {status}):\n{why}")

    def _arguments(self) -> list[str]:
        options = self._options
        arguments = ["--devices", options.devices, "--threads", str(options.threads)]
        arguments += ["--grace", str(options.grace_seconds)]
        if options.checkpoint_dir is not None:
            arguments += ["--checkpoint-dir", str(options.checkpoint_dir.absolute())]
        if options.checkpoint_store:
            arguments += ["--checkpoint-dir", options.checkpoint_store]
        if options.lease_dir is not None:
            arguments += ["--lease-dir", str(options.lease_dir.absolute())]
        if options.worker_command is not None:
            arguments += ["--worker-command", options.worker_command]
        for path in self._link:
            arguments += ["--link", str(path.absolute())]
        return arguments

    def _stop(self, at_once: bool) -> None:
        process = self._process
        if process is not None:
            if at_once:
                process.kill()
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(self._options.grace_seconds + _STOP_MARGIN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if self._folder is not None:
            with suppress(OSError):
                shutil.rmtree(self._folder)
        self._log.close()


def _short_temporary_folder() -> Path:
    """The temporary folder, or /tmp where a socket's path would become too long."""
    folder = Path(tempfile.gettempdir())
    return folder if len(os.fsencode(folder)) <= _LONGEST_FOLDER else Path("/tmp")  # noqa: S108 - mkdtemp makes it 0700
