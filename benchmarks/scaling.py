"""How an epoch's time grows with the number of reads, and what a worker's start costs.

Simulated reads, a small network (embedding 8, one convolution of 16 filters, LSTM 16 in both directions, CRF, batches
of 128), so that the growth is seen and not waited for. Each size is a process of its own, which tells the seconds from
its start to the end of its first update, those of each epoch, its peak memory, how many padded lengths it met and how
often its graph was traced. Per base, an epoch over more reads must take no longer.

Writes build/bench/scaling.json: for each figure {baseline, value, ratio, unit, spread}. The baseline of
`seconds_per_million_bases_<reads>` is the figure at the least number of reads, its spread that of the epochs after the
first ((largest - smallest) / median); the baseline of `second_epoch_<reads>` is the first epoch, which traces and
compiles.

    python benchmarks/scaling.py [--reads 1000 10000 100000] [--epochs 2]
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
from pathlib import Path

from figures import figure

ROOT = Path(__file__).resolve().parent.parent
ORDERS = ROOT / "assets" / "training_seq_orders.tsv"
MODEL = "10x3p_sc_ont"
POINT = {"embedding_dim": 8, "conv_layers": 1, "conv_filters": 16, "conv_kernel_size": 9, "lstm_units": 16}
POINT |= {"batch_size": 128, "dropout_rate": 0.2, "regularization": 1e-4, "lr_schedule": "constant"}

COLUMNS = ("reads", "bases", "import s", "load s", "first update s", "first epoch s", "later epochs s", "s per M bases")
COLUMNS += ("peak MB", "padded lengths", "traces after each epoch")
START = ("import_s", "load_s", "first_update_s", "peak_mb", "lengths", "traces")


def child(reads_path: Path, epochs: int, began: float) -> None:
    """Train, and tell what it took, as a worker would go about it."""
    from readlabel.messages import Attempt, GridPoint, Hyperparameters, TrainingOptions
    from readlabel.model.network import Network
    from readlabel.reads.parquet import read_library, read_reads
    from readlabel.trainer.channel import Control
    from readlabel.trainer.checkpoint import Checkpoint, CheckpointFolder, Progress
    from readlabel.trainer.machine import peak_memory
    from readlabel.trainer.split import split_by_pairs
    from readlabel.trainer.training import Listener, Training

    imported = time.time()
    point = GridPoint(
        hyperparameters=Hyperparameters.model_validate(POINT | {"epochs": epochs}),
        library=read_library(reads_path),
        options=TrainingOptions(seed=1),
    )
    reads = read_reads(reads_path)
    loaded = time.time()
    network = Network.build(point.hyperparameters, point.library, point.options)
    split = split_by_pairs(reads.pair, point.hyperparameters.train_fraction, 1)
    traces: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        folder = CheckpointFolder(Path(name), "run")
        start = Checkpoint(Progress(run_id="run", attempts=(Attempt(number=1),)), {})
        listener = Listener(lambda _: traces.append(update.experimental_get_tracing_count()), lambda _: None)
        training = Training(network, point, reads, split, folder, start, listener)
        update, step, ends = training._stepper._update, training._stepper.step, []

        def timed(*arguments: object) -> object:
            result = step(*arguments)
            ends.append(time.time())
            return result

        training._stepper.step = timed
        training.run(Control(), 3600)
        folder.close()
    history = training.progress.history
    lengths = {batch.tokens.shape[1] for epoch in (1, 2) for batch in training._batches.epoch(epoch)}
    found = {
        "reads": len(reads),
        "bases": reads.num_bases,
        "import_s": imported - began,
        "load_s": loaded - imported,
        "first_update_s": ends[0] - loaded,
        "epoch_s": [epoch.seconds for epoch in history],
        "bases_per_s": [epoch.bases_per_second for epoch in history],
        "peak_mb": peak_memory() / 2**20,
        "lengths": len(lengths),
        "traces": traces,
    }
    print(json.dumps(found))


def measured(folder: Path, num_reads: int, epochs: int) -> dict[str, object]:
    """Simulate so many reads and train on them in a fresh process."""
    path = folder / f"{num_reads}.parquet"
    command = [sys.executable, "-m", "readlabel.cli", "simulate", "--training-seq-orders", str(ORDERS)]
    command += ["--model-name", MODEL, "--num-reads", str(num_reads // 2), "--out", str(path)]  # two reads each
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    command = [sys.executable, "-W", "ignore", __file__, "--child", str(path), "--epochs", str(epochs)]
    command += ["--began", str(time.time())]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=quiet)
    path.unlink()
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--epochs", type=int, default=2, help="two at least: the first traces and compiles")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.epochs, arguments.began)
        return
    result: dict[str, object] = {}
    print(*COLUMNS, sep="\t")
    least = 0.0
    with tempfile.TemporaryDirectory() as name:
        for num_reads in arguments.reads:
            found = measured(Path(name), num_reads, arguments.epochs)
            first, *later = found["epoch_s"]
            median = statistics.median(later)
            spread = round((max(later) - min(later)) / median, 3)
            per_million = 1e6 * median / found["bases"]
            least = least or per_million
            result[f"seconds_per_million_bases_{num_reads}"] = figure(per_million, least, "s", spread)
            result[f"second_epoch_{num_reads}"] = figure(later[0], first, "s")
            result[f"start_{num_reads}"] = {key: found[key] for key in START}
            cells = [found["bases"], *(round(found[key], 2) for key in ("import_s", "load_s", "first_update_s"))]
            cells += [round(first, 1), round(median, 1), round(per_million, 2), round(found["peak_mb"])]
            cells += [found["lengths"], found["traces"]]
            print(num_reads, *cells, sep="\t", flush=True)
    target = ROOT / "build" / "bench" / "scaling.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
