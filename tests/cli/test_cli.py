from __future__ import annotations

import subprocess
import sys

import pytest

from readlabel import __version__
from readlabel.cli import COMMANDS


def readlabel(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "readlabel.cli", *arguments], capture_output=True, text=True, check=False
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
