"""Around every call: who may make it, and what its errors look like to the caller.

A call without a valid token ends before its request is read. An error of ours becomes a google.rpc.Status; any other
exception is logged here and told to the caller as INTERNAL with a number to ask about, never as a traceback.
"""

from __future__ import annotations

import hmac
import inspect
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

import grpc

from readlabel.messages import InputError, ReadlabelError
from readlabel.server.disk import disk_is_full
from readlabel.wire import RpcError, status_of
from readlabel.wire.errors import STATUS_KEY

log = logging.getLogger(__name__)

_OPEN_TO_ALL = "/grpc.health.v1.Health/"
_OURS = "/readlabel.v1."
MIN_TOKEN_LENGTH = 16


class Tokens:
    """The tokens of a file, one a line; lines that begin with # are comments. A changed file is read again.

    Raises:
        InputError: the file cannot be read, or holds no token of at least 16 characters.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._tokens: tuple[bytes, ...] = ()
        self._refresh()

    def allow(self, token: str) -> bool:
        """Whether this is one of the tokens; takes as long for a wrong one as for a right one."""
        try:
            self._refresh()
        except InputError as error:
            log.error("%s; the tokens read before stay valid", error)
        given = token.encode(errors="replace")
        # Compare with every one, so that the time does not tell which came near.
        return sum(hmac.compare_digest(given, known) for known in self._tokens) > 0

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            if self._stamp == (status.st_mtime_ns, status.st_ino):
                return
            lines = [line.strip() for line in self._path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self._path}: the token file cannot be read: {error}") from error
        tokens = tuple(line.encode() for line in lines if line and not line.startswith("#"))
        if not tokens or min(map(len, tokens)) < MIN_TOKEN_LENGTH:
            raise InputError(
                f"{self._path}: a token file holds one token a line, each of {MIN_TOKEN_LENGTH} characters or more; "
                "make one with: (umask 077; openssl rand -hex 32 > token)"
            )
        self._tokens, self._stamp = tokens, (status.st_mtime_ns, status.st_ino)


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Checks the token of a call and turns errors into a Status."""

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Give the handler of a call, wrapped, or one that refuses it."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None  # type: ignore[return-value]  # gRPC itself answers UNIMPLEMENTED
        method = str(handler_call_details.method)
        if self._tokens is not None and not method.startswith(_OPEN_TO_ALL):
            sent = dict(handler_call_details.invocation_metadata).get("authorization", "")
            scheme, _, token = str(sent).partition(" ")
            if scheme.lower() != "bearer" or not self._tokens.allow(token.strip()):
                return _rebuilt(handler, _refuse("no token was sent" if not sent else "the token is not valid"))
        if not method.startswith(_OURS):
            return handler  # type: ignore[no-any-return]
        return _rebuilt(handler, _wrapped(_behaviour(handler)))


def _behaviour(handler: Any) -> Callable[..., Any]:
    found = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    assert found is not None
    return found  # type: ignore[no-any-return]


def _rebuilt(handler: Any, behaviour: Callable[..., Any]) -> grpc.RpcMethodHandler[Any, Any]:
    kinds = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    make = kinds[handler.request_streaming, handler.response_streaming]
    return make(behaviour, handler.request_deserializer, handler.response_serializer)


def _refuse(why: str) -> Callable[..., Any]:
    async def refuse(_request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        message = f"{why}: send the metadata 'authorization: Bearer <token>' (readlabel: --token-file)"
        await _abort(context, RpcError(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", message))

    return refuse


def _wrapped(inner: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(inner):

        async def stream(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            try:
                async for response in inner(request, context):
                    yield response
            except Exception as error:
                await _abort(context, error)

        return stream

    async def unary(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await inner(request, context)
        except Exception as error:
            await _abort(context, error)

    return unary


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> NoReturn:
    if isinstance(error, grpc.aio.AbortError | grpc.RpcError):
        raise error
    code, status = status_of(_as_ours(error))
    await context.abort(code, status.message, ((STATUS_KEY, status.SerializeToString()),))
    raise AssertionError("abort raises")


def _as_ours(error: Exception) -> ReadlabelError:
    if isinstance(error, ReadlabelError):
        return error
    if disk_is_full(error):
        return RpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, "DISK_FULL", "the service's disk is full")
    number = secrets.token_hex(4)
    log.error("internal error %s", number, exc_info=error)
    return RpcError(
        grpc.StatusCode.INTERNAL, "INTERNAL", f"internal error {number}; the service's log says more under that number"
    )
