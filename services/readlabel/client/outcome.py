"""The folder that a run's files go to: what may be there already, found out before anything is trained or fetched."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from readlabel.artifacts.atomic import raise_output_error, require_writable
from readlabel.artifacts.names import ARTIFACTS, RUN
from readlabel.messages import OutputError, RunRecord

_NAMES = {artifact.name for artifact in ARTIFACTS}


def check_folder(out: Path, run_id: str) -> None:
    """Make sure that a run's files can become this folder, and that nothing else is lost by it.

    Args:
        out: the folder; it may be absent, empty, or hold the files of this run and no others.
        run_id: the run.

    Raises:
        OutputError: the folder cannot be written, or holds what must not be replaced.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise OutputError(f"{out}: is there already and is no plain folder; move it away or give another name")
    try:
        held = sorted(path.name for path in out.iterdir()) if out.exists() else []
    except OSError as error:
        raise_output_error(out, error)
    require_writable(out.parent)
    strangers = [name for name in held if name not in _NAMES]
    if strangers:
        more = f" and {len(strangers) - 1} more" if len(strangers) > 1 else ""
        raise OutputError(
            f"{out}: holds {strangers[0]}{more}, which is no file of a run, so the folder is not replaced; move it "
            "away or give another one"
        )
    record = record_in(out)
    if held and (record is None or record.run_id != run_id):
        what = (
            "files of a run but no record of it" if record is None else f"another run, {record.run_id} ({record.state})"
        )
        raise OutputError(
            f"{out}: holds {what}, so it is not replaced by {run_id}; move it away or give another folder"
        )


def record_in(out: Path) -> RunRecord | None:
    """The record of the run whose files a folder holds; None without a readable one."""
    try:
        return RunRecord.model_validate_json((out / RUN).read_bytes())
    except (OSError, ValidationError):
        return None
