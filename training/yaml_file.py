"""Recipes and lists as YAML files of a declared type."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from contracts.decoding import from_yaml
from contracts.errors import ConfigError

Read = TypeVar("Read")


def read_yaml(path: Path, kind: type[Read]) -> Read:
    """Read a file of this type; ConfigError says which key of it is wrong."""
    try:
        return from_yaml(path.read_bytes(), kind)
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "can't be read") from error
    except msgspec.MsgspecError as error:
        raise ConfigError(path.name, str(error)) from error
