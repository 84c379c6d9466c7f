"""`readlabel runs`: the runs of a training service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, cast, get_args

import typer
from rich.console import Console
from rich.table import Table

from readlabel.cli._service import Insecure, Service, TlsCa, TlsClientCert, TokenFile, client_of
from readlabel.client import follow, leaving_it_running, progress_for_terminal
from readlabel.messages import InputError, RunState
from readlabel.wire import TrainingRun

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="List, watch, cancel, resume and fetch the runs of a training service.\n\n\b\nExample:\n    "
    "readlabel runs list --service gpuhost:50051 --token-file token",
)

Run = Annotated[str, typer.Argument(help="Id or name of the run.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
_WIDTH_OF_FILES = 250


@app.command("list")
def list_runs(
    state: Annotated[list[str] | None, typer.Option(help="Only runs in this state; may be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only runs with this KEY=VALUE; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest created.")] = 50,
    as_json: Json = False,
    service: Service = None,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
) -> None:
    """List runs, the last created first.

    \b
    Example:
        readlabel runs list --state RUNNING \\
            --service gpuhost:50051 --token-file token
    """
    states = [_state(word) for word in state or []]
    tags = dict(_tag(word) for word in tag or [])
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        found = client.list(states, tags, page_size=min(limit, 1000))
        runs = [run for run, _ in zip(found, range(limit), strict=False)]
    if as_json:
        _print_json(runs)
        return
    table = Table("RUN", "MODEL", "STATE", "EPOCH", "CREATED", "TAGS", box=None, header_style="bold")
    for run in runs:
        epochs = f"{run.last_epoch}/{run.spec.point.hyperparameters.epochs}"
        words = " ".join(f"{key}={value}" for key, value in sorted(run.tags.items()))
        table.add_row(run.run_id, run.spec.point.library.model, _state_words(run), epochs, run.create_time, words)
    _console().print(table)


@app.command()
def show(
    run: Run,
    as_json: Json = False,
    service: Service = None,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
) -> None:
    """Show all that is known of a run.

    \b
    Example:
        readlabel runs show 1f0c6a0d2f0e4a6c9b1d3e5f7a9b0c2d \\
            --service gpuhost:50051
    """
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        found = client.get(run)
    if as_json:
        _print_json([found])
        return
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    for name, text in _facts(found):
        table.add_row(name, text)
    _console().print(table)


@app.command()
def watch(
    run: Run,
    after: Annotated[int, typer.Option(min=0, help="Only events after this sequence.")] = 0,
    as_json: Json = False,
    service: Service = None,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
) -> None:
    """Follow a run until it ends: what has happened, then what happens.

    \b
    Example:
        readlabel runs watch 1f0c6a0d2f0e4a6c9b1d3e5f7a9b0c2d \\
            --service gpuhost:50051
    """
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        if as_json:
            for event in client.watch(run, after):
                print(event.model_dump_json(exclude_none=True), flush=True)
        else:
            with progress_for_terminal() as progress, leaving_it_running(client, run.removeprefix("runs/"), progress):
                follow(client.watch(run, after), progress)


@app.command()
def cancel(
    run: Run,
    service: Service = None,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
) -> None:
    """Stop a run; it keeps its checkpoint.

    \b
    Example:
        readlabel runs cancel 1f0c6a0d2f0e4a6c9b1d3e5f7a9b0c2d \\
            --service gpuhost:50051
    """
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        print(f"{run} is {client.cancel(run).state}")


@app.command()
def resume(
    run: Run,
    service: Service = None,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
) -> None:
    """Queue a run again that was cancelled or failed for the machine's fault; it goes on from its checkpoint.

    \b
    Example:
        readlabel runs resume 1f0c6a0d2f0e4a6c9b1d3e5f7a9b0c2d \\
            --service gpuhost:50051
    """
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        print(f"{run} is {client.resume(run).state}")


@app.command()
def delete(
    run: Run,
    service: Service = None,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
) -> None:
    """Delete a run that has ended, with its artifacts and checkpoints.

    \b
    Example:
        readlabel runs delete 1f0c6a0d2f0e4a6c9b1d3e5f7a9b0c2d \\
            --service gpuhost:50051
    """
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        client.delete(run)
        print(f"{run} is deleted")


@app.command()
def download(
    run: Run,
    out: Annotated[Path, typer.Option(help="Folder to make; it appears when every file is there.")],
    service: Service = None,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
) -> None:
    """Fetch the artifacts of a run that has ended.

    \b
    Example:
        readlabel runs download 1f0c6a0d2f0e4a6c9b1d3e5f7a9b0c2d \\
            --service gpuhost:50051 --out run
    """
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        found = client.get(run)
        if not found.artifacts:
            raise InputError(f"{found.name} is {found.state} and has no artifacts")
        client.download_all(found, out)
        print(f"{len(found.artifacts)} files of {found.name} written to {out}")


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
    for name, value in run.spec.point.hyperparameters.model_dump().items():
        yield name, str(value)
    yield "seed", str(run.spec.point.options.seed)
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


def _state(word: str) -> RunState:
    if word.upper() not in get_args(RunState):
        raise InputError(f"--state {word}: there are {', '.join(get_args(RunState))}")
    return cast(RunState, word.upper())


def _tag(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise InputError(f"--tag {word}: KEY=VALUE is expected")
    return key, value


def _print_json(runs: Iterable[TrainingRun]) -> None:
    for run in runs:
        print(json.dumps({"run_id": run.run_id, **run.model_dump(mode="json", exclude_none=True)}))


def _console() -> Console:
    # A pipe has no width; a table that is cut off there is of no use to what reads it.
    return Console() if sys.stdout.isatty() else Console(width=_WIDTH_OF_FILES)
