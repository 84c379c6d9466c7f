"""The tokens that open a service: a file of one token a line, each with what it may do and for how long."""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from readlabel.messages import InputError
from readlabel.wire import TOKEN_CHARACTERS, is_sendable

log = logging.getLogger(__name__)

MIN_TOKEN_LENGTH = 16
Scope = Literal["read", "write"]
_SCOPES: dict[str, Scope] = {"read": "read", "write": "write"}


@dataclass(frozen=True)
class Token:
    """One line: the secret, what it opens, and the last day (UTC) on which it does, or None."""

    secret: bytes
    scope: Scope = "write"
    last_day: date | None = None


class Tokens:
    """The tokens of a file, one a line; behind a token may stand read or write, and the last day it is valid.

    Lines that begin with # are comments. A changed file is read again.

    Raises:
        InputError: the file cannot be read, or a line is none of these, or there is no token in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._tokens: tuple[Token, ...] = ()
        self._refresh()

    def scope(self, token: str) -> Scope | None:
        """What a token may do, or None for one that is not valid; takes as long for a wrong one as for a right one."""
        try:
            self._refresh()
        except InputError as error:
            log.error("%s; the tokens read before stay valid", error)
        given, today = token.encode(errors="replace"), datetime.now(UTC).date()
        # Compare with every one, so that the time does not tell which came near.
        found = [known for known in self._tokens if hmac.compare_digest(given, known.secret)]
        return next((known.scope for known in found if known.last_day is None or today <= known.last_day), None)

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            if self._stamp == (status.st_mtime_ns, status.st_ino):
                return
            lines = [line.strip() for line in self._path.read_text(encoding="utf-8-sig").splitlines()]
        except OSError as error:
            raise InputError(f"{self._path}: the token file cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{self._path}: the token file cannot be read: it is no text") from error
        tokens = [_parse(line) for line in lines if line and not line.startswith("#")]
        sound = tuple(token for token in tokens if token is not None)
        if not sound or len(sound) < len(tokens):
            # Without the line itself: it may hold a token.
            raise InputError(
                f"{self._path}: a token file holds one token a line, each of {MIN_TOKEN_LENGTH} or more "
                f"{TOKEN_CHARACTERS}, and behind it, if wanted, read or write and the last day it is valid, as "
                "2031-12-31; make one with: (umask 077; openssl rand -hex 32 > token)"
            )
        self._tokens, self._stamp = sound, (status.st_mtime_ns, status.st_ino)


def _parse(line: str) -> Token | None:
    """The token of a line, or None when it is malformed."""
    secret, *words = line.split()
    scope, last_day = _SCOPES.get(words[0]) if words else None, None
    if scope is not None:
        del words[0]
    if words:
        try:
            last_day = date.fromisoformat(words.pop(0))
        except ValueError:
            return None
    if words or len(secret) < MIN_TOKEN_LENGTH or not is_sendable(secret):
        return None
    return Token(secret.encode(), scope or "write", last_day)
