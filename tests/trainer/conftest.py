"""Small labelled reads that a tiny network can learn something from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from readlabel.messages import Library, Segment
from readlabel.reads.labelled import LabelledReads, runs
from readlabel.reads.parquet import write_reads

LIBRARY = Library(
    model="mini",
    segments=(
        Segment(name="5p", pattern="ACGTACGT"),
        Segment(name="CBC", pattern="N6"),
        Segment(name="cDNA", pattern="NN"),
        Segment(name="3p", pattern="TTGGCCAA"),
    ),
    barcodes=("CBC",),
    strand="fwd",
)
MakeReads = Callable[..., LabelledReads]


def make_reads(pairs: int, seed: int = 0, shortest: int = 4, longest: int = 20) -> LabelledReads:
    """`pairs` pairs of reads as the library says, with cDNA of the given lengths."""
    random = np.random.default_rng(seed)
    names = LIBRARY.labels
    motif = {"5p": [1, 2, 3, 4, 1, 2, 3, 4], "3p": [4, 4, 3, 3, 2, 2, 1, 1]}
    tokens, labels = [], []
    for _ in range(2 * pairs):
        parts = [
            motif["5p"],
            random.integers(1, 5, 6),
            random.integers(1, 5, random.integers(shortest, longest + 1)),
            motif["3p"],
        ]
        tokens.append(np.concatenate(parts))
        labels.append(np.repeat([names.index(s.name) for s in LIBRARY.segments], [len(part) for part in parts]))
    offsets = np.concatenate([[0], np.cumsum([len(read) for read in tokens])]).astype(np.int64)
    flat = np.concatenate(labels).astype(np.uint8)
    count = 2 * pairs
    return LabelledReads(
        label_names=names,
        offsets=offsets,
        tokens=np.concatenate(tokens).astype(np.uint8),
        labels=flat,
        read_ids=np.array([f"read-{seed}-{i}" for i in range(count)], object),
        pair=np.arange(count) // 2,
        kind=np.zeros(count, np.uint8),
        strand=np.arange(count).astype(np.uint8) % 2,
        segments=runs(offsets, flat),
        transcript=np.full(count, None, object),
    )


@pytest.fixture
def reads() -> LabelledReads:
    """Forty reads."""
    return make_reads(20)


@pytest.fixture(scope="session")
def read_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Parquet files of 48 training reads and 16 validation reads."""
    folder = tmp_path_factory.mktemp("reads")
    paths = folder / "train.parquet", folder / "validation.parquet"
    write_reads(paths[0], [make_reads(24, seed=1)], LIBRARY)
    write_reads(paths[1], [make_reads(8, seed=2)], LIBRARY)
    return paths
