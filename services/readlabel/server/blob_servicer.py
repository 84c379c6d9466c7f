"""readlabel.v1.BlobService: chunks in, chunks out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from readlabel.messages import BlobRef, InputError, Problem
from readlabel.server.blob_store import BlobStore, Upload
from readlabel.server.config import Limits
from readlabel.server.telemetry import Telemetry
from readlabel.v1 import blob_service_pb2 as pb
from readlabel.v1 import blob_service_pb2_grpc, training_run_pb2
from readlabel.wire import MAX_CHUNK_BYTES, RpcError, check_chunk, from_proto, make_chunk, to_proto


class BlobServicer(blob_service_pb2_grpc.BlobServiceServicer):
    """Translates between proto and the blob store."""

    def __init__(self, blobs: BlobStore, limits: Limits, telemetry: Telemetry) -> None:
        self._blobs = blobs
        self._telemetry = telemetry
        self._limits = limits

    async def FindMissingBlobs(  # noqa: N802
        self, request: pb.FindMissingBlobsRequest, _context: Any
    ) -> pb.FindMissingBlobsResponse:
        """Say which blobs are not here."""
        if len(request.blobs) > self._limits.blobs_asked:
            raise InputError([Problem("blobs", f"{len(request.blobs)}; at most {self._limits.blobs_asked} fit")])
        asked = [from_proto(blob, BlobRef, f"blobs[{index}]") for index, blob in enumerate(request.blobs)]
        missing = [to_proto(blob, training_run_pb2.BlobRef) for blob in asked if not self._blobs.has(blob)]
        for blob in asked:
            self._blobs.touch(blob)  # who is told that it is here creates a run of it next
        return pb.FindMissingBlobsResponse(missing=missing)

    async def WriteBlob(  # noqa: N802
        self, requests: AsyncIterator[pb.WriteBlobRequest], _context: Any
    ) -> pb.WriteBlobResponse:
        """Take a blob in chunks."""
        request = await self._next(requests)
        if request is None:
            raise InputError([Problem("blob", "is required in the first message")])
        blob = _blob(request)
        if self._blobs.has(blob):
            self._blobs.touch(blob)
            return pb.WriteBlobResponse(committed_size=blob.size_bytes, complete=True)
        with self._blobs.upload(blob) as upload:
            while request is not None:
                await self._take(upload, request)
                if request.finish_write:
                    await upload.finish()
                    return pb.WriteBlobResponse(committed_size=blob.size_bytes, complete=True)
                request = await self._next(requests)
                if request is not None and request.HasField("blob"):
                    raise InputError([Problem("blob", "is set in the first message only")])
            return pb.WriteBlobResponse(committed_size=upload.committed)

    async def GetWriteStatus(  # noqa: N802
        self, request: pb.GetWriteStatusRequest, _context: Any
    ) -> pb.GetWriteStatusResponse:
        """Say how far an upload came."""
        blob = _blob(request)
        self._blobs.touch(blob)  # as in FindMissingBlobs
        return pb.GetWriteStatusResponse(committed_size=self._blobs.committed(blob), complete=self._blobs.has(blob))

    async def ReadBlob(  # noqa: N802
        self, request: pb.ReadBlobRequest, _context: Any
    ) -> AsyncIterator[pb.ReadBlobResponse]:
        """Give a blob in chunks."""
        blob = _blob(request)
        if not 0 <= request.read_offset <= blob.size_bytes:
            raise InputError([Problem("read_offset", f"{request.read_offset} lies outside of the blob")])
        if not self._blobs.has(blob):
            raise RpcError(grpc.StatusCode.NOT_FOUND, "BLOB_NOT_FOUND", f"there is no blob {blob.sha256}")
        with self._blobs.path(blob).open("rb") as handle:
            offset = handle.seek(request.read_offset)
            while data := await asyncio.to_thread(handle.read, MAX_CHUNK_BYTES):
                yield pb.ReadBlobResponse(chunk=make_chunk(data), offset=offset)
                offset += len(data)
                self._telemetry.sent(len(data))

    async def _next(self, requests: AsyncIterator[pb.WriteBlobRequest]) -> pb.WriteBlobRequest | None:
        """The next message, or None at the end of the stream."""
        idle = self._limits.upload_idle_seconds
        try:
            async with asyncio.timeout(idle):
                return await anext(requests, None)
        except TimeoutError:
            message = f"nothing came for {idle:g} s; what came is kept, go on at the committed size"
            raise RpcError(grpc.StatusCode.DEADLINE_EXCEEDED, "UPLOAD_IDLE", message, 1) from None

    async def _take(self, upload: Upload, request: pb.WriteBlobRequest) -> None:
        if request.write_offset != upload.committed:
            raise RpcError(
                grpc.StatusCode.OUT_OF_RANGE,
                "WRONG_OFFSET",
                f"write_offset is {request.write_offset}, the committed size is {upload.committed}",
                metadata={"committed_size": str(upload.committed)},
            )
        if request.HasField("chunk"):
            data = check_chunk(request.chunk)
            await upload.append(data)
            self._telemetry.received(len(data))


def _blob(request: pb.WriteBlobRequest | pb.GetWriteStatusRequest | pb.ReadBlobRequest) -> BlobRef:
    if not request.HasField("blob"):
        raise InputError([Problem("blob", "is required")])
    return from_proto(request.blob, BlobRef, "blob")
