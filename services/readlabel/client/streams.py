"""Streams that must not fall silent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any


def until_silent(call: Any, seconds: float) -> Iterator[Any]:
    """The messages of a server's stream; when none comes for so long, the call is cancelled.

    Args:
        call: a gRPC call that streams.
        seconds: longest silence.

    Raises:
        grpc.RpcError: the stream broke; CANCELLED when it fell silent.
    """
    try:
        while True:
            watchdog = threading.Timer(seconds, call.cancel)
            watchdog.daemon = True
            watchdog.start()
            try:
                message = next(call, None)
            finally:
                watchdog.cancel()
            if message is None:
                return
            yield message
    finally:
        call.cancel()
