"""The base of every message: frozen, closed, and with one canonical JSON form."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A frozen pydantic model that forbids unknown fields, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def canonical_json(self) -> str:
        """JSON with sorted keys and no spaces: equal messages give equal text, so it can be hashed."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    def digest(self) -> str:
        """Lower-case hex SHA-256 of `canonical_json`."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()
