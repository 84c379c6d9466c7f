"""How fast reads are simulated: bases a CPU-second, steady and as a whole command, over processes; start-up and memory.

Writes build/bench/simulator.json: for each figure {baseline, value, ratio, unit, spread}, run in turn with ours on the
same machine; value and baseline are medians, spread is (largest - smallest) / median of ours. The baseline is
`benchmarks/plain_simulator.py`, which makes 2,000 molecules, since its speed does not depend on how many; its memory at
ours is extrapolated from 1,000 and 2,000. `whole_N_threads_bases_per_s` is bases a second by the clock, against our own
command with one process: of either the fastest, since what else a machine does can only slow them down.

`peak_rss_mb_transcriptome_N` is with a FASTA file of N MB, against the same reads from random transcripts.

    python benchmarks/simulator.py [--repeats 5] [--num-reads 200000] [--scaling-reads 1000000] [--many 0]
        [--transcriptome-mb 400]

This process imports nothing heavy: a child's peak memory counts from that of the process it was forked from.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "benchmarks" / "plain_simulator.py"
ORDERS = ROOT / "assets" / "training_seq_orders.tsv"
MODEL = "10x3p_sc_ont"
BASELINE_READS = 2_000
WARM_UP, MEASURED = 4, 100
STARTED = 10
"""Molecules of a command that does little but start."""


STEADY = f"""
import sys, time
from itertools import islice
from pathlib import Path
from readlabel.simulator.parameters import SimulationParameters
from readlabel.simulator.simulate import simulate
from readlabel.tables import read_library_row
batches = simulate(read_library_row(Path(sys.argv[1]), sys.argv[2]), SimulationParameters(), 1, "training", 10**6)
for _ in islice(batches, {WARM_UP}):
    pass
began = time.process_time()
bases = sum(batch.num_bases for batch in islice(batches, {MEASURED}))
print(bases / (time.process_time() - began))
"""
"""Bases a CPU-second of blocks after the first few."""

COUNT = """
import sys
from pathlib import Path
from readlabel.reads.parquet import iter_reads
print(sum(batch.num_bases for batch in iter_reads(Path(sys.argv[1]))))
"""


def steady() -> float:
    """Bases a CPU-second of the simulator in a running process."""
    return float(measured([sys.executable, "-c", STEADY, str(ORDERS), MODEL])[0])


def measured(command: list[str]) -> tuple[str, float, float]:
    """Output, CPU seconds and peak MB of a command and its children."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command} failed")
        output.seek(0)
        return output.read().decode(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def simulation(out: Path, num_reads: int, threads: int = 1) -> list[str]:
    """The whole command with Parquet."""
    command = [sys.executable, "-m", "readlabel.cli", "simulate", "--training-seq-orders", str(ORDERS)]
    command += ["--model-name", MODEL, "--num-reads", str(num_reads), "--out", str(out), "--threads", str(threads)]
    return command


def bases_in(path: Path) -> int:
    return int(measured([sys.executable, "-c", COUNT, str(path)])[0])


def whole(folder: Path, num_reads: int, *more: str) -> tuple[float, float]:
    """Bases a CPU-second and peak MB of the whole command, with more options."""
    out = folder / "reads.parquet"
    _, cpu, peak = measured([*simulation(out, num_reads), *more])
    bases = bases_in(out)
    out.unlink()
    return bases / cpu, peak


def write_transcriptome(path: Path, megabytes: int) -> None:
    """Random transcripts of 1,800 bases with names as long as GENCODE's."""
    letters = b"ACGT" * 64
    with path.open("wb") as file:
        for number in range(megabytes * 1_000_000 // 1_800):
            name = f"ENST{number:011}.2|ENSG{number:011}.1|-|-|GENE{number}-202|GENE{number}|1800|lncRNA|"
            bases = os.urandom(1_800).translate(letters)
            lines = [bases[start : start + 60] for start in range(0, len(bases), 60)]
            file.write(b"\n".join([b">" + name.encode(), *lines, b""]))


def seconds(command: list[str]) -> float:
    """How long a command takes by the clock."""
    began = time.monotonic()
    measured(command)
    return time.monotonic() - began


def scaling(folder: Path, num_reads: int, repeats: int) -> dict[str, object]:
    """Bases a second by the clock for 2, 4, … processes as far as there are cores, against one."""
    counts = [2**power for power in range(1, 11) if 2**power <= (os.cpu_count() or 1)]
    out = folder / "reads.parquet"
    taken: dict[int, list[float]] = {threads: [] for threads in (1, *counts)}
    for _ in range(repeats):
        for threads, times in taken.items():
            times.append(seconds(simulation(out, num_reads, threads)))
            print(f"{threads} processes: {times[-1]:.2f} s", file=sys.stderr)
    bases = bases_in(out)
    speeds = {threads: [bases / one for one in times] for threads, times in taken.items()}
    one = max(speeds.pop(1))
    return {
        f"whole_{threads}_threads_bases_per_s": figure(values, one, "bases/s", 0, best=max)
        for threads, values in speeds.items()
    }


def baseline(folder: Path, num_reads: int) -> tuple[float, float, float]:
    """Steady and whole bases a CPU-second, and peak MB, of the plain simulator."""
    text, cpu, peak = measured([sys.executable, str(BASELINE), str(num_reads), str(folder)])
    found = json.loads(text)
    return found["bases"] / found["steady_cpu_s"], found["bases"] / cpu, peak


def figure(
    values: list[float],
    base: float,
    unit: str,
    digits: int,
    best: Callable[[list[float]], float] = statistics.median,
) -> dict[str, object]:
    value = best(values)
    return {
        "baseline": round(base, digits),
        "value": round(value, digits),
        "ratio": round(value / base, 3),
        "unit": unit,
        "spread": round((max(values) - min(values)) / value, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--num-reads", type=int, default=200_000)
    parser.add_argument("--scaling-reads", type=int, default=1_000_000, help="0 leaves the scaling out")
    parser.add_argument("--many", type=int, default=0, help="also show the peak memory of this many reads (5000000)")
    parser.add_argument("--transcriptome-mb", type=int, default=400, help="0 leaves its memory out")
    arguments = parser.parse_args()
    ours: list[tuple[float, float, float]] = []
    plain: list[tuple[float, float, float]] = []
    starts: tuple[list[float], list[float]] = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small_peak = baseline(folder, BASELINE_READS // 2)[2]
        for repeat in range(arguments.repeats):
            plain.append(baseline(folder, BASELINE_READS))
            ours.append((steady(), *whole(folder, arguments.num_reads)))
            starts[0].append(seconds(simulation(folder / "few.parquet", STARTED)))
            starts[1].append(seconds([sys.executable, str(BASELINE), str(STARTED), str(folder)]))
            print(f"{repeat + 1}/{arguments.repeats}: ours {ours[-1]}, plain {plain[-1]}", file=sys.stderr)
        scaled = scaling(folder, arguments.scaling_reads, min(3, arguments.repeats)) if arguments.scaling_reads else {}
        many_peak = whole(folder, arguments.many)[1] if arguments.many else None
        stored_peak = None
        if arguments.transcriptome_mb:
            fasta = folder / "transcripts.fa"
            write_transcriptome(fasta, arguments.transcriptome_mb)
            stored_peak = whole(folder, arguments.num_reads, "--transcriptome", str(fasta))[1]
    peak = statistics.median(run[2] for run in plain)
    each = (peak - small_peak) / (BASELINE_READS / 2)

    def plain_peak(num_reads: int) -> float:
        return peak + each * (num_reads - BASELINE_READS)

    result: dict[str, object] = {
        "steady_bases_per_cpu_s": figure(
            [run[0] for run in ours], statistics.median(run[0] for run in plain), "bases/CPU-s", 0
        ),
        "whole_200k_bases_per_cpu_s": figure(
            [run[1] for run in ours], statistics.median(run[1] for run in plain), "bases/CPU-s", 0
        ),
        **scaled,
        "startup_s": figure(starts[0], statistics.median(starts[1]), "s", 3),
        "peak_rss_mb": figure([run[2] for run in ours], plain_peak(arguments.num_reads), "MB", 1),
    }
    if many_peak is not None:
        result[f"peak_rss_mb_{arguments.many}"] = figure([many_peak], plain_peak(arguments.many), "MB", 1)
    if stored_peak is not None:
        random_peak = statistics.median(run[2] for run in ours)
        name = f"peak_rss_mb_transcriptome_{arguments.transcriptome_mb}"
        result[name] = figure([stored_peak], random_peak, "MB", 1)
    target = ROOT / "build" / "bench" / "simulator.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
