"""The service's log on standard error: lines for people, or one JSON object a line for a log store."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

LogFormat = Literal["text", "json"]
FIELDS = ("run", "state", "reason", "attempt", "device")
"""What a record may carry beside its message (`extra=`); a line has those that it was given."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and of `FIELDS` what the record carries."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record; a traceback goes into the field exception, on the same line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": time, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up_logging(log_format: LogFormat) -> None:
    """Let the whole process log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(JsonFormatter() if log_format == "json" else text)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
