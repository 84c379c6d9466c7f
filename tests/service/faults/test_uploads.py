"""Uploads over a connection that damages, loses, repeats and breaks: only right bytes are ever visible."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from readlabel.artifacts.digest import file_ref
from readlabel.messages import ServiceError
from readlabel.server.intake import ALLOWANCE_BYTES
from readlabel.v1 import blob_service_pb2 as pb
from readlabel.v1 import blob_service_pb2_grpc, training_run_pb2
from readlabel.wire import Artifact, make_chunk, parse_status, to_proto

TRIES = 60
GIB = 1 << 30


@pytest.fixture
def stub(service: Any) -> Iterator[Any]:
    with grpc.insecure_channel(service.address) as channel:
        yield blob_service_pb2_grpc.BlobServiceStub(channel)


def write_random(path: Path, size: int, rng: random.Random) -> training_run_pb2.BlobRef:
    path.write_bytes(rng.randbytes(size))
    return to_proto(file_ref(path), training_run_pb2.BlobRef)


def messages(blob: training_run_pb2.BlobRef, data: bytes, start: int, step: int) -> list[pb.WriteBlobRequest]:
    sent = [pb.WriteBlobRequest(blob=blob, write_offset=start)]
    for at in range(start, len(data), step):
        sent.append(pb.WriteBlobRequest(write_offset=at, chunk=make_chunk(data[at : at + step])))
    sent.append(pb.WriteBlobRequest(write_offset=len(data), finish_write=True))
    return sent


def damage(sent: list[pb.WriteBlobRequest], rng: random.Random) -> list[pb.WriteBlobRequest]:
    """One of the things that can happen to messages on their way."""
    index = rng.randrange(1, len(sent) - 1)
    match rng.choice(["corrupt", "checksum", "truncate", "reorder", "replay", "lose", "end", "other"]):
        case "corrupt":
            data = bytearray(sent[index].chunk.data)
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            sent[index].chunk.data = bytes(data)
        case "checksum":
            sent[index].chunk.crc32c ^= 1
        case "truncate":
            sent[index].chunk.CopyFrom(make_chunk(sent[index].chunk.data[:-1]))
        case "reorder":
            other = rng.randrange(1, len(sent))
            sent[index], sent[other] = sent[other], sent[index]
        case "replay":
            sent.insert(rng.randrange(index, len(sent)), sent[index])
        case "lose":
            del sent[index]
        case "end":
            del sent[index:]
        case "other":
            sent[index].chunk.CopyFrom(make_chunk(rng.randbytes(len(sent[index].chunk.data))))
    return sent


def test_no_damage_on_the_way_is_ever_visible_and_the_right_bytes_still_arrive(
    service: Any, client: Any, stub: Any, tmp_path: Path
) -> None:
    rng = random.Random(4)
    path = tmp_path / "reads"
    for number in range(TRIES):
        blob = write_random(path, rng.randrange(50_000, 300_000), rng)
        data = path.read_bytes()
        for _ in range(3):
            status = stub.GetWriteStatus(pb.GetWriteStatusRequest(blob=blob))
            sent = messages(blob, data, status.committed_size, 20_000)
            if status.complete or len(sent) < 4:
                break  # nothing is left that could be damaged
            call = stub.WriteBlob.future(iter(damage(sent, rng)))
            error = call.exception(30)
            reasons = ("INVALID_ARGUMENT", "WRONG_OFFSET", "DIGEST_MISMATCH")
            assert error is None or parse_status(error).reason in reasons, number
            for visible in (service.data_dir / "blobs").glob("*/*"):
                assert file_ref(visible).sha256 == visible.name
        client.upload(path, file_ref(path))
        client.download(Artifact(name="copy", media_type="", blob=file_ref(path)), tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == data
    assert list((service.data_dir / "uploads").iterdir()) == []


def test_many_clients_with_one_file_store_it_once(service: Any, tmp_path: Path) -> None:
    path = tmp_path / "reads"
    write_random(path, 20 << 20, random.Random(5))
    blob = file_ref(path)
    sent: list[bool] = []

    def upload() -> None:
        with service.client() as client:
            sent.append(client.upload(path, blob))

    threads = [threading.Thread(target=upload) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(sent) == 6
    assert sent.count(True) == 1
    assert [file_ref(visible) for visible in (service.data_dir / "blobs").glob("*/*")] == [blob]


class Cutter:
    """Stands between client and service and cuts each of the first connections after some bytes."""

    def __init__(self, target: str, cuts: list[int]) -> None:
        self.passed = 0
        self._target = target.removeprefix("unix:")
        self._cuts = cuts
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            left = self._cuts.pop(0) if self._cuts else 1 << 62
            for pair in ((near, far, left), (far, near, 1 << 62)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, left: int) -> None:
        counted = left < 1 << 62 or source.family is socket.AF_INET
        try:
            while left > 0 and (data := source.recv(min(left, 1 << 16))):
                sink.sendall(data)
                left -= len(data)
                self.passed += len(data) if counted else 0
        except OSError:
            pass  # the other direction was cut
        for one in (source, sink):
            one.close()


def test_a_connection_that_breaks_again_and_again_goes_on_at_the_offset(service: Any, tmp_path: Path) -> None:
    from readlabel.client import Endpoint, TrainingClient

    path = tmp_path / "reads"
    write_random(path, 24 << 20, random.Random(6))
    cutter = Cutter(service.address, [3 << 20] * 6)
    try:
        with TrainingClient(Endpoint(cutter.address), patience=60) as client:
            assert client.upload(path, file_ref(path))
            client.download(Artifact(name="copy", media_type="", blob=file_ref(path)), tmp_path / "copy")
    finally:
        cutter.close()
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()
    # A cut loses what was on its way, at most a few chunks; an upload from the start would send 24 MiB each time.
    assert cutter.passed < (24 << 20) + 6 * (4 << 20)


def send_huge(service: Any, metadata: Any = None) -> Iterator[tuple[str, grpc.StatusCode, int]]:
    """Send a string of a gigabyte to each kind of call; how it was refused, and the service's memory afterwards."""
    methods = {
        "TrainingService/CreateTrainingRun": "unary_unary",
        "TrainingService/WatchTrainingRun": "unary_stream",
        "BlobService/WriteBlob": "stream_unary",
    }
    process = psutil.Process(service.process.pid)
    huge = b"\x0a\x80\x80\x80\x80\x04" + bytes(GIB)
    with grpc.insecure_channel(service.address, options=[("grpc.max_send_message_length", -1)]) as channel:
        for name, kind in methods.items():
            call = getattr(channel, kind)(f"/readlabel.v1.{name}", lambda data: data, lambda data: data)
            request = iter([huge]) if kind.startswith("stream") else huge
            with pytest.raises(grpc.RpcError) as caught:
                answer = call(request, timeout=60, metadata=metadata)
                list(answer if kind.endswith("stream") else [answer])
            assert caught.value.details()
            yield name, caught.value.code(), process.memory_info().rss


def test_messages_of_a_gigabyte_are_refused_before_they_take_the_memory(service: Any, client: Any) -> None:
    """gRPC assembles a message whole before it looks at its size, so the service looks at its own memory meanwhile."""
    client.server_info()
    calm = psutil.Process(service.process.pid).memory_info().rss
    Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")  # resets the highest memory that it remembers
    for _ in range(3):
        for name, code, _ in send_huge(service):
            assert code is grpc.StatusCode.UNAVAILABLE, name
            client.server_info()
    assert peak_memory(service) < calm + 2 * ALLOWANCE_BYTES
    left = psutil.Process(service.process.pid).memory_info().rss
    assert left < calm + (64 << 20), "what came is given back to the system"


def peak_memory(service: Any) -> int:
    """The most memory that the service had since this was reset, in bytes."""
    words = Path(f"/proc/{service.process.pid}/status").read_text().split("VmHWM:")[1].split()
    return int(words[0]) << 10


def test_who_has_no_token_takes_no_memory_with_messages_of_any_size(
    start_service: Callable[..., Any], tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-of-sufficient-length\n")
    service = start_service("--listen", "127.0.0.1:0", "--token-file", token)
    with service.client(token_file=token) as client:
        client.server_info()
        Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")
        for name, code, _ in send_huge(service):
            assert code is grpc.StatusCode.UNAUTHENTICATED, name
        client.server_info()
    assert peak_memory(service) < 160 << 20


def test_thousands_of_refused_requests_leave_memory_flat(service: Any, client: Any, stub: Any) -> None:
    blob = training_run_pb2.BlobRef(sha256="0" * 64, size_bytes=5)
    wrong = [pb.WriteBlobRequest(blob=blob, chunk=make_chunk(b"wrong"))]
    wrong.append(pb.WriteBlobRequest(write_offset=5, finish_write=True))

    def refuse(times: int) -> int:
        for _ in range(times):
            with pytest.raises(grpc.RpcError):
                stub.WriteBlob(iter(wrong))
            with pytest.raises(ServiceError):
                client.get("0" * 32)
        return int(psutil.Process(service.process.pid).memory_info().rss)

    warm = refuse(1000)
    assert refuse(3000) - warm < 6 << 20
    assert psutil.Process(service.process.pid).num_fds() < 100
