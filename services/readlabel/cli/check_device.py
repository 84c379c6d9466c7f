"""`readlabel check-device`: does this machine's device compute what the CPU computes?"""

from __future__ import annotations

from typing import Annotated

import typer


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
    for finding in check_device(device):
        good = good and finding.good
        word = "ok     " if finding.good else "FAILED "
        typer.echo(f"{word} {finding.what}: {finding.figure:.2g}, at most {finding.limit:g}")
    raise typer.Exit(0 if good else 1)
