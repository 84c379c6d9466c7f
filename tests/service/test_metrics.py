"""What a person who runs the service sees of it: metrics, the dashboard made of them, logs, and the log of each run."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
from prometheus_client.parser import text_string_to_metric_families

DASHBOARD = Path(__file__).resolve().parents[2] / "docs" / "grafana" / "readlabel.json"
FUNCTIONS_OF_COUNTERS = ("rate", "increase")


def scrape(service: Any) -> dict[str, dict[tuple[str, ...], float]]:
    """Name of a sample → its label values, in the order of the label names → its value."""
    page = next(line for line in service.lines if line.startswith("metrics at ")).removeprefix("metrics at ")
    with urllib.request.urlopen(page, timeout=30) as answer:
        text = answer.read().decode()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def wait_for_end(client: Any, name: str) -> str:
    return [event.state_change.state for event in client.watch(name) if event.state_change][-1]


@pytest.fixture
def measured(start_service: Callable[..., Any]) -> Any:
    return start_service("--devices", "cpu:1", "--threads", "1", "--metrics-listen", "127.0.0.1:0")


def test_metrics_tell_the_queue_the_runs_the_devices_and_the_bytes(
    measured: Any, make_script: Callable[..., Any], until: Callable[..., Any]
) -> None:
    empty = scrape(measured)
    assert empty["readlabel_queue_depth"][()] == 0
    assert empty["readlabel_blob_bytes_total"] == {("in",): 0, ("out",): 0}
    with measured.client() as client:
        script = make_script(gated=True)
        waiting = make_script(), make_script(outcome="FAILED", reason="NUMERICS")
        names = [one.create(client) for one in (script, *waiting)]
        script.open(1)
        next(event for event in client.watch(names[0]) if event.epoch is not None)
        busy = scrape(measured)
        assert busy["readlabel_runs"]["", "QUEUED"] == busy["readlabel_queue_depth"][()] == 2
        assert busy["readlabel_runs"]["", "RUNNING"] == 1
        assert busy["readlabel_queue_limit"][()] == 1000
        assert 0 < busy["readlabel_queue_oldest_seconds"][()] < 600
        assert busy["readlabel_device_busy"]["cpu:0",] == 1
        assert busy["readlabel_bases_per_second"]["cpu:0",] == 1000
        memory, limit = (busy[f"readlabel_device_memory{word}_bytes"]["cpu:0",] for word in ("", "_limit"))
        assert 1 << 20 < memory < limit
        until(lambda: scrape(measured)["readlabel_device_use_ratio"]["cpu:0",] > 0, "the worker's CPU time is seen")
        script.open(2, 3)
        assert [wait_for_end(client, name) for name in names] == ["SUCCEEDED", "SUCCEEDED", "FAILED"]
        artifact = client.get(names[0]).artifacts[0]
        client.download(artifact, script.gate / "file")
    idle = until(
        lambda: (now := scrape(measured))["readlabel_device_busy"]["cpu:0",] == 0 and now, "the device is idle again"
    )
    assert idle["readlabel_runs_ended_total"] == {("", "SUCCEEDED"): 2, ("NUMERICS", "FAILED"): 1}
    assert idle["readlabel_runs"]["NUMERICS", "FAILED"] == 1
    assert idle["readlabel_queue_wait_seconds_count"][()] == 3
    assert idle["readlabel_epochs_total"][()] == 9
    assert idle["readlabel_trained_bases_total"][()] == 9 * 2000
    assert idle["readlabel_bases_per_second"]["cpu:0",] == 0
    assert idle["readlabel_device_memory_bytes"]["cpu:0",] == 0
    sent = script.validation.stat().st_size + sum(one.path.stat().st_size for one in (script, *waiting))
    assert idle["readlabel_blob_bytes_total"] == {("in",): sent, ("out",): artifact.blob.size_bytes}


def test_no_name_of_a_run_or_a_caller_is_in_the_metrics(measured: Any, make_script: Callable[..., Any]) -> None:
    with measured.client() as client:
        name = make_script().create(client, tags={"sweep": "a-secret-project"})
        wait_for_end(client, name)
    shown = str(scrape(measured))
    assert name.removeprefix("runs/") not in shown
    assert "secret" not in shown


def selectors(expression: Any) -> Iterator[tuple[Any, str]]:
    """Each metric an expression asks for, with the function around it, if any."""
    if isinstance(expression, promql.VectorSelector):
        yield expression, ""
    elif isinstance(expression, promql.MatrixSelector):
        yield expression.vector_selector, ""
    elif isinstance(expression, promql.Call):
        for argument in expression.args:
            yield from ((selector, inner or expression.func.name) for selector, inner in selectors(argument))
    elif isinstance(expression, promql.AggregateExpr | promql.ParenExpr):
        yield from selectors(expression.expr)
    elif isinstance(expression, promql.BinaryExpr):
        yield from selectors(expression.lhs)
        yield from selectors(expression.rhs)


def grouped_by(expression: Any) -> set[str]:
    """The labels that an expression keeps."""
    return set(re.findall(r"\w+", " ".join(re.findall(r"\bby ?\(([^)]*)\)", str(expression)))))


def test_every_expression_of_the_dashboard_asks_for_what_the_service_exposes(
    measured: Any, make_script: Callable[..., Any]
) -> None:
    with measured.client() as client:
        for words in ({}, {"outcome": "FAILED", "reason": "DEVICE"}):
            wait_for_end(client, make_script(**words).create(client))
    page = next(line for line in measured.lines if line.startswith("metrics at ")).removeprefix("metrics at ")
    with urllib.request.urlopen(page, timeout=30) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples]
    labels = {sample.name: set(sample.labels) for sample in samples}
    values = {pair for sample in samples for pair in sample.labels.items()}
    counting = [family for family in families if family.type in ("counter", "histogram")]
    counters = {sample.name for family in counting for sample in family.samples}
    asked = set()
    panels = json.loads(DASHBOARD.read_text())["panels"]
    for panel in panels:
        for target in panel["targets"]:
            where, text = panel["title"], target["expr"]
            found = list(selectors(promql.parse(text)))
            assert found, where
            for selector, function in found:
                assert selector.name in labels, (where, selector.name)
                assert (function in FUNCTIONS_OF_COUNTERS) == (selector.name in counters), (where, selector.name)
                known = labels[selector.name] | {"job"}  # Prometheus adds job
                assert {matcher.name for matcher in selector.matchers.matchers} <= known, where
                for matcher in selector.matchers.matchers:
                    exact = matcher.name != "job" and "Equal" in str(matcher.op) and "Not" not in str(matcher.op)
                    assert not exact or (matcher.name, matcher.value) in values, (where, matcher.value)
                assert grouped_by(text) <= known, where
                shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
                assert shown <= (grouped_by(text) or known), where
                asked.add(selector.name)
    families_asked = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in asked}
    ours = {family.name for family in families if family.name.startswith("readlabel_")}
    ours = {name for name in ours if not name.endswith("_created")}  # when a counter began, which nobody draws
    assert families_asked >= ours, "every metric of the service is somewhere on the dashboard"


def test_a_port_for_metrics_that_is_taken_is_said_to_be(measured: Any, processes: Any, tmp_path: Path) -> None:
    page = next(line for line in measured.lines if line.startswith("metrics at http://"))
    address = page.removeprefix("metrics at http://").removesuffix("/metrics")
    folder = tmp_path / "sock"
    folder.mkdir(mode=0o700)
    options = ["--socket", folder / "s", "--data-dir", tmp_path / "other", "--metrics-listen", address]
    ended = processes.run("serve", *options)
    assert ended.returncode == 71
    assert f"error: {address}: cannot listen there for metrics" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_json_logs_are_one_object_a_line_and_tell_a_runs_whole_life(
    start_service: Callable[..., Any], make_script: Callable[..., Any]
) -> None:
    service = start_service("--devices", "cpu:1", "--log-format", "json")
    with service.client() as client:
        lost, failed = make_script(die_at=2), make_script(outcome="FAILED", reason="NUMERICS")
        names = [script.create(client) for script in (lost, failed)]
        ends = [wait_for_end(client, name) for name in names]
        assert ends == ["SUCCEEDED", "FAILED"]
    assert service.terminate() == 0
    assert any(" serves " in json.loads(line)["message"] for line in service.lines)
    lines = [json.loads(line) for line in service.errors().splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    first, second = ([line for line in lines if line.get("run") == name.removeprefix("runs/")] for name in names)
    told = [line["state"] for line in first if "state" in line]
    assert told == ["QUEUED", "RUNNING", "QUEUED", "RUNNING", "SUCCEEDED"]
    assert [line["attempt"] for line in first if line.get("state") == "RUNNING"] == [1, 2]
    (warning,) = (line for line in first if line["level"] == "WARNING")
    assert "SIGKILL" in warning["message"]
    assert warning["device"] == "cpu:0"
    assert second[-1]["reason"] == "NUMERICS"


def test_every_run_that_a_worker_had_leaves_a_log(client: Any, make_script: Callable[..., Any]) -> None:
    cancelled = make_script(gated=True)
    scripts = {
        "SUCCEEDED": make_script(),
        "FAILED": make_script(outcome="FAILED", reason="NUMERICS"),
        "LOST": make_script(die_at=0, deaths=2),
        "CANCELLED": cancelled,
    }
    for kind, script in scripts.items():
        name = script.create(client)
        if script is cancelled:
            next(event for event in client.watch(name) if event.state_change and event.state_change.state == "RUNNING")
            client.cancel(name)
        wait_for_end(client, name)
        logs = {artifact.name: artifact.media_type for artifact in client.get(name).artifacts}
        assert logs["worker.log" if kind == "LOST" else "train.log"] == "text/plain", kind


def test_memory_and_use_of_a_gpu_are_what_its_driver_says(
    start_service: Callable[..., Any], processes: Any, tmp_path: Path
) -> None:
    driver = tmp_path / "bin" / "nvidia-smi"
    driver.parent.mkdir()
    driver.write_text(
        '#!/bin/sh\ncase "$1" in\n  *memory*) echo "GPU-aa, 1024, 81920, 37"; echo "GPU-bb, 3, 81920, [N/A]" ;;\n'
        '  *) echo "0, GPU-aa"; echo "1, GPU-bb" ;;\nesac\n'
    )
    driver.chmod(0o755)
    processes.environment["PATH"] = f"{driver.parent}:{processes.environment['PATH']}"
    processes.environment.pop("CUDA_VISIBLE_DEVICES", None)
    service = start_service("--devices", "gpu:0", "--metrics-listen", "127.0.0.1:0")
    shown = scrape(service)
    assert shown["readlabel_device_memory_bytes"] == {("GPU-aa",): 1024 << 20}
    assert shown["readlabel_device_memory_limit_bytes"] == {("GPU-aa",): 81920 << 20}
    assert shown["readlabel_device_use_ratio"] == {("GPU-aa",): 0.37}
    assert shown["readlabel_device_busy"] == {("GPU-aa",): 0}
