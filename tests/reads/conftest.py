"""Reads that the tests of this room share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from readlabel.messages import Library
from readlabel.reads.labelled import LabelledReads, runs

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture
def make_reads(library_3p: Library) -> Callable[..., LabelledReads]:
    """Random reads of a library: `make_reads(count, seed=…)`."""

    def make(count: int, seed: int = 0, longest: int = 200) -> LabelledReads:
        rng = np.random.default_rng(seed)
        offsets = np.concatenate([[0], np.cumsum(rng.integers(1, longest, count))])
        bases = int(offsets[-1])
        labels = (np.cumsum(rng.random(bases) < 0.05) % len(library_3p.labels)).astype(np.uint8)
        return LabelledReads(
            label_names=library_3p.labels,
            offsets=offsets,
            tokens=rng.integers(1, 6, bases).astype(np.uint8),
            labels=labels,
            read_ids=np.array([f"read-{seed}-{index}" for index in range(count)], object),
            pair=np.arange(count) // 2,
            kind=rng.integers(0, 7, count).astype(np.uint8),
            strand=rng.integers(0, 3, count).astype(np.uint8),
            segments=runs(offsets, labels),
            transcript=np.array([None if index % 3 else f"transcript-{index}" for index in range(count)], object),
        )

    return make


@pytest.fixture
def assert_same_reads() -> Callable[[LabelledReads, LabelledReads], None]:
    """Fails unless two batches agree in every field."""

    def check(found: LabelledReads, wanted: LabelledReads) -> None:
        assert found.label_names == wanted.label_names
        for field in ("offsets", "tokens", "labels", "pair", "kind", "strand"):
            np.testing.assert_array_equal(getattr(found, field), getattr(wanted, field), err_msg=field)
        for field in ("offsets", "label", "start", "end"):
            np.testing.assert_array_equal(getattr(found.segments, field), getattr(wanted.segments, field), field)
        assert found.read_ids.tolist() == wanted.read_ids.tolist()
        assert found.transcript.tolist() == wanted.transcript.tolist()

    return check
