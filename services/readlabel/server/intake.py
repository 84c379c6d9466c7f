"""Requests on their way in: parsed here, and given up when together they take too much memory.

gRPC assembles a message in memory, whole, before it looks at its size, so a caller who may call could fill the machine
with one message. While requests come in, the process's memory is looked at many times a second; beyond the allowance
all that are still coming are ended, and what they took is given back to the system.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from typing import Any

import grpc.aio
import psutil
from google.protobuf.message import DecodeError, Message

from readlabel.messages import InputError
from readlabel.wire import RpcError

ALLOWANCE_BYTES = 256 << 20
"""Memory beyond that of the quiet service that requests on their way in may take together."""
_LOOK_EVERY_SECONDS = 0.05
_TRIM_BYTES = 32 << 20


class Intake:
    """Receives the requests of all calls."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._quiet = self._process.memory_info().rss
        self._coming: set[asyncio.Future[Any]] = set()
        self._looking: asyncio.Task[None] | None = None

    async def receive(self, context: Any) -> bytes | None:
        """The next message of a call, or None when the caller sends no more.

        Read from the context, because gRPC's iterator over the requests leaks when a call is refused in their midst.

        Raises:
            RpcError: the requests that come in take too much memory.
        """
        coming = asyncio.ensure_future(context.read())
        self._coming.add(coming)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="intake")
        try:
            data = await coming
        except asyncio.CancelledError:
            if coming in self._coming:  # the call itself was ended
                raise
            message = "requests on their way in take too much memory; see the limit of a message, and send it again"
            raise RpcError(grpc.StatusCode.UNAVAILABLE, "REQUESTS_TOO_LARGE", message, 1) from None
        finally:
            self._coming.discard(coming)
        return None if data is grpc.aio.EOF else data  # type: ignore[attr-defined]

    async def _look(self) -> None:
        """Look at the memory until nothing comes in any more."""
        while self._coming:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            taken = self._process.memory_info().rss
            self._quiet = min(self._quiet, taken)
            if taken > self._quiet + ALLOWANCE_BYTES:
                given_up, self._coming = self._coming, set()
                for coming in given_up:
                    coming.cancel()
                await asyncio.sleep(_LOOK_EVERY_SECONDS)  # for gRPC to let go of what had come
                self._quiet = self._trim()
        self._looking = None
        if self._process.memory_info().rss > self._quiet + _TRIM_BYTES:
            self._trim()

    def _trim(self) -> int:
        """Give freed memory back to the system, where glibc can; the memory that is left, in bytes."""
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
        return self._process.memory_info().rss


class Requests:
    """The requests of one call, parsed, as an asynchronous iterator.

    Args:
        intake: receives them.
        context: the call.
        parse: makes a message of bytes.
    """

    def __init__(self, intake: Intake, context: Any, parse: Callable[[bytes], Message]) -> None:
        self._intake = intake
        self._context = context
        self._parse = parse

    def __aiter__(self) -> Requests:
        return self

    async def __anext__(self) -> Any:
        data = await self._intake.receive(self._context)
        if data is None:
            raise StopAsyncIteration
        try:
            return self._parse(data)
        except DecodeError as error:
            raise InputError("the request is no message of the kind that this call takes") from error

    async def only(self) -> Any:
        """The request of a call that has one.

        Raises:
            InputError: the caller sent none.
        """
        async for request in self:
            return request
        raise InputError("the call came without a request")
