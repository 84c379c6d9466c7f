"""Several tokens, each with what it may do and how long, changed while the service runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from readlabel.messages import InputError
from readlabel.server.guard import READING
from readlabel.server.tokens import Tokens
from readlabel.v1 import blob_service_pb2, training_service_pb2
from readlabel.wire import parse_status

METHODS = [
    method
    for file in (training_service_pb2.DESCRIPTOR, blob_service_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
    for method in service.methods
]
WRITING = {
    "CreateTrainingRun",
    "CancelTrainingRun",
    "ResumeTrainingRun",
    "DeleteTrainingRun",
    "WriteBlob",
}
YESTERDAY, TODAY = ((datetime.now(UTC) - timedelta(days=days)).date().isoformat() for days in (1, 0))
WRITER, READER, EXPIRED, LASTING = (f"{name}-0123456789abcdef" for name in ("writer", "reader", "expired", "lasting"))
LINES = f"{WRITER}\n{READER} read\n{EXPIRED} write {YESTERDAY}\n# a comment\n{LASTING} read {TODAY}\n"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(LINES)
    return path


def reasons(address: str, token: str | None) -> dict[str, str]:
    """How the API answers an empty request of each kind to a caller with this token."""
    found = {}
    metadata = [("authorization", f"Bearer {token}")] if token is not None else []
    with grpc.insecure_channel(address) as channel:
        for method in METHODS:
            path = f"/{method.containing_service.full_name}/{method.name}"
            kind = "_".join(
                "stream" if many else "unary" for many in (method.client_streaming, method.server_streaming)
            )
            call = getattr(channel, kind)(path, empty_pb2.Empty.SerializeToString, lambda data: data)
            request = iter([empty_pb2.Empty()]) if method.client_streaming else empty_pb2.Empty()
            try:
                answer = call(request, timeout=10, metadata=metadata)
                list(answer if method.server_streaming else [answer])
                found[method.name] = "OK"
            except grpc.RpcError as error:
                found[method.name] = parse_status(error).reason
    return found


def test_each_token_opens_what_it_may_and_nothing_else(start_service: Callable[..., Any], token_file: Path) -> None:
    assert {method.name for method in METHODS} == READING | WRITING, "a new call must be put into one of them"
    address = start_service("--listen", "127.0.0.1:0", "--token-file", token_file).address
    for token in (None, "", EXPIRED, "wrong-0123456789abcdef", WRITER[:-1], WRITER + "x", "x" * 7000):
        assert set(reasons(address, token).values()) == {"UNAUTHENTICATED"}, token
    writer = reasons(address, WRITER)
    assert set(writer.values()) == {"OK", "INVALID_ARGUMENT"}
    for token in (READER, LASTING):
        told = reasons(address, token)
        assert {name for name, reason in told.items() if reason == "READ_ONLY_TOKEN"} == WRITING
        assert {name: told[name] for name in READING} == {name: writer[name] for name in READING}


def test_tokens_are_replaced_without_a_restart_and_a_broken_file_changes_nothing(
    start_service: Callable[..., Any], token_file: Path, tmp_path: Path
) -> None:
    service = start_service("--listen", "127.0.0.1:0", "--token-file", token_file)

    def replace(text: str) -> None:
        (tmp_path / "next").write_text(text)
        (tmp_path / "next").replace(token_file)

    assert reasons(service.address, WRITER)["GetServerInfo"] == "OK"
    replace(f"{READER} write\nnewcomer-0123456789\n")
    assert reasons(service.address, WRITER)["GetServerInfo"] == "UNAUTHENTICATED"
    assert reasons(service.address, READER)["CreateTrainingRun"] == "INVALID_ARGUMENT"
    assert reasons(service.address, "newcomer-0123456789")["GetServerInfo"] == "OK"
    replace("short\n")
    assert reasons(service.address, "newcomer-0123456789")["GetServerInfo"] == "OK"
    token_file.unlink()
    assert reasons(service.address, "newcomer-0123456789")["GetServerInfo"] == "OK"
    assert service.terminate() == 0
    log = service.errors()
    assert "the tokens read before stay valid" in log
    for secret in (WRITER, READER, "newcomer-0123456789", "short\n"):
        assert secret not in log


def test_reflection_asks_for_a_token_too(start_service: Callable[..., Any], token_file: Path) -> None:
    service = start_service("--listen", "127.0.0.1:0", "--token-file", token_file)
    with grpc.insecure_channel(service.address) as channel:
        ask = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        for token in (None, EXPIRED, WRITER[:-1]):
            metadata = [("authorization", f"Bearer {token}")] if token else []
            with pytest.raises(grpc.RpcError) as caught:
                list(ask(iter([request]), timeout=10, metadata=metadata))
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, token
        (answer,) = ask(iter([request]), timeout=10, metadata=[("authorization", f"Bearer {READER}")])
        names = {service.name for service in answer.list_services_response.service}
        assert {"readlabel.v1.TrainingService", "readlabel.v1.BlobService", "grpc.health.v1.Health"} <= names


def test_a_token_that_cannot_be_sent_is_refused_without_showing_it(
    start_service: Callable[..., Any], processes: Any, token_file: Path, tmp_path: Path
) -> None:
    service = start_service("--listen", "127.0.0.1:0", "--token-file", token_file)
    callers = tmp_path / "callers"
    for token in ("schlüssel-0123456789", "token\x01-0123456789", "token\u200b-0123456789"):
        callers.write_text(token + "\n", encoding="utf-8")
        ended = processes.run("runs", "list", "--service", service.address, "--token-file", callers)
        assert (ended.returncode, ended.stdout) == (2, ""), token
        assert "callers: the token holds a character that cannot be sent" in ended.stderr
        assert "0123456789" not in ended.stderr
        with pytest.raises(InputError, match="one token a line"):  # nobody could ever show it
            Tokens(callers)
    for path in (callers, token_file):  # an editor's mark at the beginning is no part of a token
        path.write_text(f"{WRITER}\n", encoding="utf-8-sig")
    with service.client(token_file=callers) as client:
        client.check_version()


@pytest.mark.parametrize(
    "line", ["", "# only a comment", "tooshort", f"{WRITER} admin", f"{WRITER} read soon", "é" * 3]
)
def test_a_token_file_with_a_faulty_line_is_refused_without_showing_it(tmp_path: Path, line: str) -> None:
    (tmp_path / "tokens").write_text(f"{line}\n")
    with pytest.raises(InputError, match="one token a line") as caught:
        Tokens(tmp_path / "tokens")
    assert not line or line not in str(caught.value)
