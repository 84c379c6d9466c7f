"""`readlabel check-device`: does this machine's device compute what the CPU computes?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

_CHATTER = "^WARNING: All log messages before absl|^[IW][0-9]{4} [0-9:.]+ +[0-9]+ "
"""What TensorFlow's compilers say whatever log level they are given, as a pattern of grep's."""


def main(
    device: Annotated[str, typer.Option(help="cpu, or a GPU's index or UUID; 0+1 takes both for one run.")] = "0",
) -> None:
    """Compare a GPU with the CPU: LSTM, CRF, precisions, updates.

    Takes a minute. The exit status is 1 when a figure is above its limit:
    then do not train on that device, and report what was printed.

    \b
    Example:
      readlabel check-device --device 0
    """
    from readlabel.trainer.check import check_device  # TensorFlow takes seconds, which the help need not wait for

    good = True
    with _without_chatter():
        for finding in check_device(device):
            good = good and finding.good
            word = "ok     " if finding.good else "FAILED "
            typer.echo(f"{word} {finding.what}: {finding.figure:.2g}, at most {finding.limit:g}")
    raise typer.Exit(0 if good else 1)


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Drop what nobody can act on from standard error.

    The filter is a process of its own, so that the last words of a crash still come through.
    """
    sys.stderr.flush()
    own = os.dup(2)
    command = ["grep", "-avE", "--line-buffered", _CHATTER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=own, start_new_session=True) as sieve:
        assert sieve.stdin is not None
        os.dup2(sieve.stdin.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(own, 2)
            os.close(own)
