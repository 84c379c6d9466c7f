"""What a run writes for people while it trains: history.tsv, TensorBoard events, train.log.

Enter: the metrics of each epoch. Leave: three files in the run's folder that can be read at any moment.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import tensorflow as tf

from readlabel.artifacts.atomic import raise_output_error, write_text
from readlabel.artifacts.names import HISTORY, LOG, TENSORBOARD
from readlabel.messages import EpochMetrics

HISTORY_COLUMNS = (
    ("loss", "loss"),
    ("accuracy", "accuracy"),
    ("val_loss", "internal_validation_loss"),
    ("val_accuracy", "internal_validation_accuracy"),
    ("lr", "learning_rate"),
    ("gradient_norm", "gradient_norm"),
    ("bases_per_second", "bases_per_second"),
    ("memory_bytes", "memory_bytes"),
    ("seconds", "seconds"),
)
"""Column of history.tsv → field of EpochMetrics. The first five are what Keras itself writes."""


class Records:
    """Keeps the three files of a run's folder up to date.

    Args:
        run_dir: the run's folder; made when missing.

    Raises:
        OutputError: a file cannot be written.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
            self._log = (run_dir / LOG).open("a", encoding="utf-8")
            self._log_is_new = self._log.tell() == 0
        except OSError as error:
            raise_output_error(run_dir / LOG, error)
        self._board: tf.io.TFRecordWriter | None = None

    def note(self, text: str) -> None:
        """Add a line to train.log."""
        try:
            self._log.write(f"{utc_now()} {text}\n")
            self._log.flush()
        except OSError as error:
            raise_output_error(self._run_dir / LOG, error)

    def restore(self, history: Sequence[EpochMetrics]) -> None:
        """Write history.tsv and the TensorBoard file anew, with the epochs of earlier attempts.

        train.log gets their lines only when it does not go on from an earlier attempt's.
        """
        write_text(self._run_dir / HISTORY, history_tsv(history))
        self._board = tf.io.TFRecordWriter(str(self._run_dir / TENSORBOARD))
        self._board.write(tf.compat.v1.Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
        for metrics in history:
            self._board.write(_event(metrics))
            if self._log_is_new:
                self.note(f"earlier attempt: {epoch_line(metrics)}")
        self._board.flush()

    def epoch(self, history: Sequence[EpochMetrics]) -> None:
        """Add the last epoch of `history` to all three files."""
        assert self._board is not None, "restore comes first"
        write_text(self._run_dir / HISTORY, history_tsv(history))
        self._board.write(_event(history[-1]))
        self._board.flush()
        self.note(epoch_line(history[-1]))

    def close(self) -> None:
        """Close the files."""
        self._log.close()
        if self._board is not None:
            self._board.close()


def epoch_line(metrics: EpochMetrics) -> str:
    """One line that says how an epoch went."""
    line = f"epoch {metrics.epoch}/{metrics.epochs}: loss {metrics.loss:.2f}, accuracy {metrics.accuracy:.4f}"
    if metrics.internal_validation_loss is not None and metrics.internal_validation_accuracy is not None:
        line += (
            f", internal validation loss {metrics.internal_validation_loss:.2f}, "
            f"accuracy {metrics.internal_validation_accuracy:.4f}"
        )
    return (
        f"{line}, learning rate {metrics.learning_rate:.3g}, gradient norm {metrics.gradient_norm:.3g}, "
        f"{metrics.bases_per_second:,.0f} bases/s, {metrics.memory_bytes / 2**20:,.0f} MiB, {metrics.seconds:.1f} s"
    )


def history_tsv(history: Sequence[EpochMetrics]) -> str:
    """The content of history.tsv: one row an epoch; a value that an epoch lacks is an empty cell."""
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow([column for column, _ in HISTORY_COLUMNS])
    for metrics in history:
        values = (getattr(metrics, field) for _, field in HISTORY_COLUMNS)
        table.writerow(["" if value is None else value for value in values])
    return text.getvalue()


def utc_now() -> str:
    """The time, RFC 3339, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(metrics: EpochMetrics) -> bytes:
    summary = tf.compat.v1.Summary()
    for column, field in HISTORY_COLUMNS:
        value = getattr(metrics, field)
        if value is not None:
            summary.value.add(tag=column, simple_value=value)
    event = tf.compat.v1.Event(wall_time=time.time(), step=metrics.epoch, summary=summary)
    return bytes(event.SerializeToString())
