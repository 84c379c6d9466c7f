"""The pipeline with podman, in the images of `make images`. `containers/engine` says where podman keeps them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

# An id that no image and no machine knows.
USER = 41234
CONFIG = f"podman.runOptions = '--user {USER}:{USER} --read-only --cap-drop all --no-healthcheck --stop-timeout 60'\n"


@pytest.fixture(autouse=True)
def _folders_open_to_every_user() -> Iterator[None]:
    """Work folders are made by this user and written by another."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def user(launch) -> int:
    """The user that containers run as; user.config in the launch's folder says so."""
    (launch.folder / "user.config").write_text(CONFIG)
    return USER


def podman(*arguments: object) -> str:
    """What a podman command prints."""
    done = subprocess.run(["podman", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(name="podman", scope="session")
def podman_command():
    return podman
