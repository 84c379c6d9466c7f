"""A worker: one process that trains one run.

Without an argument it takes orders on standard input and tells events on standard output, in the words of
`readlabel.messages.events`: `ReadyEvent` when TensorFlow is imported, no device touched yet; then the order to train;
while it trains, the order to cancel or to stop; the end of standard input means that whoever ordered is gone. With the
folder of a run as its argument it takes the order from ``order.json`` there, and only signals end it early.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from readlabel.messages import InputError, ReadlabelError, ReadyEvent, TrainOrder
from readlabel.trainer.channel import Control, Events, parse_order
from readlabel.trainer.job import run_job

ORDER_FILE = "order.json"


def work(stream: TextIO, arguments: Sequence[str]) -> int:
    """Be a worker.

    Args:
        stream: where events go.
        arguments: of the command line.

    Returns:
        The exit status: 0 when the run has an outcome, whatever it is, or was left to a later worker because it was
        ordered to stop or its parent is gone; 143 and 130 when a signal did; 2 for an order that cannot be read.
    """
    parser = argparse.ArgumentParser(prog="python -m readlabel.trainer", description="Train one run.")
    parser.add_argument("run_dir", nargs="?", type=Path, help=f"take the order from RUN_DIR/{ORDER_FILE}")
    run_dir: Path | None = parser.parse_args(arguments).run_dir
    control = Control()
    control.take_signals()
    events = Events(stream, control)
    try:
        order = _order_of(run_dir) if run_dir else None
    except ReadlabelError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    events.send(ReadyEvent())
    if order is None:
        control.listen(sys.stdin.fileno())
        order = control.next_order()
    if order is not None:
        run_job(order, events, control)
    return control.request.exit_status if control.request else 0


def _order_of(run_dir: Path) -> TrainOrder:
    path = run_dir / ORDER_FILE
    try:
        order = parse_order(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if not isinstance(order, TrainOrder):
        raise InputError(f"{path}: holds an order to {order.type}, not one to train")
    return order
