"""Fixtures that several rooms' tests share."""

from __future__ import annotations

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
