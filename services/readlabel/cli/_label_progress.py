"""What a person sees while reads are labelled: a bar with reads and bases a second, when somebody watches."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from readlabel.reads.sequenced import Extent

_ROOM_FOR_A_BAR, _ROOM_FOR_ALL_TIMES = 80, 68
"""Columns of a terminal that has room for these; the figures come first."""


class LabelProgress:
    """Counts labelled reads; a context manager that draws on standard error if that is a terminal."""

    def __init__(self) -> None:
        self.reads = 0
        self.bases = 0
        self._began = time.monotonic()
        self._task: TaskID | None = None
        console = Console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            *([BarColumn()] if console.width >= _ROOM_FOR_A_BAR else []),
            TimeElapsedColumn(),
            *([TimeRemainingColumn()] if console.width >= _ROOM_FOR_ALL_TIMES else []),
            console=console,
            transient=True,
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> LabelProgress:
        self._bar.start()
        self._task = self._bar.add_task("loading the model", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def checked(self, reads: int) -> None:
        """So many reads of the files were looked at."""
        self._show(f"checking the reads: {reads:,}")

    def begin(self, extent: Extent | None) -> None:
        """Labelling begins; `extent` is what there is to label, if that is known."""
        self._began = time.monotonic()
        if self._task is not None and extent is not None:
            self._bar.update(self._task, total=extent.bases)

    def labelled(self, reads: int, bases: int) -> None:
        """So many more reads, and bases, were labelled."""
        self.reads += reads
        self.bases += bases
        self._show(f"{self.reads:,} reads, {self.speed}")

    @property
    def speed(self) -> str:
        """Reads and bases a second since labelling began."""
        seconds = max(time.monotonic() - self._began, 1e-9)
        return f"{self.reads / seconds:,.0f} reads/s, {self.bases / seconds:,.0f} bases/s"

    def _show(self, text: str) -> None:
        if self._task is not None:
            self._bar.update(self._task, description=text, completed=self.bases)
