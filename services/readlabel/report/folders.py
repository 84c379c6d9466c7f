"""A run's files, wherever they lie: a folder enters, its record, metrics and files leave.

Two layouts hold the same files: the folder a TRAIN task leaves (``run.json``), and a variant's folder as EXPORT lays
it out (``<model>_<i>_run.json``). Everything here takes either.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from readlabel.artifacts.message_file import read_message
from readlabel.artifacts.names import ARTIFACTS, LABEL_BINARIZER, METRICS, RUN, WEIGHTS
from readlabel.messages import InputError, Metrics, RunRecord
from readlabel.reads.pickles import load_label_binarizer

_HDF5 = b"\x89HDF\r\n\x1a\n"
_SUGGESTED = 3
_SUFFIX = {artifact.name: artifact.suffix for artifact in ARTIFACTS}


@dataclass(frozen=True)
class RunFolder:
    """The files of one run.

    Attributes:
        path: the folder.
        variant: ``<model>_<i>`` where the folder is laid out as tranquillyzer does; None for a run's own folder.
    """

    path: Path
    variant: str | None

    def file(self, artifact: str) -> Path:
        """Where a file lies, present or not; `artifact` is a name of `readlabel.artifacts.names`."""
        suffix = _SUFFIX[artifact]
        return self.path / (artifact if self.variant is None or not suffix else self.variant + suffix)

    def record(self) -> RunRecord:
        """What became of the run.

        Raises:
            InputError: the file cannot be read or is no record of a run.
        """
        return read_message(self.file(RUN), RunRecord)

    def metrics(self) -> Metrics:
        """How good the exported model is.

        Raises:
            InputError: the file cannot be read or holds no metrics.
        """
        return read_message(self.file(METRICS), Metrics)

    def require_success(self, record: RunRecord) -> None:
        """Raise InputError unless the run succeeded, all files of a success are there, and its model's are no others.

        They are handed to a program that loads pickles without asking, so what is in them is looked at first.
        """
        if record.state != "SUCCEEDED":
            why = "" if record.failure is None else f": {record.failure.reason}: {record.failure.message}"
            raise InputError(f"{self.path}: the run is {record.state}{why}; only a run that SUCCEEDED has a model")
        missing = [a.name for a in ARTIFACTS if a.of_success and not self.file(a.name).is_file()]
        if missing:
            names = ", ".join(self.file(name).name for name in missing)
            raise InputError(f"{self.path}: the run SUCCEEDED but lacks {names}; train it again")
        weights, binarizer = self.file(WEIGHTS), self.file(LABEL_BINARIZER)
        with weights.open("rb") as handle:
            if handle.read(len(_HDF5)) != _HDF5:
                raise InputError(f"{weights}: is no HDF5 file; train it again")
        labels, expected = load_label_binarizer(binarizer), record.spec.point.library.labels
        if sorted(labels) != sorted(expected):
            raise InputError(
                f"{binarizer}: is of other labels ({', '.join(labels)}) than the library's ({', '.join(expected)})"
            )


def open_folder(path: Path) -> RunFolder:
    """Recognise a folder's layout by the record in it.

    Raises:
        InputError: there is no such folder, or no run in it.
    """
    if not path.is_dir():
        raise InputError(f"{path}: is no folder; give a run's folder or an exported variant's")
    if (path / RUN).is_file():
        return RunFolder(path, None)
    suffix = _SUFFIX[RUN]
    records = sorted(found.name for found in path.glob(f"*{suffix}"))
    if len(records) == 1:
        return RunFolder(path, records[0].removesuffix(suffix))
    found = f"it holds {len(records)} of the latter" if records else "it holds neither"
    if below := sorted(str(inner.parent) for depth in ("*", "best/*") for inner in path.glob(f"{depth}/*{suffix}")):
        found += f"; did you mean {' or '.join(below[:_SUGGESTED])}?"
    raise InputError(f"{path}: a run's folder holds {RUN}, an exported variant one file *{suffix}; {found}")
