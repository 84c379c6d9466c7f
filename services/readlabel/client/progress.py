"""What a person sees of a training: a line an epoch, or a bar on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from readlabel.messages import EpochMetrics
from readlabel.wire import StateChange


class Progress(Protocol):
    """What is told of a run's news; a context manager."""

    def __enter__(self) -> Progress: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None:
        """Something for the person, such as a note of the run."""

    def state(self, change: StateChange) -> None:
        """The run entered a state."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch has ended."""


def epoch_line(metrics: EpochMetrics) -> str:
    """One line that says how an epoch went; figures stand under those of the line before."""
    width = len(f"epoch {metrics.epochs}/{metrics.epochs}")
    line = f"{f'epoch {metrics.epoch}/{metrics.epochs}':<{width}}  loss {metrics.loss:<7.4g}"
    line += f"  accuracy {metrics.accuracy:.4f}"
    if metrics.internal_validation_loss is not None and metrics.internal_validation_accuracy is not None:
        line += f"  internal validation: loss {metrics.internal_validation_loss:<7.4g}"
        line += f"  accuracy {metrics.internal_validation_accuracy:.4f}"
    speed = f"{metrics.bases_per_second:>9,.0f} bases/s  {metrics.seconds:6.1f} s"
    return f"{line}  rate {metrics.learning_rate:<8.3g}  {speed}"


class LineProgress:
    """Plain lines, each written at once: for logs."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to tidy up."""

    def say(self, text: str) -> None:
        """Write the text."""
        print(text, file=self._stream, flush=True)

    def state(self, change: StateChange) -> None:
        """Write the state in lower case, with the attempt when it is not the first."""
        again = f" (attempt {change.attempt})" if change.attempt > 1 else ""
        self.say(f"{change.state.lower()}{again}")

    def epoch(self, metrics: EpochMetrics) -> None:
        """Write the epoch's line."""
        self.say(epoch_line(metrics))


class BarProgress(LineProgress):
    """A bar over the epochs of one run, with the lines above it: for terminals."""

    def __init__(self) -> None:
        super().__init__()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = RichProgress(*columns, console=Console())
        self._task = self._bar.add_task("waiting", total=None)

    def __enter__(self) -> BarProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()

    def say(self, text: str) -> None:
        """Write the text above the bar."""
        self._bar.console.print(text, markup=False, highlight=False)

    def state(self, change: StateChange) -> None:
        """Show the state beside the bar."""
        self._bar.update(self._task, description=change.state.lower())

    def epoch(self, metrics: EpochMetrics) -> None:
        """Write the epoch's line and move the bar."""
        super().epoch(metrics)
        self._bar.update(self._task, total=metrics.epochs, completed=metrics.epoch)


def progress_for_terminal() -> Progress:
    """A bar when standard output is a terminal, plain lines when it is not."""
    return BarProgress() if sys.stdout.isatty() else LineProgress()
