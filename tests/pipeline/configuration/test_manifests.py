"""What containers/ offers a cluster or a host: manifests by Kubernetes' own schema, and what they must agree on."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from readlabel import __version__

OLDEST, NEWEST = "1.29", "1.33"


def documents(root: Path, name: str) -> list[dict]:
    return [
        document for document in yaml.safe_load_all((root / "containers/kubernetes" / name).read_text()) if document
    ]


@pytest.fixture
def service(root) -> dict[str, dict]:
    return {document["kind"]: document for document in documents(root, "service.yaml")}


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", ["service.yaml", "pipeline.yaml"])
def test_a_manifest_is_what_kubernetes_takes(root, name, version):
    for document in documents(root, name):
        kubernetes_validate.validate(document, version, strict=True)


def test_the_service_finds_its_pod_its_volume_and_its_secrets(service):
    pod = service["Deployment"]["spec"]["template"]
    [container] = pod["spec"]["containers"]
    assert service["Service"]["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert service["Service"]["spec"]["ports"][0]["targetPort"] in {port["name"] for port in container["ports"]}
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    assert mounts["/data"]["persistentVolumeClaim"]["claimName"] == service["PersistentVolumeClaim"]["metadata"]["name"]
    files = [word.partition("=")[2] for word in container["args"] if "file=" in word or "tls" in word]
    assert len(files) == 3
    for path in [*files, container["env"][0]["value"]]:
        assert "secret" in mounts[str(Path(path).parent)], path


def test_the_service_holds_one_volume_alone_and_is_no_root(service):
    spec = service["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate"), "two would want the same data folder"
    pod, [container] = spec["template"]["spec"], spec["template"]["spec"]["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["exec"]["command"][:2] == ["readlabel", "health"]


def test_every_image_is_of_this_version(root, service):
    [container] = service["Deployment"]["spec"]["template"]["spec"]["containers"]
    compose = yaml.safe_load((root / "containers/compose.yaml").read_text())["services"]["readlabel"]
    assert container["image"].endswith(f"/trainer:{__version__}")
    assert compose["image"].endswith(f"/trainer:{__version__}}}")


@pytest.mark.parametrize("image", ["client", "data", "trainer", "gpu", "build"])
def test_an_image_installs_what_the_lock_file_pins_by_the_same_hashes(root, image):
    whole, of_the_image = pins(root / "requirements.lock"), pins(root / f"containers/locks/{image}.lock")
    assert of_the_image
    apart = {name for name, pin in of_the_image.items() if whole.get(name) != pin}
    assert {name for name in apart if image != "gpu" or not name.startswith("nvidia-")} == set()


def pins(path: Path) -> dict[str, str]:
    """Package to its version and hashes, as a lock file has them."""
    entries = path.read_text().replace("\\\n", " ").splitlines()
    return {entry.split("==")[0]: " ".join(entry.split()) for entry in entries if "==" in entry}
