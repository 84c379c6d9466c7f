"""The token that a caller sends: ``authorization: Bearer <token>``."""

from __future__ import annotations

import re

TOKEN_CHARACTERS = "letters, digits and signs of ASCII"  # noqa: S105 - no token
_TOKEN = re.compile(r"[!-~]+")


def is_sendable(token: str) -> bool:
    """Whether a token can travel in the metadata of a call: it is made of `TOKEN_CHARACTERS`."""
    return _TOKEN.fullmatch(token) is not None
