"""What became of a grid: the grid and the exported folders enter, one `Variant` a combination leaves, in grid order.

A folder belongs to the grid when its name and its combination are the grid's. All others are strangers: results of
earlier grids, which are named and left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from readlabel.artifacts.names import ARTIFACTS, HISTORY, RUN
from readlabel.messages import Grid, GridEntry, InputError, Metrics, RunRecord
from readlabel.report.folders import RunFolder, open_folder
from readlabel.report.history import History, read_history

SUCCEEDED = "SUCCEEDED"
MISSING = "MISSING"
UNREADABLE = "UNREADABLE"

_NO_OUTCOME = "no folder of it was given: it was not trained, or killed in training; the pipeline tries it with -resume"
_NO_COMBINATION = "the grid has no such combination"
_OTHER_COMBINATION = "holds another combination than this grid's of the same name"
_RUN_SUFFIX = next(artifact.suffix for artifact in ARTIFACTS if artifact.name == RUN)


@dataclass(frozen=True)
class Variant:
    """One combination of the grid and what became of it.

    Attributes:
        entry: its place in the grid.
        state: a run's state, MISSING without any outcome, or UNREADABLE with a damaged one.
        reason: why there is no model; empty for a success.
        folder: where its files are, if there are any.
        record: its provenance, if there is one.
        metrics: how good it is; every SUCCEEDED variant has them.
        history: how its training went, as far as it came.
    """

    entry: GridEntry
    state: str
    reason: str = ""
    folder: RunFolder | None = None
    record: RunRecord | None = None
    metrics: Metrics | None = None
    history: History | None = None


@dataclass(frozen=True)
class Stranger:
    """A variant's folder that is not of this grid, and why."""

    name: str
    why: str


def gather(
    grid: Grid,
    folders: Iterable[Path],
    outdir: Path | None = None,
    losses: Mapping[str, str] | None = None,
) -> tuple[tuple[Variant, ...], tuple[Stranger, ...]]:
    """Match exported folders with the grid's combinations.

    Args:
        grid: every combination.
        folders: exported variants, in any order.
        outdir: results of this and of earlier grids, as ``<outdir>/<model>/<variant>/``; looked at for strangers only.
        losses: why combinations have no folder, by variant, where that is known.

    Raises:
        InputError: a folder is missing or no variant's, or two folders are of one combination.
    """
    entries = {entry.variant: entry for entry in grid.entries}
    found: dict[str, Variant] = {}
    strangers: list[Stranger] = []
    for path in sorted(folders):
        folder = open_folder(path)
        name = folder.variant or path.name
        entry = entries.get(name)
        if entry is None:
            strangers.append(Stranger(name, _NO_COMBINATION))
            continue
        variant = _variant(entry, folder)
        if variant is None:
            strangers.append(Stranger(name, _OTHER_COMBINATION))
        elif name in found:
            raise InputError(f"{path}: {name} is given twice, also as {_place(found[name])}")
        else:
            found[name] = variant
    reasons = losses or {}
    variants = tuple(
        found.get(entry.variant) or Variant(entry, MISSING, reasons.get(entry.variant, _NO_OUTCOME))
        for entry in grid.entries
    )
    if outdir is not None:
        strangers += _strangers(outdir, entries, found)
    return variants, tuple(sorted(set(strangers), key=lambda stranger: (stranger.name, stranger.why)))


def _variant(entry: GridEntry, folder: RunFolder) -> Variant | None:
    """Read a folder; None when it holds another combination."""
    try:
        record = folder.record()
    except InputError as error:
        return Variant(entry, UNREADABLE, str(error), folder)
    if record.spec.point != entry.point:
        return None
    if record.state != SUCCEEDED:
        failure = record.failure
        reason = f"ended as {record.state}" if failure is None else f"{failure.reason}: {failure.message}"
        return Variant(entry, record.state, reason, folder, record, history=_history(folder))
    try:
        folder.require_success(record)
        history = read_history(folder.file(HISTORY))
        return Variant(entry, SUCCEEDED, "", folder, record, folder.metrics(), history)
    except InputError as error:
        return Variant(entry, UNREADABLE, str(error), folder, record)


def _history(folder: RunFolder) -> History | None:
    """The epochs a run trained before it failed, if it left any that can be read."""
    try:
        return read_history(folder.file(HISTORY))
    except InputError:
        return None


def _strangers(outdir: Path, entries: dict[str, GridEntry], found: dict[str, Variant]) -> Sequence[Stranger]:
    """Variants' folders in the results that this grid does not account for."""
    strangers = []
    for path in sorted(outdir.glob(f"*/*/*{_RUN_SUFFIX}")):
        name = path.name.removesuffix(_RUN_SUFFIX)
        if path.parent.name != name or name in found:
            continue
        entry = entries.get(name)
        if entry is None:
            strangers.append(Stranger(name, _NO_COMBINATION))
        elif _variant(entry, RunFolder(path.parent, name)) is None:
            strangers.append(Stranger(name, _OTHER_COMBINATION))
        else:
            strangers.append(Stranger(name, "left by an earlier run of this combination, which has no outcome now"))
    return strangers


def _place(variant: Variant) -> str:
    return str(variant.folder.path) if variant.folder is not None else variant.entry.variant
