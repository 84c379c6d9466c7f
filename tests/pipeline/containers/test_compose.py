"""containers/compose.yaml, brought up for real: the service answers over TLS, is healthy, and stops in order."""

from __future__ import annotations

import os
import subprocess

import pytest

pytestmark = pytest.mark.containers


@pytest.fixture
def compose(root, tls, anybody, free_port):
    """Commands of podman-compose in a project of this test's own."""
    project = f"readlabel-test-{free_port}"
    settings = {
        "READLABEL_USER": f"{anybody}:{anybody}",
        "READLABEL_PORT": str(free_port),
        "READLABEL_SECRETS": str(tls),
        "READLABEL_DATA": str(tls / "data"),
    }

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        file = root / "containers" / "compose.yaml"
        return subprocess.run(
            ["podman-compose", "--file", file, "--project-name", project, *words],
            env=os.environ | settings, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip

    yield command
    command("down", "--timeout", "60")


def test_the_compose_file_brings_up_a_service_that_is_healthy_over_tls_and_stops_in_order(compose, podman, free_port):
    up = compose("up", "--detach")
    assert up.returncode == 0, up.stdout + up.stderr
    [name] = podman("ps", "--filter", f"name=readlabel-test-{free_port}", "--format", "{{.Names}}").splitlines()
    podman("exec", name, "readlabel", "health", "--wait", "60", "--service", "localhost:50051")
    podman("healthcheck", "run", name)
    [state] = podman("inspect", "--format", "{{.HostConfig.ReadonlyRootfs}} {{.Config.User}}", name).splitlines()
    assert state == "true 41234:41234"
    stop = compose("stop", "--timeout", "60")
    assert stop.returncode == 0, stop.stdout + stop.stderr
    assert podman("inspect", "--format", "{{.State.ExitCode}}", name) == "0"


def test_what_the_compose_file_needs_is_said_when_it_is_missing(root):
    bare = {name: value for name, value in os.environ.items() if not name.startswith("READLABEL_")}
    command = ["podman-compose", "--file", root / "containers" / "compose.yaml", "config"]
    refused = subprocess.run(command, env=bare, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode != 0
    assert "a folder on a local disk" in refused.stdout + refused.stderr
