"""Exported files and validation reads in; metrics.json and predictions.parquet out.

``python -m readlabel.trainer.evaluate RUN_DIR VALIDATION`` is what a worker starts after its export; ``readlabel
evaluate`` does the same for people. Nothing of the training is known here but the files that it exported.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from readlabel.artifacts.atomic import write_text
from readlabel.artifacts.names import METRICS, PREDICTIONS
from readlabel.evaluation import score
from readlabel.messages import InputError, Metrics, ReadlabelError
from readlabel.model.predict import predict
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.parquet import read_reads
from readlabel.reads.predictions import Predictions, write_predictions
from readlabel.trainer.budget import Budget
from readlabel.trainer.leave import leave
from readlabel.trainer.machine import claim_device
from readlabel.trainer.variant import find_variant


def evaluate(variant: Path, validation: Path, out: Path, budget: Budget) -> Metrics:
    """Judge an exported variant on labelled reads, each by itself and under tranquillyzer's padding.

    Args:
        variant: where it lies, see `readlabel.trainer.variant`.
        validation: Parquet file of labelled reads.
        out: folder for metrics.json and predictions.parquet.
        budget: how large batches may be.

    Raises:
        InputError: a file cannot be used, or the reads have a label that the model does not know.
        OutputError: the results cannot be written.
    """
    network = find_variant(variant).load()
    reads = read_reads(validation)
    truth = _in_labels_of(network.labels, reads, validation)
    begin = time.monotonic()
    alone = predict(network, reads, padding="none", **vars(budget))
    seconds = time.monotonic() - begin
    padded = predict(network, reads, padding="tranquillyzer", **vars(budget))
    metrics = Metrics(
        validation=score(network.labels, reads.offsets, truth, alone),
        tranquillyzer_padding=score(network.labels, reads.offsets, truth, padded),
        bases_per_second=len(truth) / seconds,
    )
    write_predictions(out / PREDICTIONS, Predictions(reads.read_ids, reads.offsets, alone, padded), network.labels)
    write_text(out / METRICS, metrics.model_dump_json(indent=2) + "\n")
    return metrics


def _in_labels_of(labels: tuple[str, ...], reads: LabelledReads, path: Path) -> NDArray[np.uint8]:
    """The reads' true labels, numbered as the model numbers its own."""
    used = [reads.label_names[index] for index in np.unique(reads.labels)]
    unknown = sorted(set(used) - set(labels))
    if unknown:
        raise InputError(f"{path}: the model does not know {', '.join(unknown)}; it knows {', '.join(labels)}")
    number = np.array([labels.index(name) if name in labels else 0 for name in reads.label_names], np.uint8)
    return number[reads.labels]


def main(arguments: Sequence[str]) -> int:
    """The process that a worker starts; its exit status is that of the error it met, if any."""
    parser = argparse.ArgumentParser(prog="python -m readlabel.trainer.evaluate", description="Judge exported files.")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("validation", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    given = parser.parse_args(arguments)
    if given.with_parent:
        threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        claim_device(given.device, given.threads)
        evaluate(given.run_dir, given.validation, given.run_dir, Budget())
    except ReadlabelError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _end_with_parent() -> None:
    while os.read(0, 1 << 10):
        pass
    # Nothing is half-written: results are renamed into place whole.
    os._exit(0)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
