"""`readlabel verdict`: a leaderboard → an exit status."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from readlabel.messages import ReadlabelError
from readlabel.report.leaderboard import read_outcomes
from readlabel.report.variants import SUCCEEDED


def main(
    leaderboard: Annotated[Path, typer.Option(help="The leaderboard.tsv of a report.")],
) -> None:
    """Fail when any combination of a grid did.

    Exits 0 when every combination has a model. Otherwise it exits 1 and names, in one line, those that have none.

    \b
    Example, after the example of report:
      readlabel verdict --leaderboard comparison/leaderboard.tsv
    """
    outcomes = read_outcomes(leaderboard)
    bad = [outcome for outcome in outcomes if outcome.state != SUCCEEDED]
    if bad:
        listed = "; ".join(f"{outcome.variant} {outcome.state} ({outcome.reason})" for outcome in bad)
        raise ReadlabelError(f"{len(bad)} of {len(outcomes)} combinations have no model: {listed}")
    print(f"all {len(outcomes)} combinations have a model")
