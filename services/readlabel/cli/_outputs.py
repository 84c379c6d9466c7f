"""What a command writes must not be what it reads, nor two results one file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from readlabel.messages import InputError, Problem

Named = tuple[str, Path | None]
"""An option as a user types it and the file it names, if it is given."""


def check_outputs(outputs: Sequence[Named], inputs: Sequence[Named]) -> None:
    """Compare files whatever their names: links and other ways to one file are seen through.

    Args:
        outputs: what will be written.
        inputs: what will be read.

    Raises:
        InputError: an output is also an input, or another output.
    """
    written = [(option, path) for option, path in outputs if path is not None]
    read = [(option, path) for option, path in inputs if path is not None]
    problems = []
    for index, (option, path) in enumerate(written):
        for other_option, other in (*read, *written[:index]):
            if _same(path, other):
                what = f"is the same file as {other_option} {other}; give another name"
                problems.append(Problem(f"{option} {path}", what))
    if problems:
        raise InputError(problems)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there yet
        return os.path.realpath(one) == os.path.realpath(other)
