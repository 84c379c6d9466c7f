"""An exported variant on disk, in a run's layout or in tranquillyzer's: a path in; its network and library out.

A path is a run's folder, the folder of one exported variant, or the files' common prefix: ``models/mylib`` for
``models/mylib.h5`` (or ``mylib_w_CRF.h5``) with its ``_params.json`` and ``_lbl_bin.pkl``.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from readlabel.artifacts.message_file import read_message
from readlabel.artifacts.names import ARTIFACTS, CRF_SUFFIX, LABEL_BINARIZER, METRICS, PARAMS, RUN, SEQ_ORDERS, WEIGHTS
from readlabel.messages import InputError, Library, Metrics, RunRecord
from readlabel.model.export import load
from readlabel.model.network import Network
from readlabel.tables import read_seq_orders

_SUFFIX = {artifact.name: artifact.suffix for artifact in ARTIFACTS}
_SUGGESTED = 3
_NEEDED = (WEIGHTS, PARAMS, LABEL_BINARIZER)


@dataclass(frozen=True)
class Variant:
    """Where a variant's files are.

    Attributes:
        folder: that holds them.
        name: the files' prefix; None in a run's layout.
    """

    folder: Path
    name: str | None

    def file(self, artifact: str) -> Path:
        """Where a file lies, present or not; `artifact` is a name of `readlabel.artifacts.names`."""
        return self.folder / (artifact if self.name is None else self.name + _SUFFIX[artifact])

    def inputs(self) -> list[Path]:
        """The files that tell its network and its library, present or not."""
        return [*(self.file(name) for name in (*_NEEDED, RUN)), self.folder / SEQ_ORDERS]

    def load(self) -> Network:
        """Its network.

        Raises:
            InputError: a file is missing, or the files do not fit each other.
        """
        sources = {name: self.file(name) for name in _NEEDED}
        missing = [path for path in sources.values() if not path.is_file()]
        if missing:
            others = ", ".join(path.name for path in sources.values() if path not in missing)
            raise InputError(f"{', '.join(map(str, missing))}: is missing; {others} beside it is there")
        if self.name is None:
            return load(self.folder)
        with tempfile.TemporaryDirectory() as linked:
            links = {Path(linked) / name: source for name, source in sources.items()}
            for link, source in links.items():
                link.symlink_to(source.resolve())
            try:
                return load(Path(linked))
            except InputError as error:
                text = str(error)
                for link, source in links.items():
                    text = text.replace(str(link), str(source))
                raise InputError(text) from error

    def record(self) -> RunRecord | None:
        """The record of its run; None without one.

        Raises:
            InputError: it is there and cannot be read.
        """
        return read_message(self.file(RUN), RunRecord) if self.file(RUN).is_file() else None

    def library(self) -> Library | None:
        """The library that the record of its run, or else the row of its name in a ``seq_orders.tsv`` beside it, tells.

        Raises:
            InputError: one of the two is there and cannot be read.
        """
        record = self.record()
        if record is not None:
            return record.spec.point.library
        table = self.folder / SEQ_ORDERS
        if self.name is None or not table.is_file():
            return None
        model = self.name.removesuffix(CRF_SUFFIX)
        return read_seq_orders(table, [model])[model]

    def metrics(self) -> Metrics | None:
        """How good its training found it; None where no file says so.

        Raises:
            InputError: the file is there and cannot be read.
        """
        path = self.file(METRICS)
        return read_message(path, Metrics) if path.is_file() else None


def find_variant(path: Path) -> Variant:
    """Find the one variant that a path means.

    Raises:
        InputError: there is none, or more than one.
    """
    if path.is_dir():
        if (path / WEIGHTS).exists():
            return Variant(path, None)
        names = sorted(found.name.removesuffix(_SUFFIX[PARAMS]) for found in path.glob(f"*{_SUFFIX[PARAMS]}"))
        if len(names) == 1:
            return Variant(path, names[0])
        found = f"{len(names)} of the latter: {', '.join(names)}; give {path}/NAME" if names else "neither"
        depths = ("*", "best/*")
        below = sorted({str(inner.parent) for depth in depths for inner in path.glob(f"{depth}/*{_SUFFIX[PARAMS]}")})
        if below and not names:
            found += f"; did you mean {' or '.join(below[:_SUGGESTED])}?"
        raise InputError(
            f"{path}: a run's folder holds {WEIGHTS}, an exported variant's one file *{_SUFFIX[PARAMS]}; "
            f"here is {found}"
        )
    if path.name == WEIGHTS and path.is_file():
        return Variant(path.parent, None)
    name = path.name.removesuffix(_SUFFIX[WEIGHTS])
    for prefix in (name, name + CRF_SUFFIX):
        variant = Variant(path.parent, prefix)
        if variant.file(PARAMS).is_file() or variant.file(WEIGHTS).is_file():
            return variant
    raise InputError(
        f"{path}: there is no such folder, and no {name}{_SUFFIX[WEIGHTS]}; give a run's folder, that of an exported "
        f"variant, or the prefix of its files"
    )
