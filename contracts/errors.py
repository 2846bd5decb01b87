"""The errors that Vedette raises on purpose, each carrying where the fault is.

VedetteError
├── ConfigError      the config is wrong: exit code 2, with the path in the file
├── ContractError    a message can't be understood: it becomes a dead letter
├── CameraError      a camera can't be opened or read: retried with backoff
└── ModelError       a model file or manifest is not what it says: refused on open

Everything else propagates, and the supervisor or Flink restarts what failed.
"""

from __future__ import annotations


class VedetteError(Exception):
    """The root of the errors that a caller may want to catch."""


class ConfigError(VedetteError):
    """A value of the config is wrong; `path` says which, e.g. `cameras.gate.zones.yard.coordinates[3]`."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


class ContractError(VedetteError):
    """Bytes that are not the message they should be; `reason` is fit for a dead letter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CameraError(VedetteError):
    """A camera could not be opened or read; the text holds no password."""


class ModelError(VedetteError):
    """A model can't be used: wrong digest, wrong inputs or outputs, or no such file."""
