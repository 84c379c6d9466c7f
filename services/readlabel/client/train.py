"""One training over a service: reads up, a run created, its news followed, its artifacts down.

In order: the reads are named by their digest and looked into, the output folder is checked, a private service is
started when no address is given, the reads are sent unless they are there, the run is created or found, its epochs are
shown, and ``run/`` appears whole when the run has an outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from readlabel.artifacts.digest import file_ref
from readlabel.artifacts.names import RUN
from readlabel.client.connection import Endpoint
from readlabel.client.outcome import check_folder, record_in
from readlabel.client.private_service import PrivateOptions, PrivateService
from readlabel.client.progress import Progress
from readlabel.client.reads import check_reads
from readlabel.client.training_client import TrainingClient
from readlabel.messages import (
    PARAMETER_FAILURES,
    TERMINAL_STATES,
    GridPoint,
    OutputError,
    ReadlabelError,
    RunSpec,
    ServiceError,
    ServiceUnavailableError,
    TrainingFailedError,
)
from readlabel.wire import RunEvent, TrainingRun, run_name

SERVICE_PATIENCE_SECONDS = 300
# A process that ends closes its sockets before its parent can see it end; so long may lie between the two.
_LAST_MOMENTS_SECONDS = 10


class _LostSightError(TrainingFailedError):
    """The service stopped answering while it had the run."""


@dataclass(frozen=True)
class TrainRequest:
    """What to train, and where the outcome goes.

    Attributes:
        point: the combination.
        training_reads: Parquet file of labelled reads.
        validation_reads: Parquet file of independent labelled reads.
        out: the folder that appears when the run has an outcome.
        tags: free words for the run.
        priority: runs of higher priority leave a standing service's queue first.
    """

    point: GridPoint
    training_reads: Path
    validation_reads: Path
    out: Path
    tags: Mapping[str, str] = field(default_factory=dict)
    priority: int = 0


def train_over_service(
    request: TrainRequest, endpoint: Endpoint | None, private: PrivateOptions, progress: Progress
) -> TrainingRun:
    """Train one combination.

    Args:
        request: what to train.
        endpoint: the service, or None to start a private one.
        private: how the private one trains.
        progress: is told the news.

    Returns:
        The run, SUCCEEDED or FAILED by its parameters; `request.out` holds its files.

    Raises:
        InputError: the reads cannot be read, are of another library, or are to judge the model by what it learns; or
            the service found faults in what was asked.
        OutputError: the folder cannot be written.
        ServiceUnavailableError: no service answers.
        ServiceMismatchError: the service is of another version.
        TrainingFailedError: the run ended for a reason that lies in the machine, or was cancelled.
    """
    spec = RunSpec(
        point=request.point,
        training_reads=file_ref(request.training_reads),
        validation_reads=file_ref(request.validation_reads),
    )
    for note in check_reads(request.training_reads, request.validation_reads, spec):
        progress.say(f"note: {note}")
    check_folder(request.out, spec.run_id)
    if endpoint is not None:
        with TrainingClient(endpoint, SERVICE_PATIENCE_SECONDS) as client:
            return _train(client, request, spec, progress, standing=True)
    service = PrivateService([request.training_reads, request.validation_reads], private)
    with _when_stopped(_kept(private), progress), service as own, TrainingClient(own) as client:
        try:
            run = _train(client, request, spec, progress, standing=False)
            with suppress(ReadlabelError):  # its files are here: a checkpoint that stays costs disk, not the outcome
                client.delete(run.name)
        except (ServiceUnavailableError, _LostSightError) as error:
            if not service.ended(within=_LAST_MOMENTS_SECONDS):
                raise
            raise service.failure() from error
        return run


def _train(
    client: TrainingClient, request: TrainRequest, spec: RunSpec, progress: Progress, standing: bool
) -> TrainingRun:
    client.check_version()
    reads = {request.training_reads: spec.training_reads, request.validation_reads: spec.validation_reads}
    for path, blob in reads.items():
        if client.upload(path, blob):
            progress.say(f"sent {path.name} ({blob.size_bytes:,} bytes)")
    run = client.create(spec, request.tags, request.priority)
    try:
        if run.state in TERMINAL_STATES:
            progress.say(f"{run.name} was already trained and ended {run.end_time}, {run.state}; its files are fetched")
        else:
            with leaving_it_running(client, run.run_id, progress) if standing else nullcontext():
                follow(client.watch(run.name), progress)
        run = client.get(run.name)
    except ServiceUnavailableError as error:
        raise _LostSightError(f"lost sight of {run.name}, which may go on; try again to attach: {error}") from error
    failure = run.failure
    if run.state == "CANCELLED":
        raise TrainingFailedError(f"{run.name} was cancelled; its checkpoint is kept, so training it again goes on")
    if failure is not None and failure.reason not in PARAMETER_FAILURES:
        raise TrainingFailedError(f"{run.name} failed ({failure.reason}): {failure.message}")
    held = record_in(request.out)
    if failure is not None and held is not None and held.state == "SUCCEEDED":
        raise OutputError(
            f"{request.out}: holds a finished run, which stays; the new one failed ({failure.reason}): "
            f"{failure.message}"
        )
    _download(client, run, request.out)
    if failure is not None:
        progress.say(f"failed by its parameters ({failure.reason}): {failure.message}")
    return run


def follow(events: Iterable[RunEvent], progress: Progress) -> None:
    """Show a run's events until they end."""
    for event in events:
        if event.state_change is not None:
            progress.state(event.state_change)
        elif event.epoch is not None:
            progress.epoch(event.epoch)
        elif event.note is not None:
            progress.say(f"note: {event.note.text}")


def _download(client: TrainingClient, run: TrainingRun, out: Path) -> None:
    if all(artifact.name != RUN for artifact in run.artifacts):
        raise ServiceError(f"{run.name} is {run.state} but has no {RUN}", "DATA_LOSS")
    client.download_all(run, out)


def leaving_it_running(client: TrainingClient, run_id: str, progress: Progress) -> AbstractContextManager[None]:
    """Tells somebody who leaves a standing service that the run goes on there."""
    return _when_stopped(
        f"{run_name(run_id)} goes on at {client.endpoint.address}; the same command attaches to it again, and\n"
        f"  readlabel runs cancel {run_id} {client.endpoint.options()}\nstops it",
        progress,
    )


def _kept(private: PrivateOptions) -> str:
    where = private.checkpoint_dir or private.checkpoint_store.partition("?")[0]
    if not where:
        return "stopped; nothing is kept (with --checkpoint-dir DIR the same command would go on where it was)"
    return f"stopped; what was trained is checkpointed in {where}, and the same command goes on from there"


@contextmanager
def _when_stopped(text: str, progress: Progress) -> Iterator[None]:
    """Say something to somebody who ends this command before the run has an outcome."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        progress.say(text)
        raise
