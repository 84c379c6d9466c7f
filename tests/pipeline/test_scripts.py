"""The scripts: strict syntax, and a stub run that goes the whole way without training."""

from __future__ import annotations

import subprocess

import pytest


def test_every_script_passes_the_strict_parser(root):
    scripts = ["main.nf", "nextflow.config", "conf", "modules"]
    done = subprocess.run([root / "tools/nf-lint/lint", *scripts], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_strict_parser_finds_what_later_versions_refuse(root, tmp_path):
    (tmp_path / "loose.nf").write_text("process A {\n    shell:\n    'echo !{x}'\n}\nfor (i in 1..3) { println i }\n")
    done = subprocess.run([root / "tools/nf-lint/lint", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{tmp_path}/loose.nf:5:" in done.stdout


def test_every_process_has_a_stub(root):
    modules = [path for path in root.glob("modules/*/main.nf") if "\nprocess " in path.read_text()]
    assert len(modules) == 8
    assert [path.parent.name for path in modules if "\n    stub:\n" not in path.read_text()] == []


def test_a_stub_run_goes_all_the_way_for_every_model(launch):
    stub = launch.run("--model_name", "all", "-stub-run")
    assert stub.exit_status == 0, stub.output
    ended = {name: stub.count(name, "COMPLETED") for name in ("SIMULATE", "TRAIN", "EXPORT", "REPORT", "VERDICT")}
    assert ended == {"SIMULATE": 4, "TRAIN": 2, "EXPORT": 2, "REPORT": 1, "VERDICT": 1}
    assert {path.name for path in stub.outdir.glob("*/*_0")} == {"10x3p_sc_ont_0", "10x5p_sc_ont_0"}


REFUSED = "warning: of a library\nerror: 2 problems:\n  - one\n  - two\nwarning: at the end"


@pytest.mark.parametrize(
    ("status", "ends_with", "told"),
    [
        (0, 0, None),
        (2, 0, "error: 2 problems:\n  - one\n  - two\n"),
        (69, 0, "error: 2 problems:\n  - one\n  - two\n"),
        (1, 1, None),
        (137, 137, None),
    ],
)
def test_a_refusal_is_kept_without_what_libraries_say_and_any_other_end_is_passed_on(
    root, tmp_path, status, ends_with, told
):
    command = ["bash", "-c", f"echo result; echo '{REFUSED}' >&2; exit {status}"]
    done = subprocess.run([root / "bin/or-refuse", *command], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (ends_with, "result\n", f"{REFUSED}\n")
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == ({} if told is None else {"refusal.txt": told})


def test_a_command_that_cannot_be_listened_to_ends_as_it_does(root, tmp_path):
    (tmp_path / "errors.txt").mkdir()
    assert subprocess.run([root / "bin/or-refuse", "true"], cwd=tmp_path, capture_output=True).returncode == 0


def test_a_machine_without_the_tools_is_told_how_to_get_them(root, tmp_path):
    done = subprocess.run([root / "bin/or-refuse", "readlabel-of-nobody"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0
    assert "readlabel-of-nobody is not installed here: `make setup`" in (tmp_path / "refusal.txt").read_text()
