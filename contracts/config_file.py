"""Reads the config file: YAML to `Config`, every fault a ConfigError with its path in the file."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import inspect

from contracts.config import Config
from contracts.config_check import check
from contracts.errors import ConfigError

MAX_VALUES = 200_000
"""10,000 cameras of 20 values each; beyond that it is YAML aliases that multiply each other."""

_AT = re.compile(r" - at `.*`$")


def load(path: Path) -> Config:
    """Read and check the file; raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError("", f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError("", f"{path}: not UTF-8 at byte {error.start}") from error
    return parse(text)


def parse(text: str) -> Config:
    """Return the config in `text`; raises ConfigError with the path of the first fault."""
    raw = _parse_yaml(text)
    if not isinstance(raw, dict):
        raise ConfigError("", "the file must be a mapping with at least `cameras:`")
    _Walker().walk(raw, inspect.type_info(Config), "")
    config = msgspec.convert(raw, Config)
    check(config)
    return config


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, which YAML would silently take the last of."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key `{key}` stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _parse_yaml(text: str) -> Any:
    try:
        return yaml.load(text, _UniqueKeyLoader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(where, str(error.problem or error.context)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError("", f"no YAML: {error}") from error


class _Walker:
    """Compares plain values with the config's types and knows where it is."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def walk(self, value: Any, kind: inspect.Type, path: str) -> None:  # noqa: C901  one case a type
        self._left -= 1
        if self._left < 0:
            raise ConfigError(path, f"more than {MAX_VALUES} values in the file")
        match kind:
            case inspect.Metadata():
                self.walk(value, kind.type, path)
            case inspect.StructType():
                self._struct(value, kind, path)
            case inspect.DictType():
                self._mapping(value, kind, path)
            case inspect.VarTupleType():
                for i, item in enumerate(_sequence(value, path)):
                    self.walk(item, kind.item_type, f"{path}[{i}]")
            case inspect.TupleType():
                items = _sequence(value, path)
                if len(items) != len(kind.item_types):
                    raise ConfigError(path, f"expected {len(kind.item_types)} values, got {len(items)}")
                for i, (item, item_type) in enumerate(zip(items, kind.item_types, strict=True)):
                    self.walk(item, item_type, f"{path}[{i}]")
            case inspect.UnionType():
                self._union(value, kind, path)
            case _:
                _leaf(value, kind, path)

    def _struct(self, value: Any, kind: inspect.StructType, path: str) -> None:
        fields = {field.encode_name: field for field in kind.fields}
        known = [*fields, kind.tag_field] if kind.tag_field else list(fields)
        for key, item in _entries(value, path):
            here = _join(path, key)
            if key not in known:
                raise ConfigError(here, f"unknown key; known here: {', '.join(known)}")
            if key in fields:
                self.walk(item, fields[key].type, here)
        for name, field in fields.items():
            if field.required and name not in value:
                raise ConfigError(_join(path, name), "is missing")

    def _mapping(self, value: Any, kind: inspect.DictType, path: str) -> None:
        for key, item in _entries(value, path):
            _leaf(key, kind.key_type, _join(path, key))
            self.walk(item, kind.value_type, _join(path, key))

    def _union(self, value: Any, kind: inspect.UnionType, path: str) -> None:
        if value is None and kind.includes_none:
            return
        structs = [t for t in kind.types if isinstance(t, inspect.StructType)]
        if not structs:
            others = [t for t in kind.types if not isinstance(t, inspect.NoneType)]
            return self.walk(value, others[0], path)
        entries = dict(_entries(value, path))
        tag_field = structs[0].tag_field or "kind"
        here = _join(path, tag_field)
        if tag_field not in entries:
            raise ConfigError(here, f"is missing; one of {', '.join(str(t.tag) for t in structs)}")
        for struct in structs:
            if struct.tag == entries[tag_field]:
                return self._struct(value, struct, path)
        raise ConfigError(here, f"`{entries[tag_field]}` is none of {', '.join(str(t.tag) for t in structs)}")


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _entries(value: Any, path: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise ConfigError(path, f"expected a mapping, got {_describe(value)}")
    for key in value:
        if not isinstance(key, str):
            raise ConfigError(_join(path, key), "a key must be text (put it in quotes)")
    return list(value.items())


def _sequence(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(path, f"expected a list, got {_describe(value)}")
    return value


def _leaf(value: Any, kind: inspect.Type, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(path, f"expected a finite number, got {value}")
    try:
        msgspec.convert(value, _annotation(kind))
    except msgspec.ValidationError as error:
        raise ConfigError(path, _AT.sub("", str(error))) from error


def _describe(value: Any) -> str:
    return "nothing" if value is None else f"{type(value).__name__} `{str(value)[:60]}`"


def _annotation(kind: inspect.Type) -> Any:
    """The Python type that `kind` was made from, with its bounds."""
    match kind:
        case inspect.FloatType(gt=gt, ge=ge, lt=lt, le=le):
            return _bounded(float, gt=gt, ge=ge, lt=lt, le=le)
        case inspect.IntType(gt=gt, ge=ge, lt=lt, le=le):
            return _bounded(int, gt=gt, ge=ge, lt=lt, le=le)
        case inspect.StrType(pattern=pattern):
            return _bounded(str, pattern=pattern)
        case inspect.LiteralType(values=values):
            return Literal[values]
        case inspect.BoolType():
            return bool
        case _:
            raise TypeError(f"the config has a type that the reader doesn't know: {kind}")


def _bounded(kind: type, **bounds: Any) -> Any:
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    return Annotated[kind, msgspec.Meta(**given)] if given else kind
