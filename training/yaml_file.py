"""Recipes and lists as YAML files of a declared type."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from contracts.errors import ConfigError

Read = TypeVar("Read")


def read_yaml(path: Path, kind: type[Read]) -> Read:
    """Read a file of this type; ConfigError says which key of it is wrong."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "can't be read") from error
    except msgspec.MsgspecError as error:
        raise ConfigError(path.name, str(error)) from error
