"""A variant for tranquillyzer's annotation: a run's folder enters, model files and a row of seq_orders.tsv leave.

Its annotation command reads ``<name>_w_CRF.h5``, ``_w_CRF_params.json`` and ``_w_CRF_lbl_bin.pkl`` (without a CRF
``<name>.h5`` and ``<name>_lbl_bin.pkl``), and the library from the row of seq_orders.tsv under that name.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from readlabel.artifacts.atomic import atomic_path, raise_output_error
from readlabel.artifacts.names import CRF_SUFFIX, LABEL_BINARIZER, PARAMS, SEQ_ORDERS, WEIGHTS
from readlabel.messages import InputError, Library, OutputError
from readlabel.report.folders import RunFolder
from readlabel.tables import format_row

_SUFFIXES = {WEIGHTS: ".h5", PARAMS: "_params.json", LABEL_BINARIZER: "_lbl_bin.pkl"}
_MODELS = "models"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Installed(NamedTuple):
    """What was written.

    Attributes:
        files: all of it, seq_orders.tsv last.
        replaced: the model files among them in whose place another model's were.
    """

    files: tuple[Path, ...]
    replaced: tuple[Path, ...]


def install(run: RunFolder, folder: Path, name: str | None = None) -> Installed:
    """Write a run's model, and its library's row, under the name that tranquillyzer will know it by.

    Args:
        run: the run, in either layout.
        folder: the models folder, which is there; its seq_orders.tsv is made when missing, otherwise only the row of
            that name changes.
        name: the model's name there; by default the library's.

    Raises:
        InputError: the run has no model, tranquillyzer cannot load it, or the name cannot be used.
        OutputError: there is no such folder, it is the checkout around it, it cannot be written, or another library
            has a row of the name.
    """
    record = run.record()
    run.require_success(record)
    point = record.spec.point
    if not record.tranquillyzer_loads:
        notes = "".join(f" {note}" for note in record.notes)
        raise InputError(f"{run.path}: tranquillyzer cannot load this model, so it is not installed.{notes}")
    library = _renamed(point.library, name)
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "there is no such folder"
        raise OutputError(f"{folder}: {what}; give the folder models/ of tranquillyzer's checkout")
    inner = folder / _MODELS
    if inner.is_dir() and folder.resolve().name != _MODELS:
        raise OutputError(f"{folder}: tranquillyzer loads models from the folder {_MODELS}/ in it only; give {inner}")
    table = folder / SEQ_ORDERS
    rows = _rows_with(table, library)
    stem = library.model + CRF_SUFFIX if point.hyperparameters.crf_layer else library.model
    targets = {folder / f"{stem}{suffix}": run.file(artifact) for artifact, suffix in _SUFFIXES.items()}
    replaced = tuple(target for target in targets if target.exists())
    # All are written before any gets its name, and the table gets it last: a row never stands without its model.
    with ExitStack() as stack:
        stack.enter_context(atomic_path(table)).write_bytes(rows)
        for target, source in targets.items():
            shutil.copyfile(source, stack.enter_context(atomic_path(target)))
    return Installed((*targets, table), replaced)


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
        if _fields(line)[0] != library.model:
            lines.append(line)
            continue
        if _fields(line) != _fields(row):
            raise OutputError(
                f"{table}: has a row of {library.model} that is of another library, so nothing is replaced; install "
                "under another name (--install-name), or take the row out"
            )
        if not placed:
            lines.append(row)
            placed = True
    if not placed:
        if lines and not lines[-1].endswith(b"\n"):
            lines.append(row[len(row.rstrip()) :])
        lines.append(row)
    return b"".join(lines)


def _fields(line: bytes) -> list[str]:
    """A row as tranquillyzer reads it: the model first, and quotation marks count for nothing."""
    text = line.removeprefix(_BYTE_ORDER_MARK).replace(b"'", b"").replace(b'"', b"").decode("utf-8", "replace")
    return [field.strip() for field in text.split("\t")]
