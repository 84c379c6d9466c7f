"""Clients that nobody here wrote, and one generated from proto/ alone, call the service as it stands."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

pytestmark = pytest.mark.clients

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ROOT / "build" / "tools"
GO_CLIENT = ROOT / "docs" / "clients" / "go"
TRAINING = "readlabel.v1.TrainingService"
BLOBS = "readlabel.v1.BlobService"
TOKEN = "a-token-of-sufficient-length"
POINT = json.loads(re.search(r"```json\n(.*?)```", (GO_CLIENT / "README.md").read_text(), re.DOTALL)[1])  # type: ignore[index]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture
def service(start_service: Callable[..., Any], token_file: Path) -> Any:
    return start_service("--devices", "cpu:1", "--listen", "127.0.0.1:0", "--token-file", token_file, "--grace", "3")


def call(program: str, *arguments: object, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run one of the programs to its end."""
    command = [TOOLS / program, *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=120, check=False)


def grpcurl(address: str, *arguments: str, given: object = None) -> str:
    """What grpcurl prints; the request is read from its standard input."""
    text = "" if given is None else "\n".join(map(json.dumps, given if isinstance(given, list) else [given]))
    options = ["-plaintext", "-H", f"authorization: Bearer {TOKEN}", *(["-d", "@"] if given is not None else [])]
    verb, *words = arguments
    order = [address, verb, *words] if verb in ("list", "describe") else [address, f"{verb}/{words[0]}"]
    done = call("grpcurl", *options, *order, given=text)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_grpcurl_finds_its_way_by_reflection_and_trains(service: Any, make_script: Callable[..., Any]) -> None:
    address = service.address
    assert {TRAINING, BLOBS, "grpc.health.v1.Health"} <= set(grpcurl(address, "list").split())
    described = grpcurl(address, "describe", TRAINING)
    for method in grpcurl(address, "list", TRAINING).split():
        assert f"rpc {method.rpartition('.')[2]} " in described
    assert "optional int32 conv_filters" in grpcurl(address, "describe", "readlabel.v1.Hyperparameters")

    script = make_script()
    spec: dict[str, Any] = {"point": POINT}
    for name, path in (("training_reads", script.path), ("validation_reads", script.validation)):
        reads, data = getattr(script.spec, name), path.read_bytes()
        blob = spec[name] = {"sha256": reads.sha256, "size_bytes": str(reads.size_bytes)}
        chunk = {"data": base64.b64encode(data).decode(), "crc32c": google_crc32c.value(data)}
        missing = json.loads(grpcurl(address, BLOBS, "FindMissingBlobs", given={"blobs": [blob]}))
        assert missing["missing"][0]["sha256"] == reads.sha256
        parts = [{"blob": blob}, {"chunk": chunk, "finish_write": True}]
        assert json.loads(grpcurl(address, BLOBS, "WriteBlob", given=parts))["complete"] is True

    created = json.loads(grpcurl(address, TRAINING, "CreateTrainingRun", given={"training_run": {"spec": spec}}))
    events = grpcurl(address, TRAINING, "WatchTrainingRun", given={"name": created["name"]})
    assert re.findall(r'"epoch": (\d+)', events) == ["1", "2", "3"]
    assert re.findall(r'"state": "RUN_STATE_(\w+)"', events) == ["QUEUED", "RUNNING", "SUCCEEDED"]
    ended = json.loads(grpcurl(address, TRAINING, "GetTrainingRun", given={"name": created["name"]}))
    log = next(artifact["blob"] for artifact in ended["artifacts"] if artifact["name"] == "train.log")
    read = json.loads(grpcurl(address, BLOBS, "ReadBlob", given={"blob": log}))
    assert base64.b64decode(read["chunk"]["data"]) == b"attempt 1\n"


def test_grpcurl_shows_why_a_call_is_refused(service: Any) -> None:
    without = call("grpcurl", "-plaintext", service.address, f"{TRAINING}/GetServerInfo")
    assert "Unauthenticated" in without.stderr
    assert "authorization: Bearer <token>" in without.stderr
    header = ("-H", f"authorization: Bearer {TOKEN}")
    wrong = call("grpcurl", "-plaintext", *header, "-d", '{"name": "1"}', service.address, f"{TRAINING}/GetTrainingRun")
    assert "InvalidArgument" in wrong.stderr
    assert '"field": "name"' in wrong.stderr  # grpcurl knows google.rpc.BadRequest and prints it
    assert '"reason": "INVALID_ARGUMENT"' in wrong.stderr


def test_grpc_health_probe_sees_the_service_and_its_end(
    service: Any, make_script: Callable[..., Any], token_file: Path, until: Callable[..., Any]
) -> None:
    for name in ("", TRAINING, BLOBS):
        healthy = call("grpc-health-probe", f"-addr={service.address}", f"-service={name}")
        assert (healthy.returncode, "SERVING" in healthy.stderr + healthy.stdout) == (0, True)
    unknown = call("grpc-health-probe", f"-addr={service.address}", "-service=nothing")
    assert unknown.returncode != 0
    with service.client(token_file=token_file) as client:
        name = make_script(gated=True, deaf=True).create(client)
        next(event for event in client.watch(name) if event.state_change and event.state_change.state == "RUNNING")
        service.process.terminate()
        # While the worker, which does not obey, has its grace, the probe is told that the service goes.
        until(
            lambda: (
                "NOT_SERVING" in (probe := call("grpc-health-probe", f"-addr={service.address}")).stderr
                and probe.returncode == 4
            ),
            "the probe is told NOT_SERVING",
        )
    assert service.process.wait(60) == 0


def test_ghz_loads_the_service_without_an_error(service: Any) -> None:
    for method, request, requests in (("GetServerInfo", "{}", 2000), ("ListTrainingRuns", '{"page_size": 5}', 500)):
        token = json.dumps({"authorization": f"Bearer {TOKEN}"})
        done = call(
            "ghz",
            *("--insecure", "--call", f"{TRAINING}.{method}", "--data", request, "--format", "json"),
            *("--metadata", token, "--reflect-metadata", token, "--total", requests, "--concurrency", 50),
            service.address,
        )
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["statusCodeDistribution"] == {"OK": requests}
        assert not report["errorDistribution"]


def test_a_client_generated_in_go_from_proto_alone_trains(
    service: Any, make_script: Callable[..., Any], token_file: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(GO_CLIENT, source, ignore=shutil.ignore_patterns("readlabel", "client"))
    environment = {**os.environ, "GOFLAGS": "-mod=readonly"}
    for command in (
        [Path(sysconfig.get_path("scripts"), "buf"), "generate", ROOT / "proto"],
        ["go", "vet", "."],
        ["go", "build", "-o", "client", "."],
    ):
        done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    (tmp_path / "point.json").write_text(json.dumps(POINT))

    script, broken = make_script(), make_script(outcome="FAILED", reason="NUMERICS")

    def train(one: Any, out: Path, token: Path) -> subprocess.CompletedProcess[str]:
        options = ["-service", service.address, "-token-file", token, "-point", tmp_path / "point.json", "-out", out]
        command = [source / "client", *options, "-train", one.path, "-validation", one.validation]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    first = train(script, tmp_path / "run", token_file)
    assert first.returncode == 0, first.stderr
    assert [line.split()[1] for line in first.stdout.splitlines() if line.startswith("epoch")] == ["1/3", "2/3", "3/3"]
    assert first.stdout.splitlines()[-1].endswith("RUN_STATE_SUCCEEDED")
    assert (tmp_path / "run" / "train.log").read_text() == "attempt 1\n"
    again = train(script, tmp_path / "again", token_file)
    assert again.stdout == first.stdout, "the same run, which trains nothing twice"

    failed = train(broken, tmp_path / "failed", token_file)
    assert failed.returncode == 1
    assert "REASON_NUMERICS: as scripted" in failed.stderr
    (tmp_path / "wrong").write_text("not-the-token-of-this-service")
    assert "Unauthenticated" in train(script, tmp_path / "refused", tmp_path / "wrong").stderr
