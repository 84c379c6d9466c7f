"""Blobs over a real socket: what is damaged, torn or half there is never visible."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from readlabel.artifacts.digest import file_ref
from readlabel.client import TrainingClient
from readlabel.messages import BlobRef, InputError, ServiceError
from readlabel.v1 import blob_service_pb2 as pb
from readlabel.v1 import blob_service_pb2_grpc, training_run_pb2
from readlabel.wire import MAX_CHUNK_BYTES, Artifact, make_chunk, parse_status, to_proto

SIZE = 2 * MAX_CHUNK_BYTES + 12_345


@pytest.fixture(scope="module")
def service(make_processes: Any, service_class: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One service for all tests here: each sends bytes of its own."""
    folder = tmp_path_factory.mktemp("blobs")
    one = service_class(make_processes(folder), folder / "data", "--devices", "cpu:1")
    yield one
    assert one.terminate() == 0


@pytest.fixture
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "reads"
    path.write_bytes(random.Random(request.node.name).randbytes(SIZE))
    return path


@pytest.fixture
def stub(service: Any) -> Iterator[Any]:
    with grpc.insecure_channel(service.address) as channel:
        yield blob_service_pb2_grpc.BlobServiceStub(channel)


def ref(path: Path) -> training_run_pb2.BlobRef:
    return to_proto(file_ref(path), training_run_pb2.BlobRef)


def messages(path: Path, start: int = 0, end: int = SIZE, finish: bool = True) -> list[pb.WriteBlobRequest]:
    """The messages of an upload of a part of a file."""
    data = path.read_bytes()
    sent = [pb.WriteBlobRequest(blob=ref(path), write_offset=start)]
    for at in range(start, end, MAX_CHUNK_BYTES):
        piece = data[at : min(at + MAX_CHUNK_BYTES, end)]
        sent.append(pb.WriteBlobRequest(write_offset=at, chunk=make_chunk(piece)))
    if finish:
        sent.append(pb.WriteBlobRequest(write_offset=end, finish_write=True))
    return sent


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), parse_status(caught.value).reason


def status(stub: Any, path: Path) -> tuple[int, bool]:
    answer = stub.GetWriteStatus(pb.GetWriteStatusRequest(blob=ref(path)))
    return answer.committed_size, answer.complete


def test_a_file_goes_up_once_and_comes_down_the_same(client: TrainingClient, file: Path, tmp_path: Path) -> None:
    blob = file_ref(file)
    assert client.upload(file, blob)
    assert not client.upload(file, blob)
    client.download(Artifact(name="copy", media_type="", blob=blob), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == file.read_bytes()


def test_an_empty_file_is_a_blob_too(client: TrainingClient, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    blob = file_ref(tmp_path / "empty")
    assert client.upload(tmp_path / "empty", blob)
    client.download(Artifact(name="copy", media_type="", blob=blob), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b""


def test_a_broken_upload_goes_on_where_it_broke_whoever_sends_the_rest(
    stub: Any, client: TrainingClient, file: Path
) -> None:
    answer = stub.WriteBlob(iter(messages(file, end=MAX_CHUNK_BYTES + 7, finish=False)))
    assert (answer.committed_size, answer.complete) == (MAX_CHUNK_BYTES + 7, False)
    assert status(stub, file) == (MAX_CHUNK_BYTES + 7, False)
    assert [blob.sha256 for blob in stub.FindMissingBlobs(pb.FindMissingBlobsRequest(blobs=[ref(file)])).missing]
    assert client.upload(file, file_ref(file))
    assert status(stub, file) == (SIZE, True)


def test_a_damaged_chunk_is_refused_and_the_bytes_before_it_are_kept(stub: Any, file: Path) -> None:
    sent = messages(file)
    sent[2].chunk.data = b"damaged" + sent[2].chunk.data[7:]
    assert refused(lambda: stub.WriteBlob(iter(sent))) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert status(stub, file) == (MAX_CHUNK_BYTES, False)


def test_reordered_and_replayed_chunks_are_refused_with_the_committed_size(stub: Any, file: Path) -> None:
    sent = messages(file)
    sent[1], sent[2] = sent[2], sent[1]
    assert refused(lambda: stub.WriteBlob(iter(sent))) == (grpc.StatusCode.OUT_OF_RANGE, "WRONG_OFFSET")
    sent = messages(file)
    sent.insert(2, sent[1])
    assert refused(lambda: stub.WriteBlob(iter(sent))) == (grpc.StatusCode.OUT_OF_RANGE, "WRONG_OFFSET")
    with pytest.raises(grpc.RpcError) as caught:
        stub.WriteBlob(iter(messages(file)))
    assert parse_status(caught.value).metadata == {"committed_size": str(MAX_CHUNK_BYTES)}


def test_a_blob_of_another_digest_is_never_visible(stub: Any, client: TrainingClient, file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(random.Random("other").randbytes(SIZE))
    sent = messages(file)
    sent[0].blob.CopyFrom(ref(other))
    assert refused(lambda: stub.WriteBlob(iter(sent))) == (grpc.StatusCode.DATA_LOSS, "DIGEST_MISMATCH")
    assert status(stub, other) == (0, False)
    # Somebody's wrong bytes at the beginning do not keep the right ones out.
    sent = messages(file, end=MAX_CHUNK_BYTES, finish=False)
    sent[0].blob.CopyFrom(ref(other))
    stub.WriteBlob(iter(sent))
    assert client.upload(other, file_ref(other))
    assert status(stub, other) == (SIZE, True)


def test_more_bytes_than_were_said_or_fewer_are_refused(stub: Any, file: Path) -> None:
    fewer = messages(file, end=SIZE - 1)
    assert refused(lambda: stub.WriteBlob(iter(fewer)))[0] is grpc.StatusCode.INVALID_ARGUMENT
    more = pb.WriteBlobRequest(write_offset=SIZE - 1, blob=ref(file), chunk=make_chunk(b"two"))
    assert refused(lambda: stub.WriteBlob(iter([more])))[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert status(stub, file) == (SIZE - 1, False)


def test_two_clients_with_one_file_send_it_once(stub: Any, service: Any, file: Path) -> None:
    """While the first is at it, the second waits and goes on where the first gives up."""
    import queue
    import threading

    first: queue.Queue[pb.WriteBlobRequest | None] = queue.Queue()
    for message in messages(file, end=MAX_CHUNK_BYTES, finish=False):
        first.put(message)
    call = stub.WriteBlob.future(iter(first.get, None))
    waited = threading.Event()
    while status(stub, file) != (MAX_CHUNK_BYTES, False):
        waited.wait(0.02)
    assert refused(lambda: stub.WriteBlob(iter(messages(file)))) == (
        grpc.StatusCode.ABORTED,
        "UPLOAD_IN_PROGRESS",
    )
    with service.client() as client:
        second = threading.Thread(target=client.upload, args=(file, file_ref(file)))
        second.start()
        first.put(None)
        assert call.result(30).committed_size == MAX_CHUNK_BYTES
        second.join(30)
    assert status(stub, file) == (SIZE, True)


def test_reading_starts_at_any_offset(stub: Any, client: TrainingClient, file: Path) -> None:
    client.upload(file, file_ref(file))
    for offset in (0, 5, MAX_CHUNK_BYTES, SIZE - 1, SIZE):
        got = list(stub.ReadBlob(pb.ReadBlobRequest(blob=ref(file), read_offset=offset)))
        assert b"".join(one.chunk.data for one in got) == file.read_bytes()[offset:]
    for offset in (-1, SIZE + 1):
        request = pb.ReadBlobRequest(blob=ref(file), read_offset=offset)
        assert refused(lambda r=request: list(stub.ReadBlob(r)))[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_what_is_no_digest_is_refused(stub: Any, client: TrainingClient, file: Path) -> None:
    for name in ("", "../../../etc/passwd", "0" * 63, "G" * 64, "a" * 100_000):
        blob = training_run_pb2.BlobRef(sha256=name, size_bytes=1)
        assert refused(lambda b=blob: list(stub.ReadBlob(pb.ReadBlobRequest(blob=b))))[0] is (
            grpc.StatusCode.INVALID_ARGUMENT
        )
        assert refused(lambda b=blob: stub.WriteBlob(iter([pb.WriteBlobRequest(blob=b)])))[0] is (
            grpc.StatusCode.INVALID_ARGUMENT
        )
    absent = Artifact(name="x", media_type="", blob=BlobRef(sha256="0" * 64, size_bytes=3))
    with pytest.raises(ServiceError) as caught:
        client.download(absent, file.with_name("absent"))
    assert caught.value.reason == "BLOB_NOT_FOUND"
    assert not file.with_name("absent").exists()


def test_a_file_that_changes_while_it_is_sent_is_said_to(client: TrainingClient, file: Path) -> None:
    blob = file_ref(file)
    file.write_bytes(random.Random("changed").randbytes(SIZE))
    with pytest.raises(InputError, match="changed while it was sent"):
        client.upload(file, blob)


def test_a_message_over_the_limit_is_refused(stub: Any, client: TrainingClient, file: Path) -> None:
    huge = pb.WriteBlobRequest(blob=ref(file), chunk=make_chunk(b"A" * (5 << 20)))
    assert refused(lambda: stub.WriteBlob(iter([huge])))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    over = pb.WriteBlobRequest(blob=ref(file), chunk=make_chunk(b"A" * (MAX_CHUNK_BYTES + 1)))
    assert refused(lambda: stub.WriteBlob(iter([over])))[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert client.upload(file, file_ref(file))


def test_a_blob_larger_than_the_disk_is_refused_before_it_is_sent(stub: Any, file: Path) -> None:
    blob = training_run_pb2.BlobRef(sha256="1" * 64, size_bytes=1 << 40)
    assert refused(lambda: stub.WriteBlob(iter([pb.WriteBlobRequest(blob=blob)]))) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "DISK_FULL",
    )


def test_a_full_disk_is_told_and_keeps_nothing_torn(stub: Any, service: Any, file: Path) -> None:
    blob = ref(file)
    partial = service.data_dir / "uploads" / f"{blob.sha256}.{blob.size_bytes}"
    partial.symlink_to("/dev/full")
    assert refused(lambda: stub.WriteBlob(iter(messages(file)))) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "DISK_FULL")
    assert status(stub, file) == (0, False)
    partial.unlink()
    assert stub.WriteBlob(iter(messages(file))).complete
