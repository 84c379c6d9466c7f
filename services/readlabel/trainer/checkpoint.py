"""Checkpoints: the state of a run in, files that a later worker goes on from out.

A checkpoint folder belongs to one run. It holds

- ``last.npz``: the newest state, whole: weights, batch-norm statistics, optimizer moments, and `Progress` as JSON;
- ``best-<epoch>.npz``: the weights of the best epoch so far, named by `Progress.watch`;
- ``lock``: held by the worker that writes there, released by the system when it dies.

With a copy in an object store (`readlabel.trainer.checkpoint_copy`) an empty folder begins with what lies there, and
every file is sent there once it is whole here.

Arrays are stored without pickle and read with pickle forbidden. Each file is renamed into place whole, the best weights
before the state that names them, so whenever a worker dies the newest state can be gone on from.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from readlabel.artifacts.atomic import atomic_path, raise_output_error
from readlabel.messages import ENGINE_REVISION, Attempt, EpochMetrics, Message
from readlabel.trainer.checkpoint_copy import CheckpointCopy
from readlabel.trainer.failures import FolderInUse
from readlabel.trainer.schedule import Watch

Arrays = Mapping[str, NDArray[Any]]

FORMAT = 1
_LAST = "last.npz"
_LOCK = "lock"
_PROGRESS = "progress.json"


class EpochSums(Message):
    """What the steps of an unfinished epoch add up to."""

    steps: int = 0
    reads: int = 0
    bases: int = 0
    correct: int = Field(0, description="Bases labelled as the truth says.")
    loss: float = Field(0, description="Sum over the reads of their loss, the L2 penalty included.")
    gradient_norm: float = Field(0, description="Sum over the steps.")
    learning_rate: float = Field(0, description="Of the last step.")
    seconds: float = 0


class Progress(Message):
    """Where a run stands: all of a checkpoint that is not an array."""

    format: int = FORMAT
    engine_revision: int = ENGINE_REVISION
    run_id: str
    step: int = Field(0, ge=0, description="Gradient updates so far.")
    sums: EpochSums = Field(EpochSums(), description="Of the unfinished epoch; its steps say where in it the run is.")
    watch: Watch = Watch()
    history: tuple[EpochMetrics, ...] = Field((), description="One entry for each finished epoch.")
    attempts: tuple[Attempt, ...] = Field((), description="This worker's and those before it.")
    memory_limit: int = Field(0, ge=0, description="Bytes that a step may take, as planned or found out; 0: no limit.")
    train_seconds: float = 0


@dataclass(frozen=True)
class Checkpoint:
    """One stored state.

    Attributes:
        progress: where the run stands.
        arrays: weights, statistics and moments by name.
    """

    progress: Progress
    arrays: Arrays


class CheckpointFolder:
    """The checkpoint folder of one run, locked for as long as this object lives.

    Args:
        folder: made when missing.
        run_id: the run it must belong to.
        copy: where its files are kept beyond this machine; None keeps them here alone.

    Raises:
        FolderInUse: another living worker holds the folder.
        OutputError: the folder, or the copy, cannot be written or read.
    """

    def __init__(self, folder: Path, run_id: str, copy: CheckpointCopy | None = None) -> None:
        self._folder = folder
        self._run_id = run_id
        self._copy = copy
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise_output_error(folder, error)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise_output_error(folder / _LOCK, error)
            raise FolderInUse(
                "INTERNAL", f"{folder}: another worker is training this run with these checkpoints; let it end first"
            ) from error
        for half in folder.glob(".*.partial"):  # of a worker that was killed while it wrote; no other writes here
            half.unlink(missing_ok=True)
        if copy is not None and not (folder / _LAST).exists():
            copy.fetch(folder)

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._lock)

    def load(self) -> tuple[Checkpoint | None, str]:
        """Read the newest state.

        Returns:
            The state, or None when there is none to go on from; and why a state that lies there is not used, or the
            empty string.
        """
        path = self._folder / _LAST
        if not path.exists():
            return None, ""
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
                head = json.loads(stored[_PROGRESS].tobytes())
                refusal = self._refusal(head)
                if refusal:
                    return None, refusal
                progress = Progress.model_validate(head)
                arrays = {name: stored[name] for name in stored.files if name != _PROGRESS}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, ValidationError) as error:
            return None, f"the checkpoint {path.name} cannot be read ({type(error).__name__}): training starts afresh"
        if progress.watch.best_epoch and not self._best(progress.watch.best_epoch).exists():
            return (
                None,
                f"the checkpoint lacks the weights of epoch {progress.watch.best_epoch}, its best: starts afresh",
            )
        return Checkpoint(progress, arrays), ""

    def save(self, checkpoint: Checkpoint) -> None:
        """Store the newest state; the best weights that it names must be stored already.

        Raises:
            OutputError: the folder cannot be written; the state before stays.
        """
        head = np.frombuffer(checkpoint.progress.canonical_json().encode(), np.uint8)
        self._write(self._folder / _LAST, {**checkpoint.arrays, _PROGRESS: head})
        for old in self._folder.glob("best-*.npz"):
            if old != self._best(checkpoint.progress.watch.best_epoch):
                old.unlink(missing_ok=True)
                if self._copy is not None:
                    self._copy.empty(old.name)

    def save_best(self, epoch: int, weights: Arrays) -> None:
        """Store the weights of an epoch that is the best so far."""
        self._write(self._best(epoch), weights)

    def load_best(self, epoch: int) -> Arrays:
        """The weights that `save_best` stored for the epoch."""
        with np.load(self._best(epoch), allow_pickle=False) as stored:
            return dict(stored)

    def _best(self, epoch: int) -> Path:
        return self._folder / f"best-{epoch}.npz"

    def _refusal(self, head: dict[str, Any]) -> str:
        if head.get("format") != FORMAT or head.get("engine_revision") != ENGINE_REVISION:
            return (
                f"the checkpoint comes from engine revision {head.get('engine_revision')}, this is {ENGINE_REVISION}: "
                "training starts afresh"
            )
        if head.get("run_id") != self._run_id:
            return f"the checkpoint belongs to another run, {head.get('run_id')}: training starts afresh"
        return ""

    def _write(self, path: Path, arrays: Arrays) -> None:
        with atomic_path(path) as temporary, temporary.open("wb") as handle:
            np.savez(handle, **dict(arrays))
        if self._copy is not None:
            self._copy.send(path)
