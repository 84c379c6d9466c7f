"""A simulation that ends before its time: killed, interrupted, or robbed of one of its processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from readlabel.messages import Library, ReadlabelError
from readlabel.simulator.parameters import SimulationParameters
from readlabel.simulator.write import write_simulated

NAMES = ("reads.parquet", "reads.pkl", "labels.pkl")
HEEDED = ("env", "--default-signal=INT,TERM,HUP")
"""Who starts these tests may have the signals ignored, as nohup has: then so would the command."""
WRITING = """
import sys
from pathlib import Path
from readlabel.messages import Library
from readlabel.simulator.parameters import SimulationParameters
from readlabel.simulator.write import write_simulated
library = Library.model_validate_json(Path("library.json").read_text())
if __name__ == "__main__":
    write_simulated(
        Path("out/reads.parquet"), library, SimulationParameters(), seed=1, stream="training", num_reads=10**7,
        pickles=Path("out"), workers=3, progress=lambda molecules: print(molecules, flush=True),
    )
"""


@pytest.fixture
def folder(tmp_path: Path, library_3p: Library) -> Path:
    """Holds the library, and in `out` the files of an earlier run."""
    (tmp_path / "library.json").write_text(library_3p.model_dump_json())
    (tmp_path / "out").mkdir()
    for name in NAMES:
        (tmp_path / "out" / name).write_text("earlier")
    return tmp_path


def test_a_kill_leaves_the_earlier_files_and_no_process(folder: Path) -> None:
    (folder / "writing.py").write_text(WRITING)
    command = [sys.executable, "writing.py"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        process.kill()
        # All its processes hold the pipes: they end when the last of them does.
        _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert errors == ""
    assert [(folder / "out" / name).read_text() for name in NAMES] == ["earlier"] * 3


def test_an_interrupt_of_all_processes_is_one_line_and_leaves_nothing_new(folder: Path) -> None:
    """Ctrl-C reaches every process in the foreground of a terminal; the bar shows when reads are being made."""
    command = [*HEEDED, sys.executable, "-m", "readlabel.cli", "simulate", "--library", "library.json"]
    command += ["--num-reads", "9999999", "--threads", "3", "--out", "out/reads.parquet", "--pkl", "out"]
    terminal, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=folder, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        shown = b""
        while not re.search(rb"[1-9]\d*/9999999", shown):
            shown += os.read(terminal, 4096)
        os.killpg(process.pid, signal.SIGINT)
        rest = b""
        try:
            while text := os.read(terminal, 4096):
                rest += text
        except OSError:  # the other side of the terminal is closed
            os.close(terminal)
    assert process.returncode == 130
    assert rest.endswith(b"error: interrupted\r\n")
    assert b"Traceback" not in rest
    assert sorted(path.name for path in (folder / "out").iterdir()) == sorted(NAMES)
    assert [(folder / "out" / name).read_text() for name in NAMES] == ["earlier"] * 3


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_scheduler_that_ends_it_finds_nothing_new_and_no_process(
    folder: Path, number: signal.Signals, status: int
) -> None:
    """Hidden files of hundreds of MB would stay on a shared disk, where nobody sees them."""
    command = [*HEEDED, sys.executable, "-m", "readlabel.cli", "simulate", "--library", "library.json"]
    command += ["--num-reads", "9999999", "--threads", "3", "--out", "out/reads.parquet", "--pkl", "out"]
    terminal, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=folder, stderr=theirs, stdout=subprocess.PIPE) as process:
        os.close(theirs)
        shown = b""
        while not re.search(rb"[1-9]\d*/9999999", shown):
            shown += os.read(terminal, 4096)
        process.send_signal(number)
        # All its processes hold the terminal: it closes when the last of them ends.
        with contextlib.suppress(OSError):
            while text := os.read(terminal, 4096):
                shown += text
        os.close(terminal)
    assert process.returncode == status
    assert b"Traceback" not in shown
    assert sorted(path.name for path in (folder / "out").iterdir()) == sorted(NAMES)
    assert [(folder / "out" / name).read_text() for name in NAMES] == ["earlier"] * 3


def test_a_process_that_is_ended_from_outside_is_one_clear_error(tmp_path: Path, library_3p: Library) -> None:
    def end_the_others(_: int) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    with pytest.raises(ReadlabelError, match="a process that made reads has ended before its time"):
        write_simulated(tmp_path / "reads.parquet", library_3p, SimulationParameters(), seed=1, stream="training",
                        num_reads=100_000, workers=2, progress=end_the_others)  # fmt: skip
    assert list(tmp_path.iterdir()) == []
    assert not multiprocessing.active_children()
