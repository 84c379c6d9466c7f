"""`readlabel runs`: the runs of a training service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from readlabel.cli._runs import find_run, print_facts, print_runs
from readlabel.cli._service import Insecure, Service, TlsCa, TlsClientCert, TokenFile, client_of
from readlabel.client import follow, leaving_it_running, progress_for_terminal
from readlabel.messages import InputError, RunState
from readlabel.wire import TrainingRun

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""List, watch, cancel, resume and download the runs of a training service.

    READLABEL_SERVICE, READLABEL_TOKEN_FILE, READLABEL_TLS_CA and READLABEL_TLS_CLIENT_CERT in the environment stand for
    the options of these names. Each command ends with status 69 when no service answers, 77 when the token opens
    nothing or may only read, and 65 when the run's state does not allow what was asked.

    \b
    Example:
      readlabel runs list \\
        --service gpuhost:50051 --token-file token --tls-ca ca.pem
    """,
)

Run = Annotated[str, typer.Argument(help="Id of the run, or how it begins.")]
_DIGITS_TO_DELETE = 8
_STATES = ", ".join(get_args(RunState))
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


@app.command("list")
def list_runs(
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="STATE", help=f"Only runs in this state: {_STATES}; may be repeated."),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only runs with this tag; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest created.")] = 50,
    as_json: Json = False,
    service: Service = None,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
) -> None:
    """List runs, the last created first.

    Each line has the hyperparameters in which the listed runs of its model differ. The first digits of an id stand for
    the whole of it in every other command.

    \b
    Example:
      readlabel runs list --state RUNNING \\
        --service gpuhost:50051 --token-file token --tls-ca ca.pem
    """
    states = [_state(word) for word in state or []]
    tags = dict(_tag(word) for word in tag or [])
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        found = client.list(states, tags, page_size=min(limit, 1000))
        runs = [run for run, _ in zip(found, range(limit), strict=False)]
    if as_json:
        _print_json(runs)
        return
    if runs:
        print_runs(runs)
    else:
        asked = ", ".join([*states, *(f"{key}={value}" for key, value in tags.items())])
        print(f"no runs{f' with {asked}' if asked else ' yet'} at {client.endpoint.address}", file=sys.stderr)


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
      readlabel runs show 1f0c6a0d \\
        --service gpuhost:50051 --token-file token --tls-ca ca.pem
    """
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        found = client.get(find_run(client, run))
    if as_json:
        _print_json([found])
        return
    print_facts(found)


@app.command()
def watch(
    run: Run,
    after: Annotated[
        int, typer.Option(min=0, help="Only events after this one, by the sequence that --json shows.")
    ] = 0,
    as_json: Json = False,
    service: Service = None,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
) -> None:
    """Follow a run until it ends.

    What has happened comes first, then what happens, as it happens. Ctrl-C ends the watching, not the run. Whatever the
    run's outcome, the status is 0; --json and readlabel runs show tell it.

    \b
    Example:
      readlabel runs watch 1f0c6a0d \\
        --service gpuhost:50051 --token-file token --tls-ca ca.pem
    """
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        run_id = find_run(client, run)
        if as_json:
            for event in client.watch(run_id, after):
                print(event.model_dump_json(exclude_none=True), flush=True)
        else:
            with progress_for_terminal() as progress, leaving_it_running(client, run_id, progress):
                follow(client.watch(run_id, after), progress)


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

    One that trains is CANCELLING until its worker has stopped; resume goes on from its checkpoint. One that has ended
    is refused, with status 65.

    \b
    Example:
      readlabel runs cancel 1f0c6a0d \\
        --service gpuhost:50051 --token-file token --tls-ca ca.pem
    """
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        changed = client.cancel(find_run(client, run))
        print(f"{changed.run_id} is {changed.state}")


@app.command()
def resume(
    run: Run,
    service: Service = None,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
) -> None:
    """Queue a stopped run again, from its checkpoint.

    That is for one that was cancelled, or failed for the machine's fault; others are refused, with status 65.

    \b
    Example:
      readlabel runs resume 1f0c6a0d \\
        --service gpuhost:50051 --token-file token --tls-ca ca.pem
    """
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        changed = client.resume(find_run(client, run))
        print(f"{changed.run_id} is {changed.state}")


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

    At least eight digits of its id are needed. One that waits or trains is refused, with status 65.

    \b
    Example:
      readlabel runs delete 1f0c6a0d \\
        --service gpuhost:50051 --token-file token --tls-ca ca.pem
    """
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        run_id = find_run(client, run, least=_DIGITS_TO_DELETE)
        gone = client.get(run_id)
        client.delete(run_id)
        print(f"{run_id} is deleted: {gone.spec.point.library.model}, {gone.state}, created {gone.create_time}")


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
    """Download the artifacts of a run that has ended.

    These are the model's files, its figures and its log; of a run that failed, its record and log.

    \b
    Example:
      readlabel runs download 1f0c6a0d --out run \\
        --service gpuhost:50051 --token-file token --tls-ca ca.pem
    """
    with client_of(service, token_file, tls_ca, tls_client_cert, insecure) as client:
        found = client.get(find_run(client, run))
        if not found.artifacts:
            raise InputError(f"{found.name} is {found.state} and has no artifacts")
        client.download_all(found, out)
        print(f"{len(found.artifacts)} files of {found.name} written to {out}")


def _state(word: str) -> RunState:
    if word.upper() not in get_args(RunState):
        raise InputError(f"--state {word}: there are {_STATES}")
    return cast(RunState, word.upper())


def _tag(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise InputError(f"--tag {word}: KEY=VALUE is expected")
    return key, value


def _print_json(runs: Iterable[TrainingRun]) -> None:
    for run in runs:
        print(json.dumps({"run_id": run.run_id, **run.model_dump(mode="json", exclude_none=True)}))
