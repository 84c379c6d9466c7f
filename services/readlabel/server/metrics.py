"""The page that Prometheus reads (`--metrics-listen`): what `telemetry` counted, and what there is at the moment.

It is served from a thread of its own, which reads the run store over a connection of its own: a scrape never holds up
the event loop.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from prometheus_client import ProcessCollector, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from readlabel.messages import AddressInUseError
from readlabel.server.addresses import split_address
from readlabel.server.devices import TOGETHER
from readlabel.server.run_queries import take_census
from readlabel.server.telemetry import Telemetry

_QUERY = "uuid,memory.used,memory.total,utilization.gpu"
_NVIDIA_SMI = ("nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits")
_STATES = ("QUEUED", "RUNNING", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED")


@dataclass(frozen=True)
class SlotUse:
    """What a device slot does at the moment.

    Attributes:
        name: of the slot.
        threads: CPU threads of a run on it.
        device: what its run trains on: ``cpu:0``, or UUIDs of GPUs; empty when idle.
        worker: process id of the worker that trains the run, or None.
    """

    name: str
    threads: int
    device: str = ""
    worker: int | None = None


def serve_metrics(
    address: str, telemetry: Telemetry, store: Path, queue_limit: int, slots: Callable[[], Sequence[SlotUse]]
) -> tuple[str, Callable[[], None]]:
    """Serve the page.

    Args:
        address: ``host:port``; port 0 takes a free one.
        telemetry: what was counted.
        store: the run store's file.
        queue_limit: runs that may wait.
        slots: asked at each scrape.

    Returns:
        The page's URL, and what ends it.

    Raises:
        AddressInUseError: it cannot listen there.
    """
    host, port = split_address(address)
    telemetry.registry.register(_Runs(store, queue_limit))
    telemetry.registry.register(_Devices(slots))
    ProcessCollector(registry=telemetry.registry)
    try:
        server, thread = start_http_server(port, host, telemetry.registry)
    except OSError as error:
        raise AddressInUseError(f"{address}: cannot listen there for metrics: {error.strerror or error}") from error

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{server.server_port}/metrics", end


class _Runs(Collector):
    """Runs by state and reason, and the queue."""

    def __init__(self, store: Path, queue_limit: int) -> None:
        self._store = store
        self._queue_limit = queue_limit

    def collect(self) -> Iterator[Metric]:
        census = take_census(self._store)
        runs = GaugeMetricFamily("readlabel_runs", "Runs the service remembers.", labels=["state", "reason"])
        for state, reason in sorted({*census.runs, *((state, "") for state in _STATES)}):
            runs.add_metric([state, reason], census.runs.get((state, reason), 0))
        yield runs
        depth = census.runs.get(("QUEUED", ""), 0)
        yield GaugeMetricFamily("readlabel_queue_depth", "Runs that wait.", depth)
        yield GaugeMetricFamily("readlabel_queue_limit", "Runs that may wait.", self._queue_limit)
        waited = 0.0
        if census.waiting_since is not None:
            waited = (datetime.now(UTC) - datetime.fromisoformat(census.waiting_since)).total_seconds()
        yield GaugeMetricFamily("readlabel_queue_oldest_seconds", "How long the first has waited.", max(0.0, waited))


class _Devices(Collector):
    """What each device slot does: whether it trains, memory, and how much of its power is used."""

    def __init__(self, slots: Callable[[], Sequence[SlotUse]]) -> None:
        self._slots = slots
        self._workers: dict[int, psutil.Process] = {}

    def collect(self) -> Iterator[Metric]:
        busy = GaugeMetricFamily("readlabel_device_busy", "Whether a run trains on it.", labels=["device"])
        memory = GaugeMetricFamily(
            "readlabel_device_memory_bytes",
            "Memory in use: the GPU's, or of a CPU slot its worker's resident memory.",
            labels=["device"],
        )
        limit = GaugeMetricFamily(
            "readlabel_device_memory_limit_bytes", "Memory there is: the GPU's, or the machine's.", labels=["device"]
        )
        use = GaugeMetricFamily(
            "readlabel_device_use_ratio",
            "Share of its power in use: the GPU's, or of a CPU slot's threads since the scrape before.",
            labels=["device"],
        )
        slots = self._slots()
        gpus = _gpus() if any(not slot.name.startswith("cpu:") for slot in slots) else {}
        for slot in slots:
            parts = (slot.device or slot.name).split(TOGETHER)
            shown = [gpus[part] for part in parts if part in gpus] or [self._worker(slot)]
            busy.add_metric([slot.name], slot.device != "")
            memory.add_metric([slot.name], sum(one[0] for one in shown))
            limit.add_metric([slot.name], sum(one[1] for one in shown))
            use.add_metric([slot.name], sum(one[2] for one in shown) / len(shown))
        self._workers = {pid: found for pid, found in self._workers.items() if pid in {slot.worker for slot in slots}}
        yield from (busy, memory, limit, use)

    def _worker(self, slot: SlotUse) -> tuple[float, float, float]:
        """Resident memory, the machine's memory, and the share of the slot's threads in use."""
        total = psutil.virtual_memory().total
        if slot.worker is not None:
            with suppress(psutil.Error):
                process = self._workers.setdefault(slot.worker, psutil.Process(slot.worker))
                return process.memory_info().rss, total, process.cpu_percent() / 100 / max(1, slot.threads)
        return 0, total, 0


def _gpus() -> dict[str, tuple[float, float, float]]:
    """UUID → bytes in use, bytes there are, and the share of the GPU in use; empty without a driver."""
    try:
        listed = subprocess.run(_NVIDIA_SMI, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    found = {}
    for line in listed.splitlines():
        uuid, *words = (word.strip() for word in line.split(","))
        with suppress(ValueError):  # a GPU in parts (MIG) has no utilization of its own
            used, total, percent = map(float, words)
            found[uuid] = (used * 2**20, total * 2**20, percent / 100)
    return found
