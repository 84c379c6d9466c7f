"""The committed API files agree with each other and with what was promised."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_committed_stubs_are_those_of_the_protos(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "tools/generate_stubs.py", tmp_path], check=True)
    fresh = {path.name: path.read_text() for path in (tmp_path / "readlabel/v1").iterdir()}
    assert importlib.util.find_spec("readlabel.v1") is not None
    committed = {
        path.name: path.read_text()
        for path in (ROOT / "services/readlabel/v1").iterdir()
        if path.is_file() and path.name != "__init__.py"
    }
    assert committed == fresh


def test_the_api_is_linted_and_keeps_its_promises() -> None:
    checked = subprocess.run([sys.executable, ROOT / "tools/buf.py"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_broken_promise_is_noticed(tmp_path: Path) -> None:
    """The check above can fail: a field that changes its number is found."""
    copy = tmp_path / "proto/readlabel/v1"
    copy.mkdir(parents=True)
    for path in (ROOT / "proto/readlabel/v1").iterdir():
        text = path.read_text().replace("optional int32 epochs = 16;", "optional int32 epochs = 61;")
        (copy / path.name).write_text(text)
    (tmp_path / "buf.yaml").write_text((ROOT / "buf.yaml").read_text())
    buf = Path(sys.executable).parent / "buf"
    against = ROOT / "proto/readlabel.binpb"
    checked = subprocess.run([buf, "breaking", "--against", against], cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode != 0
    assert "epochs" in checked.stdout
