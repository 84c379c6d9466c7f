from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from readlabel.messages import Grid, GridPoint, InputError, TrainingOptions
from readlabel.tables import expand_grid

PARAMS = Path(__file__).parent / "data" / "params.tsv"
SEQ_ORDERS = Path(__file__).parent / "data" / "seq_orders.tsv"


def test_a_3x2x2_grid_gives_12_messages_each_valid_json(tmp_path: Path) -> None:
    command = ["-m", "readlabel.cli", "grid", "--training-params", PARAMS, "--training-seq-orders", SEQ_ORDERS]
    subprocess.run(
        [
            sys.executable,
            *command,
            "--model-name",
            "mini",
            "--out",
            tmp_path / "grid.json",
            "--messages",
            tmp_path / "m",
        ],
        check=True,
    )
    files = sorted((tmp_path / "m").glob("mini_*.json"))
    assert len(files) == 12
    points = [GridPoint.model_validate_json(file.read_text()) for file in files]
    assert len({point.canonical_json() for point in points}) == 12
    grid = Grid.model_validate_json((tmp_path / "grid.json").read_text())
    assert [entry.variant for entry in grid.entries] == [f"mini_{i}" for i in range(12)]


def test_a_combination_does_not_know_its_index() -> None:
    # Otherwise a value put in the middle of a list would train every later combination again.
    grid = expand_grid(PARAMS, SEQ_ORDERS, ["mini"], TrainingOptions())
    assert "index" not in json.loads(grid.entries[3].point.canonical_json())


def test_all_stands_for_every_column() -> None:
    grid = expand_grid(PARAMS, SEQ_ORDERS, ["all"], TrainingOptions())
    assert list(dict.fromkeys(entry.model for entry in grid.entries)) == ["mini", "maxi"]


def test_problems_of_both_tables_come_together(tmp_path: Path) -> None:
    params = tmp_path / "p.tsv"
    params.write_text(PARAMS.read_text().replace("epochs\t1", "epochs\t-1"))
    orders = tmp_path / "s.tsv"
    orders.write_text("other\tx\tACGT\t\t\tfwd\n")
    with pytest.raises(InputError) as caught:
        expand_grid(params, orders, ["mini", "mini"], TrainingOptions())
    text = str(caught.value)
    assert "'mini' is given twice" in text
    assert "row epochs, column mini: '-1'" in text
    assert "has no row for model 'mini'; it has other" in text


def test_a_bad_table_writes_nothing_and_exits_2(tmp_path: Path) -> None:
    params = tmp_path / "p.tsv"
    params.write_text("parameter\tmini\n")
    command = ["-m", "readlabel.cli", "grid", "--training-params", params, "--training-seq-orders", SEQ_ORDERS]
    done = subprocess.run(
        [sys.executable, *command, "--out", tmp_path / "grid.json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: 16 problems:")
    assert not (tmp_path / "grid.json").exists()
