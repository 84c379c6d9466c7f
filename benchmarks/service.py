"""What the training service promises of its speed and memory, each against what it is compared with in the same run.

- health_queue_and_training: within so many ms 99 of 100 health checks are answered while a run trains and 500 wait; the
  baseline is the same service with nothing to do. Promise: below 50 ms.
- health_500_watchers: the same with 500 readers of a progress stream that gets two events a second; the baseline is one
  reader. Promise: below 10 ms. delivery_500_watchers: from an event's time until 99 of 100 readers have it.
- upload: MB/s of a blob; the baseline writes, syncs and hashes the same bytes without a service.
- create: ms of CreateTrainingRun, median, while the queue grows to 500; the baseline is GetTrainingRun.
- stalled_readers: the service's CPU time an event with 50 readers that do not read, against none; what they add, as a
  share of an epoch of one second, is stalled_readers_slow_training. Promise: below 1 %.
- slots_2x1: bases a second of two one-core slots, against one one-core slot. Promise: 1.7 times. slots_1x2: of one
  two-core slot, against the same. The three take turns; each ratio is of one round, and their median is told.
- list_of_many, scrape_of_many: ms of a page of 50 runs that have two tags, and of a page for Prometheus, among a
  million runs, median; the baseline is among a hundred. health_listing_many: the same as health_queue_and_training
  while pages of 1,000 of the million are asked for one after the other. Promise: below 50 ms.
- not_serving: ms from SIGTERM until a watcher of health is told NOT_SERVING while a run trains, the longest of some;
  the baseline is a health check. Promise: below 1,000 ms.
- memory_after_run: MiB of the service and its processes when a run has ended and a worker is warm again, against
  before.

Writes build/bench/service.json: for each figure {baseline, value, ratio, unit, spread}; spread is (largest - smallest)
/ median over the repetitions, where there are any. Streams are read and health is asked from processes of their own.

    python benchmarks/service.py [--only slots stalled ...]
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import statistics
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from loaded_service import SWEEP, Bench, apart, many_runs, result_of, script, service, simulate

from readlabel.artifacts.digest import file_ref
from readlabel.client import TrainingClient
from readlabel.messages import TrainingOptions
from readlabel.v1 import training_service_pb2 as pb
from readlabel.v1 import training_service_pb2_grpc

ROOT = Path(__file__).resolve().parent.parent
QUEUED = WATCHERS = 500
ROUNDS = 5
MANY = 1_000_000
STALLED = 50
EVENTS = 1500
UPLOAD_BYTES = 128 << 20


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def figure(value: float, baseline: float, unit: str, spread: float | None = None) -> dict[str, Any]:
    return {
        "baseline": round(baseline, 4),
        "value": round(value, 4),
        "ratio": round(value / baseline, 3),
        "unit": unit,
        "spread": spread,
    }


def figure_of_rounds(values: Sequence[float], baselines: Sequence[float], unit: str) -> dict[str, Any]:
    """Of measurements that took turns: what else the machine does changes both of a round, and not their ratio."""
    ratios = [value / baseline for value, baseline in zip(values, baselines, strict=True)]
    told = figure(statistics.median(values), statistics.median(baselines), unit, spread_of(ratios))
    return told | {"ratio": round(statistics.median(ratios), 3)}


def spread_of(values: Sequence[float]) -> float:
    return round((max(values) - min(values)) / statistics.median(values), 3)


def health_p99(bench: Bench, times: int = 1000) -> float:
    return 1000 * percentile(result_of(apart("ask_health", bench.address, times)), 0.99)


def measure_queue() -> dict[str, Any]:
    with service("--devices", "cpu:1", "--threads", "1") as bench:
        reads = simulate(bench.folder / "reads.parquet", 400)
        spec = bench.spec(reads, 0, epochs=10_000)
        bench.warm()
        quiet = health_p99(bench)
        training = bench.client.create(spec).name
        bench.wait_for_epoch(training, 2)
        creating, getting = [], []
        for seed in range(1, QUEUED + 1):
            asked = spec.model_copy(
                update={"point": spec.point.model_copy(update={"options": TrainingOptions(seed=seed)})}
            )
            begun = time.perf_counter()
            name = bench.client.create(asked).name
            between = time.perf_counter()
            bench.client.get(name)
            creating.append(1000 * (between - begun))
            getting.append(1000 * (time.perf_counter() - between))
        assert bench.client.server_info().queued_runs == QUEUED
        busy = [health_p99(bench) for _ in range(3)]
        file = bench.folder / "blob"
        rates, floors = [], []
        for _ in range(3):
            file.write_bytes(os.urandom(UPLOAD_BYTES))
            blob = file_ref(file)
            begun = time.perf_counter()
            bench.client.upload(file, blob)
            rates.append(UPLOAD_BYTES / 1e6 / (time.perf_counter() - begun))
            floors.append(UPLOAD_BYTES / 1e6 / plain_write(file, bench.folder / "plain"))
        bench.client.cancel(training)
    return {
        "health_queue_and_training": figure(statistics.median(busy), quiet, "ms, 99 of 100", spread_of(busy)),
        "create": figure(statistics.median(creating), statistics.median(getting), "ms"),
        "upload": figure(statistics.median(rates), statistics.median(floors), "MB/s", spread_of(rates)),
    }


def plain_write(source: Path, target: Path) -> float:
    """Seconds to write the bytes of a file, bring them to the disk, and hash them from there."""
    begun = time.perf_counter()
    with source.open("rb") as given, target.open("wb") as handle:
        while data := given.read(1 << 20):
            handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    with target.open("rb") as handle:
        hashlib.file_digest(handle, "sha256")
    return time.perf_counter() - begun


def measure_watchers() -> dict[str, Any]:
    delays: dict[int, list[float]] = {}
    health: dict[int, list[float]] = {}
    for readers in (1, WATCHERS):
        with service("--devices", "cpu:1", scripted=True) as bench:
            path, gate = script(bench.folder, 40)
            name = bench.client.create(bench.spec(path, 1)).name
            reading = apart("read_streams", bench.address, name, readers)
            assert reading.stdout is not None
            assert reading.stdout.readline() == "reading\n"
            time.sleep(2)  # the streams have said all there was to say
            asking = apart("ask_health", bench.address, 1500)
            for epoch in range(1, 41):
                (gate / str(epoch)).touch()
                time.sleep(0.5)
            health[readers] = result_of(asking)
            delays[readers] = result_of(reading)
            assert len(delays[readers]) == 40 * readers
    values = {readers: 1000 * percentile(found, 0.99) for readers, found in health.items()}
    delivery = {readers: 1000 * percentile(found, 0.99) for readers, found in delays.items()}
    return {
        "health_500_watchers": figure(values[WATCHERS], values[1], "ms, 99 of 100"),
        "delivery_500_watchers": figure(delivery[WATCHERS], delivery[1], "ms, 99 of 100"),
    }


def measure_stalled() -> dict[str, Any]:
    """CPU time of the service an event; with and without take turns."""
    costs: dict[int, list[float]] = {0: [], STALLED: []}
    for stalled in (0, STALLED) * 3:
        with service("--devices", "cpu:1", scripted=True) as bench:
            path, gate = script(bench.folder, EVENTS)
            name = bench.client.create(bench.spec(path, 1)).name
            with grpc.insecure_channel(bench.address) as channel:
                stub = training_service_pb2_grpc.TrainingServiceStub(channel)
                calls = [stub.WatchTrainingRun(pb.WatchTrainingRunRequest(name=name)) for _ in range(stalled)]
                for call in calls:
                    next(call)
                for epoch in range(1, EVENTS + 1):
                    (gate / str(epoch)).touch()
                before = bench.cpu_seconds()
                list(bench.client.watch(name, 2))
                costs[stalled].append(1000 * (bench.cpu_seconds() - before) / EVENTS)
                for call in calls:
                    call.cancel()
    without, added = statistics.median(costs[0]), statistics.median(costs[STALLED]) - statistics.median(costs[0])
    return {
        "stalled_readers": figure(without + added, without, "ms of CPU an event", spread_of(costs[STALLED])),
        # Of a training whose epochs take no more than a second: those worth watching take longer.
        "stalled_readers_slow_training": figure(100 * max(0.0, added) / 1000, 1.0, "% of a 1 s epoch"),
    }


def measure_slots() -> dict[str, Any]:
    """Bases a second of all slots together; the three kinds take turns."""
    kinds = {"one": ("cpu:1", "1"), "two": ("cpu:2", "2"), "wide": ("cpu:1", "2")}
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    memory = []
    for _ in range(ROUNDS):
        for kind, (devices, threads) in kinds.items():
            with service("--devices", devices, "--threads", threads) as bench:
                reads = simulate(bench.folder / "reads.parquet", 400)
                runs = [bench.spec(reads, seed, epochs=8) for seed in range(int(devices[-1]))]
                bench.warm()
                before = bench.memory()
                names = [bench.client.create(spec).name for spec in runs]
                speeds: list[float] = []

                def follow(name: str, client: TrainingClient, found: list[float]) -> None:
                    told = [event.epoch.bases_per_second for event in client.watch(name) if event.epoch is not None]
                    found.append(statistics.median(told[1:]))  # the first epoch traces and compiles

                threads_ = [threading.Thread(target=follow, args=(name, bench.client, speeds)) for name in names]
                for thread in threads_:
                    thread.start()
                for thread in threads_:
                    thread.join()
                rates[kind].append(sum(speeds))
                bench.warm()
                memory.append((bench.memory() / 2**20, before / 2**20))
    after, before_ = (statistics.median(part) for part in zip(*memory, strict=True))
    return {
        "slots_2x1": figure_of_rounds(rates["two"], rates["one"], "bases/s"),
        "slots_1x2": figure_of_rounds(rates["wide"], rates["one"], "bases/s"),
        "memory_after_run": figure(after, before_, "MiB", spread_of([pair[0] / pair[1] for pair in memory])),
    }


def measure_many() -> dict[str, Any]:
    told: dict[int, dict[str, float]] = {}
    for runs in (100, MANY):
        options = ("--devices", "cpu:1", "--metrics-listen", "127.0.0.1:0")
        with service(*options, scripted=True, prepare=lambda folder, runs=runs: many_runs(folder, runs)) as bench:
            bench.warm()
            oldest, pages, scrapes = {"all": "x", "sweep": "0"}, [], []
            for _ in range(21):
                begun = time.perf_counter()
                assert len(list(bench.client.list(tags=oldest, page_size=50))) == SWEEP
                between = time.perf_counter()
                with urllib.request.urlopen(bench.metrics) as answer:
                    assert b'state="SUCCEEDED"' in answer.read()
                pages.append(1000 * (between - begun))
                scrapes.append(1000 * (time.perf_counter() - between))
            asking = apart("ask_health", bench.address, 1500)
            listed = bench.client.list(states=["SUCCEEDED"], tags={"all": "x"}, page_size=1000)
            while asking.poll() is None:
                if sum(1 for _ in itertools.islice(listed, 1000)) < 1000:
                    listed = bench.client.list(states=["SUCCEEDED"], tags={"all": "x"}, page_size=1000)
            told[runs] = {
                "list_of_many": statistics.median(pages),
                "scrape_of_many": statistics.median(scrapes),
                "health_listing_many": 1000 * percentile(result_of(asking), 0.99),
            }
    units = {"list_of_many": "ms", "scrape_of_many": "ms", "health_listing_many": "ms, 99 of 100"}
    return {key: figure(told[MANY][key], told[100][key], unit) for key, unit in units.items()}


def measure_stop() -> dict[str, Any]:
    told, asked = [], []
    for _ in range(ROUNDS):
        with service("--devices", "cpu:1", scripted=True) as bench:
            path, gate = script(bench.folder, 2)
            name = bench.client.create(bench.spec(path, 1)).name
            (gate / "1").touch()
            bench.wait_for_epoch(name, 1)
            with grpc.insecure_channel(bench.address) as channel:
                stub = health_pb2_grpc.HealthStub(channel)
                watching = stub.Watch(health_pb2.HealthCheckRequest())
                assert next(watching).status == health_pb2.HealthCheckResponse.SERVING
                begun = time.perf_counter()
                stub.Check(health_pb2.HealthCheckRequest())
                between = time.perf_counter()
                bench.process.terminate()
                assert next(watching).status == health_pb2.HealthCheckResponse.NOT_SERVING
                told.append(1000 * (time.perf_counter() - between))
                asked.append(1000 * (between - begun))
    return {"not_serving": figure(max(told), statistics.median(asked), "ms, the longest", spread_of(told))}


MEASURES = {
    "queue": measure_queue,
    "watchers": measure_watchers,
    "stalled": measure_stalled,
    "stop": measure_stop,
    "slots": measure_slots,
    "many": measure_many,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=list(MEASURES))
    arguments = parser.parse_args()
    target = ROOT / "build" / "bench" / "service.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = json.loads(target.read_text()) if target.exists() else {}
    print(f"{'':30}{'baseline':>12}{'service':>12}{'ratio':>8}  unit")
    for name in arguments.only:
        for key, row in MEASURES[name]().items():
            result[key] = row
            line = f"{key:30}{row['baseline']:>12,.5g}{row['value']:>12,.5g}{row['ratio']:>8.2f}  {row['unit']}"
            print(line, flush=True)
        target.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
