"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from readlabel.messages import Library, Segment

settings.register_profile("long", max_examples=5000, deadline=None)

ROOT = Path(__file__).resolve().parent.parent

PATTERNS_3P = {
    "5p": "TCTACACGACGCTCTTCCGATCT",
    "CBC": "N16",
    "UMI": "N12",
    "polyT": "T",
    "cDNA": "NN",
    "3p": "CCCATGTACTCTGCGTTGATACCACTGCTT",
}


@pytest.fixture(scope="session", autouse=True)
def _own_leases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tests share devices among themselves, and wait for nobody else on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READLABEL_LEASE_DIR", str(tmp_path_factory.mktemp("leases")))
        yield


@pytest.fixture
def library_3p() -> Library:
    """10x 3' libraries on Nanopore, as tranquillyzer's table has them."""
    return Library(
        model="10x3p_sc_ont",
        segments=tuple(Segment(name=name, pattern=pattern) for name, pattern in PATTERNS_3P.items()),
        barcodes=("CBC",),
        umis=("UMI",),
        strand="rev",
    )


@pytest.fixture
def object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """Address of a folder in a bucket, and the folder on the server's disk."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    buckets = tmp_path / "buckets"
    (buckets / "lab").mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [Path(sys.executable).with_name("localbucket"), "--port", port, buckets]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert server.stdout is not None
            assert any(" serving " in line for line in server.stdout)
            options = f"scheme=http&region=us-east-1&endpoint_override=127.0.0.1:{port}"
            yield f"s3://lab/check%20points?{options}", buckets / "lab"
        finally:
            server.terminate()
