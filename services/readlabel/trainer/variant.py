"""An exported variant's folder, in a run's layout or in tranquillyzer's: a folder in, its network out."""

from __future__ import annotations

import tempfile
from pathlib import Path

from readlabel.artifacts.names import ARTIFACTS, LABEL_BINARIZER, PARAMS, WEIGHTS
from readlabel.messages import InputError
from readlabel.model.export import load
from readlabel.model.network import Network

_SUFFIX = {artifact.name: artifact.suffix for artifact in ARTIFACTS}
_NEEDED = (WEIGHTS, PARAMS, LABEL_BINARIZER)


def load_variant(folder: Path) -> Network:
    """Load the network of a run's folder, or of ``<name>.h5`` with its ``_params.json`` and ``_lbl_bin.pkl``.

    Raises:
        InputError: there is no variant in the folder, or more than one, or its files do not fit each other.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; give a run's folder or an exported variant's")
    if (folder / WEIGHTS).exists():
        return load(folder)
    names = sorted(path.name.removesuffix(_SUFFIX[PARAMS]) for path in folder.glob(f"*{_SUFFIX[PARAMS]}"))
    if len(names) != 1:
        found = f"{len(names)} of the latter: {', '.join(names)}" if names else "neither"
        raise InputError(
            f"{folder}: a run's folder holds {WEIGHTS}, an exported variant's one file *{_SUFFIX[PARAMS]}; "
            f"here is {found}"
        )
    with tempfile.TemporaryDirectory() as linked:
        sources = {Path(linked) / name: folder / f"{names[0]}{_SUFFIX[name]}" for name in _NEEDED}
        for link, source in sources.items():
            if not source.exists():
                raise InputError(f"{source}: is missing; {names[0]}{_SUFFIX[PARAMS]} beside it is there")
            link.symlink_to(source.resolve())
        try:
            return load(Path(linked))
        except InputError as error:
            text = str(error)
            for link, source in sources.items():
                text = text.replace(str(link), str(source))
            raise InputError(text) from error
