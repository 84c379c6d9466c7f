"""What `readlabel serve` and `readlabel gc` say alike: where a service's data lies, and how long it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from readlabel.server.config import Keep

KeepRuns = Annotated[
    float | None,
    typer.Option(min=0, help="Days that an ended run is kept with its artifacts and checkpoints. (Default: for good.)"),
]
KeepBlobs = Annotated[
    float,
    typer.Option(
        min=0, help="Days that reads are kept which no run needs, since they were last used; an hour at least."
    ),
]
DEFAULT_KEEP_BLOBS = Keep.blobs_days or 0


def default_data_dir() -> Path:
    """Where a service that is not told keeps its data."""
    return platformdirs.user_state_path("readlabel") / "service"
