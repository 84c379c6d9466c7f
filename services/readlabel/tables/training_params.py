"""``training_params.tsv`` → the combinations of each model.

Rows are hyperparameters, columns are models, and a comma list in a cell multiplies that model's grid. Every cell of
every asked-for model is checked before anything is returned, and all problems come at once.
"""

from __future__ import annotations

import difflib
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from readlabel.messages import OPTIONAL_ROWS, Hyperparameters, InputError, Problem, as_written
from readlabel.tables._cells import STRANDS, Row, nearest, read_rows, split_list
from readlabel.tables._values import allowed, has_decimal_comma, hint, parse

Value = bool | int | float | str


@dataclass(frozen=True)
class ParameterGrid:
    """One model's grid: the values of each hyperparameter, in the table's row order."""

    model: str
    values: tuple[tuple[str, tuple[Value, ...]], ...]

    @property
    def varying(self) -> tuple[str, ...]:
        """The hyperparameters with more than one value, in row order."""
        return tuple(name for name, values in self.values if len(values) > 1)

    def combinations(self) -> list[Hyperparameters]:
        """Every combination; the last row varies fastest, as in tranquillyzer."""
        names = [name for name, _ in self.values]
        return [
            Hyperparameters.model_validate(dict(zip(names, point, strict=True)))
            for point in itertools.product(*(values for _, values in self.values))
        ]


def read_training_params(path: Path, models: Sequence[str] | None = None) -> list[ParameterGrid]:
    """Read the grids of the asked-for models (None: all), in that order.

    Raises:
        InputError: with every problem: unknown, missing or repeated rows and models, and every value that is empty,
            of the wrong type, out of range, or repeated within its list.
    """
    header, *rows = _without_empty_columns(read_rows(path))
    columns = header.cells[1:]
    _require_header(path, header, rows)
    problems = _header_problems(path, header.cells)
    known = [name for name in columns if name]
    asked = list(known if models is None else models)
    problems += [
        Problem(
            str(path), f"has no column for model {name!r}; {nearest(name, known)}it has {', '.join(known) or 'none'}"
        )
        for name in asked
        if name not in known
    ]
    seen: dict[str, int] = {}
    unknown = False
    cells: dict[str, dict[str, tuple[Value, ...]]] = {name: {} for name in asked}
    for row in rows:
        name, where = row.cells[0], f"{path}, line {row.line}"
        if name not in Hyperparameters.model_fields:
            problems.append(Problem(where, f"row {_no_hyperparameter(name, list_them=not unknown)}"))
            unknown = True
            continue
        if name in seen:
            problems.append(Problem(where, f"row {name!r} stands on line {seen[name]} already; keep one"))
            continue
        seen[name] = row.line
        if len(row.cells) > len(header.cells):
            problems.append(
                Problem(where, f"row {name!r} has {len(row.cells)} columns, the header {len(header.cells)}")
            )
        for model in asked:
            if model in known:
                index = columns.index(model) + 1
                cell = row.cells[index] if index < len(row.cells) else ""
                values, found = _cell(f"{where}, row {name}, column {model}", name, cell)
                problems.extend(found)
                cells[model][name] = values
    usual = Hyperparameters().model_dump()
    missing = [name for name in Hyperparameters.model_fields if name not in seen and name not in OPTIONAL_ROWS]
    problems += [
        Problem(str(path), f"row {name!r} is missing; {allowed(name)} (usual: {as_written(usual[name])})")
        for name in missing
    ]
    if problems:
        raise InputError(problems)
    return [ParameterGrid(model, tuple((name, cells[model][name]) for name in seen)) for model in asked]


def read_value(name: str, text: str) -> Value:
    """The one value that a person gives a hyperparameter outside of a table, by the table's rules.

    Raises:
        InputError: there is no such hyperparameter, it does not allow the value, or several are given.
    """
    where = f"{name}={text}"
    if name not in Hyperparameters.model_fields:
        raise InputError([Problem(where, _no_hyperparameter(name, list_them=True))])
    values, problems = _cell(where, name, text)
    if "," in text and not has_decimal_comma(name, text):
        problems = [Problem(where, "one value here; lists are for the table that `readlabel grid` expands")]
    if problems:
        raise InputError(problems)
    return values[0]


def model_columns(path: Path) -> list[str]:
    """The models that have a column, whatever stands in it.

    Raises:
        InputError: the file is no such table at all.
    """
    header, *rows = read_rows(path)
    _require_header(path, header, rows)
    return [name for name in header.cells[1:] if name]


def _without_empty_columns(rows: list[Row]) -> list[Row]:
    width = max(len(row.within(0).cells) for row in rows)
    return [row.within(width) for row in rows]


def _require_header(path: Path, header: Row, rows: Sequence[Row]) -> None:
    """Raise InputError when the first line is none: all that follows from it would be as many wrong complaints."""
    first, where = header.cells[0], f"{path}, line {header.line}"
    if first == "parameter":
        if len(set(header.cells) & set(Hyperparameters.model_fields)) > 1:
            raise InputError(
                f"{where}: is headed by hyperparameters; they are the rows, and models the columns: transpose the table"
            )
        return
    wanted = f"the first column is headed {first[:60]!r}; it must be 'parameter'"
    if header.cells[-1].lower() in STRANDS:
        raise InputError(f"{where}: is a row of libraries; are --training-params and --training-seq-orders swapped?")
    if len(set(header.cells) & set(Hyperparameters.model_fields)) > 1:
        raise InputError(f"{where}: {wanted}; rows are hyperparameters and columns are models: transpose the table")
    below = next(
        (f", as line {row.line} is: leave out what stands above" for row in rows if row.cells[0] == "parameter"), ""
    )
    raise InputError(f"{where}: {wanted}{below}")


def _header_problems(path: Path, header: tuple[str, ...]) -> list[Problem]:
    problems = []
    if len(header) < 2:
        problems.append(Problem(f"{path}, line 1", "no model has a column; the table is separated by tabs"))
    for number, name in enumerate(header[1:], 2):
        if not name:
            problems.append(Problem(f"{path}, line 1", f"column {number} has no model name"))
    for name, count in Counter(name for name in header[1:] if name).items():
        if count > 1:
            problems.append(Problem(f"{path}, line 1", f"model {name!r} has {count} columns; keep one"))
    return problems


def _cell(where: str, name: str, cell: str) -> tuple[tuple[Value, ...], list[Problem]]:
    if not cell:
        return (), [Problem(where, f"is empty; {allowed(name)}")]
    if has_decimal_comma(name, cell):
        message = (
            f"{cell!r} may hold a decimal comma; write a decimal point (0.01), and whole numbers in a list as 0.0,1.0"
        )
        return (), [Problem(where, message)]
    values: list[Value] = []
    problems = []
    for text in split_list(cell):
        value = parse(name, text)
        if value is None:
            shown = repr(text) if text else "an empty value in a comma list"
            problems.append(Problem(where, f"{shown} is not allowed; {allowed(name)}{hint(name, text)}"))
        elif value in values:
            problems.append(Problem(where, f"{text!r} is repeated in {cell!r}; every combination is trained once"))
        else:
            values.append(value)
    return tuple(values), problems


def _no_hyperparameter(name: str, list_them: bool) -> str:
    near = difflib.get_close_matches(name, Hyperparameters.model_fields, n=1)
    guess = f"; did you mean {near[0]}?" if near else ""
    known = f"{' They' if near else '; they'} are {', '.join(Hyperparameters.model_fields)}" if list_them else ""
    return f"{name!r} is no hyperparameter{guess}{known}"
