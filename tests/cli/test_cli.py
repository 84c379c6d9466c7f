from __future__ import annotations

import functools
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from readlabel import __version__
from readlabel.cli import COMMANDS

ASSETS = Path(__file__).parents[2] / "assets"


def readlabel(
    *arguments: str, first_on_path: Path | None = None, columns: int = 100, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, filter(None, (first_on_path, os.environ.get("PYTHONPATH")))))
    return subprocess.run(
        [sys.executable, "-m", "readlabel.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": str(columns)},
    )


@functools.cache
def help_of(name: str) -> str:
    """What a command says of itself on a narrow terminal."""
    done = readlabel(*name.split(), "--help", columns=80)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_help_lists_every_command() -> None:
    done = readlabel("--help")
    assert done.returncode == 0
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_with_an_example(name: str) -> None:
    assert "Example" in help_of(name)
    assert f"readlabel {name}" in help_of(name)


RUNS = ("list", "show", "watch", "cancel", "resume", "delete", "download")


@pytest.mark.parametrize("name", [*COMMANDS, *(f"runs {name}" for name in RUNS)])
def test_the_lines_of_an_example_fit_a_terminal_so_that_they_can_be_pasted(name: str) -> None:
    help_text = help_of(name)
    example = help_text[help_text.index("Example") :].partition("\n\n")[0]
    lines = example[example.index(":\n") :].splitlines()[1:]
    command_begins = True
    for line in (line.strip() for line in lines):
        if command_begins:
            assert line.startswith(("readlabel ", "(", "mkdir ", "samtools ")), line
        command_begins = not line.endswith("\\")


@pytest.mark.parametrize("name", [*COMMANDS, *(f"runs {name}" for name in RUNS)])
def test_a_help_fits_a_narrow_terminal_with_every_option_whole(name: str) -> None:
    lines = help_of(name).splitlines()
    assert max(map(len, lines)) <= 80
    assert not any(word in line for line in lines for word in ("…", "list[", "<bool>", "<str>"))


def test_an_unknown_command_is_a_usage_error_with_a_guess() -> None:
    done = readlabel("trian")
    assert done.returncode == 2
    assert "did you mean 'train'?" in done.stderr


def test_the_version_is_the_packages() -> None:
    assert readlabel("--version").stdout == f"readlabel {__version__}\n"


def test_the_version_is_said_without_loading_what_the_commands_need() -> None:
    code = (
        "import sys; from readlabel.cli import main; main(); "
        "print(sorted({'typer', 'pydantic', 'rich'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["[]"]


def test_an_unknown_option_is_a_usage_error() -> None:
    done = readlabel("grid", "--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr


def test_all_that_is_missing_is_named_at_once() -> None:
    done = readlabel("grid", "--out", "grid.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: --training-params, --training-seq-orders must be given; readlabel grid --help" in done.stderr
    assert readlabel("label").stderr == "error: MODEL, READS, --out must be given; readlabel label --help explains\n"


def test_a_whole_grid_and_a_folder_of_folders_are_told_from_what_was_meant(tmp_path: Path) -> None:
    (tmp_path / "grid.json").write_text('{"entries": []}')
    reads = ("--train", "t.parquet", "--validation", "v.parquet", "--out", "run")
    done = readlabel("train", "--point", "grid.json", *reads, cwd=tmp_path)
    assert done.returncode == 2
    assert "grid.json: is a whole grid; --point takes one of its combinations" in done.stderr
    (tmp_path / "best" / "m").mkdir(parents=True)
    (tmp_path / "best" / "m" / "m_0_run.json").touch()
    done = readlabel("export", "--run", "best", "--install", "models", cwd=tmp_path)
    assert "it holds neither; did you mean best/m?" in done.stderr
    (tmp_path / "report").mkdir()
    (tmp_path / "best").rename(tmp_path / "report" / "best")
    done = readlabel("export", "--run", "report", "--install", "models", cwd=tmp_path)
    assert "it holds neither; did you mean report/best/m?" in done.stderr


def test_a_drawing_is_a_pdf() -> None:
    done = readlabel("label", "model", "reads.fastq", "--out", "segments.tsv", "--pdf", "my.png")
    assert done.returncode == 2
    assert "--pdf my.png: what is drawn is a PDF; let its name end in .pdf" in done.stderr


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


def examples_of(name: str) -> list[list[str]]:
    """The commands of a help's example, as words."""
    help_text = help_of(name)
    example = help_text[help_text.index("Example") :].partition("\n\n")[0]
    text = example[example.index(":\n") + 1 :].replace("\\\n", " ")
    return [shlex.split(line) for line in text.splitlines() if line.strip()]


def test_examples_follow_from_one_another(tmp_path: Path) -> None:
    """What is quick is run as it stands; of what trains, each file it names was made by an example before it."""
    for command in (*examples_of("grid"), *examples_of("simulate")):
        fewer = ["20" if word in ("2000", "500") else word for word in command[1:]]
        done = readlabel(*fewer, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    reads = ("--point", "--train", "--validation", "--training-seq-orders", "--grid", "--run", "--leaderboard")
    makes = {"train": "{out}", "export": "{out}/{name}", "report": "{out}/leaderboard.tsv"}
    for name in ("train", "export", "evaluate", "report", "verdict"):
        for _, _, *words in examples_of(name):
            given = dict(zip(words[::2], words[1::2], strict=True))
            assert {given[option] for option in reads if option in given} <= made, words
            if "--out" in given:
                made.add(makes[name].format(out=given["--out"], name=given.get("--name")))


def test_the_example_tables_are_the_demonstrations(tmp_path: Path) -> None:
    done = readlabel("grid", "--example", "tables", cwd=tmp_path)
    assert done.stdout.splitlines() == ["tables/training_seq_orders.tsv", "tables/training_params.tsv"]
    assert (tmp_path / "tables" / "training_params.tsv").read_text() == (ASSETS / "demo_params.tsv").read_text()
    row = (tmp_path / "tables" / "training_seq_orders.tsv").read_text()
    assert row in (ASSETS / "training_seq_orders.tsv").read_text().splitlines(keepends=True)
    again = readlabel("grid", "--example", "tables", cwd=tmp_path)
    assert again.returncode == 73
    assert "training_seq_orders.tsv: is there already" in again.stderr
