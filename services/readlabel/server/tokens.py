"""The tokens that open a service: a file of one token a line, each with what it may do."""

from __future__ import annotations

import hmac
import logging
from pathlib import Path
from typing import Literal

from readlabel.messages import InputError

log = logging.getLogger(__name__)

MIN_TOKEN_LENGTH = 16
Scope = Literal["read", "write"]
_SCOPES: dict[str, Scope] = {"": "write", "read": "read", "write": "write"}


class Tokens:
    """The tokens of a file, one a line, with the word read or write behind it; without a word a token may write.

    Lines that begin with # are comments. A changed file is read again.

    Raises:
        InputError: the file cannot be read, or a line is none of these, or there is no token in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._tokens: tuple[tuple[bytes, Scope], ...] = ()
        self._refresh()

    def scope(self, token: str) -> Scope | None:
        """What a token may do, or None for one that is not valid; takes as long for a wrong one as for a right one."""
        try:
            self._refresh()
        except InputError as error:
            log.error("%s; the tokens read before stay valid", error)
        given = token.encode(errors="replace")
        # Compare with every one, so that the time does not tell which came near.
        found = [scope for known, scope in self._tokens if hmac.compare_digest(given, known)]
        return found[0] if found else None

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            if self._stamp == (status.st_mtime_ns, status.st_ino):
                return
            lines = [line.strip() for line in self._path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self._path}: the token file cannot be read: {error}") from error
        self._tokens = self._parse([line for line in lines if line and not line.startswith("#")])
        self._stamp = (status.st_mtime_ns, status.st_ino)

    def _parse(self, lines: list[str]) -> tuple[tuple[bytes, Scope], ...]:
        tokens: list[tuple[bytes, Scope]] = []
        for line in lines:
            token, *words = line.split()
            scope = _SCOPES.get(" ".join(words))
            if len(token) < MIN_TOKEN_LENGTH or scope is None:
                tokens.clear()
                break
            tokens.append((token.encode(), scope))
        if not tokens:
            # Without the line itself: it may hold a token.
            raise InputError(
                f"{self._path}: a token file holds one token a line, each of {MIN_TOKEN_LENGTH} characters or more, "
                "and behind it read or write if wanted; make one with: (umask 077; openssl rand -hex 32 > token)"
            )
        return tuple(tokens)
