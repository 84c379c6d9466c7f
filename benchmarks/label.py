"""What `readlabel label` holds in memory as reads grow more: peak megabytes over five times as many reads.

Simulates reads, writes them as gzip FASTQ, and labels a fifth of them and all with an untrained network, each in a
process of its own. Such a network changes its label every few bases, so that the table has more segments than a trained
one's and memory is the most there can be. Writes build/bench/label.json: {baseline, value, ratio, unit, spread}, where
the baseline is the peak over a fifth.

    python benchmarks/label.py [--num-reads 100000] [--repeats 1]

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
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ORDERS = ROOT / "assets" / "training_seq_orders.tsv"
MODEL = "10x3p_sc_ont"

PREPARE = """
import gzip, sys
from pathlib import Path
from readlabel.messages import Hyperparameters, TrainingOptions
from readlabel.model.export import export
from readlabel.model.network import Network
from readlabel.simulator.parameters import SimulationParameters
from readlabel.simulator.simulate import simulate
from readlabel.tables import read_library_row
folder, library = Path(sys.argv[1]), read_library_row(Path(sys.argv[2]), sys.argv[3])
small = {"embedding_dim": 16, "conv_layers": 1, "conv_filters": 16, "conv_kernel_size": 9, "lstm_units": 16}
export(Network.build(Hyperparameters.model_validate(small), library, TrainingOptions()), folder / "model")
files = {folder / f"{count}.fastq.gz": int(count) for count in sys.argv[4:]}
for path, count in files.items():
    with gzip.open(path, "wb", 1) as file:
        for batch in simulate(library, SimulationParameters(rc=False), 1, "validation", count):
            for read in range(len(batch)):
                sequence = batch.sequence_of(read)
                file.write(f"@{batch.read_ids[read]}\\n{sequence}\\n+\\n{'I' * len(sequence)}\\n".encode())
"""


def peak_mb(folder: Path, count: int) -> float:
    """Peak memory of labelling the reads of one file."""
    command = [sys.executable, "-m", "readlabel.cli", "label", str(folder / "model"), str(folder / f"{count}.fastq.gz")]
    command += ["--out", str(folder / "segments.parquet"), "--training-seq-orders", str(ORDERS), "--model-name", MODEL]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    return usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-reads", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    counts = (arguments.num_reads // 5, arguments.num_reads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-c", PREPARE, name, str(ORDERS), MODEL, *map(str, counts)], check=True)
        peaks = {count: [peak_mb(folder, count) for _ in range(arguments.repeats)] for count in counts}
    few, many = (statistics.median(peaks[count]) for count in counts)
    result = {
        f"label_peak_rss_mb_{arguments.num_reads}": {
            "baseline": round(few, 1),
            "value": round(many, 1),
            "ratio": round(many / few, 3),
            "unit": "MB",
            "spread": round((max(peaks[counts[1]]) - min(peaks[counts[1]])) / many, 3),
        }
    }
    target = ROOT / "build" / "bench" / "label.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
