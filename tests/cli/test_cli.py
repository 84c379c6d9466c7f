from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from readlabel import __version__
from readlabel.cli import COMMANDS


def readlabel(*arguments: str, first_on_path: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, filter(None, (first_on_path, os.environ.get("PYTHONPATH")))))
    return subprocess.run(
        [sys.executable, "-m", "readlabel.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_the_help_lists_every_command() -> None:
    done = readlabel("--help")
    assert done.returncode == 0
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_with_an_example(name: str) -> None:
    done = readlabel(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "Example" in done.stdout
    assert f"readlabel {name}" in done.stdout


RUNS = ("list", "show", "watch", "cancel", "resume", "delete", "download")


@pytest.mark.parametrize("name", [*COMMANDS, *(f"runs {name}" for name in RUNS)])
def test_the_lines_of_an_example_fit_a_terminal_so_that_they_can_be_pasted(name: str) -> None:
    help_text = readlabel(*name.split(), "--help").stdout
    example = help_text[help_text.index("Example") : help_text.index("╭")].rstrip().splitlines()[1:]
    command_begins = True
    for line in (line.strip() for line in example):
        if command_begins:
            assert line.startswith(("readlabel ", "(", "mkdir ", "samtools ")), line
        command_begins = not line.endswith("\\")


def test_an_unknown_command_is_a_usage_error_with_a_guess() -> None:
    done = readlabel("trian")
    assert done.returncode == 2
    assert "did you mean 'train'?" in done.stderr


def test_the_version_is_the_packages() -> None:
    assert readlabel("--version").stdout == f"readlabel {__version__}\n"


def test_an_unknown_option_is_a_usage_error() -> None:
    done = readlabel("grid", "--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr


def test_ctrl_c_while_packages_are_imported_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = readlabel("simulate", "--help", first_on_path=tmp_path)
    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")


def test_a_command_whose_packages_are_not_installed_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')\n")
    done = readlabel("simulate", "--help", first_on_path=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: `readlabel simulate` needs the extra data: pip install 'readlabel[data]'")
    assert "Traceback" not in done.stderr
