"""Blobs to and from a service, in checked chunks; a transfer that breaks goes on where it broke."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import grpc

from readlabel.artifacts.atomic import atomic_path
from readlabel.client.connection import BLOB_SILENCE_SECONDS, DEADLINES
from readlabel.client.streams import until_silent
from readlabel.messages import BlobRef, InputError, ServiceError
from readlabel.v1 import blob_service_pb2 as pb
from readlabel.v1 import training_run_pb2
from readlabel.wire import check_chunk, cut, make_chunk, parse_status, to_proto

T = TypeVar("T")
SLOWEST_BYTES_PER_SECOND = 64 << 10
_BREAKS = 20
_GOES_ON = ("UPLOAD_IN_PROGRESS", "UPLOAD_IDLE", "WRONG_OFFSET")


class BlobTransfer:
    """Moves blobs over the BlobService.

    Args:
        stub: the generated stub.
        metadata: sent with each call.
        patiently: makes a unary call, again while the service is away.
    """

    def __init__(
        self, stub: Any, metadata: tuple[tuple[str, str], ...], patiently: Callable[[Callable[[], Any]], Any]
    ) -> None:
        self._stub = stub
        self._metadata = metadata
        self._patiently = patiently

    def missing(self, blob: BlobRef) -> bool:
        """Whether the service lacks a blob."""
        request = pb.FindMissingBlobsRequest(blobs=[to_proto(blob, training_run_pb2.BlobRef)])
        return len(self._unary(self._stub.FindMissingBlobs, "FindMissingBlobs", request).missing) > 0

    def upload(self, path: Path, blob: BlobRef) -> bool:
        """Send a file unless the service has it; while another client sends the same one, wait for that.

        Returns:
            Whether this call sent bytes.

        Raises:
            InputError: the file changed while it was sent.
            grpc.RpcError: the service refused it.
        """
        if not self.missing(blob):
            return False
        sent, mismatches, breaks = False, 0, 0
        while True:
            status = self._unary(self._stub.GetWriteStatus, "GetWriteStatus", _status_request(blob))
            if status.complete:
                return sent
            timeout = BLOB_SILENCE_SECONDS + blob.size_bytes / SLOWEST_BYTES_PER_SECOND
            try:
                messages = _messages(path, blob, status.committed_size)
                self._stub.WriteBlob(messages, timeout=timeout, metadata=self._metadata)
                sent = True
            except grpc.RpcError as error:
                parsed = parse_status(error)
                if parsed.reason == "DIGEST_MISMATCH":
                    # What was there before may have been somebody else's damaged bytes: once more from the start.
                    mismatches += 1
                    if mismatches > 1:
                        raise InputError(f"{path}: the file changed while it was sent to the service") from error
                elif parsed.reason in _GOES_ON or error.code() is grpc.StatusCode.UNAVAILABLE:
                    breaks += parsed.reason != "UPLOAD_IN_PROGRESS"
                    if breaks > _BREAKS:
                        raise
                    time.sleep(parsed.retry_seconds or 0.2)
                else:
                    raise

    def download(self, blob: BlobRef, target: Path) -> None:
        """Write a blob to a file, which appears when it is whole and its digest right.

        Raises:
            OutputError: the file cannot be written.
            ServiceError: the bytes are not those of the digest.
            grpc.RpcError: the service broke off.
        """
        digest, offset, breaks = hashlib.sha256(), 0, 0
        with atomic_path(target) as temporary, temporary.open("wb") as handle:
            while True:
                try:
                    for data in self._read(blob, offset):
                        handle.write(data)
                        digest.update(data)
                        offset += len(data)
                    break
                except grpc.RpcError as error:
                    breaks += 1
                    if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED) or breaks > _BREAKS:
                        raise
                    time.sleep(0.2)
            if digest.hexdigest() != blob.sha256:
                raise ServiceError(f"{target.name}: the service's bytes are not those of {blob.sha256}", "DATA_LOSS")

    def _read(self, blob: BlobRef, offset: int) -> Iterator[bytes]:
        request = pb.ReadBlobRequest(blob=to_proto(blob, training_run_pb2.BlobRef), read_offset=offset)
        call = self._stub.ReadBlob(request, metadata=self._metadata)
        for response in until_silent(call, BLOB_SILENCE_SECONDS):
            yield check_chunk(response.chunk)

    def _unary(self, method: Any, name: str, request: Any) -> Any:
        return self._patiently(lambda: method(request, timeout=DEADLINES[name], metadata=self._metadata))


def _status_request(blob: BlobRef) -> pb.GetWriteStatusRequest:
    return pb.GetWriteStatusRequest(blob=to_proto(blob, training_run_pb2.BlobRef))


def _messages(path: Path, blob: BlobRef, offset: int) -> Iterator[pb.WriteBlobRequest]:
    yield pb.WriteBlobRequest(blob=to_proto(blob, training_run_pb2.BlobRef), write_offset=offset)
    for at, data in cut(path, offset):
        yield pb.WriteBlobRequest(write_offset=at, chunk=make_chunk(data))
        offset = at + len(data)
    yield pb.WriteBlobRequest(write_offset=offset, finish_write=True)
