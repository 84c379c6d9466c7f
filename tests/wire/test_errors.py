"""What a server says about an error is what a client reads, and it fits into the metadata."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from readlabel.messages import InputError, OutputError, Problem
from readlabel.wire import RpcError, parse_status, status_of
from readlabel.wire.errors import STATUS_KEY


class BrokenCall(grpc.RpcError, grpc.Call):  # type: ignore[misc]
    """A call that ended with this Status, as gRPC hands it to a client."""

    def __init__(self, raw: bytes | None, details: str = "") -> None:
        self._raw, self._details = raw, details

    def trailing_metadata(self) -> Any:
        return ((STATUS_KEY, self._raw),) if self._raw is not None else ()

    def details(self) -> str:
        return self._details


BrokenCall.__abstractmethods__ = frozenset()


def test_findings_cross_with_their_fields() -> None:
    problems = [Problem("spec.batch_size", "must be at least 1"), Problem("spec.epochs", "must be at least 1")]
    code, status = status_of(InputError(problems))
    parsed = parse_status(BrokenCall(status.SerializeToString()))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert parsed.problems == tuple(problems)
    assert parsed.violations == 2


@pytest.mark.parametrize("length", [10, 1000])
def test_very_many_findings_stay_below_the_metadata_limit_and_are_counted(length: int) -> None:
    problems = [Problem(f"spec.library.segments[{i}].pattern", "x" * length) for i in range(1000)]
    _, status = status_of(InputError(problems))
    parsed = parse_status(BrokenCall(status.SerializeToString()))
    assert status.ByteSize() < 7000
    assert 15 <= len(parsed.problems) <= 50
    assert parsed.violations == 1000
    assert "999 more" in parsed.message


def test_reason_retry_and_metadata_cross() -> None:
    error = RpcError(grpc.StatusCode.ABORTED, "UPLOAD_IN_PROGRESS", "wait", 1.5, {"blob": "abc"})
    code, status = status_of(error)
    parsed = parse_status(BrokenCall(status.SerializeToString()))
    assert code is grpc.StatusCode.ABORTED
    assert (parsed.reason, parsed.retry_seconds, parsed.metadata) == ("UPLOAD_IN_PROGRESS", 1.5, {"blob": "abc"})


def test_a_full_disk_is_resource_exhausted() -> None:
    assert status_of(OutputError("no space left"))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_status_without_details_keeps_its_text() -> None:
    parsed = parse_status(BrokenCall(None, "Socket closed"))
    assert (parsed.reason, parsed.message) == ("", "Socket closed")
