"""Checkpoints in an object store, on a real server of its protocol: another machine goes on from there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from readlabel.messages import EpochMetrics, OutputError
from readlabel.trainer.checkpoint import Checkpoint, CheckpointFolder, Progress
from readlabel.trainer.checkpoint_copy import CheckpointCopy
from readlabel.trainer.schedule import Watch


def state(step: int, best: int = 0) -> Checkpoint:
    metrics = EpochMetrics(epoch=1, epochs=3, loss=0.5, accuracy=0.5, learning_rate=1e-3)
    watch = Watch(best_epoch=best, best_loss=1) if best else Watch()
    progress = Progress(run_id="mine", step=step, history=(metrics,), watch=watch)
    return Checkpoint(progress, {"weight": np.float32([step, 0.1])})


def on_a_machine(folder: Path, address: str) -> CheckpointFolder:
    return CheckpointFolder(folder, "mine", CheckpointCopy(address, "mine"))


def test_another_machine_goes_on_from_the_newest_state_with_its_best_weights(object_store, tmp_path):
    address, _ = object_store
    first = on_a_machine(tmp_path / "first", address)
    assert first.load() == (None, "")
    first.save_best(1, {"weight": np.float32([1])})
    first.save(state(7, best=1))
    first.save(state(8, best=1))

    second = on_a_machine(tmp_path / "second", address)
    found, why = second.load()
    assert why == ""
    assert found is not None
    assert (found.progress.step, found.arrays["weight"].tobytes()) == (8, np.float32([8, 0.1]).tobytes())
    assert second.load_best(1)["weight"] == [1]


def test_a_machine_that_is_taken_away_between_two_files_leaves_a_state_to_go_on_from(object_store, tmp_path):
    address, _ = object_store
    first = on_a_machine(tmp_path / "first", address)
    first.save_best(1, {"weight": np.float32([1])})
    first.save(state(7, best=1))
    first.save_best(2, {"weight": np.float32([2])})  # and no more

    found, _ = on_a_machine(tmp_path / "second", address).load()
    assert found is not None
    assert (found.progress.step, found.progress.watch.best_epoch) == (7, 1)


def test_weights_that_are_best_no_longer_take_no_room_there(object_store, tmp_path):
    address, bucket = object_store
    folder = on_a_machine(tmp_path / "first", address)
    folder.save_best(1, {"weight": np.float32([1])})
    folder.save(state(7, best=1))
    folder.save_best(2, {"weight": np.float32([2])})
    folder.save(state(8, best=2))
    assert {path.name for path in bucket.rglob("*.npz") if path.stat().st_size} == {"best-2.npz", "last.npz"}
    on_a_machine(tmp_path / "second", address)
    assert sorted(path.name for path in (tmp_path / "second").glob("*.npz")) == ["best-2.npz", "last.npz"]


def test_what_this_machine_has_is_newer_than_what_it_sent(object_store, tmp_path):
    address, bucket = object_store
    folder = on_a_machine(tmp_path / "first", address)
    folder.save(state(7))
    [sent] = bucket.rglob("last.npz")
    older = sent.read_bytes()
    folder.save(state(8))
    sent.write_bytes(older)
    folder.close()
    found, _ = on_a_machine(tmp_path / "first", address).load()
    assert found is not None
    assert found.progress.step == 8


@pytest.mark.parametrize("address", ["s3://nowhere/checkpoints", "wrong://lab/checkpoints"])
def test_a_store_that_cannot_be_written_is_said_before_anything_is_trained(object_store, tmp_path, address):
    _, _, options = object_store[0].partition("?")
    with pytest.raises(OutputError, match=f"^{address}: the checkpoints cannot be kept there"):
        CheckpointCopy(f"{address}?{options}", "mine")
