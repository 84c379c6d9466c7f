"""Groups of reads from this process and others, in order. Each process holds one `GroupEncoder`."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import Any

from readlabel.messages import ReadlabelError
from readlabel.simulator._memory import keep_freed_memory
from readlabel.simulator.groups import Group, GroupEncoder, Task

_OUTSTANDING = 2
"""Groups that a process is told to make at a time, so that it never waits for this one."""
_AHEAD = 4
"""Groups a process that may be there or asked for, counted from the one that is next: it bounds memory."""

_ENDING = (signal.SIGTERM, signal.SIGHUP)


def groups_from_workers(task: Task, workers: int) -> Iterator[Group]:
    """All groups of a task, in order, made by `workers` processes of which this is one.

    Raises:
        ReadlabelError: a process was ended from outside.
    """
    others: list[Connection] = []
    processes: list[Any] = []
    try:
        for _ in range(workers - 1):
            with _signals_blocked():
                process, connection = _start(task)
                processes.append(process)
                others.append(connection)
        yield from _in_order(task, others)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _in_order(task: Task, others: list[Connection]) -> Iterator[Group]:
    encoder = GroupEncoder(task)
    made: dict[int, Group] = {}
    outstanding = dict.fromkeys(others, 0)
    unasked = 0
    for wanted in range(task.groups):
        last = min(task.groups, wanted + _AHEAD * (len(others) + 1))
        while wanted not in made:
            for other in others * _OUTSTANDING:
                if outstanding[other] < _OUTSTANDING and unasked < last:
                    other.send(unasked)
                    outstanding[other] += 1
                    unasked += 1
            # The other processes start while this one makes its first groups: it never waits while it can help.
            ready = wait(others, 0 if unasked < last else None)
            for other in (other for other in others if other in ready):
                index, made[index] = _received(other)
                outstanding[other] -= 1
            if wanted not in made and unasked < last:
                made[unasked] = encoder.group(unasked)
                unasked += 1
        yield made.pop(wanted)


def _received(other: Connection) -> tuple[int, Group]:
    try:
        found: tuple[int, Group] = other.recv()
    except (EOFError, ConnectionResetError):
        raise ReadlabelError(
            "a process that made reads has ended before its time (out of memory?); use fewer --threads"
        ) from None
    return found


def _start(task: Task) -> tuple[Any, Connection]:
    # spawn: a process that has started threads (pyarrow's) must not fork.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(task, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _work(task: Task, connection: Connection) -> None:
    """Make groups as they are asked for; a thread sends them, so that a large one does not hold up the next."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    made: SimpleQueue[tuple[int, Group]] = SimpleQueue()
    threading.Thread(target=_send, args=(made, connection), daemon=True).start()
    keep_freed_memory()
    encoder = GroupEncoder(task)
    while True:
        try:
            index = connection.recv()
        except (EOFError, ConnectionResetError):
            return  # whoever wanted the reads is gone
        made.put((index, encoder.group(index)))


def _send(made: SimpleQueue[tuple[int, Group]], connection: Connection) -> None:
    while True:
        try:
            connection.send(made.get())
        except (BrokenPipeError, ConnectionResetError):
            return


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """No signal comes between a process's start and its place among those that are ended.

    A process started inside never sees SIGINT, which a terminal sends to all: the one that started it ends it.
    """
    # The standard library starts a tracker with the first process, and lets interrupts in again when it has.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *_ENDING})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
