"""What the pipeline costs beyond the trainings themselves: seconds a combination, and a grid of a thousand of them.

Writes build/bench/pipeline.json. Of a combination, baseline is the seconds that its worker notes and value what
Nextflow, service and client took around them, both means of one run of the pipeline; `goal` figures have the goal as
their baseline. Where one combination is trained alone, the parts of its value are further figures:

- submit: Nextflow has the task, until its script runs;
- start_up: the script, until the service has the run (client and private service start, reads are sent);
- upload: of these, sending the training reads to a standing service, measured by itself (a private one links them);
- wait: the service has the run, until a worker is chosen;
- worker: its start (that of a private service has yet to import TensorFlow), and its process's end;
- download: the worker's end, until the client has the files;
- end: until Nextflow counts the task as done (a private service stops; Nextflow looks ten times a second).

    python benchmarks/pipeline.py [--only embedded_local_1,stub]

`…_podman_…` needs the images: `containers/engine python benchmarks/pipeline.py`, which `make bench-pipeline` calls.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from figures import figure

from readlabel import __version__
from readlabel.artifacts.digest import file_ref
from readlabel.client import Endpoint, TrainingClient

ROOT = Path(__file__).resolve().parent.parent
MODEL = "10x3p_sc_ont"
GRID = {
    1: {"crf_layer": "TRUE"},
    8: {"crf_layer": "TRUE", "conv_filters": "8,16", "lstm_units": "8,16", "embedding_dim": "4,8"},
}
THOUSAND = {"crf_layer": "TRUE"} | {
    name: ",".join(str(value) for value in range(1, 11)) for name in ("conv_filters", "lstm_units", "embedding_dim")
}
STUB = "stub"
RUNS = [
    f"{service}_{place}_{size}"
    for service in ("embedded", "standing")
    for place in ("local", "podman")
    for size in GRID
]
# Nextflow notes times in milliseconds; a thousand tasks at a time are waited for, as a cluster would run them.
CONFIG = """
trace { raw = true; fields = 'task_id,name,status,submit,start,complete' }
"""
STUB_CONFIG = """
executor { cpus = 64; memory = '512 GB'; pollInterval = '20 ms' }
"""
GOALS = {"embedded": 8.0, "standing": 2.0, "stub_seconds": 0.030, "stub_memory": 1500.0}
# How a client's lines begin when the service has its run, and so on until the files are there.
LINES = {"queued": "queued", "running": "running", "ended": "succeeded", "fetched": "run: accuracy"}
LOOK_SECONDS = 0.02


class Watch(threading.Thread):
    """Notes when a client's lines come into the log of its task: what the pipeline keeps has no time of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._folder = folder
        self._over = threading.Event()
        self.seen: dict[str, float] = {}

    def run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            for point in self._folder.glob("work/*/*/point.json"):
                log = point.with_name(".command.log")
                lines = log.read_text().splitlines() if log.exists() else []
                for name, beginning in LINES.items():
                    if any(line.startswith(beginning) for line in lines):
                        self.seen.setdefault(name, time.time())

    def stop(self) -> dict[str, float]:
        self._over.set()
        self.join()
        return self.seen


def pipeline(folder: Path, table: dict[str, str], *arguments: object, config: str = CONFIG) -> tuple[float, float]:
    """Run it in a folder; wall seconds, and the peak memory of Nextflow in MB."""
    rows = list(csv.reader((ROOT / "assets/test_params.tsv").read_text().splitlines(), delimiter="\t"))
    given = {row[0]: table.get(row[0], row[1]) for row in rows if row and not row[0].startswith("#")}
    (folder / "params.tsv").write_text("".join(f"{name}\t{value}\n" for name, value in given.items()))
    (folder / "bench.config").write_text(config)
    command = [ROOT / "nextflow", "run", ROOT, "-c", "bench.config", "--training_params", "params.tsv"]
    command += ["--model_name", MODEL, "--num_reads", 200, "--num_val_reads", 50, "--num_plot_reads", 1, *arguments]
    environment = leases(folder) | {"READLABEL_NEXTFLOW": "own", "NXF_HOME": str(folder / ".home")}
    begin = time.monotonic()
    with (folder / "launch.log").open("w") as log:
        process = subprocess.Popen([str(word) for word in command], cwd=folder, env=environment, stdout=log, stderr=log)
        # ./nextflow becomes Java, so this is the process itself and none of its tasks.
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, peak_memory(process.pid))
            time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"the pipeline failed:\n{(folder / 'launch.log').read_text()}")
    return time.monotonic() - begin, peak


def leases(folder: Path) -> dict[str, str]:
    """The environment of services that take turns among themselves, and wait for no other on this machine."""
    return os.environ | {"READLABEL_LEASE_DIR": str(folder / "leases")}


def peak_memory(process: int) -> float:
    """The most that one process has had, in MB; 0 when it is gone."""
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found.group(1)) / 1000 if found else 0.0


@contextmanager
def standing(folder: Path, place: str) -> Iterator[Endpoint]:
    """A service with one slot on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = folder / "token"
    token.write_text("a-token-of-this-benchmark\n")
    token.chmod(0o600)
    serve = ["serve", "--listen", f"127.0.0.1:{port}", "--devices", "cpu:1", "--threads", "2"]
    serve += ["--data-dir", str(folder / "data"), "--token-file", str(token)]
    if place == "podman":
        start = ["podman", "run", "--rm", "--no-healthcheck", "--read-only", "--user", f"{os.getuid()}"]
        start += ["--volume", f"{folder}:{folder}", "--network", "host"]
        start += [f"localhost/readlabel/trainer:{__version__}", "readlabel"]
    else:
        start = [sys.executable, "-P", "-m", "readlabel.cli"]
    with (folder / "service.log").open("w") as log:
        process = subprocess.Popen([*start, *serve], env=leases(folder), stdout=log, stderr=log)
    try:
        wait = [sys.executable, "-P", "-m", "readlabel.cli", "health", "--service", f"localhost:{port}"]
        subprocess.run([*wait, "--wait", "120"], check=True, stdout=subprocess.DEVNULL)
        yield Endpoint(f"localhost:{port}", token)
    finally:
        process.terminate()
        process.wait(timeout=120)


def upload_seconds(folder: Path, endpoint: Endpoint) -> float:
    """Of bytes as many as the training reads that the pipeline has made."""
    reads = next(folder.glob("work/*/*/training.parquet"))
    other = folder / "other"
    other.write_bytes(os.urandom(reads.stat().st_size))
    with TrainingClient(endpoint) as client:
        client.check_version()
        begin = time.monotonic()
        assert client.upload(other, file_ref(other))
        return time.monotonic() - begin


def combinations(folder: Path, seen: dict[str, float]) -> dict[str, float]:
    """Means over the trainings of one run: seconds of the worker, and of what is around it."""
    trace = max(folder.glob("results/pipeline_info/*/trace.tsv"))  # the last launch's
    with trace.open(newline="") as handle:
        tasks = [row for row in csv.DictReader(handle, delimiter="\t") if row["name"].startswith("TRAIN")]
    moments = [tuple(int(task[name]) / 1000 for name in ("submit", "start", "complete")) for task in tasks]
    records = [json.loads(path.read_text()) for path in folder.glob(f"results/{MODEL}/*/*_run.json")]
    count = len(tasks)
    assert len(records) == count > 0
    trained = sum(record["timings"]["total_seconds"] for record in records)
    whole = max(complete for _, _, complete in moments) - min(submit for submit, _, _ in moments)
    found = {"trained": trained / count, "overhead": (whole - trained) / count}
    if count == 1:
        [(submit, start, complete)] = moments
        found |= {"submit": start - submit, "start_up": seen["queued"] - start}
        found |= {"wait": seen["running"] - seen["queued"], "worker": seen["ended"] - seen["running"] - trained}
        found |= {"download": seen["fetched"] - seen["ended"], "end": complete - seen["fetched"]}
    return found


def measure(name: str) -> dict[str, float]:
    """One run of the pipeline."""
    service, place, size = name.split("_")
    with tempfile.TemporaryDirectory(prefix="readlabel-bench-") as made:
        folder = Path(made)
        profile = ["-profile", "podman"] if place == "podman" else []
        watch = Watch(folder)
        watch.start()
        if service == "embedded":
            pipeline(folder, GRID[int(size)], *profile)
            return combinations(folder, watch.stop())
        with standing(folder, place) as endpoint:
            called = ["--service", endpoint.address, "--service_token_file", endpoint.token_file]
            pipeline(folder, GRID[int(size)], *profile, *called)
            found = combinations(folder, watch.stop())
            return found | ({"upload": upload_seconds(folder, endpoint)} if size == "1" else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="comma list of " + ", ".join([*RUNS, STUB]))
    arguments = parser.parse_args()
    wanted = arguments.only.split(",") if arguments.only else [*RUNS, STUB]
    unknown = sorted(set(wanted) - {*RUNS, STUB})
    if unknown:
        parser.error(f"no run {', '.join(unknown)}; there are {', '.join([*RUNS, STUB])}")
    target = ROOT / "build" / "bench" / "pipeline.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, dict[str, object]] = {}
    for name in (run for run in RUNS if run in wanted):
        found = measure(name)
        print(f"{name}: {json.dumps(found)}", file=sys.stderr, flush=True)
        trained = found.pop("trained")
        for part, value in found.items():
            result[f"{name}_{part}"] = figure(value, trained, "s")
        result[f"{name}_goal"] = figure(found["overhead"], GOALS[name.split("_")[0]], "s a combination")
        # What a combination takes is the same however long it trains.
        result[f"{name}_ten_minutes"] = figure(600 + found["overhead"], 600, "s")
    if STUB in wanted:
        with tempfile.TemporaryDirectory(prefix="readlabel-bench-") as made:
            wall, memory = pipeline(Path(made), THOUSAND, "-stub-run", "--train_cpus", 1, config=STUB_CONFIG)
        result["stub_wall_goal"] = figure(wall / 1000, GOALS["stub_seconds"], "s a combination")
        result["stub_memory_goal"] = figure(memory, GOALS["stub_memory"], "MB")
    target.write_text(json.dumps(result, indent=2) + "\n")
    for name, row in sorted(result.items()):
        print(f"{name:34}{row['baseline']:>12,.5g}{row['value']:>12,.5g}{row['ratio']:>9.4f}  {row['unit']}")
    print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
