"""What --checkpoint-dir names: a folder, or a folder in an object store."""

from __future__ import annotations

from pathlib import Path

from readlabel.messages import InputError

_STORES = ("s3", "gs", "abfs", "abfss")


def checkpoints_at(word: str | None) -> tuple[Path | None, str]:
    """The folder, or the address in an object store; None and "" for what was not given.

    Raises:
        InputError: the address is of no store that is known.
    """
    if word is None or "://" not in word:
        return Path(word).absolute() if word else None, ""
    scheme, _, rest = word.partition("://")
    if scheme not in _STORES or not rest.strip("/"):
        known = ", ".join(f"{name}://" for name in _STORES)
        raise InputError(f"--checkpoint-dir {word}: it takes a folder, or an address that begins with {known}")
    return None, word
