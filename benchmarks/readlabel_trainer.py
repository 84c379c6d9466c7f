"""Our side of `benchmarks/engine.py`: the trainer's own loop on the same reads, in a process of its own.

    python benchmarks/readlabel_trainer.py TRAIN.parquet HELD_OUT.parquet HYPERPARAMETERS.json [SEED]

prints one JSON object. `whole` counts everything from before the first step is traced to the end of the last epoch:
tracing, compiling, batch-norm statistics, checkpoints.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from readlabel.evaluation import score
from readlabel.messages import GridPoint, Hyperparameters, TrainingOptions
from readlabel.reads.labelled import LabelledReads, runs
from readlabel.reads.parquet import read_library, read_reads
from readlabel.trainer.machine import claim_device, peak_memory

SHORT = 3
"""Bases of a segment in which errors may have left nothing to see."""


def missing(reads: LabelledReads, found: NDArray[np.uint8]) -> tuple[float, float]:
    """Of 1,000 true segments, how many were missed with all their bases, and how many of these have `SHORT` at most."""
    truth = runs(reads.offsets, reads.labels)
    length = truth.end - truth.start
    hits = np.add.reduceat(found == reads.labels, np.cumsum(length) - length)
    lost = 1000 / len(length) * (hits == 0)
    return float(lost.sum()), float(lost[length <= SHORT].sum())


def main() -> None:
    train, held_out, parameters, *seed = sys.argv[1:]
    import os

    from readlabel.model.network import Network
    from readlabel.model.predict import predict
    from readlabel.trainer.channel import Control
    from readlabel.trainer.checkpoint import Checkpoint, CheckpointFolder, Progress
    from readlabel.trainer.split import split_by_pairs
    from readlabel.trainer.training import Listener, Training

    claim_device("cpu", len(os.sched_getaffinity(0)))
    hp = Hyperparameters.model_validate_json(Path(parameters).read_text())
    library, reads, judged_on = read_library(Path(train)), read_reads(Path(train)), read_reads(Path(held_out))
    point = GridPoint(hyperparameters=hp, library=library, options=TrainingOptions(seed=int(seed[0]) if seed else 1))
    split = split_by_pairs(reads.pair, hp.train_fraction, point.options.seed)
    network = Network.build(hp, library, point.options)
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        training = Training(
            network,
            point,
            reads,
            split,
            CheckpointFolder(Path(folder), "benchmark"),
            Checkpoint(Progress(run_id="benchmark"), {}),
            Listener(on_epoch=lambda _: ends.append(time.monotonic()), on_note=print),
        )
        begin = time.monotonic()
        training.run(Control(), 600)
    history, bases = training.progress.history, int(reads.lengths[split.training].sum())
    memory = peak_memory()
    found = {}
    for padding in ("none", "tranquillyzer"):
        labels = predict(network, judged_on, padding=padding)
        scores = score(library.labels, judged_on.offsets, judged_on.labels, labels)
        found[padding] = scores.accuracy, scores.macro_f1, scores.exact_order, *missing(judged_on, labels)
    print(
        json.dumps(
            {
                "epochs": [epoch.bases_per_second for epoch in history],
                "whole": len(history) * bases / (ends[-1] - begin),
                "peak_bytes": memory,
                "accuracy": found["none"][0],
                "macro_f1": found["none"][1],
                "exact_order": found["none"][2],
                "missing": found["none"][3],
                "missing_short": found["none"][4],
                "in_tranquillyzer": found["tranquillyzer"],
            }
        )
    )


if __name__ == "__main__":
    main()
