"""The pipeline with podman, in the images that `make images` has built and `containers/engine` finds."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest


def podman(*arguments: object) -> str:
    """What a podman command prints."""
    done = subprocess.run(["podman", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(name="podman", scope="session")
def podman_command():
    return podman


@pytest.fixture
def anybody() -> int:
    """An id that no image and no machine knows."""
    return 41234


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def tls(tmp_path: Path, anybody: int) -> Path:
    """A folder with token, certificate and key that the containers' user may read, and one for the service's data."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    openssl = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "tls.key", "-out", "tls.crt"]
    subprocess.run([*openssl, *names], cwd=folder, check=True, capture_output=True)
    (folder / "ca.crt").write_bytes((folder / "tls.crt").read_bytes())
    (folder / "token").write_text("a-token-of-this-test-alone\n")
    (folder / "data").mkdir()
    for path in [folder, *folder.iterdir()]:
        path.chmod(0o700 if path.is_dir() else 0o600)
        subprocess.run(["chown", f"{anybody}:{anybody}", path], check=True)
    return folder
