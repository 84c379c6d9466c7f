"""What a caller is told whose call is refused: code, reason, when to try again, what to do; and how long it waits."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from readlabel.artifacts.digest import file_ref
from readlabel.client import Endpoint, TrainingClient
from readlabel.client.connection import BLOB_SILENCE_SECONDS, DEADLINES, WATCH_SILENCE_SECONDS
from readlabel.client.transfer import SLOWEST_BYTES_PER_SECOND
from readlabel.messages import ENGINE_REVISION, BlobRef, ReadlabelError
from readlabel.server.blob_servicer import BlobServicer
from readlabel.server.blob_store import BlobStore
from readlabel.server.config import Limits
from readlabel.server.guard import Guard
from readlabel.server.telemetry import Telemetry
from readlabel.v1 import blob_service_pb2, blob_service_pb2_grpc, training_run_pb2, training_service_pb2_grpc
from readlabel.v1 import training_service_pb2 as pb
from readlabel.wire import Artifact, make_chunk, parse_status, to_proto

ROOT = Path(__file__).resolve().parents[2]
LONG_SECONDS = 1e6
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
def stub(service: Any) -> Iterator[Any]:
    with grpc.insecure_channel(service.address) as channel:
        yield training_service_pb2_grpc.TrainingServiceStub(channel)


def request_of(spec: Any) -> pb.CreateTrainingRunRequest:
    request = pb.CreateTrainingRunRequest()
    request.training_run.spec.CopyFrom(to_proto(spec, training_run_pb2.RunSpec))
    return request


def refusal(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str, float | None, Mapping[str, str]]:
    """How a call is refused: code, reason, seconds after which to try again, and metadata."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    status = parse_status(caught.value)
    return caught.value.code(), status.reason, status.retry_seconds, status.metadata


def test_what_a_run_in_each_state_answers_to_who_would_change_it(
    stub: Any, client: TrainingClient, make_script: Callable[..., Any]
) -> None:
    busy, script = make_script(gated=True, deaf=True), make_script()
    running = pb.CancelTrainingRunRequest(name=busy.create(client)).name
    next(event for event in client.watch(running) if event.state_change and event.state_change.state == "RUNNING")
    waiting = script.create(client)
    for name, state in ((running, "RUNNING"), (waiting, "QUEUED")):
        again = client.create(client.get(name).spec)
        assert (again.name, again.state, len(again.attempts)) == (name, state, state == "RUNNING")
        assert client.resume(name).state == state
        delete = pb.DeleteTrainingRunRequest(name=name)
        assert refusal(lambda one=delete: stub.DeleteTrainingRun(one))[:3] == (PRECONDITION, "RUN_NOT_ENDED", None)
    client.cancel(running)
    for call in (
        lambda: stub.CreateTrainingRun(request_of(busy.spec)),
        lambda: stub.ResumeTrainingRun(pb.ResumeTrainingRunRequest(name=running)),
        lambda: stub.DeleteTrainingRun(pb.DeleteTrainingRunRequest(name=running)),
    ):
        assert refusal(call)[:3] == (PRECONDITION, "CANCELLING", 2)
    busy.open(1, 2, 3)  # the worker, which hears no order, comes to its end
    list(client.watch(running))
    list(client.watch(waiting))
    for call in (
        lambda: stub.CancelTrainingRun(pb.CancelTrainingRunRequest(name=waiting)),
        lambda: stub.ResumeTrainingRun(pb.ResumeTrainingRunRequest(name=waiting)),
    ):
        code, reason, retry, _ = refusal(call)
        assert (code, retry) == (PRECONDITION, None)
        assert reason in ("RUN_ENDED", "NOT_RESUMABLE")


def test_creating_a_cancelled_run_again_goes_on_from_its_checkpoint(
    client: TrainingClient, make_script: Callable[..., Any]
) -> None:
    script = make_script(gated=True)
    name = script.create(client)
    script.open(1)
    for event in client.watch(name):
        if event.epoch is not None:
            client.cancel(name)
    assert client.get(name).state == "CANCELLED"
    script.open(2, 3)
    assert client.create(script.spec).state == "QUEUED"
    assert [event.epoch.epoch for event in client.watch(name) if event.epoch is not None] == [1, 2, 3]
    run = client.get(name)
    assert [(attempt.number, attempt.resumed_from_epoch) for attempt in run.attempts] == [(1, 0), (2, 1)]


def test_what_is_missing_or_does_not_fit_is_named_for_a_program(
    stub: Any, client: TrainingClient, make_script: Callable[..., Any]
) -> None:
    script = make_script()
    spec = script.spec
    code, reason, _, metadata = refusal(lambda: stub.CreateTrainingRun(request_of(spec)))
    assert (code, reason) == (PRECONDITION, "MISSING_BLOBS")
    assert metadata == {name: getattr(spec, name).sha256 for name in ("training_reads", "validation_reads")}
    script.upload(client)
    other = request_of(spec)
    other.training_run.spec.point.engine_revision = ENGINE_REVISION + 1
    code, reason, _, metadata = refusal(lambda: stub.CreateTrainingRun(other))
    assert (code, reason, metadata) == (PRECONDITION, "ENGINE_MISMATCH", {"engine_revision": str(ENGINE_REVISION)})


def test_a_wish_of_a_later_version_is_refused_wherever_it_stands(
    service: Any, client: TrainingClient, make_script: Callable[..., Any]
) -> None:
    script = make_script()
    script.upload(client)
    later = bytes([0xC8, 0x06, 1])  # field 105 = 1
    found = {}
    with grpc.insecure_channel(service.address) as channel:
        create = channel.unary_unary("/readlabel.v1.TrainingService/CreateTrainingRun")
        for place in ("", "training_run", "training_run.spec", "training_run.spec.point.options"):
            request = request_of(script.spec)
            at: Any = request
            for word in filter(None, place.split(".")):
                at = getattr(at, word)
            at.MergeFromString(later)
            with pytest.raises(grpc.RpcError) as caught:
                create(request.SerializeToString(), timeout=20)
            found[place] = [problem.where for problem in parse_status(caught.value).problems]
    assert found == {place: [f"{place}.#105".removeprefix(".")] for place in found}
    assert list(client.list()) == []


def test_fifty_findings_and_their_number_reach_a_caller_over_the_wire(
    stub: Any, make_script: Callable[..., Any]
) -> None:
    request = request_of(make_script().spec)
    for _ in range(70):
        request.training_run.spec.point.library.segments.add(name="-", pattern="NN")
    with pytest.raises(grpc.RpcError) as caught:
        stub.CreateTrainingRun(request)
    status = parse_status(caught.value)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert 20 <= len(status.problems) <= 50
    assert status.violations == 70
    assert status.problems[0].where == "training_run.spec.point.library.segments[4].name"


def test_an_upload_that_falls_silent_is_ended_and_goes_on_at_its_offset(tmp_path: Path) -> None:
    data = b"half of it"
    blob = BlobRef(sha256="0" * 64, size_bytes=2 * len(data))
    ref = to_proto(blob, training_run_pb2.BlobRef)

    async def upload() -> tuple[grpc.aio.AioRpcError, int]:
        server = grpc.aio.server(interceptors=[Guard(None)])
        servicer = BlobServicer(BlobStore(tmp_path, 1 << 20), Limits(upload_idle_seconds=0.2), Telemetry())
        blob_service_pb2_grpc.add_BlobServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = blob_service_pb2_grpc.BlobServiceStub(channel)  # type: ignore[no-untyped-call]
            call = stub.WriteBlob(timeout=30)
            await call.write(blob_service_pb2.WriteBlobRequest(blob=ref, chunk=make_chunk(data)))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            status = await stub.GetWriteStatus(blob_service_pb2.GetWriteStatusRequest(blob=ref))
        await server.stop(None)
        return caught.value, status.committed_size

    error, committed = asyncio.run(upload())
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "nothing came for 0.2 s" in str(error.details())
    assert committed == len(data)


def test_each_reason_is_in_the_documentation() -> None:
    reasons: set[str] = set()
    for path in (ROOT / "services/readlabel/server").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "RpcError":
                reasons.add(ast.literal_eval(node.args[1]))
    assert {"QUEUE_FULL", "UPLOAD_IDLE"} < reasons
    table = (ROOT / "docs/service.md").read_text().partition("**Errors**")[2].partition("\n\nEvery call")[0]
    assert reasons <= set(re.findall(r"\b[A-Z_]{5,}\b", "".join(line.split(" | ")[0] for line in table.splitlines())))


class Clock(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A service that refuses every call, after noting how long its caller would have waited."""

    def __init__(self) -> None:
        self.waits: dict[str, float] = {}

    def service(self, details: Any) -> Any:
        """A handler for any method."""
        name = details.method.rpartition("/")[2]

        def note(_requests: Any, context: Any) -> Iterator[bytes]:
            self.waits[name] = context.time_remaining()
            if name == "FindMissingBlobs":
                missing = blob_service_pb2.FindMissingBlobsResponse(missing=[training_run_pb2.BlobRef()])
                yield missing.SerializeToString()
            elif name == "GetWriteStatus":
                yield b""
            else:
                context.abort(grpc.StatusCode.INTERNAL, "as a test wants it")

        return grpc.stream_stream_rpc_method_handler(note)


def test_the_client_sets_the_deadline_of_every_call(tmp_path: Path) -> None:
    clock = Clock()
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[clock])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    (tmp_path / "reads").write_bytes(b"reads")
    blob, run = file_ref(tmp_path / "reads"), "0" * 32
    try:
        with TrainingClient(Endpoint(f"127.0.0.1:{port}")) as client:
            for call in (
                client.server_info,
                client.check_scope,
                lambda: client.get(run),
                lambda: list(client.list()),
                lambda: client.cancel(run),
                lambda: client.resume(run),
                lambda: client.delete(run),
                lambda: list(client.watch(run)),
                lambda: client.upload(tmp_path / "reads", blob),
                lambda: client.download(Artifact(name="x", media_type="", blob=blob), tmp_path / "copy"),
            ):
                with suppress(ReadlabelError):
                    call()
    finally:
        server.stop(None).wait(10)
    silent = {"WatchTrainingRun", "ReadBlob"}  # ended when nothing comes for so long: see test_streams.py
    assert {name for name, seconds in clock.waits.items() if seconds > LONG_SECONDS} == silent
    promised = {**DEADLINES, "WriteBlob": BLOB_SILENCE_SECONDS + blob.size_bytes / SLOWEST_BYTES_PER_SECOND}
    assert set(clock.waits) - silent == set(promised)
    for name, seconds in promised.items():
        assert clock.waits[name] == pytest.approx(seconds, rel=0.1), name  # which gRPC rounds on its way
    text = "".join((ROOT / "proto/readlabel/v1" / f"{name}_service.proto").read_text() for name in ("training", "blob"))
    for name, seconds in (
        ("WatchTrainingRun", Limits().heartbeat_seconds),
        ("WatchTrainingRun", WATCH_SILENCE_SECONDS),
        ("WriteBlob", Limits().upload_idle_seconds),
        ("ReadBlob", BLOB_SILENCE_SECONDS),
    ):
        comment = text[: text.index(f"rpc {name}(")].rpartition("rpc ")[2]
        assert f"{seconds} s" in comment, name
