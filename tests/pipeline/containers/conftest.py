"""The pipeline with podman, in the images that `make images` has built and `containers/engine` finds."""

from __future__ import annotations

import subprocess

import pytest


def podman(*arguments: object) -> str:
    """What a podman command prints."""
    done = subprocess.run(["podman", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(name="podman", scope="session")
def podman_command():
    return podman
