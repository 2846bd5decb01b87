"""Logs as one JSON object a line, with what was given in `extra`, and no password in any of it."""

from __future__ import annotations

import datetime as dt
import logging
import sys
from typing import TextIO

import msgspec

from edge.urls import redact

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """`{"time": …, "level": …, "logger": …, "message": …, "camera": …}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _OWN},
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return redact(msgspec.json.encode(fields, enc_hook=str).decode())


def set_up(level: int = logging.INFO, stream: TextIO = sys.stderr) -> None:
    """Log to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
