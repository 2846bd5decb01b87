"""A `Config` as the YAML that `config_file` reads back to the same: only what differs from the defaults."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from contracts.config import Config
from contracts.config_file import Loader, parse

HEAD = "# Written by Vedette: the site as it was in force. `vedette config check FILE` reads it.\n"


class _Dumper(yaml.SafeDumper):
    """Quotes what our reader would take for something else than text, and writes points in one line."""

    yaml_implicit_resolvers = Loader.yaml_implicit_resolvers

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        plain = all(isinstance(one, str | int | float) for one in sequence)
        points = all(isinstance(one, list | tuple) and all(isinstance(v, float) for v in one) for one in sequence)
        return super().represent_sequence(tag, sequence, flow_style=plain or points)


for _kind in (list, tuple):
    _Dumper.add_representer(_kind, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data))


def _without_empty(value: Any) -> Any:
    """Without the mappings in which nothing is said."""
    if not isinstance(value, dict):
        return value
    kept = {key: _without_empty(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item != {}}


def dump(config: Config) -> str:
    """The config's YAML; what it is read back to is the same."""
    plain = _without_empty(msgspec.to_builtins(config))
    text = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    assert parse(text) == config, "what is written is what is read"
    return HEAD + text
