"""Reads the config file: YAML to `Config`, every fault a ConfigError with its path in the file."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import inspect

from contracts.config import Config
from contracts.config_check import check
from contracts.decoding import convert
from contracts.errors import ConfigError

MAX_VALUES = 200_000
"""10,000 cameras of 20 values each; beyond that it is YAML aliases that multiply each other."""

MAX_MERGED = 10_000
"""Keys that one mapping may have after its `<<`: mappings that merge each other twice, and again, double each time."""

_OWN_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def load(path: Path) -> Config:
    """Read and check the file; raises ConfigError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(str(path), error.strerror or str(error)) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"line {line}", f"not UTF-8 at byte {error.start} of the file") from error
    return parse(text)


def parse(text: str) -> Config:
    """Return the config in `text`; raises ConfigError with the path of the first fault."""
    raw = parse_yaml(text)
    if not isinstance(raw, dict):
        raise ConfigError("line 1", f"the file must be a mapping with at least `cameras:`, not {_describe(raw)}")
    _Walker().walk(raw, inspect.type_info(Config), "")
    config = convert(raw, Config)
    check(config)
    return config


class Loader(yaml.SafeLoader):
    """YAML as people mean it, and every fault with its line.

    Refuses a key that stands twice, of which YAML would silently take the last. `22:00` is a time, which YAML 1.1 reads
    as 1320, and `1e3` a number, which it reads as text.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  yaml's own attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OWN_NUMBERS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._checked: set[yaml.MappingNode] = set()

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            # What yaml's constructors raise at `!!int x`, `!!bool x`, `!!timestamp x` or a date in month 13.
            why = f": {str(error)[:80]}" if type(error) is ValueError else ""
            raise yaml.constructor.ConstructorError(
                None, None, f"no {node.tag.rpartition(':')[2]}{why}", node.start_mark
            ) from error

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Look for keys that stand twice before `<<` adds those that may, and bound what it adds."""
        if node not in self._checked:
            self._checked.add(node)
            self._check_keys(node)
        super().flatten_mapping(node)
        if len(node.value) > MAX_MERGED:
            raise yaml.constructor.ConstructorError(
                None, None, f"more than {MAX_MERGED} keys in one mapping", node.start_mark
            )

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain", key_node.start_mark)
            key = self.construct_object(key_node)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key `{key}` stands twice", key_node.start_mark
                )
            seen.add(key)


for _tag, _pattern, _first in (
    ("int", r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F]+)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def parse_yaml(text: str) -> Any:
    """The plain values in `text`; raises ConfigError with the line of the fault."""
    try:
        return yaml.load(text, Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "line 1"
        raise ConfigError(where, str(error.problem or error.context)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"line {line}", f"the character #x{error.character:04x} is not allowed") from error
    except RecursionError as error:
        raise ConfigError("line 1", "the file is too deeply nested") from error


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
                _leaf(value, kind, path)
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
        if len(structs) == 1 and structs[0].tag is None:
            return self._struct(value, structs[0], path)
        entries = dict(_entries(value, path))
        tag_field = structs[0].tag_field or "kind"
        here = _join(path, tag_field)
        if tag_field not in entries:
            raise ConfigError(here, f"is missing; one of {', '.join(str(t.tag) for t in structs)}")
        for struct in structs:
            if struct.tag == entries[tag_field]:
                return self._struct(value, struct, path)
        tags = ", ".join(str(t.tag) for t in structs)
        raise ConfigError(here, f"expected one of {tags}, got {_describe(entries[tag_field])}")


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _entries(value: Any, path: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise ConfigError(path, f"expected a mapping, got {_describe(value)}")
    for key in value:
        if not isinstance(key, str):
            raise ConfigError(_join(path, key), "a key must be text: put it in quotes")
    return list(value.items())


def _sequence(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(path, f"expected a list, got {_describe(value)}")
    return value


def _leaf(value: Any, kind: inspect.Type, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(path, f"expected a finite number, got {value}")
    words = ""
    if isinstance(kind, inspect.Metadata):
        words, kind = str((kind.extra_json_schema or {}).get("description", "")), kind.type
    try:
        convert(value, _annotation(kind))
    except (msgspec.ValidationError, OverflowError) as error:
        hint = isinstance(kind, inspect.StrType) and not isinstance(value, str | list | dict)
        text = f"expected {words or _wanted(kind)}, got {_describe(value)}"
        raise ConfigError(path, text + ("; put it in quotes" if hint else "")) from error


def _wanted(kind: inspect.Type) -> str:
    """What a value is to be, as a person says it."""
    match kind:
        case inspect.FloatType(gt=gt, ge=ge, lt=lt, le=le) | inspect.IntType(gt=gt, ge=ge, lt=lt, le=le):
            number = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
            bounds = (("above", gt), ("from", ge), ("below", lt), ("to", le))
            return " ".join([number, *(f"{word} {bound:,.15g}" for word, bound in bounds if bound is not None)])
        case inspect.LiteralType(values=values):
            return f"{'one of ' if len(values) > 1 else ''}{', '.join(map(str, values))}"
        case inspect.BoolType():
            return "true or false"
        case _:
            return "text"


def _describe(value: Any) -> str:
    """A value in words; what is in a list or mapping stays out, as aliases may make that very long."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f"the text `{value[:60]}`"
        case _:
            return f"`{str(value)[:60]}`"


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
