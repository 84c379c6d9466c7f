"""`readlabel train`: one combination, over a standing service or a private one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from readlabel.artifacts.names import METRICS, RUN
from readlabel.cli._checkpoints import checkpoints_at
from readlabel.cli._library import library_of
from readlabel.cli._service import Insecure, Service, TlsCa, TlsClientCert, TokenFile, endpoint_of
from readlabel.client import TrainRequest, progress_for_terminal, train_over_service
from readlabel.client.private_service import PrivateOptions
from readlabel.messages import (
    GridPoint,
    Hyperparameters,
    InputError,
    Metrics,
    Problem,
    TrainingOptions,
)
from readlabel.tables import read_value

M = TypeVar("M", bound=BaseModel)


def main(
    train: Annotated[Path, typer.Option(help="Labelled reads to train on (Parquet).")],
    validation: Annotated[Path, typer.Option(help="Independent labelled reads to judge the model on (Parquet).")],
    out: Annotated[Path, typer.Option(help="Folder to make; it appears whole when the run has an outcome.")],
    point: Annotated[
        Path | None, typer.Option(help="The combination (JSON), as readlabel grid --messages writes it.")
    ] = None,
    library: Annotated[Path | None, typer.Option(help="Without --point: the library (JSON).")] = None,
    training_seq_orders: Annotated[Path | None, typer.Option(help="Or a table with one library a row (TSV).")] = None,
    model_name: Annotated[str | None, typer.Option(help="Which row of that table.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="One value of a hyperparameter; may be repeated."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Without --point: the seed. (Default: 1.)")
    ] = None,
    service: Service = None,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Kept with the run; readlabel runs list --tag finds it. May be repeated."
        ),
    ] = None,
    priority: Annotated[int, typer.Option(min=-100, max=100, help="Higher ones leave the service's queue first.")] = 0,
    devices: Annotated[str, typer.Option(help="Private service: auto, cpu, gpu:0, or gpu:0+1 (both).")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Private service: CPU threads; 0 is all there are.")] = 0,
    checkpoint_dir: Annotated[
        str | None,
        typer.Option(
            metavar="<path>",
            help="Private service: keep checkpoints here, so that a command that was killed goes on. (Or s3://, gs://, "
            "abfs://.)",
        ),
    ] = None,
    lease_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="READLABEL_LEASE_DIR",
            help="Private service: folder to share devices by. (Default: one of the user's.)",
        ),
    ] = None,
    grace: Annotated[float, typer.Option(min=0, help="Private service: seconds to checkpoint when stopped.")] = 30,
) -> None:
    """Train one combination, judge it on the validation reads, and leave its files in a folder.

    The work is done by a training service: the one at --service, else a private one that starts and ends with this
    command. Ends with status 0 when the run succeeded or failed by its own parameters (run.json says which), 75 when
    trying again can help, 143 on SIGTERM, 129 on SIGHUP.

    \b
    Examples, with the files that the examples of grid and simulate make:
      readlabel train --point points/10x3p_sc_ont_0.json \\
        --train train.parquet --validation validation.parquet --out run
      readlabel train --training-seq-orders tables/training_seq_orders.tsv \\
        --model-name 10x3p_sc_ont -p conv_filters=64 -p epochs=3 \\
        --train train.parquet --validation validation.parquet --out run2
      readlabel train --point points/10x3p_sc_ont_1.json \\
        --train train.parquet --validation validation.parquet --out run3 \\
        --service gpuhost:50051 --token-file token --tls-ca ca.pem
    """
    request = TrainRequest(
        point=_point(point, _LibraryOptions(library, training_seq_orders, model_name), parameter or [], seed),
        training_reads=train,
        validation_reads=validation,
        out=out,
        tags=dict(_pair(word, "--tag") for word in tag or []),
        priority=priority,
    )
    endpoint = endpoint_of(service, token_file, tls_ca, tls_client_cert, insecure)
    private = PrivateOptions(devices, threads, *checkpoints_at(checkpoint_dir), lease_dir, grace)
    with progress_for_terminal() as progress:
        run = train_over_service(request, endpoint, private, progress)
        if run.state == "SUCCEEDED":
            scores = Metrics.model_validate_json((out / METRICS).read_text(encoding="utf-8")).validation
            if scores.missed:
                progress.say(f"note: the model {scores.missed}")
            progress.say(
                f"{out}: accuracy {scores.accuracy:.4f}, macro-F1 {scores.macro_f1:.4f}, exact order "
                f"{scores.exact_order:.4f} on {scores.reads:,} validation reads"
            )
        else:
            progress.say(f"{out / RUN} says why")


class _LibraryOptions(NamedTuple):
    library: Path | None
    training_seq_orders: Path | None
    model_name: str | None


def _point(path: Path | None, library: _LibraryOptions, parameters: list[str], seed: int | None) -> GridPoint:
    """The combination that was asked for.

    Raises:
        InputError: files that cannot be read, values out of range; all of them.
    """
    if path is not None:
        if any(library) or seed is not None:
            raise InputError("--point holds library and seed already; give these without it")
        given = _read(path, GridPoint)
    elif any(library):
        options = TrainingOptions(seed=1 if seed is None else seed)
        given = GridPoint(hyperparameters=Hyperparameters(), library=library_of(*library), options=options)
    else:
        raise InputError(
            "give --point point.json (readlabel grid --messages writes them), or --training-seq-orders with "
            "--model-name, and -p NAME=VALUE"
        )
    if not parameters:
        return given
    problems: list[Problem] = []
    values = given.hyperparameters.model_dump()
    for name, text in (_pair(word, "-p") for word in parameters):
        try:
            values[name] = read_value(name, text)
        except InputError as error:
            problems += [Problem(f"-p {problem.where}", problem.message) for problem in error.problems]
    if problems:
        raise InputError(problems)
    return given.model_copy(update={"hyperparameters": Hyperparameters.model_validate(values)})


def _read(path: Path, kind: type[M]) -> M:
    try:
        content = path.read_bytes()
        return kind.model_validate_json(content)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        if b'"entries"' in content:
            raise InputError(
                f"{path}: is a whole grid; --point takes one of its combinations, as readlabel grid --messages writes "
                "each"
            ) from error
        raise InputError(_problems(f"{path}, ", error)) from error


def _problems(prefix: str, error: ValidationError) -> list[Problem]:
    return [
        Problem(prefix + ".".join(map(str, finding["loc"])), f"{finding['msg']} (given: {finding.get('input')!r:.60})")
        for finding in error.errors(include_url=False)
    ]


def _pair(word: str, option: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name.strip():
        raise InputError([Problem(f"{option} {word}", "NAME=VALUE is expected")])
    return name.strip(), value.strip()
