"""Around every call: who may make it, and what its errors look like to the caller.

A call without a valid token ends before its request is read, and so does one that would change something with a token
that may only read. An error of ours becomes a google.rpc.Status; any other
exception is logged here and told to the caller as INTERNAL with a number to ask about, never as a traceback.
"""

from __future__ import annotations

import inspect
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from readlabel.messages import ReadlabelError
from readlabel.server.disk import disk_is_full
from readlabel.server.intake import Intake, Requests
from readlabel.server.tokens import Tokens
from readlabel.wire import RpcError, status_of
from readlabel.wire.errors import STATUS_KEY

log = logging.getLogger(__name__)

_OPEN_TO_ALL = "/grpc.health.v1.Health/"
_OURS = "/readlabel.v1."
_ABORTS = (grpc.RpcError, grpc.aio.AbortError)
"""What a handler raises to end a call itself, as the stock ones do."""
READING = frozenset(
    {
        "GetServerInfo",
        "GetTrainingRun",
        "ListTrainingRuns",
        "WatchTrainingRun",
        "FindMissingBlobs",
        "GetWriteStatus",
        "ReadBlob",
    }
)
"""The calls that a token of scope read may make."""


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Checks the token of a call, receives its requests and turns errors into a Status."""

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens
        self._intake = Intake()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Give the handler of a call, wrapped, or one that refuses it.

        For gRPC each is one of streamed requests, and reads them itself. Of another kind gRPC would receive and parse
        the request before the handler is asked, and tell the caller of its failure in Python's words. On the wire
        there is no difference.
        """
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None  # type: ignore[return-value]  # gRPC itself answers UNIMPLEMENTED
        method = str(handler_call_details.method)
        refusal = None if method.startswith(_OPEN_TO_ALL) else self._refusal(method, handler_call_details)
        behaviour = self._guarded(handler) if refusal is None else _refusing(refusal)
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(behaviour, None, handler.response_serializer)
        return grpc.stream_unary_rpc_method_handler(behaviour, None, handler.response_serializer)

    def _guarded(self, handler: Any) -> Callable[..., Any]:
        """The behaviour of a handler, with its requests received by us and its errors told by us."""
        inner = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream

        async def given(context: Any) -> Any:
            requests = Requests(self._intake, context, handler.request_deserializer)
            return requests if handler.request_streaming else await requests.only()

        async def stream(_requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            try:
                async for response in inner(await given(context), context):
                    yield response
            except _ABORTS:
                raise
            except Exception as error:
                _tell(context, error)

        async def answer(_requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                return await inner(await given(context), context)
            except _ABORTS:
                raise
            except Exception as error:
                _tell(context, error)

        return stream if inspect.isasyncgenfunction(inner) else answer

    def _refusal(self, method: str, details: grpc.HandlerCallDetails) -> RpcError | None:
        """Why the caller may not make this call; None when it may."""
        if self._tokens is None:
            return None
        sent = str(dict(details.invocation_metadata).get("authorization", ""))
        scheme, _, token = sent.partition(" ")
        scope = self._tokens.scope(token.strip()) if scheme.lower() == "bearer" else None
        if scope is None:
            why = "the token is not valid" if sent else "no token was sent"
            message = f"{why}: send the metadata 'authorization: Bearer <token>' (readlabel: --token-file)"
            return RpcError(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", message)
        name = method.rpartition("/")[2]
        if scope == "read" and method.startswith(_OURS) and name not in READING:
            message = f"the token may only read, and {name} changes something; ask for a token of scope write"
            return RpcError(grpc.StatusCode.PERMISSION_DENIED, "READ_ONLY_TOKEN", message)
        return None


def _refusing(refusal: RpcError) -> Callable[..., Any]:
    """A behaviour that refuses, and reads no request."""

    async def refuse(_requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        _tell(context, refusal)

    return refuse


def _tell(context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> None:
    """End the call with the status of an error. Not by `abort`, which leaks a little with each call."""
    code, status = status_of(_as_ours(error))
    context.set_code(code)
    context.set_details(status.message)
    context.set_trailing_metadata(((STATUS_KEY, status.SerializeToString()),))


def _as_ours(error: Exception) -> ReadlabelError:
    if isinstance(error, ReadlabelError):
        return error
    if disk_is_full(error):
        return RpcError(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "DISK_FULL", "the service's disk is full; make room in its data folder"
        )
    number = secrets.token_hex(4)
    log.error("internal error %s", number, exc_info=error)
    return RpcError(
        grpc.StatusCode.INTERNAL, "INTERNAL", f"internal error {number}; the service's log says more under that number"
    )
