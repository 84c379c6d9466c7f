"""Whatever bytes a caller sends, the answer is a status that says what is wrong: never a crash, a traceback, a hang.

`make test` tries a few hundred requests of each call, the same each time; many more, and others each time:

    make test PYTEST_ARGS="tests/service/test_hostile_requests.py --hypothesis-profile=long"
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readlabel.artifacts.digest import file_ref
from readlabel.messages import GridPoint, RunSpec
from readlabel.v1 import blob_service_pb2, training_run_pb2, training_service_pb2
from readlabel.v1 import training_service_pb2 as pb
from readlabel.wire import parse_status, to_proto

METHODS = [
    method
    for file in (training_service_pb2, blob_service_pb2, health_pb2, reflection_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
DEADLINE_SECONDS = 20
LONG = settings.get_current_profile_name() == "long"
OF_PYTHON = re.compile(r"Traceback|File \"|<class|Unexpected|Exception|\w+Error\b")

PATHS = ["..", "../../etc/passwd", "/etc/passwd", "runs/../runs", "runs/%2e%2e", "a\0b", "~", "-rf", "$(id)"]
STRINGS = st.sampled_from([*PATHS, "", " ", "\n", "'; DROP TABLE runs; --", "☃" * 50, "x" * 70_000, "0" * 64])
WHOLE = st.sampled_from([0, 1, -1, 2, 127, 2**31 - 1, -(2**31), 2**31, 2**32 - 1, 2**63 - 1, -(2**63), 2**64 - 1])
BROKEN = st.sampled_from([0.0, -0.0, -1.0, math.nan, math.inf, -math.inf, 5e-324, 1.7e308, 0.5])
RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}


def scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Values of a field that is no message, those that hurt first."""
    if field.cpp_type in RANGES:
        low, high = RANGES[field.cpp_type]
        return WHOLE.map(lambda number: max(low, min(high, number))) | st.integers(low, high) | st.integers(0, 9)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return BROKEN | st.floats(width=32)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=200)
    return STRINGS | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@st.composite
def messages(draw: st.DrawFn, kind: Descriptor, depth: int = 0) -> Message:
    """Any message of a kind."""
    message = GetMessageClass(kind)()
    fill(draw, message, depth)
    return message


def fill(draw: st.DrawFn, message: Message, depth: int = 0) -> None:
    """Set some fields of a message to anything."""
    fields = list(message.DESCRIPTOR.fields)
    for field in draw(st.lists(st.sampled_from(fields), unique_by=lambda one: one.name)) if fields else []:
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            keys, values = (scalars(inner.fields_by_name[part]) for part in ("key", "value"))
            getattr(message, field.name).update(draw(st.dictionaries(keys, values, max_size=4)))
        elif field.label == FieldDescriptor.LABEL_REPEATED:
            items = messages(inner, depth + 1) if inner is not None else scalars(field)
            getattr(message, field.name).extend(draw(st.lists(items, max_size=3)) if depth < 6 else [])
        elif inner is not None:
            getattr(message, field.name).SetInParent()
            if depth < 6:
                fill(draw, getattr(message, field.name), depth + 1)
        else:
            setattr(message, field.name, draw(scalars(field)))


@st.composite
def bent(draw: st.DrawFn, sound: Message) -> Message:
    """A sound message of which a few fields, however deep, are anything: it comes past the first checks."""
    message = type(sound)()
    message.CopyFrom(sound)
    for _ in range(draw(st.integers(1, 3))):
        at: Any = message
        while True:
            inside = [value for field, value in at.ListFields() if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE]
            parts = [one for value in inside for one in ([value] if isinstance(value, Message) else list(value))]
            parts = [part for part in parts if isinstance(part, Message)]
            if not parts or draw(st.integers(0, 3)) == 0:
                break
            at = draw(st.sampled_from(parts))
        fill(draw, at, depth=5)
    return message


def kind_of(method: MethodDescriptor) -> str:
    """The name of a method's kind, as grpc has it: such as unary_stream."""
    return "_".join("stream" if many else "unary" for many in (method.client_streaming, method.server_streaming))


class Caller:
    """Calls any method with bytes."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, options=[("grpc.max_send_message_length", -1)])

    def call(self, method: MethodDescriptor, requests: Sequence[bytes], most: int = 5) -> tuple[grpc.StatusCode, str]:
        """Send requests, hear at most a few answers; the status and what it says."""
        kind = kind_of(method)
        path = f"/{method.containing_service.full_name}/{method.name}"
        make = getattr(self.channel, kind)(path, lambda data: data, lambda data: data)
        try:
            answer = make(iter(requests) if method.client_streaming else requests[0], timeout=DEADLINE_SECONDS)
            if method.server_streaming:
                for number, _ in enumerate(answer, 1):
                    if number == most or "Watch" in method.name:
                        answer.cancel()
                        break
            return grpc.StatusCode.OK, ""
        except grpc.RpcError as error:
            refusal = error
        assert parse_status(refusal).reason or "readlabel" not in path, ("without a reason", refusal)
        return refusal.code(), str(refusal.details())


def check(code: grpc.StatusCode, details: str, sent: Sequence[bytes] = ()) -> None:
    """Hold an answer against what a caller may be told; words of its own it may be told back."""
    dull = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert code not in dull, (code, details, sent)
    own = b"\n".join(sent).decode(errors="replace")
    assert not [word for word in OF_PYTHON.findall(details) if word not in own + repr(own)], (details, sent)


@pytest.fixture(scope="module")
def service(make_processes: Any, service_class: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One service for all tests here. At the end it still serves, and has met no fault of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    one = service_class(make_processes(folder), folder / "data", "--devices", "cpu:1")
    yield one
    with one.client() as client:
        client.server_info()
    assert one.terminate() == 0
    log = one.errors()
    assert "Traceback" not in log, log
    assert "internal error" not in log, log


@pytest.fixture(scope="module")
def caller(service: Any) -> Iterator[Caller]:
    one = Caller(service.address)
    yield one
    one.channel.close()


@pytest.fixture
def sound(service: Any, make_script: Callable[..., Any]) -> dict[str, list[Message]]:
    """A sound request, or the messages of one, for each call that looks at more than a name."""
    script = make_script(epochs=1)
    with service.client() as client:
        name = script.create(client)
        list(client.watch(name))
        artifact = client.get(name).artifacts[0]
    run = training_run_pb2.TrainingRun(spec=to_proto(script.spec, training_run_pb2.RunSpec), tags={"sweep": "august"})
    blob = to_proto(script.spec.training_reads, training_run_pb2.BlobRef)
    chunk = blob_service_pb2.Chunk(data=b"abc", crc32c=0x364B3FB7)
    by_name = {
        "CreateTrainingRun": [pb.CreateTrainingRunRequest(training_run=run, validate_only=True)],
        "ListTrainingRuns": [pb.ListTrainingRunsRequest(page_size=2, states=[4], tags={"sweep": "august"})],
        "WatchTrainingRun": [pb.WatchTrainingRunRequest(name=name, after_sequence=1)],
        "FindMissingBlobs": [blob_service_pb2.FindMissingBlobsRequest(blobs=[blob, blob])],
        "WriteBlob": [blob_service_pb2.WriteBlobRequest(blob=blob), blob_service_pb2.WriteBlobRequest(chunk=chunk)],
        "GetWriteStatus": [blob_service_pb2.GetWriteStatusRequest(blob=blob)],
        "ReadBlob": [blob_service_pb2.ReadBlobRequest(blob=to_proto(artifact.blob, training_run_pb2.BlobRef))],
    }
    for verb in ("Get", "Cancel", "Resume", "Delete"):
        kind = getattr(pb, f"{verb}TrainingRunRequest")
        by_name[f"{verb}TrainingRun"] = [kind(name=name, etag="no") if verb == "Delete" else kind(name=name)]
    return by_name


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_any_message_gets_an_answer(caller: Caller, sound: dict[str, list[Message]], method: MethodDescriptor) -> None:
    any_message = messages(method.input_type)
    requests = st.lists(any_message, min_size=1, max_size=3 if method.client_streaming else 1)
    if method.name in sound:
        requests |= st.tuples(*map(bent, sound[method.name])).map(list)
    raw = st.lists(st.binary(max_size=60), min_size=1, max_size=2)

    @settings(
        max_examples=5000 if LONG else 150,
        derandomize=not LONG,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests.map(lambda found: [one.SerializeToString() for one in found]) | raw)
    def send(encoded: list[bytes]) -> None:
        check(*caller.call(method, encoded), encoded)

    send()


def by_name(name: str) -> MethodDescriptor:
    return next(method for method in METHODS if method.name == name)


def refused(caller: Caller, name: str, request: Message) -> str:
    """Send what must be refused as no valid argument; what the caller is told."""
    found, details = caller.call(by_name(name), [request.SerializeToString()])
    check(found, details)
    assert found is grpc.StatusCode.INVALID_ARGUMENT, (name, found, details)
    return details


@pytest.mark.parametrize("trick", [*PATHS[:6], "runs/" + "0" * 31 + "/", "runs/" + "0" * 32 + "\n", "RUNS/" + "0" * 32])
def test_a_name_with_a_path_in_it_is_no_name(caller: Caller, trick: str) -> None:
    for verb in ("Get", "Watch", "Cancel", "Resume", "Delete"):
        kind = getattr(pb, f"{verb}TrainingRunRequest")
        assert "is no name of a run" in refused(caller, f"{verb}TrainingRun", kind(name=trick))
    blob = training_run_pb2.BlobRef(sha256=trick.ljust(64, "0")[:64], size_bytes=1)
    for name, kind in (
        ("WriteBlob", blob_service_pb2.WriteBlobRequest),
        ("GetWriteStatus", blob_service_pb2.GetWriteStatusRequest),
        ("ReadBlob", blob_service_pb2.ReadBlobRequest),
    ):
        assert "blob.sha256" in refused(caller, name, kind(blob=blob))


def test_lists_of_a_million_items_are_refused(caller: Caller, sound: dict[str, list[Message]]) -> None:
    million = 10**6
    (create,) = sound["CreateTrainingRun"]
    for field in ("segments", "barcodes", "umis"):
        request: Any = pb.CreateTrainingRunRequest()
        request.CopyFrom(create)
        library = request.training_run.spec.point.library
        empty = [training_run_pb2.Segment()] if field == "segments" else [""]
        getattr(library, field).extend(empty * million)
        details = refused(caller, "CreateTrainingRun", request)
        assert f"{field}: 100" in details
        assert "no list here is so long" in details
    blobs = [training_run_pb2.BlobRef()] * million
    assert "at most 1000" in refused(caller, "FindMissingBlobs", blob_service_pb2.FindMissingBlobsRequest(blobs=blobs))
    tags = {f"{number:x}": "" for number in range(million // 4)}
    assert "at most 64" in refused(caller, "ListTrainingRuns", pb.ListTrainingRunsRequest(tags=tags))
    request = pb.CreateTrainingRunRequest()
    request.CopyFrom(create)
    request.training_run.tags.update(tags)
    assert "tags" in refused(caller, "CreateTrainingRun", request)
    # A million times the same state is one state.
    states = pb.ListTrainingRunsRequest(states=[1] * million).SerializeToString()
    assert caller.call(by_name("ListTrainingRuns"), [states])[0] is grpc.StatusCode.OK
    # A field that nobody knows, a million times.
    unknown = create.SerializeToString() + b"\xf8\x7f\x01" * million
    code, details = caller.call(by_name("CreateTrainingRun"), [unknown])
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT), details


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("learning_rate", -0.001),
        ("dropout_rate", math.nan),
        ("train_fraction", -math.inf),
        ("epochs", -1),
        ("batch_size", 2**31 - 1),
        ("conv_filters", -(2**31)),
    ],
)
def test_numbers_that_are_none_or_out_of_range_are_refused(
    caller: Caller, sound: dict[str, list[Message]], field: str, value: float
) -> None:
    request: Any = sound["CreateTrainingRun"][0]
    setattr(request.training_run.spec.point.hyperparameters, field, value)
    assert f"training_run.spec.point.hyperparameters.{field}" in refused(caller, "CreateTrainingRun", request)


def test_sizes_offsets_and_tokens_beyond_all_bounds_are_refused(caller: Caller, service: Any) -> None:
    huge = training_run_pb2.BlobRef(sha256="0" * 64, size_bytes=2**63 - 1)
    negative = training_run_pb2.BlobRef(sha256="0" * 64, size_bytes=-1)
    assert "at most" in refused(caller, "WriteBlob", blob_service_pb2.WriteBlobRequest(blob=huge))
    assert "size_bytes" in refused(caller, "WriteBlob", blob_service_pb2.WriteBlobRequest(blob=negative))
    assert "read_offset" in refused(caller, "ReadBlob", blob_service_pb2.ReadBlobRequest(blob=huge, read_offset=-1))
    assert "page_size" in refused(caller, "ListTrainingRuns", pb.ListTrainingRunsRequest(page_size=-5))
    asked = hashlib.sha256(json.dumps([[], []]).encode()).hexdigest()[:12]
    for cursor in ("9" * 30, "9" * 5000, "-1", "0", "nan", "1e9"):
        token = base64.urlsafe_b64encode(f"{asked}.{cursor}".encode()).decode()
        request = pb.ListTrainingRunsRequest(page_token=token)
        assert "page_token" in refused(caller, "ListTrainingRuns", request)


def test_compressed_requests_are_refused(service: Any) -> None:
    """A megabyte that unfolds into a gigabyte would be in memory before anyone could look at it."""
    bomb = pb.GetTrainingRunRequest(name="x" * (64 << 20)).SerializeToString()
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(service.address, options, compression=grpc.Compression.Gzip) as channel:
        call = channel.unary_unary(f"/{by_name('GetTrainingRun').containing_service.full_name}/GetTrainingRun")
        with pytest.raises(grpc.RpcError) as caught:
            call(bomb, timeout=DEADLINE_SECONDS)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "disabled" in str(caught.value.details())


def test_bytes_that_are_no_message_are_told_so_with_a_reason(service: Any) -> None:
    with grpc.insecure_channel(service.address) as channel:
        for method in METHODS:
            kind = kind_of(method)
            call = getattr(channel, kind)(f"/{method.containing_service.full_name}/{method.name}")
            with pytest.raises(grpc.RpcError) as caught:
                answer = call(iter([b"\xff\xff"]) if method.client_streaming else b"\xff\xff", timeout=DEADLINE_SECONDS)
                list(answer if method.server_streaming else [answer])
            assert parse_status(caught.value).reason == "INVALID_ARGUMENT", method.name


class Trap:
    """What runs code when pickle loads it: a file appears."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_a_pickle_in_the_place_of_reads_fails_its_run_and_is_loaded_by_nobody(
    start_service: Callable[..., Any], real_reads: tuple[Path, Path], point_file: Callable[..., Path], tmp_path: Path
) -> None:
    trap, mark = tmp_path / "trap.parquet", tmp_path / "it ran"
    trap.write_bytes(pickle.dumps(Trap(mark)))
    pickle.loads(trap.read_bytes())
    mark.unlink()  # so it does run when it is loaded
    point = GridPoint.model_validate_json(point_file().read_text())
    service = start_service("--devices", "cpu:1", scripted=False)
    with service.client() as client:
        for training, validation in ((trap, real_reads[1]), (real_reads[0], trap)):
            for path in (training, validation):
                client.upload(path, file_ref(path))
            name = client.create(
                RunSpec(point=point, training_reads=file_ref(training), validation_reads=file_ref(validation))
            ).name
            list(client.watch(name))
            run = client.get(name)
            assert run.failure is not None
            assert (run.state, run.failure.reason) == ("FAILED", "INVALID_INPUT"), run.failure
            assert not mark.exists()
