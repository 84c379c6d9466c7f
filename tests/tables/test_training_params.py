from __future__ import annotations

from pathlib import Path

import pytest

from readlabel.messages import Hyperparameters, InputError
from readlabel.tables import read_training_params

ROWS = {
    "batch_size": "128",
    "train_fraction": "0.8",
    "vocab_size": "5",
    "embedding_dim": "128",
    "conv_layers": "3",
    "conv_filters": "128",
    "conv_kernel_size": "25",
    "lstm_layers": "1",
    "lstm_units": "96",
    "bidirectional": "TRUE",
    "crf_layer": "TRUE",
    "attention_heads": "0",
    "dropout_rate": "0.35",
    "regularization": "0.01",
    "learning_rate": "0.001",
    "epochs": "1",
}


def table(path: Path, *, separator: str = "\n", **changes: str | None) -> Path:
    rows = {**ROWS, **changes}
    lines = ["parameter\tmine", *(f"{name}\t{cell}" for name, cell in rows.items() if cell is not None)]
    path.write_bytes(separator.join(lines).encode() + separator.encode())
    return path


def problems_of(path: Path, models: list[str] | None = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_training_params(path, models)
    return [str(problem) for problem in caught.value.problems]


def test_tranquillyzers_default_column_is_the_default_of_every_hyperparameter(tmp_path: Path) -> None:
    (grid,) = read_training_params(table(tmp_path / "p.tsv"))
    assert grid.combinations() == [Hyperparameters()]
    assert grid.varying == ()


def test_comma_lists_multiply_with_the_last_row_fastest(tmp_path: Path) -> None:
    path = table(tmp_path / "p.tsv", conv_filters="32, 64 ,96", crf_layer="TRUE,FALSE", dropout_rate="0.1,0.2")
    (grid,) = read_training_params(path)
    points = [(p.conv_filters, p.crf_layer, p.dropout_rate) for p in grid.combinations()]
    assert len(points) == 12
    assert points[:4] == [(32, True, 0.1), (32, True, 0.2), (32, False, 0.1), (32, False, 0.2)]
    assert points[4] == (64, True, 0.1)
    assert grid.varying == ("conv_filters", "crf_layer", "dropout_rate")


@pytest.mark.parametrize("text", ["TRUE", "true", "True", "1", "yes", "T"])
def test_every_usual_spelling_of_true_is_read(tmp_path: Path, text: str) -> None:
    (grid,) = read_training_params(table(tmp_path / "p.tsv", crf_layer=text))
    assert grid.combinations()[0].crf_layer is True


@pytest.mark.parametrize("text", ["FALSE", "false", "0", "no", "F"])
def test_every_usual_spelling_of_false_is_read(tmp_path: Path, text: str) -> None:
    (grid,) = read_training_params(table(tmp_path / "p.tsv", crf_layer=text))
    assert grid.combinations()[0].crf_layer is False


def test_a_table_saved_by_a_spreadsheet_on_windows_is_read(tmp_path: Path) -> None:
    path = table(tmp_path / "p.tsv", separator="\r\n", conv_filters='"32, 64"', epochs="2.0", batch_size=" 16 ")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n\t\r\n")
    (grid,) = read_training_params(path)
    assert [p.conv_filters for p in grid.combinations()] == [32, 64]
    assert grid.combinations()[0].epochs == 2
    assert grid.combinations()[0].batch_size == 16


def test_rows_that_tranquillyzer_lacks_may_be_left_out_or_given(tmp_path: Path) -> None:
    (grid,) = read_training_params(table(tmp_path / "p.tsv", lr_schedule="warmup_cosine,plateau", warmup_steps="50"))
    assert [p.lr_schedule for p in grid.combinations()] == ["warmup_cosine", "plateau"]


def test_all_problems_come_at_once_each_with_its_place_and_what_is_allowed(tmp_path: Path) -> None:
    path = table(
        tmp_path / "p.tsv",
        batch_size="0",
        dropout_rate="1",
        crf_layer="maybe",
        conv_filters="64,64",
        epochs="",
        lstm_units="64,",
        embedding_dim="12.5",
        learning_rate="nan",
        lr_schedule="linear",
        regularization=None,
        filters="3",
    )
    problems = problems_of(path)
    for expected in (
        "line 2, row batch_size, column mine: '0' is not allowed; allowed is a whole number from 1 to 65536",
        "row dropout_rate, column mine: '1' is not allowed; allowed is a number from 0 to below 1",
        "row crf_layer, column mine: 'maybe' is not allowed; allowed is TRUE or FALSE",
        "row conv_filters, column mine: '64' is repeated in '64,64'",
        "row epochs, column mine: is empty",
        "row lstm_units, column mine: an empty value in a comma list is not allowed",
        "row embedding_dim, column mine: '12.5' is not allowed",
        "row learning_rate, column mine: 'nan' is not allowed; allowed is a number above 0 and at most 1",
        "row lr_schedule, column mine: 'linear' is not allowed; allowed is plateau, constant, warmup_cosine",
        "row 'regularization' is missing; allowed is a number from 0 to 1 (usual: 0.01)",
        "row 'filters' is no hyperparameter; did you mean conv_filters? They are batch_size,",
    ):
        assert any(expected in problem for problem in problems), expected
    assert len(problems) == 11


def test_values_that_are_written_differently_but_equal_are_a_repetition(tmp_path: Path) -> None:
    assert any("repeated" in problem for problem in problems_of(table(tmp_path / "p.tsv", dropout_rate="0.2,0.20")))


def test_an_unknown_model_lists_the_known_ones(tmp_path: Path) -> None:
    (problem,) = problems_of(table(tmp_path / "p.tsv"), ["yours"])
    assert "no column for model 'yours'; it has mine" in problem


def test_a_repeated_row_names_both_lines(tmp_path: Path) -> None:
    path = table(tmp_path / "p.tsv")
    path.write_text(path.read_text() + "epochs\t3\n")
    (problem,) = problems_of(path)
    assert "line 18" in problem
    assert "line 17 already" in problem


def test_a_column_of_another_model_is_not_judged(tmp_path: Path) -> None:
    lines = ["parameter\tmine\tbroken", *(f"{name}\t{cell}\tnonsense" for name, cell in ROWS.items())]
    path = tmp_path / "p.tsv"
    path.write_text("\n".join(lines))
    assert len(read_training_params(path, ["mine"])[0].combinations()) == 1
    assert len(problems_of(path)) == len(ROWS)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the table is empty"),
        (b"parameter,mine\nepochs,1\n", "holds no tab"),
        (b"parameter mine\nepochs 1\n", "separated by tabs"),
        (b"hyper\tmine\n", "must be 'parameter'"),
        (b"parameter\tmine\tmine\n", "'mine' has 2 columns"),
        (b"parameter\tm\xff\n", "no UTF-8 text"),
        ("parameter\tm\n".encode("utf-16-le"), "no UTF-8 text"),
        (b"# my grid\nparameter\tmine\nepochs\t1\n", "must be 'parameter', as line 2 is: leave out what stands above"),
        (b"model\tepochs\tbatch_size\nmine\t1\t32\n", "rows are hyperparameters and columns are models: transpose"),
        (b"parameter\tepochs\tbatch_size\nmine\t1\t32\n", "they are the rows, and models the columns: transpose"),
        (b"m\ta,b\tACGT,NN\t\t\tfwd\n", "are --training-params and --training-seq-orders swapped?"),
    ],
)
def test_a_file_that_is_no_such_table_says_why(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "p.tsv"
    path.write_bytes(content)
    problems = problems_of(path)
    assert any(expected in problem for problem in problems)
    assert content.startswith(b"parameter") or len(problems) == 1


@pytest.mark.parametrize("quotes", ["\u201c{}\u201d", '"""{}"""', "\u00ab{}\u00bb"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_quotes_of_any_kind_and_excels_unicode_text_are_read(tmp_path: Path, quotes: str, encoding: str) -> None:
    path = table(tmp_path / "p.tsv", conv_filters=quotes.format("32, 64"))
    path.write_bytes(path.read_text().encode(encoding))
    (grid,) = read_training_params(path)
    assert [point.conv_filters for point in grid.combinations()] == [32, 64]


@pytest.mark.parametrize(
    ("name", "cell", "told"),
    [
        ("conv_filters", "32;64", "values are separated by commas"),
        ("epochs", "1,000", "thousands are written without a comma"),
    ],
)
def test_another_way_to_write_numbers_is_told(tmp_path: Path, name: str, cell: str, told: str) -> None:
    assert any(told in problem for problem in problems_of(table(tmp_path / "p.tsv", **{name: cell})))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path / "absent.tsv")
    assert "absent.tsv: cannot be read: No such file" in problem


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("regularization", "0,01"),
        ("regularization", "0,1"),
        ("dropout_rate", "0,35"),
        ("train_fraction", "0.5, 08"),
        ("learning_rate", "0,001,0,01"),
        ("learning_rate", "1,00E-03"),
    ],
)
def test_a_decimal_comma_is_not_taken_for_a_list(tmp_path: Path, name: str, cell: str) -> None:
    (problem,) = problems_of(table(tmp_path / "p.tsv", **{name: cell}))
    assert f"row {name}, column mine: {cell!r} may hold a decimal comma; write a decimal point" in problem


@pytest.mark.parametrize("cell", ["0,0.2", "0, 1", "0.0,1.0", "0.5,0", "0,1e-3"])
def test_lists_that_begin_with_zero_are_still_lists(tmp_path: Path, cell: str) -> None:
    (grid,) = read_training_params(table(tmp_path / "p.tsv", regularization=cell))
    assert len(grid.combinations()) == 2


def test_the_empty_columns_that_a_spreadsheet_saves_are_nothing(tmp_path: Path) -> None:
    path = table(tmp_path / "p.tsv")
    path.write_text("".join(f"{line}\t\t\n" for line in path.read_text().splitlines()))
    assert read_training_params(path)[0].combinations() == [Hyperparameters()]
    path.write_text(path.read_text().replace("128\t\t\n", "128\t64\t\n", 1))
    assert any("column 3 has no model name" in problem for problem in problems_of(path))


def test_a_quotation_mark_that_is_never_closed_is_one_problem(tmp_path: Path) -> None:
    (problem,) = problems_of(table(tmp_path / "p.tsv", conv_filters='"64,128'))
    assert 'line 7: the quotation mark of "64,128 is never closed' in problem
