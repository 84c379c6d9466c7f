"""A variant for tranquillyzer's annotation: a run's folder enters, model files and a row of seq_orders.tsv leave.

Its annotation command reads ``<name>_w_CRF.h5``, ``_w_CRF_params.json`` and ``_w_CRF_lbl_bin.pkl`` (without a CRF
``<name>.h5`` and ``<name>_lbl_bin.pkl``), and the library from the row of seq_orders.tsv under that name.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

from pydantic import ValidationError

from readlabel.artifacts.atomic import atomic_path, raise_output_error
from readlabel.artifacts.names import CRF_SUFFIX, LABEL_BINARIZER, PARAMS, SEQ_ORDERS, WEIGHTS
from readlabel.messages import InputError, Library
from readlabel.report.folders import RunFolder
from readlabel.tables import format_row

_SUFFIXES = {WEIGHTS: ".h5", PARAMS: "_params.json", LABEL_BINARIZER: "_lbl_bin.pkl"}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def install(run: RunFolder, folder: Path, name: str | None = None) -> list[Path]:
    """Write a run's model, and its library's row, under the name that tranquillyzer will know it by.

    Args:
        run: the run, in either layout.
        folder: the models folder; its seq_orders.tsv is made when missing, otherwise only the row of that name changes.
        name: the model's name there; by default the library's.

    Returns:
        The files written, seq_orders.tsv last.

    Raises:
        InputError: the run has no model, tranquillyzer cannot load it, or the name cannot be used.
        OutputError: the folder cannot be written.
    """
    record = run.record()
    run.require_success(record)
    point = record.spec.point
    if not record.tranquillyzer_loads:
        notes = "".join(f" {note}" for note in record.notes)
        raise InputError(f"{run.path}: tranquillyzer cannot load this model, so it is not installed.{notes}")
    library = _renamed(point.library, name)
    table = folder / SEQ_ORDERS
    rows = _rows_with(table, library)
    stem = library.model + CRF_SUFFIX if point.hyperparameters.crf_layer else library.model
    targets = {folder / f"{stem}{suffix}": run.file(artifact) for artifact, suffix in _SUFFIXES.items()}
    # All are written before any gets its name, and the table gets it last: a row never stands without its model.
    with ExitStack() as stack:
        stack.enter_context(atomic_path(table)).write_bytes(rows)
        for target, source in targets.items():
            shutil.copyfile(source, stack.enter_context(atomic_path(target)))
    return [*targets, table]


def _renamed(library: Library, name: str | None) -> Library:
    if name is None:
        return library
    try:
        return Library.model_validate(library.model_dump() | {"model": name})
    except ValidationError as error:
        raise InputError(f"install name: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def _rows_with(table: Path, library: Library) -> bytes:
    """The table with the rows of the library's name replaced by one, or it appended; other bytes stay as they are."""
    try:
        old = table.read_bytes() if table.exists() else b""
    except OSError as error:
        raise_output_error(table, error)
    row = format_row(library).encode() + (b"\r\n" if b"\r\n" in old else b"\n")
    lines: list[bytes] = []
    placed = False
    for line in old.splitlines(keepends=True):
        if _row_name(line) != library.model:
            lines.append(line)
        elif not placed:
            lines.append(row)
            placed = True
    if not placed:
        if lines and not lines[-1].endswith(b"\n"):
            lines.append(row[len(row.rstrip()) :])
        lines.append(row)
    return b"".join(lines)


def _row_name(line: bytes) -> str:
    """The model a row is of, as tranquillyzer reads it: quotation marks count for nothing."""
    first = line.removeprefix(_BYTE_ORDER_MARK).split(b"\t")[0]
    return first.replace(b"'", b"").replace(b'"', b"").strip().decode("utf-8", "replace")
