"""Logs as one JSON object a line, with what was given in `extra`, and no password in any of it."""

from __future__ import annotations

import datetime as dt
import logging
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import msgspec

from edge.urls import redact

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """`{"time": …, "level": …, "logger": …, "message": …, "camera": …}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        given = {
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _OWN},
        }
        if record.exc_info:
            given["traceback"] = self.formatException(record.exc_info)
        given = msgspec.to_builtins(given, enc_hook=str, str_keys=True)
        fields = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            **_redacted(given),
        }
        return msgspec.json.encode(fields).decode()


def _redacted(value: Any) -> Any:
    """`value` of JSON's types with its texts redacted; once encoded, a password with a quote reads differently."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: _redacted(item) for name, item in value.items()}
    return [_redacted(item) for item in value] if isinstance(value, list | tuple) else value


def set_up(level: int = logging.INFO, stream: TextIO = sys.stderr) -> None:
    """Log to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
