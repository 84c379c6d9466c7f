"""A worker's two streams: orders come in on standard input, events go out on what was standard output.

Libraries print, TensorFlow from C++ too. So the first thing a worker does is to keep standard output for events under
another file descriptor and to point descriptor 1 at standard error: nothing else can write between two events.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TextIO

from pydantic import ValidationError

from readlabel.messages import ORDER, CancelOrder, InputError, Message, StopOrder, TrainOrder
from readlabel.trainer.failures import Interrupted


class Request(Enum):
    """Who asked a run to end early."""

    CANCEL = "cancel"
    STOP = "stop"
    PARENT_GONE = "parent gone"
    NONSENSE = "nonsense"
    INTERRUPT = "interrupt"
    TERMINATE = "terminate"

    @property
    def exit_status(self) -> int:
        """Status of a worker that ends for this: 128 + the number of a signal, as shells have it."""
        match self:
            case Request.INTERRUPT:
                return 128 + signal.SIGINT
            case Request.TERMINATE:
                return 128 + signal.SIGTERM
            case Request.NONSENSE:
                return InputError.exit_code
            case _:
                return 0


class Events:
    """Writes events, one JSON object a line, each flushed at once. Any thread may send.

    Args:
        stream: where the lines go.
        control: asked to end the run when nobody reads them any more.
    """

    def __init__(self, stream: TextIO, control: Control) -> None:
        self._stream = stream
        self._control = control
        self._lock = threading.Lock()

    def send(self, event: Message) -> None:
        """Send one event. When its reader is gone, the run is asked to stop."""
        with self._lock:
            try:
                self._stream.write(event.model_dump_json() + "\n")
                self._stream.flush()
            except (BrokenPipeError, ValueError):
                self._control.ask(Request.PARENT_GONE)


class Control:
    """What the world wants of a running worker. Asked by threads and signals, looked at between steps."""

    def __init__(self) -> None:
        self._request: Request | None = None
        self._asked: SimpleQueue[None] = SimpleQueue()
        self._orders: SimpleQueue[TrainOrder | None] = SimpleQueue()

    @property
    def request(self) -> Request | None:
        """What was asked first, if anything was."""
        return self._request

    def ask(self, request: Request) -> None:
        """Ask the run to end early; the first one to ask is heard.

        Safe within a signal handler, which may interrupt `wait`: putting into a SimpleQueue takes no lock that the
        interrupted code can hold, unlike setting an Event.
        """
        if self._request is None:
            self._request = request
        self._asked.put(None)
        self._orders.put(None)

    def check(self) -> None:
        """Pass when the run may go on.

        Raises:
            Interrupted: somebody asked it to end early.
        """
        if self._request is not None:
            raise Interrupted(cancelled=self._request is Request.CANCEL)

    def wait(self, seconds: float) -> None:
        """Wait for that long or until somebody asks, and `check`."""
        with suppress(Empty):
            self._asked.get(timeout=seconds)
        self.check()

    def next_order(self) -> TrainOrder | None:
        """Wait for the order to train; None when the worker was asked to end before it had one."""
        return self._orders.get()

    def listen(self, descriptor: int) -> None:
        """Take orders from a file descriptor, in a thread of its own, until it ends.

        A line that is no order ends the worker too: the two sides no longer speak one language.
        """
        threading.Thread(target=self._read, args=(descriptor,), name="orders", daemon=True).start()

    def take_signals(self) -> None:
        """SIGTERM and Ctrl-C ask for an early end from now on."""

        def handle(number: int, _frame: FrameType | None) -> None:
            self.ask(Request.TERMINATE if number == signal.SIGTERM else Request.INTERRUPT)

        signal.signal(signal.SIGTERM, handle)
        signal.signal(signal.SIGINT, handle)

    def _read(self, descriptor: int) -> None:
        for line in _lines(descriptor):
            try:
                order = parse_order(line, "standard input")
            except InputError as error:
                print(f"error: {error}", file=sys.stderr, flush=True)
                return self.ask(Request.NONSENSE)
            match order:
                case CancelOrder():
                    self.ask(Request.CANCEL)
                case StopOrder():
                    self.ask(Request.STOP)
                case TrainOrder():
                    self._orders.put(order)
        return self.ask(Request.PARENT_GONE)


def _lines(descriptor: int) -> Iterator[bytes]:
    # Not sys.stdin: a thread that waits within its buffer would abort the interpreter's shutdown.
    rest = b""
    while chunk := os.read(descriptor, 1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(bytes.strip, lines)


def take_standard_output() -> TextIO:
    """Keep standard output for events and send everything else that is printed to standard error."""
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    return stream


def parse_order(text: bytes | str, where: str) -> TrainOrder | CancelOrder | StopOrder:
    """Read one order.

    Raises:
        InputError: the text is none; says what is wrong with it.
    """
    try:
        return ORDER.validate_json(text)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5])
        raise InputError(f"{where}: not an order: {found}") from error
