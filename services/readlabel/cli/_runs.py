"""A service's runs as a person asks for them and sees them."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from readlabel.client import TrainingClient
from readlabel.messages import InputError, as_written
from readlabel.wire import TrainingRun

_ID_LENGTH = 32
_SHOWN_LENGTH = 12
_WIDTH_OF_FILES = 250
_MOST_MATCHES = 10


def find_run(client: TrainingClient, text: str, least: int = 0) -> str:
    """The id of the run that a text names or begins; with at least so many digits.

    Raises:
        InputError: no run's id begins like that, several do, or there are too few digits to be sure.
    """
    beginning = text.removeprefix("runs/").lower()
    if not beginning:  # as of a shell's variable that is not set; it would name the only run there is
        raise InputError("the run's id is empty; `readlabel runs list` shows them")
    if len(beginning) < least:
        raise InputError(f"{text!r} is too little of an id for this; give {least} digits of it at least")
    if len(beginning) >= _ID_LENGTH:
        return beginning
    found = [run for run in client.list(page_size=1000) if run.run_id.startswith(beginning)]
    if len(found) == 1:
        return found[0].run_id
    if not found:
        raise InputError(f"the id of no run begins with {text!r}; `readlabel runs list` shows them")
    matches = [f"  {run.run_id}  {run.spec.point.library.model}  {run.state}" for run in found[:_MOST_MATCHES]]
    more = [f"  and {len(found) - _MOST_MATCHES} more"] if len(found) > _MOST_MATCHES else []
    raise InputError("\n".join([f"{text!r} begins the ids of {len(found)} runs; give more of it:", *matches, *more]))


def print_runs(runs: Sequence[TrainingRun]) -> None:
    """Print a table of runs, a line each."""
    table = Table("RUN", "MODEL", "STATE", "EPOCH", "CREATED", "HYPERPARAMETERS", "TAGS", box=None, header_style="bold")
    values: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for run in runs:
        for name, value in _settings(run).items():
            values[run.spec.point.library.model][name].add(value)
    for run in runs:
        model = run.spec.point.library.model
        differing = {name: value for name, value in _settings(run).items() if len(values[model][name]) > 1}
        table.add_row(
            run.run_id[:_SHOWN_LENGTH],
            model,
            _state_words(run),
            f"{run.last_epoch}/{run.spec.point.hyperparameters.epochs}",
            run.create_time,
            _pairs(differing),
            _pairs(run.tags),
        )
    _print(table)


def print_facts(run: TrainingRun) -> None:
    """Print all that is known of a run."""
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    for name, text in _facts(run):
        table.add_row(name, text)
    _print(table)


def _settings(run: TrainingRun) -> dict[str, str]:
    """What decides a training beside its reads, as a parameter table writes it."""
    point = run.spec.point
    values = {name: as_written(value) for name, value in point.hyperparameters.model_dump().items()}
    return values | {"seed": str(point.options.seed)}


def _pairs(values: Mapping[str, str]) -> str:
    return " ".join(f"{name}={values[name]}" for name in sorted(values))


def _facts(run: TrainingRun) -> Iterable[tuple[str, str]]:
    yield "run", run.run_id
    yield "state", _state_words(run)
    if run.failure is not None:
        yield "failure", run.failure.message
    yield "model", run.spec.point.library.model
    yield "epoch", f"{run.last_epoch} of at most {run.spec.point.hyperparameters.epochs}"
    yield "created", run.create_time
    if run.end_time:
        yield "ended", run.end_time
    for key, value in sorted(run.tags.items()):
        yield "tag", f"{key}={value}"
    yield from _settings(run).items()
    for attempt in run.attempts:
        resumed = f", went on after epoch {attempt.resumed_from_epoch}" if attempt.resumed_from_epoch else ""
        span = f"{attempt.start_time} to {attempt.end_time or 'now'}"
        yield f"attempt {attempt.number}", f"{attempt.device}, {attempt.threads} threads, {span}{resumed}"
        for note in attempt.notes:
            yield "", note
    for artifact in run.artifacts:
        yield "artifact", f"{artifact.name} ({artifact.blob.size_bytes:,} bytes)"


def _state_words(run: TrainingRun) -> str:
    return f"{run.state} ({run.failure.reason})" if run.failure is not None else run.state


def _print(table: Table) -> None:
    # A pipe has no width; a table that is cut off there is of no use to what reads it.
    _Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES).print(table)


class _Console(Console):
    """One whose reader may leave before the end, which is an end like that of any other command."""

    def on_broken_pipe(self) -> None:
        """Leave it to the command line; rich itself would exit with status 1."""
        raise BrokenPipeError
