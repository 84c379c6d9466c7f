"""The public client: each call of the training service as a typed method.

A call that finds the service away for a moment, as during its restart, is made again until `patience` is over: every
call of the API may be repeated, because runs and blobs are named by their content.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message as ProtoMessage

from readlabel.artifacts.atomic import atomic_folder
from readlabel.client.connection import DEADLINES, WATCH_SILENCE_SECONDS, Endpoint, explain
from readlabel.client.outcome import check_folder
from readlabel.client.streams import until_silent
from readlabel.client.transfer import BlobTransfer
from readlabel.messages import (
    ENGINE_REVISION,
    BlobRef,
    InputError,
    Message,
    RunSpec,
    RunState,
    ServiceMismatchError,
)
from readlabel.v1 import blob_service_pb2_grpc, training_run_pb2, training_service_pb2_grpc
from readlabel.v1 import training_service_pb2 as pb
from readlabel.wire import (
    Artifact,
    RunEvent,
    RunPage,
    ServerInfo,
    TrainingRun,
    enum_name,
    from_proto,
    parse_run_name,
    parse_status,
    run_name,
    to_proto,
)

T = TypeVar("T")
M = TypeVar("M", bound=Message)
_STATE = training_run_pb2.RunState.DESCRIPTOR


class TrainingClient:
    """Calls one training service; a context manager that closes the connection.

    Args:
        endpoint: where it is.
        patience: seconds for which an unavailable service is tried again.

    Raises:
        InputError: a file that the endpoint names cannot be read.

    Every method raises what `explain` makes of a broken call: `ServiceUnavailableError`, `ServiceMismatchError`,
    `InputError` with the service's findings, or `ServiceError` with its reason.
    """

    def __init__(self, endpoint: Endpoint, patience: float = 0) -> None:
        self.endpoint = endpoint
        self._patience = patience
        self._metadata = endpoint.metadata()
        self._channel = endpoint.channel()
        self._training = training_service_pb2_grpc.TrainingServiceStub(self._channel)  # type: ignore[no-untyped-call]
        blobs = blob_service_pb2_grpc.BlobServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._transfer = BlobTransfer(blobs, self._metadata, self._patiently)

    def __enter__(self) -> TrainingClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def server_info(self) -> ServerInfo:
        """What the service is and can. Asks once: it is how to find out that a service is not there."""
        deadline = DEADLINES["GetServerInfo"]
        try:
            info = self._training.GetServerInfo(pb.GetServerInfoRequest(), timeout=deadline, metadata=self._metadata)
        except grpc.RpcError as error:
            raise explain(error, self.endpoint) from error
        return _understood(info, ServerInfo)

    def check_version(self) -> ServerInfo:
        """The same, after making sure that this client and the service train the same numbers.

        Raises:
            ServiceMismatchError: they do not.
        """
        info = self.server_info()
        if info.engine_revision != ENGINE_REVISION:
            raise ServiceMismatchError(
                f"the service at {self.endpoint.address} is readlabel {info.version} with engine revision "
                f"{info.engine_revision}; this client needs revision {ENGINE_REVISION}: use one version on both sides"
            )
        return info

    def check_scope(self) -> None:
        """Make sure that the service lets this caller train.

        Raises:
            ServiceRefusedError: the token may only read.
        """
        with suppress(InputError):  # a request that asks for nothing has a fault, and who may only read hears of none
            self._unary(self._training.CreateTrainingRun, pb.CreateTrainingRunRequest(validate_only=True))

    def create(
        self, spec: RunSpec, tags: Mapping[str, str] | None = None, priority: int = 0, validate_only: bool = False
    ) -> TrainingRun:
        """Create the run of a spec, or find it. Its reads must have been uploaded."""
        run = TrainingRun(spec=spec, tags=dict(tags or {}), priority=priority)
        proto = training_run_pb2.TrainingRun(
            spec=to_proto(run.spec, training_run_pb2.RunSpec), tags=run.tags, priority=run.priority
        )
        request = pb.CreateTrainingRunRequest(training_run=proto, validate_only=validate_only)
        return self._run(self._training.CreateTrainingRun, request)

    def get(self, run: str) -> TrainingRun:
        """One run, by name or id."""
        return self._run(self._training.GetTrainingRun, pb.GetTrainingRunRequest(name=_name(run)))

    def list(
        self, states: Sequence[RunState] = (), tags: Mapping[str, str] | None = None, page_size: int = 100
    ) -> Iterator[TrainingRun]:
        """All runs in these states with these tags, the last created first; pages are fetched as they are needed."""
        numbers = [_STATE.values_by_name[enum_name(_STATE, state)].number for state in states]
        token = ""
        while True:
            request = pb.ListTrainingRunsRequest(page_size=page_size, page_token=token, states=numbers, tags=tags or {})
            page = _understood(self._unary(self._training.ListTrainingRuns, request), RunPage)
            yield from page.training_runs
            token = page.next_page_token
            if not token:
                return

    def watch(self, run: str, after_sequence: int = 0) -> Iterator[RunEvent]:
        """A run's events after a sequence, in order and without gaps, until it ends. Heartbeats are not given.

        A stream that breaks or falls silent is taken up again where it was.
        """
        cursor = after_sequence
        failing, fell_silent = _Patience(self._patience), False
        while True:
            try:
                for event in self._listen(_name(run), cursor):
                    failing, fell_silent = _Patience(self._patience), False
                    if event.heartbeat is None:
                        cursor = event.sequence
                        yield event
                return
            except grpc.RpcError as error:
                again = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
                if _code(error) is grpc.StatusCode.CANCELLED and not fell_silent:
                    # This side gave the stream up: the machine may have slept, or the scheduler stopped us for a while.
                    fell_silent = True
                    continue
                if _code(error) not in again or not failing.wait(error):
                    raise explain(error, self.endpoint) from error

    def cancel(self, run: str) -> TrainingRun:
        """Ask a run to stop."""
        return self._run(self._training.CancelTrainingRun, pb.CancelTrainingRunRequest(name=_name(run)))

    def resume(self, run: str) -> TrainingRun:
        """Queue a stopped run again."""
        return self._run(self._training.ResumeTrainingRun, pb.ResumeTrainingRunRequest(name=_name(run)))

    def delete(self, run: str, etag: str = "") -> None:
        """Delete a run that has ended, with its checkpoints and artifacts."""
        self._unary(self._training.DeleteTrainingRun, pb.DeleteTrainingRunRequest(name=_name(run), etag=etag))

    def upload(self, path: Path, blob: BlobRef) -> bool:
        """Bring a file into the service's store, unless it is there.

        Args:
            path: the file.
            blob: its digest and size (`readlabel.artifacts.digest.file_ref`).

        Returns:
            Whether bytes had to be sent.
        """
        try:
            return self._transfer.upload(path, blob)
        except grpc.RpcError as error:
            raise explain(error, self.endpoint) from error

    def download(self, artifact: Artifact, target: Path) -> None:
        """Write an artifact to a file, checked against its digest."""
        try:
            self._transfer.download(artifact.blob, target)
        except grpc.RpcError as error:
            raise explain(error, self.endpoint) from error

    def download_all(self, run: TrainingRun, out: Path) -> None:
        """Write a run's artifacts to a folder, which appears when every one of them is there.

        Raises:
            OutputError: it cannot be written, or holds something else than files of this run.
        """
        check_folder(out, run.run_id)
        with atomic_folder(out) as folder:
            for artifact in run.artifacts:
                self.download(artifact, folder / artifact.name)

    def _run(self, method: Any, request: Any) -> TrainingRun:
        return _understood(self._unary(method, request), TrainingRun)

    def _unary(self, method: Any, request: Any) -> Any:
        name = type(request).__name__.removesuffix("Request")
        try:
            return self._patiently(lambda: method(request, timeout=DEADLINES[name], metadata=self._metadata))
        except grpc.RpcError as error:
            raise explain(error, self.endpoint) from error

    def _patiently(self, call: Callable[[], T]) -> T:
        """Make a call again while the service is unavailable and patience lasts."""
        patience = _Patience(self._patience)
        while True:
            try:
                return call()
            except grpc.RpcError as error:
                if _code(error) is not grpc.StatusCode.UNAVAILABLE or not patience.wait(error):
                    raise

    def _listen(self, name: str, after_sequence: int) -> Iterator[RunEvent]:
        request = pb.WatchTrainingRunRequest(name=name, after_sequence=after_sequence)
        call = self._training.WatchTrainingRun(request, metadata=self._metadata)
        for proto in until_silent(call, WATCH_SILENCE_SECONDS):
            yield _understood(proto, RunEvent)


class _Patience:
    """Growing pauses between tries, until the patience is over."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._pause = 0.2

    def wait(self, error: grpc.RpcError) -> bool:
        """Pause before the next try; False when there is none."""
        left = self._until - time.monotonic()
        if left <= 0:
            return False
        asked = parse_status(error).retry_seconds or 0
        time.sleep(min(left, max(self._pause, asked)))
        self._pause = min(self._pause * 1.6, 10)
        return True


def _understood(proto: ProtoMessage, kind: type[M]) -> M:
    """A service's answer in our words.

    Raises:
        ServiceMismatchError: it says what this version has no word for.
    """
    try:
        return from_proto(proto, kind)
    except InputError as error:
        raise ServiceMismatchError(
            f"the service is of a version that this client does not understand: {error}"
        ) from error


def _code(error: grpc.RpcError) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.Call) else None


def _name(run: str) -> str:
    """The name of a run given by name or id."""
    return run_name(parse_run_name(run if run.startswith("runs/") else run_name(run), "run"))
