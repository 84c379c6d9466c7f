"""The scripts: strict syntax, and a stub run that goes the whole way without training."""

from __future__ import annotations

import subprocess


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
    assert len(modules) == 7
    assert [path.parent.name for path in modules if "\n    stub:\n" not in path.read_text()] == []


def test_a_stub_run_goes_all_the_way_for_every_model(launch):
    stub = launch.run("--model_name", "all", "-stub-run")
    assert stub.exit_status == 0, stub.output
    ended = {name: stub.count(name, "COMPLETED") for name in ("SIMULATE", "TRAIN", "EXPORT", "REPORT", "VERDICT")}
    assert ended == {"SIMULATE": 4, "TRAIN": 2, "EXPORT": 2, "REPORT": 1, "VERDICT": 1}
    assert {path.name for path in stub.outdir.glob("*/*_0")} == {"10x3p_sc_ont_0", "10x5p_sc_ont_0"}
