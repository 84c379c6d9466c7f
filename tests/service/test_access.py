"""Who may call, and what each obstacle between client and service is told as."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from readlabel.client import Endpoint, TrainingClient
from readlabel.client.connection import DEADLINES
from readlabel.messages import (
    ENGINE_REVISION,
    InputError,
    ServiceMismatchError,
    ServiceRefusedError,
    ServiceUnavailableError,
)
from readlabel.v1 import blob_service_pb2, training_service_pb2, training_service_pb2_grpc
from readlabel.wire import MAX_CHUNK_BYTES, parse_status

TOKEN = "a-token-of-sufficient-length"
SERVICES = (
    training_service_pb2.DESCRIPTOR.services_by_name["TrainingService"],
    blob_service_pb2.DESCRIPTOR.services_by_name["BlobService"],
)
METHODS = [method for service in SERVICES for method in service.methods]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"# a comment\n{TOKEN}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with ca.pem, and cert.pem and key.pem for 127.0.0.1 that it signed, and other.pem, a CA that did not."""
    folder = tmp_path / "tls"
    folder.mkdir()

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        openssl(*new, "-keyout", f"{name}.key", "-out", f"{name}.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=service", "-keyout", "key.pem", "-out", "csr.pem")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    sign = ["x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
    openssl(*sign, "-extfile", "names", "-out", "cert.pem")
    return folder


def call_every_method(channel: grpc.Channel, metadata: Any) -> Iterator[tuple[str, grpc.RpcError]]:
    """Call each RPC of the API with an empty request; how each is refused."""
    for method in METHODS:
        path = f"/{method.containing_service.full_name}/{method.name}"
        many_in, many_out = method.client_streaming, method.server_streaming
        kind = f"{'stream' if many_in else 'unary'}_{'stream' if many_out else 'unary'}"
        call = getattr(channel, kind)(path, empty_pb2.Empty.SerializeToString, empty_pb2.Empty.FromString)
        request = iter([empty_pb2.Empty()]) if many_in else empty_pb2.Empty()
        with pytest.raises(grpc.RpcError) as caught:
            answer = call(request, timeout=10, metadata=metadata)
            list(answer if many_out else [answer])
        yield method.name, caught.value


@pytest.mark.parametrize(
    "metadata", [None, [("authorization", "Bearer wrong-token-of-some-length")], [("authorization", TOKEN)]]
)
def test_without_a_valid_token_every_call_is_refused(
    start_service: Callable[..., Any], token_file: Path, metadata: Any
) -> None:
    service = start_service("--listen", "127.0.0.1:0", "--token-file", token_file)
    with grpc.insecure_channel(service.address) as channel:
        for name, error in call_every_method(channel, metadata):
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED, name
            assert parse_status(error).reason == "UNAUTHENTICATED", name
            assert TOKEN not in (error.details() or "")
        serving = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert serving.status == health_pb2.HealthCheckResponse.SERVING


def test_a_token_opens_and_can_be_changed_while_the_service_runs(
    start_service: Callable[..., Any], token_file: Path, tmp_path: Path
) -> None:
    service = start_service("--listen", "127.0.0.1:0", "--token-file", token_file)
    with service.client(token_file=token_file) as client:
        client.check_version()
        (tmp_path / "new").write_text("another-token-of-sufficient-length\n")
        (tmp_path / "new").rename(tmp_path / "token.next")
        token_file.rename(tmp_path / "old")
        (tmp_path / "token.next").rename(token_file)
        with pytest.raises(ServiceRefusedError) as caught:
            client.server_info()
        assert caught.value.reason == "UNAUTHENTICATED"
        assert caught.value.exit_code == 77, "a pipeline must not take it for an accident and try again"
    with service.client(token_file=token_file) as client:
        client.check_version()


def test_a_token_that_may_only_read_is_told_so_before_anything_is_made_for_the_service(
    start_service: Callable[..., Any], processes: Any, tmp_path: Path
) -> None:
    service_tokens, read, write = (tmp_path / name for name in ("tokens", "read", "write"))
    service_tokens.write_text(f"{TOKEN} read\n{TOKEN[::-1]} write\n")
    read.write_text(TOKEN + "\n")
    write.write_text(TOKEN[::-1] + "\n")
    service = start_service("--listen", "127.0.0.1:0", "--token-file", service_tokens)
    asked = ("health", "--training", "--service", service.address, "--token-file")
    assert processes.run(*asked, write).returncode == 0
    refused = processes.run(*asked, read)
    assert (refused.returncode, refused.stdout) == (77, "")
    assert "the token may only read" in refused.stderr
    assert f"ask for a token of scope write; tried {service.address}" in refused.stderr
    with service.client(token_file=read) as client:
        assert list(client.list()) == []


def test_tls_and_token_together(start_service: Callable[..., Any], token_file: Path, certificates: Path) -> None:
    service = start_service(
        *("--listen", "127.0.0.1:0", "--token-file", token_file),
        *("--tls-cert", certificates / "cert.pem", "--tls-key", certificates / "key.pem"),
    )
    with service.client(token_file=token_file, tls_ca=certificates / "ca.pem") as client:
        assert client.check_version().engine_revision == ENGINE_REVISION
    for options in ({"tls_ca": certificates / "other.pem"}, {}):
        with service.client(token_file=token_file, **options) as client:
            with pytest.raises(ServiceUnavailableError, match=r"tried 127\.0\.0\.1:\d+, with") as caught:
                client.check_version()
            assert ("with TLS" in str(caught.value)) == bool(options)
            assert TOKEN not in str(caught.value)


def test_a_port_without_token_or_tls_is_refused_unless_insecure(processes: Any, tmp_path: Path) -> None:
    ended = processes.run("serve", "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "d")
    assert ended.returncode == 2
    assert "needs a token (--token-file)" in ended.stderr
    ended = processes.run("serve", "--listen", "0.0.0.0:0", "--data-dir", tmp_path / "d")
    assert "a token (--token-file)" in ended.stderr
    assert "TLS (--tls-cert and --tls-key)" in ended.stderr
    assert not (tmp_path / "d").exists()


def test_a_socket_that_is_given_as_an_address_to_listen_on_is_pointed_to_its_option(
    processes: Any, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    for option, message in (
        ("--listen", f"--listen takes HOST:PORT; for a Unix socket give --socket {path}"),
        ("--metrics-listen", "HOST:PORT is expected"),
    ):
        ended = processes.run("serve", option, f"unix:{path}", "--insecure", "--data-dir", tmp_path / "d")
        assert ended.returncode == 2, option
        assert message in ended.stderr.replace("\n ", "")
        assert not (tmp_path / "d").exists(), option


@pytest.mark.parametrize(
    "address", ["50051", ":50051", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:\N{SUPERSCRIPT TWO}"]
)
def test_what_is_no_address_is_told_what_one_looks_like(processes: Any, tmp_path: Path, address: str) -> None:
    ended = processes.run("serve", "--listen", address, "--insecure", "--data-dir", tmp_path / "d")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "HOST:PORT is expected, such as 127.0.0.1:50051 or [::1]:50051" in ended.stderr
    assert not (tmp_path / "d").exists()


def test_insecure_says_so_aloud(start_service: Callable[..., Any]) -> None:
    service = start_service("--listen", "127.0.0.1:0", "--insecure")
    assert service.lines[0].startswith("INSECURE: ")
    with service.client() as client:
        client.check_version()


def test_a_socket_in_a_folder_that_others_enter_is_refused(processes: Any, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    ended = processes.run("serve", "--socket", folder / "s", "--data-dir", tmp_path / "d")
    assert ended.returncode == 2
    assert "must be 0700" in ended.stderr


def test_a_socket_path_that_is_too_long_is_said_to_be(processes: Any, tmp_path: Path) -> None:
    ended = processes.run("serve", "--socket", tmp_path / ("x" * 120), "--data-dir", tmp_path / "d")
    assert ended.returncode == 2
    assert "at most 107 bytes" in ended.stderr


def test_an_address_in_use_is_said_to_be(
    start_service: Callable[..., Any], processes: Any, token_file: Path, tmp_path: Path
) -> None:
    service = start_service("--listen", "127.0.0.1:0", "--token-file", token_file)
    other = ["--data-dir", tmp_path / "other", "--token-file", token_file]
    ended = processes.run("serve", "--listen", service.address, *other)
    assert ended.returncode == 71
    assert f"error: {service.address}: cannot listen there" in ended.stderr
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", 0))
        foreign.listen()
        ended = processes.run("serve", "--listen", f"127.0.0.1:{foreign.getsockname()[1]}", *other)
        assert ended.returncode == 71
    assert not (tmp_path / "other").exists()
    own = start_service(data_dir=tmp_path / "own")
    ended = processes.run("serve", "--socket", own.address.removeprefix("unix:"), "--data-dir", tmp_path / "other")
    assert ended.returncode == 71
    assert "another service listens" in ended.stderr


def test_a_data_folder_that_cannot_be_used_is_said_to_be(service: Any, processes: Any, tmp_path: Path) -> None:
    folder = tmp_path / "sock"
    folder.mkdir(mode=0o700)
    ended = processes.run("serve", "--socket", folder / "s", "--data-dir", service.data_dir)
    assert ended.returncode == 73
    assert "another readlabel serve uses this folder" in ended.stderr
    (tmp_path / "file").touch()
    ended = processes.run("serve", "--socket", folder / "s", "--data-dir", tmp_path / "file" / "data")
    assert ended.returncode == 73
    assert "cannot be written" in ended.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"not a database at all, but long enough to look at" * 50, "damaged"), (None, "later version")],
)
def test_a_run_store_that_is_damaged_or_of_a_later_version_is_refused_and_not_touched(
    start_service: Callable[..., Any], processes: Any, tmp_path: Path, content: bytes | None, message: str
) -> None:
    assert start_service().terminate() == 0
    store = tmp_path / "data" / "runs.sqlite"
    if content is None:
        import sqlite3

        with sqlite3.connect(store) as database:
            database.execute("PRAGMA user_version = 99")
        database.close()
    else:
        store.write_bytes(content)
    before = store.read_bytes()
    folder = tmp_path / "sock"
    folder.mkdir(mode=0o700)
    ended = processes.run("serve", "--socket", folder / "s", "--data-dir", tmp_path / "data")
    assert ended.returncode == 74
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert store.read_bytes() == before


def test_a_service_that_is_not_there_is_told_with_what_was_tried(tmp_path: Path) -> None:
    tried = r"tried 127\.0\.0\.1:1, without TLS, no token"
    with TrainingClient(Endpoint("127.0.0.1:1")) as client, pytest.raises(ServiceUnavailableError, match=tried):
        client.check_version()
    with pytest.raises(InputError, match="HOST:PORT is expected"):
        TrainingClient(Endpoint("gpuhost"))
    with pytest.raises(InputError, match=r"token file cannot be read: No such file or directory$"):
        TrainingClient(Endpoint("gpuhost:1", token_file=tmp_path / "none"))


@pytest.mark.parametrize("kind", ["engine", "foreign"])
def test_a_service_of_another_version_is_told_apart(kind: str) -> None:
    class Other(training_service_pb2_grpc.TrainingServiceServicer):
        def GetServerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
            return training_service_pb2.ServerInfo(version="9.9", engine_revision=ENGINE_REVISION + 1)

    server = grpc.server(futures.ThreadPoolExecutor(1))
    if kind == "engine":
        training_service_pb2_grpc.add_TrainingServiceServicer_to_server(Other(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with TrainingClient(Endpoint(f"127.0.0.1:{port}")) as client, pytest.raises(ServiceMismatchError) as caught:
            client.check_version()
        assert ("9.9" in str(caught.value)) == (kind == "engine")
        assert f"127.0.0.1:{port}" in str(caught.value)
    finally:
        server.stop(None).wait(10)


def test_every_unary_call_has_the_deadline_that_its_comment_promises() -> None:
    text = "".join(
        (Path(__file__).resolve().parents[2] / "proto/readlabel/v1" / name).read_text()
        for name in ("training_service.proto", "blob_service.proto")
    )
    unary = {method.name for method in METHODS if not method.server_streaming and not method.client_streaming}
    assert set(DEADLINES) == unary
    for name, seconds in DEADLINES.items():
        comment = text[: text.index(f"rpc {name}(")].rpartition("\n\n")[2].rpartition("rpc ")[2]
        assert f"Deadline: {seconds} s." in comment, name


def test_the_limits_are_those_that_are_said(client: TrainingClient) -> None:
    assert client.server_info().max_chunk_bytes == MAX_CHUNK_BYTES
    assert client.server_info().max_queued_runs == 1000
