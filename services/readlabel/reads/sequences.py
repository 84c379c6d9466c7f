"""Named sequences to take fragments from, such as transcripts: in memory, or on disk where they are many."""

from __future__ import annotations

import os
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sequences:
    """Sequences in memory.

    Attributes:
        names: of each.
        offsets: (n + 1,) int64; sequence i has the bases from offsets[i] to offsets[i + 1]; none is empty.
        tokens: (bases,) uint8.
    """

    names: tuple[str, ...]
    offsets: NDArray[np.int64]
    tokens: NDArray[np.uint8]


class StoredSequences:
    """Sequences whose bases lie in a file of their own, a byte a base: memory does not grow with them.

    The file has no name, so that nothing is left of it when the last process that holds it has ended, however it ends.
    A process that is started with one gets the open file; sent to a running one it cannot be.

    Attributes:
        names: of each.
        offsets: (n + 1,) int64; sequence i has the bases from offsets[i] to offsets[i + 1]; none is empty.
    """

    def __init__(self, names: tuple[str, ...], offsets: NDArray[np.int64], file: IO[bytes]) -> None:
        """Take over a file of tokens, all of them written out."""
        self.names = names
        self.offsets = offsets
        self._file = file

    def read(self, start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Tokens of fragments, one after another; `start` counts the bases of all sequences together.

        A call of the system a fragment: mapped into memory, the file's pages would count as this process's.
        """
        handle = self._file.fileno()
        fragments = zip(length.tolist(), start.tolist(), strict=True)
        return np.frombuffer(b"".join([os.pread(handle, count, at) for count, at in fragments]), np.uint8)

    def __enter__(self) -> StoredSequences:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def __getstate__(self) -> tuple[Any, ...]:
        return self.names, self.offsets, DupFd(self._file.fileno())

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.names, self.offsets, handle = state
        self._file = os.fdopen(handle.detach(), "rb", buffering=0)
