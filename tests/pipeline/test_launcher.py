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


def run(command, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=300)


def test_the_nextflow_on_the_path_is_used_with_every_argument_and_its_exit_status(root, tools):
    users = tools / "nextflow"
    users.write_text('#!/usr/bin/env bash\necho "users own:" "$@"\nexit 7\n')
    users.chmod(0o755)
    done = run([root / "nextflow", "run", ".", "--outdir", "a folder"], PATH=str(tools))
    assert (done.returncode, done.stdout) == (7, "users own: run . --outdir a folder\n")


def test_a_nextflow_on_the_path_that_is_itself_is_passed_over(root, tools):
    (tools / "nextflow").symlink_to(root / "nextflow")
    done = run([root / "nextflow", "-version"], PATH=f"{tools}:{os.environ['PATH']}")
    assert done.returncode == 0
    assert "version 24.10.0" in done.stdout


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
