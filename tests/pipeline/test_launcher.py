"""./nextflow: the user's Nextflow where there is one, else one that is collected once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with the commands that ./nextflow uses, to serve as PATH; Java and Maven are not among them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "env", "dirname", "readlink", "sed", "head", "mkdir", "mktemp", "mv", "rm", "tail", "grep"):
        (folder / name).symlink_to(shutil.which(name))
    return folder


def run(command, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=os.environ | environment, cwd=cwd, capture_output=True, text=True, timeout=300)


def test_the_nextflow_on_the_path_is_used_with_every_argument_and_its_exit_status(root, tools):
    users = tools / "nextflow"
    users.write_text('#!/usr/bin/env bash\necho "users own:" "$@"\nexit 7\n')
    users.chmod(0o755)
    done = run([root / "nextflow", "run", ".", "--outdir", "a folder"], PATH=str(tools))
    assert (done.returncode, done.stdout) == (7, "users own: run . --outdir a folder\n")


def test_under_a_locale_without_utf_8_folders_with_any_letter_are_still_found(root, tmp_path):
    folder = tmp_path / "Läufe"
    folder.mkdir()
    done = run([root / "nextflow", "run", root, "--help"], cwd=folder, LC_ALL="C")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "--model_name" in done.stdout


def test_a_nextflow_on_the_path_that_is_itself_is_passed_over(root, tools):
    (tools / "nextflow").symlink_to(root / "nextflow")
    done = run([root / "nextflow", "-version"], PATH=f"{tools}:{os.environ['PATH']}")
    assert done.returncode == 0
    assert "version 24.10.0" in done.stdout


def test_a_parameter_with_one_dash_is_said_to_need_two(root, tmp_path):
    done = run([root / "nextflow", "run", ".", "-model_name=mylib"])
    assert done.returncode == 1
    assert done.stderr == "error: -model_name=mylib: a parameter of the pipeline has two dashes: --model_name\n"


def test_a_workflow_by_name_is_refused_of_this_pipeline_and_left_to_any_other(root, tools):
    (tools / "nextflow").write_text('#!/usr/bin/env bash\necho "users own:" "$@"\n')
    (tools / "nextflow").chmod(0o755)
    for pipeline in (".", str(root), "main.nf"):
        done = run([root / "nextflow", "run", pipeline, "-entry", "TRAIN"], cwd=root, PATH=str(tools))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "error: -entry: this pipeline has one workflow, which runs without -entry; leave it out\n"
    done = run([root / "nextflow", "run", "their/pipeline", "-entry", "QC"], cwd=root, PATH=str(tools))
    assert (done.returncode, done.stdout) == (0, "users own: run their/pipeline -entry QC\n")


TABLES = "--training_params p.tsv --training_seq_orders o.tsv"
# Launches as Nextflow's history tells them, the last one last: name, its tasks, whether it got to train, its command.
LAUNCHES = (
    ("first", 9, True, f"run . --model_name a {TABLES} --outdir r"),
    ("grown", 12, True, f"run . --outdir r --model_name=a {TABLES} -resume 0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"),
    ("other_seed", 9, True, f"run . --model_name a {TABLES} --seed 2"),
    ("other_tables", 9, True, "run . --model_name a --training_params p2.tsv --training_seq_orders o.tsv"),
    ("other_library", 9, True, f"run . --model_name b {TABLES}"),
    ("refused_reads", 3, False, f"run . --model_name a {TABLES} --reads p"),
    ("refused_table", 1, False, f"run . --model_name c {TABLES}"),
    ("interrupted", 2, False, f"run . --model_name d {TABLES}"),
    ("help", 0, False, "run . --help"),
)


@pytest.mark.parametrize(
    ("command", "taken", "why"),
    [
        (f"run . --model_name a {TABLES} --outdir r -resume", "grown", "of this same command"),
        (f"run . -resume --seed=2 --model_name a {TABLES}", "other_seed", "of this same command"),
        (f"run . --model_name a {TABLES} -resume", "other_seed", "of this model and these tables"),
        (f"run . -resume --model_name a {TABLES} --reads p", "other_seed", "of this model and these tables"),
        ("run . -resume --model_name a", "other_tables", "of this model, with other tables"),
        (f"run . --model_name b {TABLES} -resume", "other_library", "of this same command"),
        (f"run . --model_name d {TABLES} -resume", "interrupted", "of this same command"),
        (f"run . --model_name a,b {TABLES} -resume", "other_library", "none was of this model"),
        ("run . --model_name a -resume of-the-user", "of-the-user", ""),
    ],
)
def test_a_bare_resume_goes_on_from_the_last_launch_of_the_same_library_that_got_to_work(
    root, tmp_path, command, taken, why
):
    rows = []
    for minute, (name, tasks, trained, words) in enumerate(LAUNCHES):
        session = tmp_path / ".nextflow" / "cache" / name
        session.mkdir(parents=True)
        session.joinpath(f"index.{name}").write_bytes(bytes(17 * tasks))
        if trained:
            session.joinpath("trained").touch()
        rows.append(f"2026-01-01 10:0{minute}:00\t9s\t{name}\tOK\tabc\t{name}\tnextflow {words}\n")
    tmp_path.joinpath(".nextflow", "history").write_text("".join(rows))
    users = tmp_path / "bin" / "nextflow"
    users.parent.mkdir()
    users.write_text('#!/usr/bin/env bash\necho "$@"\n')
    users.chmod(0o755)
    path = f"{users.parent}:{os.environ['PATH']}"
    done = run([root / "nextflow", *command.split()], cwd=tmp_path, PATH=path)
    assert done.stdout == command.removesuffix(" of-the-user").replace("-resume", f"-resume {taken}") + "\n"
    assert (f"from the launch {taken} of 2026-01-01 10:0" in done.stderr) == bool(why)
    assert why in done.stderr


def test_missing_java_is_said_with_what_to_install(root, tools):
    done = run([root / "nextflow", "-version"], PATH=str(tools), JAVA_HOME="", JAVA_CMD="", READLABEL_NEXTFLOW="own")
    assert done.returncode == 69
    assert "needs Java 17 or later" in done.stderr
    assert "apt install" in done.stderr


def test_missing_maven_is_said_with_what_to_install(root, tools, tmp_path):
    done = run([root / "tools/fetch-jars", root / "tools/nextflow/pom.xml", tmp_path / "jars", "it"], PATH=str(tools))
    assert done.returncode == 69
    assert "Maven (mvn) is missing" in done.stderr
    assert not (tmp_path / "jars").exists()


def test_two_first_starts_at_once_download_once_and_both_have_every_jar(root, tmp_path):
    command = [root / "tools/fetch-jars", root / "tools/nextflow/pom.xml", tmp_path / "jars", "Nextflow"]
    starts = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    messages = [start.communicate(timeout=300)[1] for start in starts]
    assert [start.returncode for start in starts] == [0, 0], messages
    assert "".join(messages).count("Downloading") == 1
    assert (tmp_path / "jars" / "nextflow-24.10.0.jar").is_file()
    assert len(list((tmp_path / "jars").glob("*.jar"))) == 54
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jars", "jars.lock"]
