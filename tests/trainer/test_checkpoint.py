"""What a worker leaves for the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from readlabel.messages import ENGINE_REVISION, EpochMetrics
from readlabel.trainer.checkpoint import Checkpoint, CheckpointFolder, Progress
from readlabel.trainer.failures import RunFailed
from readlabel.trainer.schedule import Watch

_ARRAYS = {"weight/0": np.arange(6, dtype=np.float32).reshape(2, 3), "moment/0": np.float32([1.5, -0.1])}


def _progress(**changes: object) -> Progress:
    metrics = EpochMetrics(epoch=1, epochs=3, loss=0.1 + 0.2, accuracy=0.5, learning_rate=1e-3)
    return Progress(run_id="mine", step=7, history=(metrics,)).model_copy(update=changes)


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "deep" / "folder", "mine")
    stored = Checkpoint(_progress(), _ARRAYS)
    folder.save(stored)
    found, why = folder.load()
    assert why == ""
    assert found is not None
    assert found.progress == stored.progress
    assert {name: array.tobytes() for name, array in found.arrays.items()} == {
        name: array.tobytes() for name, array in _ARRAYS.items()
    }


def test_the_best_weights_stay_until_better_ones_are_named(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "mine")
    folder.save_best(1, {"weight/0": np.float32([1])})
    folder.save(Checkpoint(_progress(watch=Watch(best_epoch=1, best_loss=1)), _ARRAYS))
    folder.save_best(2, {"weight/0": np.float32([2])})
    # Killed here: the newest state still names epoch 1.
    found, _ = folder.load()
    assert found is not None
    assert folder.load_best(found.progress.watch.best_epoch)["weight/0"] == [1]
    folder.save(Checkpoint(_progress(watch=Watch(best_epoch=2, best_loss=0.5)), _ARRAYS))
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == ["best-2.npz", "last.npz"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"run_id": "other"}, "belongs to another run, other"),
        ({"engine_revision": ENGINE_REVISION + 1}, "comes from engine revision"),
        ({"format": 99}, "training starts afresh"),
        ({"watch": Watch(best_epoch=9)}, "lacks the weights of epoch 9"),
    ],
)
def test_a_state_that_does_not_fit_is_left_alone_with_a_reason(
    tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    folder = CheckpointFolder(tmp_path, "mine")
    folder.save(Checkpoint(_progress(**changes), _ARRAYS))
    found, reason = folder.load()
    assert found is None
    assert why in reason


def test_a_damaged_file_is_left_alone_and_nothing_in_a_pickled_one_runs(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "mine")
    folder.save(Checkpoint(_progress(), _ARRAYS))
    whole = (tmp_path / "last.npz").read_bytes()
    (tmp_path / "last.npz").write_bytes(whole[: len(whole) // 2])
    assert folder.load()[0] is None

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    np.savez(tmp_path / "last.npz", **{"progress.json": np.array([Bomb()], object)})
    found, reason = folder.load()
    assert found is None
    assert "cannot be read" in reason
    assert not (tmp_path / "ran").exists()


def test_a_folder_serves_one_worker_at_a_time_and_is_free_and_tidied_when_it_dies(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from readlabel.trainer.checkpoint import CheckpointFolder\n"
        "folder = CheckpointFolder(Path(sys.argv[1]), 'mine'); print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        half = tmp_path / ".last.npz.a1b2c3.partial"
        half.write_bytes(b"half of it")
        with pytest.raises(RunFailed, match="another worker is training this run"):
            CheckpointFolder(tmp_path, "mine")
        assert half.exists(), "its owner may still write it"
        other.kill()
    CheckpointFolder(tmp_path, "mine").close()
    assert not half.exists()
