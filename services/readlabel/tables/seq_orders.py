"""``training_seq_orders.tsv`` → `Library`, a row a model.

Columns, without a header: model, segment order, patterns, barcodes, UMIs, strand. The comma lists may be quoted.
Format: tranquillyzer v0.2.2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from pydantic import ValidationError

from readlabel.messages import InputError, Library, Problem, Segment
from readlabel.tables._cells import STRANDS, Row, nearest, read_rows, split_list

COLUMNS = ("model", "segment order", "patterns", "barcodes", "UMIs", "strand")
_NOTHING = frozenset({"na", "n/a", "none", "null", "nan", "-", "."})


def read_seq_orders(path: Path, models: Collection[str] | None = None) -> dict[str, Library]:
    """Read the libraries of the asked-for models (None: all), by model name, in file order.

    Raises:
        InputError: with every problem of the rows asked for and every model that has no row; rows of other models
            may be anything, since people share one table.
    """
    libraries: dict[str, Library] = {}
    lines: dict[str, int] = {}
    rows = read_rows(path)
    if rows[0].cells[0] == "parameter":
        raise InputError(
            f"{path}: is a table of hyperparameters; are --training-params and --training-seq-orders swapped?"
        )
    problems: list[Problem] = []
    found_models = []
    for row in (row.within(len(COLUMNS)) for row in rows):
        where = f"{path}, line {row.line}"
        found_models.append(row.cells[0])
        if models is not None and row.cells[0] not in models:
            continue
        if len(row.cells) != len(COLUMNS):
            wanted = ", ".join(COLUMNS)
            problems.append(
                Problem(where, f"has {len(row.cells)} tab-separated columns; {len(COLUMNS)} are needed: {wanted}")
            )
            continue
        model = row.cells[0]
        if model in lines:
            problems.append(Problem(where, f"model {model!r} has a row already, on line {lines[model]}; keep one"))
            continue
        lines[model] = row.line
        library, found = _library(row, where)
        problems.extend(found)
        if library is not None:
            libraries[model] = library
    problems += [
        Problem(
            str(path), f"has no row for model {name!r}; {nearest(name, found_models)}it has {', '.join(found_models)}"
        )
        for name in models or ()
        if name not in found_models
    ]
    if problems:
        raise InputError(problems)
    return libraries


def read_library_row(path: Path, model: str) -> Library:
    """Read one model's library.

    Raises:
        InputError: the row has problems, or there is none; the message lists the models there are.
    """
    return read_seq_orders(path, [model])[model]


def format_row(library: Library) -> str:
    """The library's row as tranquillyzer writes it, comma lists quoted, without a line end."""

    def quoted(values: Iterable[str]) -> str:
        text = ",".join(values)
        return f'"{text}"' if "," in text else text

    names = quoted(segment.name for segment in library.segments)
    patterns = quoted(segment.pattern for segment in library.segments)
    return "\t".join((library.model, names, patterns, quoted(library.barcodes), quoted(library.umis), library.strand))


def _library(row: Row, where: str) -> tuple[Library | None, list[Problem]]:
    model, order, patterns, barcodes, umis, strand = row.cells
    strand = strand.lower()
    problems = [
        Problem(where, f"column {name}: is empty")
        for name, cell in zip(COLUMNS, row.cells, strict=True)
        if not cell and name not in ("barcodes", "UMIs")
    ]
    if strand and strand not in STRANDS:
        problems.append(Problem(where, f"column strand: {row.cells[-1]!r} is not allowed; write fwd or rev"))
    separated = [name for name, cell in zip(COLUMNS, row.cells, strict=True) if ";" in cell]
    if separated:
        return None, [Problem(where, f"column {name}: a list is separated by commas, not ';'") for name in separated]
    names = split_list(order) if order else []
    motifs = split_list(patterns) if patterns else []
    if names and motifs and len(names) != len(motifs):
        problems.append(
            Problem(
                where, f"{len(names)} segments ({order}) but {len(motifs)} patterns ({patterns}): one each is needed"
            )
        )
    segments = []
    for number, (name, motif) in enumerate(zip(names, motifs, strict=False), 1):
        empty = [column for column, text in (("segment order", name), ("patterns", motif)) if not text]
        problems += [Problem(where, f"column {column}, segment {number}: is empty") for column in empty]
        if empty:
            continue
        try:
            segments.append(Segment(name=name, pattern=motif))
        except ValidationError as error:
            column = "segment order" if error.errors()[0]["loc"] != ("pattern",) else "patterns"
            problems.extend(Problem(where, f"column {column}, segment {number}: {text}") for text in _texts(error))
    problems += [
        Problem(where, f"column {column}: {_no_segment(name, model, names)}")
        for column, cell in (("barcodes", barcodes), ("UMIs", umis))
        for name in (split_list(cell) if cell and names else ())
        if name not in names
    ]
    if problems:
        return None, problems
    try:
        return (
            Library.model_validate(
                {
                    "model": model,
                    "segments": tuple(segments),
                    "barcodes": tuple(split_list(barcodes)) if barcodes else (),
                    "umis": tuple(split_list(umis)) if umis else (),
                    "strand": strand,
                }
            ),
            [],
        )
    except ValidationError as error:
        return None, [Problem(where, text) for text in _texts(error)]


def _no_segment(name: str, model: str, names: list[str]) -> str:
    if name.lower() in _NOTHING:
        return f"{name!r} is not a segment of {model}; leave the cell empty if there is none"
    return f"{name!r} is not a segment of {model}: {', '.join(names)}"


def _texts(error: ValidationError) -> list[str]:
    """Pydantic's findings without its own prefix, so that they read as sentences."""
    texts = []
    for finding in error.errors(include_url=False):
        field = ".".join(str(part) for part in finding["loc"])
        text = finding["msg"].removeprefix("Value error, ")
        texts.append(text if finding["type"] == "value_error" else f"{field}: {text}")
    return texts
