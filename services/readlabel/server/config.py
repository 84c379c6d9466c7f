"""What a service is told when it starts: one frozen object that every part of the server reads."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

WORKER_COMMAND = (sys.executable, "-P", "-m", "readlabel.trainer")
"""-P: a worker must never import what happens to lie in the folder it runs in."""


@dataclass(frozen=True)
class Limits:
    """What the service refuses to exceed.

    Attributes:
        queued_runs: runs that may wait.
        blob_bytes: size of one blob.
        page_size: runs in one page.
        default_page_size: when a request asks for none.
        blobs_asked: digests in one FindMissingBlobs.
        message_bytes: size of one request; a chunk is the largest.
        upload_idle_seconds: an upload that sends nothing for so long is ended and can be resumed.
        heartbeat_seconds: a quiet progress stream carries a heartbeat so often.
    """

    queued_runs: int = 1000
    blob_bytes: int = 1 << 40
    page_size: int = 1000
    default_page_size: int = 50
    blobs_asked: int = 1000
    message_bytes: int = 4 << 20
    upload_idle_seconds: float = 60
    heartbeat_seconds: float = 15


@dataclass(frozen=True)
class Keep:
    """How many days what is no longer needed stays; None keeps it for good.

    Attributes:
        runs_days: a run that has ended, with its artifacts and checkpoints.
        blobs_days: a blob or an unfinished upload that no run needs, since it was last used.
    """

    runs_days: float | None = None
    blobs_days: float | None = 30


@dataclass(frozen=True)
class Tls:
    """PEM files of a TLS server; with `client_ca`, callers must show a certificate that it signed."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True)
class ServerConfig:
    """A service.

    Attributes:
        data_dir: run store, blobs and workers' folders; on a local disk.
        listen: ``host:port``, or None when `socket` is given.
        socket: path of a Unix socket, or None when `listen` is given.
        devices: ``auto``, ``cpu:N`` or ``gpu:0,1``.
        threads: CPU threads that all slots share; 0 is all of the machine's.
        checkpoint_dir: each run checkpoints in a folder of its own in here; None is below `data_dir`.
        checkpoint_store: address in an object store where a private service keeps checkpoints too; "" keeps none there.
        token_file: tokens, one a line, of which a caller must show one; None lets everybody call.
        tls: None speaks plain text.
        private: serve one client, whose end is the end of standard input, and leave no files behind.
        link: files that are in the blob store from the start, by link.
        metrics_listen: ``host:port`` of the page for Prometheus, or None for none.
        lease_dir: where the services of one host agree on devices; None is the usual folder, or leases nothing.
        grace_seconds: workers may take so long to checkpoint when the service stops.
        worker_command: what starts a worker.
        limits: see Limits.
        keep: see Keep; a private service keeps everything until it ends.
    """

    data_dir: Path
    listen: str | None = None
    socket: Path | None = None
    devices: str = "auto"
    threads: int = 0
    checkpoint_dir: Path | None = None
    checkpoint_store: str = ""
    token_file: Path | None = None
    tls: Tls | None = None
    insecure: bool = False
    private: bool = False
    link: tuple[Path, ...] = ()
    metrics_listen: str | None = None
    lease_dir: Path | None = None
    grace_seconds: float = 30
    worker_command: tuple[str, ...] = WORKER_COMMAND
    limits: Limits = field(default_factory=Limits)
    keep: Keep = field(default_factory=Keep)


def now() -> str:
    """The time, as the service writes it: RFC 3339, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
