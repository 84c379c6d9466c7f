from __future__ import annotations

from pathlib import Path

from readlabel.messages import OPTIONAL_ROWS, Hyperparameters, as_written
from readlabel.tables._values import allowed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hyperparameters.md"


def test_the_page_of_hyperparameters_has_each_row_with_what_is_allowed_and_what_is_usual() -> None:
    rows = [line.strip("| \n").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    told = {cells[0].split("`")[1]: cells for cells in rows if cells[0].split("`")[1] in Hyperparameters.model_fields}
    assert list(told) == list(Hyperparameters.model_fields)
    for name, field in Hyperparameters.model_fields.items():
        assert told[name][1] == allowed(name).removeprefix("allowed is ")
        assert told[name][2] == as_written(field.default)
        assert ("(optional)" in told[name][0]) == (name in OPTIONAL_ROWS)
        assert told[name][3] == field.description
