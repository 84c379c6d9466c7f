"""A disk that has no room for results: said before anything runs, or when they are published.

The disks are small file systems in memory, so these tests need to be allowed to mount; see the Makefile's target.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

KIB = 1 << 10
MIB = 1 << 20
TICK = 0.2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts an empty file system of so many bytes where results go."""
    disk = tmp_path / "results"

    def mount(size: int) -> Path:
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], check=True)
        return disk

    yield mount
    subprocess.run(["umount", disk], check=True)


def test_a_disk_without_room_for_results_is_refused_before_anything_runs(launch, small_disk) -> None:
    disk = small_disk(8 * MIB)
    refused = launch.train()
    assert refused.exit_status == 1
    assert f"--outdir: the disk of '{disk}' is full: 7." in refused.output, "of 8 MB, less Nextflow's own records"
    assert "MB are free, and results take more than 16 MB" in refused.output
    assert list(disk.iterdir()) == [], "what is refused leaves nothing, Nextflow's own records included"


def test_results_that_find_no_room_are_named_and_resume_publishes_them(launch, small_disk) -> None:
    disk = small_disk(24 * MIB)
    start = launch.start(*launch.tiny({}))
    while not any(launch.folder.glob("work/*/*/run")):
        assert start.poll() is None
        try:
            start.wait(timeout=TICK)
        except subprocess.TimeoutExpired:
            continue
    filler = disk / "filler"
    with filler.open("wb") as handle:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        os.posix_fallocate(handle.fileno(), 0, free - 16 * KIB)
    full = launch.ended(start)
    assert full.exit_status != 0
    assert "so this is not there or not whole" in full.output
    assert not any(line.startswith("Report: ") for line in full.output.splitlines()), "it is not to be had there"

    filler.unlink()
    mended = launch.train("-resume")
    assert mended.exit_status == 0, mended.output
    assert (mended.outdir / "report" / "report.html").is_file()
