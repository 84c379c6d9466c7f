"""`readlabel gc`: makes room in the folder of a service that does not run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from readlabel.cli._data_dir import DEFAULT_KEEP_BLOBS, KeepBlobs, KeepRuns, default_data_dir
from readlabel.messages import InputError
from readlabel.server.config import Keep, ServerConfig
from readlabel.server.retention import collect_garbage


def main(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the service, as serve was given it. (Default: readlabel/service in ~/.local/state.)"
        ),
    ] = None,
    checkpoint_dir: Annotated[
        Path | None, typer.Option(help="Where runs checkpoint, if serve was told. (Default: in --data-dir.)")
    ] = None,
    keep_runs: KeepRuns = None,
    keep_blobs: KeepBlobs = DEFAULT_KEEP_BLOBS,
) -> None:
    """Remove what a stopped service need not keep: runs that ended long ago, and reads that no run needs.

    A service does the same when it starts and once an hour. What a run needs that waits or can be resumed stays.
    Ends with status 73 when a service uses the folder, or its disk stays full.

    \b
    Example:
      readlabel gc --data-dir /srv/readlabel --keep-runs 90 --keep-blobs 1
    """
    folder = (data_dir or default_data_dir()).absolute()
    if not (folder / "runs.sqlite").is_file():
        raise InputError(f"{folder}: is no folder of a training service (it has no runs.sqlite); give --data-dir")
    config = ServerConfig(
        data_dir=folder,
        checkpoint_dir=checkpoint_dir.absolute() if checkpoint_dir else None,
        keep=Keep(keep_runs, keep_blobs),
    )
    print(asyncio.run(collect_garbage(config)))
