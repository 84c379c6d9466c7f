"""How much of a batch fits into memory: hyperparameters, the machine and a batch in, parts of the batch out.

A GPU says when its memory is full. On a CPU the system ends the process instead, so there the parts are chosen from an
estimate of what a training step takes and from what the machine, or the job's share of it, has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from readlabel.messages import Hyperparameters
from readlabel.trainer.batches import Batch

_SHARE = 0.7
"""Of the memory there is, what the arrays of a training step may take; the rest is for TensorFlow and the reads."""
_FLOAT = 4
_PER_FILTER, _PER_UNIT, _PER_LABEL, _PER_POSITION, _PER_HEAD_PAIR = 7, 14, 16, 700, 4
"""Floats that a step holds at once, rounded up from measured peaks (docs/training.md): for each position and conv
filter, LSTM unit and label, for each position at all, and for each head and pair of positions of one read."""


@dataclass(frozen=True)
class Footprint:
    """Bytes that a training step on a batch of some shape takes, estimated.

    Attributes:
        per_position: bytes for each position.
        per_pair: bytes for each pair of positions of one read (attention).
    """

    per_position: int
    per_pair: int

    @classmethod
    def of(cls, hyperparameters: Hyperparameters, num_labels: int) -> Footprint:
        """The footprint of a network."""
        hp = hyperparameters
        units = (hp.lstm_units + (hp.lstm_layers - 1) * max(1, hp.lstm_units // 2)) * (2 if hp.bidirectional else 1)
        filters = hp.conv_layers * hp.conv_filters
        floats = _PER_FILTER * filters + _PER_UNIT * units + _PER_LABEL * num_labels + _PER_POSITION
        return cls(_FLOAT * floats, _FLOAT * _PER_HEAD_PAIR * hp.attention_heads)

    def bytes(self, rows: int, time: int) -> int:
        """Bytes for a batch of `rows` reads, padded to `time` positions."""
        return rows * time * (self.per_position + time * self.per_pair)

    def parts(self, batch: Batch, limit: int, at_least: int = 1) -> Iterator[Batch]:
        """Cut a batch into parts of equally many rows that keep to a limit, unless a single row does not.

        Rows are halved until they fit, so that few shapes occur.

        Args:
            batch: to cut.
            limit: most bytes for a part; 0 sets none.
            at_least: parts to make, if there are so many rows.
        """
        total, time = batch.tokens.shape
        rows = -(-total // at_least)
        while limit and rows > 1 and self.bytes(rows, time) > limit:
            rows = -(-rows // 2)
        for begin in range(0, total, rows):
            part = batch.rows(begin, begin + rows)
            if part.reads:
                yield part


def memory_to_plan_with(device: str) -> int:
    """Bytes that a training on this device may plan with; 0 where the device itself says when it is full.

    It is a share of what the machine has, or the control group that a container or a cluster's job runs in, and not of
    what is free at this moment: the parts of a batch decide its batch-norm statistics, so the same run on the same
    kind of machine must always be cut the same way.
    """
    if device != "cpu":
        return 0
    whole = psutil.virtual_memory().total
    group = _group_memory()
    return max(1, int(_SHARE * (whole if group is None else min(whole, group))))


def _group_memory(root: Path = Path("/sys/fs/cgroup"), process: Path = Path("/proc/self/cgroup")) -> int | None:
    """Bytes that the process's control group may hold; None without a limit.

    Both versions of Linux' control groups are asked, the group itself and, for version 2, those around it.
    """
    if not process.exists():
        return None
    limits = []
    for line in process.read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        folder = (root / "memory" if controllers else root) / path.lstrip("/")
        for place in (folder, *folder.parents):
            if (place / name).exists():
                limit = (place / name).read_text(encoding="ascii").strip()
                if limit.isdigit():
                    limits.append(int(limit))
    return min(limits, default=None)
