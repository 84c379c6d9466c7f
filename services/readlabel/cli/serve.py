"""`readlabel serve`: the training service."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

# The C core writes to standard error what the error below says in a sentence.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from readlabel.cli._checkpoints import checkpoints_at
from readlabel.cli._data_dir import DEFAULT_KEEP_BLOBS, KeepBlobs, KeepRuns, default_data_dir
from readlabel.messages import InputError
from readlabel.server.app import serve
from readlabel.server.config import WORKER_COMMAND, Keep, Limits, ServerConfig, Tls, now
from readlabel.server.logs import LogFormat, set_up_logging

DEFAULT_LISTEN = "127.0.0.1:50051"


def main(
    listen: Annotated[str | None, typer.Option(help=f"HOST:PORT to listen on. (Default: {DEFAULT_LISTEN}.)")] = None,
    socket: Annotated[Path | None, typer.Option(help="Unix socket to listen on, in a folder of mode 0700.")] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of runs, reads and artifacts, on a local disk. (Default: readlabel/service in ~/.local/state.)"
        ),
    ] = None,
    devices: Annotated[
        str,
        typer.Option(
            help="auto (every GPU, else one CPU slot), cpu:N (N slots), gpu:0,1 (by index or UUID), or gpu:0+1 (both "
            "for each run). A slot trains one run at a time."
        ),
    ] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads that all slots share; 0 is all there are.")] = 0,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="Tokens, one a line; a caller must send one. Behind a token may stand read (to look only) or write, "
            "and the last day it is valid, as 2031-12-31. Read again when changed."
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="Certificate chain of the service (PEM). Read again when changed.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key (PEM). Read again when changed.")] = None,
    tls_client_ca: Annotated[
        Path | None, typer.Option(help="Callers need a certificate of this CA too (PEM). Read again when changed.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Go without a token or TLS where the address asks for them.")
    ] = False,
    checkpoint_dir: Annotated[
        str | None,
        typer.Option(
            metavar="<path>",
            help="Where runs checkpoint, a folder each; with --private also s3://, gs://, abfs://. (Default: in "
            "--data-dir.)",
        ),
    ] = None,
    max_queued: Annotated[int, typer.Option(min=1, help="Runs that may wait; more are refused.")] = Limits.queued_runs,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that runs may take to checkpoint at the end.")] = 30,
    lease_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder by which services on one host share GPUs and cores. (Default: READLABEL_LEASE_DIR, else one "
            "of the user's, by which standing services share no cores.)"
        ),
    ] = None,
    keep_runs: KeepRuns = None,
    keep_blobs: KeepBlobs = DEFAULT_KEEP_BLOBS,
    metrics_listen: Annotated[
        str | None, typer.Option(help="HOST:PORT of a page for Prometheus; whoever reaches it may read it.")
    ] = None,
    log_format: Annotated[LogFormat, typer.Option(help="text, or json: one object a line, with run ids.")] = "text",
    worker_command: Annotated[
        str | None, typer.Option(help="What starts a worker, instead of this Python with readlabel.trainer.")
    ] = None,
    private: Annotated[
        bool,
        typer.Option(
            "--private", help="As readlabel train starts it: serve while standard input is open, then leave no trace."
        ),
    ] = False,
    link: Annotated[
        list[Path] | None,
        typer.Option(help="A file of reads that need not be uploaded; may be repeated."),
    ] = None,
) -> None:
    """Run the training service until Ctrl-C or SIGTERM.

    Runs that have not ended when it stops checkpoint first and go on when it is started again with the same --data-dir.

    An address that others reach needs tokens, and beyond this machine a certificate too. Ends with status 0 when it was
    stopped, 71 when the address is taken, 73 when the data folder is in use or cannot be written, 74 when its run store
    is damaged or of a later version.

    \b
    Examples: on a socket of your own; for users of this machine; for others:
      mkdir -m 700 ~/readlabel && readlabel serve --socket ~/readlabel/s.sock
      (umask 077; openssl rand -hex 32 > token)
      readlabel serve --token-file token --devices gpu:0,1
      readlabel serve --listen 0.0.0.0:50051 --token-file token \\
        --tls-cert cert.pem --tls-key key.pem
    """
    set_up_logging(log_format)
    if listen is not None and socket is not None:
        raise InputError("give --listen or --socket, not both")
    if listen is not None and listen.startswith("unix:"):
        raise InputError(f"--listen takes HOST:PORT; for a Unix socket give --socket {listen.removeprefix('unix:')}")
    if (tls_cert is None) != (tls_key is None):
        raise InputError("--tls-cert and --tls-key go together")
    if tls_client_ca is not None and tls_cert is None:
        raise InputError("--tls-client-ca needs --tls-cert and --tls-key: without TLS nobody shows a certificate")
    if private and (socket is None or data_dir is not None):
        raise InputError("--private needs --socket and keeps its data beside it, so it takes no --data-dir")
    if worker_command is None and importlib.util.find_spec("tensorflow") is None:
        raise InputError("training on this machine needs the extra trainer: pip install 'readlabel[trainer]'")
    checkpoint_folder, checkpoint_store = checkpoints_at(checkpoint_dir)
    if checkpoint_store and not private:
        raise InputError(
            "--checkpoint-dir: a standing service checkpoints on a local disk; an object store is for --private"
        )
    if data_dir is None:
        data_dir = socket.parent / "data" if private and socket else default_data_dir()
    config = ServerConfig(
        data_dir=data_dir.absolute(),
        listen=None if socket else listen or DEFAULT_LISTEN,
        socket=socket.absolute() if socket else None,
        devices=devices,
        threads=threads,
        checkpoint_dir=checkpoint_folder,
        checkpoint_store=checkpoint_store,
        token_file=token_file,
        tls=Tls(tls_cert, tls_key, tls_client_ca) if tls_cert and tls_key else None,
        insecure=insecure,
        private=private,
        link=tuple(link or ()),
        metrics_listen=metrics_listen,
        lease_dir=lease_dir.absolute() if lease_dir else None,
        grace_seconds=grace,
        worker_command=tuple(shlex.split(worker_command)) if worker_command else WORKER_COMMAND,
        limits=Limits(queued_runs=max_queued),
        keep=Keep(keep_runs, keep_blobs),
    )
    asyncio.run(serve(config, _say if log_format == "text" else _say_json))


def _say_json(line: str) -> None:
    _say(json.dumps({"time": now(), "level": "INFO", "message": line}, ensure_ascii=False))


def _say(line: str) -> None:
    """Print a line; a service whose reader has gone goes on, and stops in order."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
