"""readlabel.v1.TrainingService: requests in, calls of the desk, responses out."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

from readlabel import __version__
from readlabel.messages import ENGINE_REVISION, Hyperparameters, InputError, Problem, RunState
from readlabel.server.config import Limits
from readlabel.server.desk import RunDesk
from readlabel.server.news import watch
from readlabel.server.run_queries import list_runs
from readlabel.v1 import training_run_pb2, training_service_pb2_grpc
from readlabel.v1 import training_service_pb2 as pb
from readlabel.wire import (
    MAX_CHUNK_BYTES,
    MAX_TAGS,
    Device,
    RunPage,
    ServerInfo,
    TrainingRun,
    from_proto,
    parse_run_name,
    to_proto,
    unknown_fields,
)

_STATES = {value.number: value.name.removeprefix("RUN_STATE_") for value in training_run_pb2.RunState.DESCRIPTOR.values}

_LISTS_AT_ONCE = 2
"""Others wait: the threads are there for uploads too, and each takes time from all other calls."""


class TrainingServicer(training_service_pb2_grpc.TrainingServiceServicer):
    """Translates between proto and the desk; the rules are the desk's."""

    def __init__(self, desk: RunDesk, limits: Limits, devices: Callable[[], Sequence[Device]]) -> None:
        self._desk = desk
        self._limits = limits
        self._devices = devices
        self._listing = asyncio.Semaphore(_LISTS_AT_ONCE)
        self._schema = json.dumps(Hyperparameters.model_json_schema())

    async def GetServerInfo(self, _request: pb.GetServerInfoRequest, _context: Any) -> pb.ServerInfo:  # noqa: N802
        """Say what the service is and can."""
        info = ServerInfo(
            version=__version__,
            engine_revision=ENGINE_REVISION,
            max_chunk_bytes=MAX_CHUNK_BYTES,
            max_blob_bytes=self._limits.blob_bytes,
            max_queued_runs=self._limits.queued_runs,
            max_page_size=self._limits.page_size,
            devices=tuple(self._devices()),
            hyperparameters_schema=self._schema,
            queued_runs=self._desk.store.count("QUEUED"),
        )
        return to_proto(info, pb.ServerInfo)

    async def CreateTrainingRun(  # noqa: N802
        self, request: pb.CreateTrainingRunRequest, _context: Any
    ) -> training_run_pb2.TrainingRun:
        """Find or queue the run of a spec."""
        unknown = [*unknown_fields(request, ""), *unknown_fields(request.training_run, "training_run")]
        if unknown:
            raise InputError(unknown)
        asked = training_run_pb2.TrainingRun(
            spec=request.training_run.spec if request.training_run.HasField("spec") else None,
            tags=request.training_run.tags,
            priority=request.training_run.priority,
        )
        run = from_proto(asked, TrainingRun, "training_run", closed=True)
        return _proto(self._desk.create(run, request.validate_only))

    async def GetTrainingRun(  # noqa: N802
        self, request: pb.GetTrainingRunRequest, _context: Any
    ) -> training_run_pb2.TrainingRun:
        """Get one run."""
        return _proto(self._desk.get(parse_run_name(request.name)))

    async def ListTrainingRuns(  # noqa: N802
        self, request: pb.ListTrainingRunsRequest, _context: Any
    ) -> pb.ListTrainingRunsResponse:
        """List a page of runs."""
        if request.page_size < 0:
            raise InputError([Problem("page_size", f"{request.page_size} is negative")])
        numbers = sorted(set(request.states))
        unknown = [number for number in numbers if _STATES.get(number, "UNSPECIFIED") == "UNSPECIFIED"]
        if unknown:
            raise InputError([Problem("states", f"{unknown[0]} is no state of a run")])
        states = [cast(RunState, _STATES[number]) for number in numbers]
        if len(request.tags) > MAX_TAGS:
            raise InputError([Problem("tags", f"{len(request.tags)}; a run has at most {MAX_TAGS}")])
        asked = hashlib.sha256(json.dumps([states, sorted(request.tags.items())]).encode()).hexdigest()[:12]
        before = _parse_token(request.page_token, asked) if request.page_token else None
        size = min(request.page_size or self._limits.default_page_size, self._limits.page_size)
        tags = dict(request.tags)

        def page() -> pb.ListTrainingRunsResponse:
            runs, cursor = list_runs(self._desk.store.path, size, before, states, tags)
            token = "" if cursor is None else base64.urlsafe_b64encode(f"{asked}.{cursor}".encode()).decode()
            return to_proto(RunPage(training_runs=tuple(runs), next_page_token=token), pb.ListTrainingRunsResponse)

        async with self._listing:
            return await asyncio.to_thread(page)

    async def WatchTrainingRun(  # noqa: N802
        self, request: pb.WatchTrainingRunRequest, _context: Any
    ) -> AsyncIterator[training_run_pb2.RunEvent]:
        """Stream a run's events until it ends."""
        run_id = parse_run_name(request.name)
        if request.after_sequence < 0:
            raise InputError([Problem("after_sequence", f"{request.after_sequence} is negative")])
        self._desk.get(run_id)
        heartbeat = self._limits.heartbeat_seconds
        async for event in watch(self._desk.store, self._desk.bell, run_id, request.after_sequence, heartbeat):
            yield event

    async def CancelTrainingRun(  # noqa: N802
        self, request: pb.CancelTrainingRunRequest, _context: Any
    ) -> training_run_pb2.TrainingRun:
        """Ask a run to stop."""
        return _proto(self._desk.cancel(parse_run_name(request.name)))

    async def ResumeTrainingRun(  # noqa: N802
        self, request: pb.ResumeTrainingRunRequest, _context: Any
    ) -> training_run_pb2.TrainingRun:
        """Queue a stopped run again."""
        return _proto(self._desk.resume(parse_run_name(request.name)))

    async def DeleteTrainingRun(  # noqa: N802
        self, request: pb.DeleteTrainingRunRequest, _context: Any
    ) -> pb.DeleteTrainingRunResponse:
        """Delete a run that has ended."""
        self._desk.delete(parse_run_name(request.name), request.etag)
        return pb.DeleteTrainingRunResponse()


def _proto(run: TrainingRun) -> training_run_pb2.TrainingRun:
    return to_proto(run, training_run_pb2.TrainingRun)


def _parse_token(token: str, asked: str) -> int:
    try:
        digest, cursor = base64.urlsafe_b64decode(token.encode()).decode().split(".")
        before = int(cursor)
    except (ValueError, binascii.Error) as error:
        raise InputError([Problem("page_token", "is none that this service gave")]) from error
    if not 0 < before < 1 << 63:
        raise InputError([Problem("page_token", "is none that this service gave")])
    if digest != asked:
        raise InputError([Problem("page_token", "is of a request with other states or tags")])
    return before
