"""What a training step holds in memory, and what it costs to compute a batch in parts.

Three tables:

- bytes a base: peak resident memory of two updates on 32 reads of 1,024 bases, less that on reads of 256, over the
  bases between them, so that what TensorFlow itself takes does not count; each a process of its own. The baseline is
  what `readlabel.trainer.memory` plans with, which must not be less.
- one read of 100,000 bases: seconds of an update and peak memory.
- batches in parts: the same training with and without an artificial limit of an eighth of what its batches would take;
  held-out accuracy must agree within 0.5 points.

Writes build/bench/memory.json: for each figure {baseline, value, ratio, unit, spread}.

    python benchmarks/memory.py [--reads 2000] [--epochs 3]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from figures import figure

ROOT = Path(__file__).resolve().parent.parent
ORDERS = ROOT / "assets" / "training_seq_orders.tsv"
MODEL = "10x3p_sc_ont"
SMALL: dict[str, object] = {"embedding_dim": 64, "conv_layers": 2, "conv_filters": 64, "conv_kernel_size": 15}
SMALL |= {"lstm_units": 64, "dropout_rate": 0.2, "regularization": 1e-4, "batch_size": 32}
KINDS: dict[str, dict[str, object]] = {
    "small": {},
    "small, no CRF": {"crf_layer": False},
    "small, no dropout": {"dropout_rate": 0.0},
    "small, 128 filters": {"conv_filters": 128},
    "small, LSTM 128": {"lstm_units": 128},
    "small, 4 convolutions": {"conv_layers": 4},
    "default": {"embedding_dim": 128, "conv_layers": 3, "conv_filters": 128, "conv_kernel_size": 25, "lstm_units": 96},
}
LABELS = ("5p", "CBC", "UMI", "polyT", "cDNA", "3p")


def update(changes: dict[str, object], rows: int, time_steps: int) -> None:
    """Two updates on random reads; tells peak memory, seconds of the second, and what is planned for each base."""
    import time

    import numpy as np

    from readlabel.messages import Hyperparameters, Library, Segment, TrainingOptions
    from readlabel.model.network import Network
    from readlabel.trainer.adam import Adam
    from readlabel.trainer.batches import Batch
    from readlabel.trainer.machine import peak_memory
    from readlabel.trainer.memory import Footprint
    from readlabel.trainer.steps import Stepper

    point = Hyperparameters.model_validate(SMALL | changes)
    library = Library(model="m", segments=tuple(Segment(name=name, pattern="NN") for name in LABELS), strand="fwd")
    network = Network.build(point, library, TrainingOptions(seed=1))
    footprint = Footprint.of(point, len(LABELS))
    stepper = Stepper(network, Adam(network.trainable_variables), footprint, 0, on_parts=print)
    random = np.random.default_rng(0)
    tokens = random.integers(1, 5, (rows, time_steps)).astype(np.uint8)
    lengths = np.full(rows, time_steps, np.int32)
    batch = Batch(tokens, random.integers(0, len(LABELS), tokens.shape).astype(np.uint8), lengths, lengths)
    for number in (1, 2):
        begin = time.monotonic()
        result = stepper.step(batch, number, 1e-3)
        assert result.finite
    seconds = time.monotonic() - begin
    print(json.dumps({"peak": peak_memory(), "seconds": seconds, "planned": footprint.per_position}))


def train(reads_path: str, held_out: str, epochs: int, parts: int) -> None:
    """Train, with a limit of 1/`parts` of the largest batch; tells held-out accuracy and bases a second."""
    from readlabel.evaluation import score
    from readlabel.messages import Attempt, GridPoint, Hyperparameters, TrainingOptions
    from readlabel.model.network import Network
    from readlabel.model.predict import predict
    from readlabel.reads.parquet import read_library, read_reads
    from readlabel.trainer.channel import Control
    from readlabel.trainer.checkpoint import Checkpoint, CheckpointFolder, Progress
    from readlabel.trainer.machine import peak_memory
    from readlabel.trainer.memory import Footprint
    from readlabel.trainer.split import split_by_pairs
    from readlabel.trainer.training import Listener, Training

    hyperparameters = Hyperparameters.model_validate(SMALL | {"epochs": epochs, "learning_rate": 0.003})
    library, reads, judged_on = (
        read_library(Path(reads_path)),
        read_reads(Path(reads_path)),
        read_reads(Path(held_out)),
    )
    point = GridPoint(hyperparameters=hyperparameters, library=library, options=TrainingOptions(seed=1))
    network = Network.build(hyperparameters, library, point.options)
    split = split_by_pairs(reads.pair, hyperparameters.train_fraction, 1)
    # Of a batch of reads of the mean length: an eighth of it cuts nearly every batch.
    whole = Footprint.of(hyperparameters, len(library.labels)).bytes(32, int(reads.lengths.mean()))
    progress = Progress(run_id="run", attempts=(Attempt(number=1),), memory_limit=whole // parts if parts > 1 else 0)
    with tempfile.TemporaryDirectory() as name:
        folder = CheckpointFolder(Path(name), "run")
        listener = Listener(on_epoch=lambda _history: None, on_note=lambda _text: None)
        training = Training(network, point, reads, split, folder, Checkpoint(progress, {}), listener)
        training.run(Control(), 3600)
        folder.close()
    scores = score(library.labels, judged_on.offsets, judged_on.labels, predict(network, judged_on))
    speed = training.progress.history[-1].bases_per_second
    print(json.dumps({"accuracy": scores.accuracy, "speed": speed, "peak": peak_memory()}))


def apart(call: str, **arguments: object) -> dict[str, float]:
    """Run one of the functions above in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--call", call, "--arguments", json.dumps(arguments)]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=quiet)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=2_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--call", choices=("update", "train"), help=argparse.SUPPRESS)
    parser.add_argument("--arguments", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.call:
        globals()[arguments.call](**arguments.arguments)
        return
    result: dict[str, object] = {}
    print("architecture\tbytes a base\tplanned")
    for name, changes in KINDS.items():
        large, little = (apart("update", changes=changes, rows=32, time_steps=steps) for steps in (1024, 256))
        per_base = (large["peak"] - little["peak"]) / (32 * (1024 - 256))
        result[f"bytes_per_base {name}"] = figure(per_base, large["planned"], "bytes/base")
        print(name, round(per_base), large["planned"], sep="\t", flush=True)
    long = apart("update", changes={}, rows=1, time_steps=100_000)
    result["one_read_of_100000_bases"] = figure(long["peak"] / 2**20, 100_000 * long["planned"] / 2**20, "MiB")
    print(f"one read of 100,000 bases: {long['seconds']:.1f} s an update, peak {long['peak'] / 2**20:,.0f} MiB")
    with tempfile.TemporaryDirectory() as name:
        train_path, held_out = Path(name, "train.parquet"), Path(name, "held_out.parquet")
        for path, stream, count in ((train_path, "training", arguments.reads // 2), (held_out, "validation", 250)):
            command = [sys.executable, "-m", "readlabel.cli", "simulate", "--training-seq-orders", str(ORDERS)]
            command += ["--model-name", MODEL, "--num-reads", str(count), "--stream", stream, "--out", str(path)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        paths = {"reads_path": str(train_path), "held_out": str(held_out), "epochs": arguments.epochs}
        whole, cut = (apart("train", **paths, parts=parts) for parts in (1, 8))
    result["accuracy_in_parts"] = figure(100 * cut["accuracy"], 100 * whole["accuracy"], "% of held-out bases")
    result["speed_in_parts"] = figure(cut["speed"], whole["speed"], "bases/s")
    print("held-out accuracy\tbases/s\tpeak MiB")
    for word, found in (("whole batches", whole), ("in parts", cut)):
        print(word, f"{found['accuracy']:.4f}", round(found["speed"]), round(found["peak"] / 2**20), sep="\t")
    target = ROOT / "build" / "bench" / "memory.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
