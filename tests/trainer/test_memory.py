"""How large a part of a batch is computed at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from readlabel.messages import Hyperparameters
from readlabel.trainer.batches import Batch
from readlabel.trainer.memory import Footprint, _group_memory, memory_to_plan_with


def _batch(rows: int, reads: int, time: int) -> Batch:
    lengths = np.where(np.arange(rows) < reads, time, 0).astype(np.int32)
    return Batch(np.ones((rows, time), np.uint8), np.zeros((rows, time), np.uint8), lengths, lengths)


@pytest.mark.parametrize(
    ("limit", "rows"), [(0, [8]), (8 * 48 * 100, [8]), (8 * 48 * 100 - 1, [4, 4]), (48 * 300, [2] * 4), (1, [1] * 8)]
)
def test_batches_are_cut_in_halves_down_to_single_reads(limit: int, rows: list[int]) -> None:
    footprint = Footprint(per_position=100, per_pair=0)
    assert [len(part.lengths) for part in footprint.parts(_batch(8, 8, 48), limit)] == rows


def test_parts_without_a_read_are_left_out() -> None:
    footprint = Footprint(per_position=1, per_pair=0)
    assert sum(part.reads for part in footprint.parts(_batch(8, 3, 16), 32)) == 3
    assert [part.reads for part in footprint.parts(_batch(8, 3, 16), 32)] == [2, 1]


def test_attention_takes_memory_with_the_square_of_the_length() -> None:
    heads = Footprint.of(Hyperparameters(attention_heads=4), 6)
    none = Footprint.of(Hyperparameters(), 6)
    assert heads.bytes(1, 2000) - none.bytes(1, 2000) == 4 * (heads.bytes(1, 1000) - none.bytes(1, 1000))
    assert none.bytes(2, 1000) == 2 * none.bytes(1, 1000) == none.bytes(1, 2000)


def test_a_read_of_a_hundred_thousand_bases_is_planned_with_a_few_gibibytes() -> None:
    assert Footprint.of(Hyperparameters(), 6).bytes(1, 100_000) < 4 * 2**30


def test_a_gpu_is_asked_by_trying_and_a_cpu_by_what_the_machine_has() -> None:
    assert memory_to_plan_with("0") == 0
    assert memory_to_plan_with("cpu") > 2**20


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_limit_of_a_container_or_of_a_group_around_it_counts(tmp_path: Path) -> None:
    process, root = tmp_path / "cgroup", tmp_path / "fs"
    _write(process, "0::/slurm/job_7/step_0\n")
    assert _group_memory(root, process) is None
    _write(root / "slurm/job_7/step_0/memory.max", "max\n")
    assert _group_memory(root, process) is None
    _write(root / "slurm/job_7/memory.max", "1000\n")
    assert _group_memory(root, process) == 1000


def test_the_older_kind_of_control_group_counts_too(tmp_path: Path) -> None:
    process, root = tmp_path / "cgroup", tmp_path / "fs"
    _write(process, "11:memory:/docker/abc\n3:cpu:/docker/abc\n")
    _write(root / "memory/docker/abc/memory.limit_in_bytes", "5000\n")
    assert _group_memory(root, process) == 5000
