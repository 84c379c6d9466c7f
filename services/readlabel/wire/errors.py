"""readlabel's errors as google.rpc.Status, on both sides of a call.

A server raises `RpcError` (or any `ReadlabelError`), `status_of` makes the Status of it; a client takes a broken call's
Status apart with `parse_status`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from readlabel.messages import InputError, OutputError, Problem, ReadlabelError

DOMAIN = "readlabel"
STATUS_KEY = "grpc-status-details-bin"
MAX_VIOLATIONS = 50
MAX_DESCRIPTION = 200
# Implementations drop or refuse metadata beyond 8 KiB, of which base64 takes a quarter.
MAX_STATUS_BYTES = 5500


class RpcError(ReadlabelError):
    """A call ends with this status.

    Attributes:
        code: the gRPC status.
        reason: ErrorInfo's reason, UPPER_SNAKE_CASE.
        retry_seconds: when trying again can help; None when it cannot.
        metadata: ErrorInfo's metadata.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        retry_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.retry_seconds = retry_seconds
        self.metadata = dict(metadata or {})


@dataclass(frozen=True)
class ParsedStatus:
    """What a Status says.

    Attributes:
        reason: ErrorInfo's reason, or the empty string.
        message: the text for a person.
        retry_seconds: RetryInfo's delay, or None.
        problems: the BadRequest's findings, as many as were sent.
        violations: how many findings there were.
        metadata: ErrorInfo's metadata.
    """

    reason: str
    message: str
    retry_seconds: float | None = None
    problems: tuple[Problem, ...] = ()
    violations: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)


def status_of(error: ReadlabelError) -> tuple[grpc.StatusCode, status_pb2.Status]:
    """The gRPC code and the Status that tell a caller about an error."""
    if isinstance(error, RpcError):
        code, reason, metadata = error.code, error.reason, error.metadata
    elif isinstance(error, InputError):
        code, reason = grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"
        metadata = {"violations": str(len(error.problems))}
    elif isinstance(error, OutputError):
        code, reason, metadata = grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE", {}
    else:
        code, reason, metadata = grpc.StatusCode.INTERNAL, "INTERNAL", {}
    details: list[any_pb2.Any] = [
        _any(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)),
    ]
    if isinstance(error, RpcError) and error.retry_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(error.retry_seconds * 1000))
        details.append(_any(retry))
    message = str(error)
    if isinstance(error, InputError):
        message = _summary(error)
        details.append(_any(_bad_request(error.problems)))
    return code, status_pb2.Status(code=code.value[0], message=message[:1000], details=details)


def parse_status(call: grpc.RpcError) -> ParsedStatus:
    """Take a broken call apart; a status without details gives an empty reason."""
    message = str(call.details() or "") if isinstance(call, grpc.Call) else str(call)
    metadata: dict[str, bytes | str] = dict(call.trailing_metadata() or ()) if isinstance(call, grpc.Call) else {}
    raw = metadata.get(STATUS_KEY)
    if raw is None:
        return ParsedStatus("", message)
    status = status_pb2.Status.FromString(raw if isinstance(raw, bytes) else raw.encode())
    info, retry, bad = error_details_pb2.ErrorInfo(), None, error_details_pb2.BadRequest()
    for detail in status.details:
        if detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo()
            detail.Unpack(retry)
        elif detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
        elif detail.Is(bad.DESCRIPTOR):
            detail.Unpack(bad)
    problems = tuple(Problem(one.field, one.description) for one in bad.field_violations)
    count = info.metadata.get("violations", "")
    return ParsedStatus(
        reason=info.reason,
        message=status.message or message,
        retry_seconds=None if retry is None else retry.retry_delay.ToMilliseconds() / 1000,
        problems=problems,
        violations=int(count) if count.isdigit() else len(problems),
        metadata=dict(info.metadata),
    )


def _bad_request(problems: tuple[Problem, ...]) -> error_details_pb2.BadRequest:
    bad = error_details_pb2.BadRequest()
    for problem in problems[:MAX_VIOLATIONS]:
        bad.field_violations.add(field=problem.where[:MAX_DESCRIPTION], description=problem.message[:MAX_DESCRIPTION])
        if bad.ByteSize() > MAX_STATUS_BYTES:
            del bad.field_violations[-1]
            break
    return bad


def _summary(error: InputError) -> str:
    first = str(error.problems[0])[:300]
    more = len(error.problems) - 1
    return f"{first} (and {more} more)" if more else first


def _any(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
