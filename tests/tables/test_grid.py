from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from readlabel.cli.grid import main
from readlabel.messages import Grid, GridPoint, InputError, OutputError, TrainingOptions
from readlabel.tables import expand_grid, grid_doubts

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


def test_all_with_a_faulty_table_says_nothing_of_libraries_that_have_no_column(tmp_path: Path) -> None:
    params = tmp_path / "p.tsv"
    params.write_text(PARAMS.read_text().replace("epochs\t1", "epochs\t-1"))
    orders = tmp_path / "s.tsv"
    orders.write_text(SEQ_ORDERS.read_text() + "other\tx\t?\t\t\tfwd\n")
    with pytest.raises(InputError) as caught:
        expand_grid(params, orders, ["all"], TrainingOptions())
    (problem,) = caught.value.problems
    assert "row epochs, column mini: '-1'" in str(problem)


def test_a_table_on_its_side_is_one_problem_and_not_one_a_column(tmp_path: Path) -> None:
    params = tmp_path / "p.tsv"
    params.write_text("parameter\tepochs\tbatch_size\nmini\t1\t32\n")
    with pytest.raises(InputError) as caught:
        expand_grid(params, SEQ_ORDERS, ["all"], TrainingOptions())
    (problem,) = caught.value.problems
    assert "transpose the table" in str(problem)


def test_an_empty_model_name_is_said_to_be_empty() -> None:
    with pytest.raises(InputError, match="model names: one is empty; give one model, several by comma, or all"):
        expand_grid(PARAMS, SEQ_ORDERS, [""], TrainingOptions())


def test_the_folder_of_messages_holds_this_grid_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    main(PARAMS, SEQ_ORDERS, tmp_path / "grid.json", "mini", messages=folder)
    (folder / "mini_99.json").write_text("of a larger grid")
    main(PARAMS, SEQ_ORDERS, tmp_path / "grid.json", "mini", messages=folder)
    assert len(list(folder.iterdir())) == 12
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="move it away"):
        main(PARAMS, SEQ_ORDERS, tmp_path / "grid.json", "mini", messages=folder)
    assert (folder / "thesis.txt").read_text() == "mine"


def test_a_grid_does_not_overwrite_its_own_table(tmp_path: Path) -> None:
    params = tmp_path / "p.tsv"
    params.write_text(PARAMS.read_text())
    with pytest.raises(InputError, match="is one of the tables to read"):
        main(params, SEQ_ORDERS, params, "mini")
    assert params.read_text() == PARAMS.read_text()


def test_values_and_grids_larger_than_anybody_means_are_doubted(tmp_path: Path) -> None:
    params = tmp_path / "p.tsv"
    many = ",".join(map(str, range(1, 41)))
    rows = dict(line.split("\t")[:2] for line in PARAMS.read_text().splitlines())
    rows |= {"parameter": "mini", "batch_size": "32128", "lstm_units": many, "conv_filters": many}
    params.write_text("".join(f"{name}\t{cell}\n" for name, cell in rows.items()))
    doubts = grid_doubts(expand_grid(params, SEQ_ORDERS, ["mini"], TrainingOptions()))
    assert "mini: batch_size 32128 is unusually large; is a comma missing?" in doubts
    assert any("combinations is a training" in doubt for doubt in doubts)
    assert grid_doubts(expand_grid(PARAMS, SEQ_ORDERS, ["mini"], TrainingOptions())) == ()


def test_the_word_for_all_models_stands_alone() -> None:
    with pytest.raises(InputError, match="'all' stands alone"):
        expand_grid(PARAMS, SEQ_ORDERS, ["all", "mini"], TrainingOptions())
