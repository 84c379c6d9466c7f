"""The scripts: strict syntax, and a stub run that goes the whole way without training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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


# Between Nextflow's shell, which passes no signal on, and a tool that puts its things in order when it is told to end.
SHELL = "bash task.sh & wait $!"
TASK = """exec "$0" -c 'import signal, sys, time
def end(*_):
    time.sleep(0.5)
    open("order", "w").close()
    sys.exit(143)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
signal.pause()'
"""

Contained = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def contained(root, tmp_path) -> Contained:
    """Starts a command as a container of the images does, below an init that sees nothing else."""
    alone = ["unshare", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("this machine forbids processes that see nothing else")
    init = [Path(sys.executable).with_name("dumb-init"), "--single-child", "--", root / "containers/outlive"]

    def start(*command: object) -> subprocess.Popen[str]:
        return subprocess.Popen([*alone, *init, *command], cwd=tmp_path, stdout=subprocess.PIPE, text=True)

    return start


def test_a_task_in_a_container_has_time_to_end_in_order_though_nextflows_shell_passes_no_signal_on(contained, tmp_path):
    (tmp_path / "task.sh").write_text(TASK.replace("$0", sys.executable))
    with contained("bash", "-c", SHELL) as started:
        assert started.stdout.readline() == "up\n"
        [init] = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
        os.kill(int(init), signal.SIGTERM)
        assert started.wait(timeout=60) == 128 + signal.SIGTERM
    assert (tmp_path / "order").exists()


def test_what_ends_by_itself_ends_as_it_does_whatever_it_leaves_running(contained):
    for command, status in (("sleep 600 & exit 7", 7), ("exec false", 1)):
        with contained("bash", "-c", command) as started:
            assert started.wait(timeout=60) == status


def test_outside_a_container_a_task_is_started_and_nothing_else(root):
    assert subprocess.run([root / "containers/outlive", "bash", "-c", "exit 7"]).returncode == 7
