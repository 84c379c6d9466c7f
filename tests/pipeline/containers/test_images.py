"""The images themselves: what they may do, what they hold, how they end."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest

from readlabel import __version__

pytestmark = pytest.mark.containers
IMAGES = ("client", "data", "trainer")


def reference(image: str) -> str:
    return f"localhost/readlabel/{image}:{__version__}"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_anybody_without_network_on_a_file_system_that_takes_no_writes(podman, image):
    confined = ["--rm", "--no-healthcheck", "--read-only", "--network", "none", "--cap-drop", "all"]
    assert podman("run", *confined, "--user", "41234:41234", reference(image), "readlabel", "--version") == (
        f"readlabel {__version__}"
    )
    assert podman("run", *confined, reference(image), "id", "-u") == "1000", "nobody is root by default"


@pytest.mark.parametrize("image", IMAGES)
def test_nothing_that_builds_is_left_in_an_image(podman, image):
    tools = "for tool in pip pip3 gcc cc make hatchling; do command -v $tool; done"
    look = f"{tools}; ls /root/.cache /var/lib/apt/lists/* 2>/dev/null; true"
    assert podman("run", "--rm", "--no-healthcheck", "--user", "0", reference(image), "bash", "-c", look) == ""


@pytest.mark.parametrize("image", IMAGES)
def test_the_bill_of_materials_names_what_the_lock_file_pins(root, image):
    bill = json.loads((root / "build" / "containers" / f"{image}.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    urls = {component["purl"] for component in bill["components"]}
    pins = re.findall(r"^([a-z0-9.-]+)==([^ \\]+)", (root / f"containers/locks/{image}.lock").read_text(), re.MULTILINE)
    assert {f"pkg:pypi/{name}@{version}" for name, version in pins} <= {url.replace("%2B", "+") for url in urls}
    assert any(url.startswith("pkg:deb/debian/libc6@") for url in urls)


def test_an_image_says_what_it_is(podman):
    [config] = json.loads(podman("image", "inspect", reference("trainer")))
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert re.fullmatch("[0-9a-f]{40}", labels["org.opencontainers.image.revision"])
    assert config["Healthcheck"]["Test"][:3] == ["CMD", "readlabel", "health"]


def test_the_trainer_finds_nvidias_driver_where_googles_machines_mount_it(podman, tmp_path):
    mount = ["--rm", "--no-healthcheck", "--user", "0", "--volume", f"{tmp_path}:/usr/local/nvidia/lib64"]
    # Any library will do: what counts is that its name is looked for there.
    copy = "import shutil, pydantic_core._pydantic_core as library; shutil.copy(library.__file__, '{}')"
    driver = "/usr/local/nvidia/lib64/libcuda.so.1"
    podman("run", *mount, reference("trainer"), "python", "-c", copy.format(driver))
    podman("run", *mount, reference("trainer"), "python", "-c", "import ctypes; ctypes.CDLL('libcuda.so.1')")


def test_a_command_that_ignores_no_signal_ends_at_sigterm_though_it_is_the_first_process():
    command = [
        "podman",
        "run",
        "--rm",
        "--no-healthcheck",
        "--interactive",
        reference("client"),
        "bash",
        "-c",
        "echo up; exec cat",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "up\n"
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=60) == 128 + signal.SIGTERM
