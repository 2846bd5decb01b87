"""Describes to the browser what a part of the config may hold, read off the config's own types."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from msgspec import inspect

from contracts.config import LABELS, Line, Period, Rule, Zone

KINDS = tuple(str(kind.__struct_config__.tag) for kind in get_args(Rule))

ORDER = ("enabled", "zone", "line", "direction", "labels", "count", "after_s", "severity", "schedule", "cameras")
LAST = ("attributes", "min_confidence", "cooldown_s", "instructions", "always_armed")
FROM = {"zone": "zones", "line": "lines", "cameras": "cameras", "rules": "rules", "channels": "channels"}
"""Fields whose choices are what there is."""

WORDS = ("people", "groups", "except_groups")
"""Lists of free words."""

EMPTY = {("loitering", "after_s"): "the zone's"}


def forms() -> dict[str, list[dict[str, Any]]]:
    """The fields of `zone`, `line` and each kind of rule, in the order of the form."""
    rules = {str(kind.__struct_config__.tag): _fields(kind) for kind in get_args(Rule)}
    return {"zone": _fields(Zone), "line": _fields(Line), **rules}


def defaults() -> dict[str, dict[str, Any]]:
    """A new one of each, with every field; what has no default is empty."""
    made = {}
    for kind in (Zone, Line, *get_args(Rule)):
        tag = kind.__struct_config__.tag
        values = {} if tag is None else {"kind": tag}
        for field in msgspec.structs.fields(kind):
            if field.default is not msgspec.NODEFAULT:
                values[field.encode_name] = msgspec.to_builtins(field.default)
            elif field.default_factory is not msgspec.NODEFAULT:
                values[field.encode_name] = msgspec.to_builtins(field.default_factory())
            else:
                values[field.encode_name] = _least(field.encode_name)
        made[str(tag) if tag else kind.__name__.lower()] = values
    return made


def fields_in_order(kind: type[msgspec.Struct]) -> list[dict[str, Any]]:
    """The fields of another part of the config, as it has them."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    return [_field(one, "") for one in described.fields]


def written_out(value: Any) -> Any:
    """A part of the config in plain values, with what it leaves to the defaults."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        return {one.encode_name: written_out(getattr(value, one.name)) for one in fields}
    if isinstance(value, tuple):
        return [written_out(one) for one in value]
    return msgspec.to_builtins(value)


def _least(name: str) -> Any:
    return {"count": 3, "heading": 0.0, "coordinates": []}.get(name, "")


def _fields(kind: type[msgspec.Struct]) -> list[dict[str, Any]]:
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    tag = str(described.tag or "")
    found = [_field(one, tag) for one in described.fields if one.encode_name != "coordinates"]
    return sorted(found, key=_place)


def _place(field: dict[str, Any]) -> int:
    name = field["name"]
    if name in ORDER:
        return ORDER.index(name)
    return 100 + LAST.index(name) if name in LAST else 50


def _field(field: inspect.Field, tag: str) -> dict[str, Any]:  # noqa: C901  one case a type
    name, kind = field.encode_name, field.type
    told: dict[str, Any] = {"name": name, "required": field.required}
    if isinstance(kind, inspect.UnionType):  # a value or None
        kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    if (tag, name) in EMPTY:
        told["empty"] = EMPTY[tag, name]
    match kind:
        case inspect.BoolType():
            return told | {"type": "switch"}
        case inspect.FloatType() | inspect.IntType():
            least, most = _or(kind.ge, kind.gt), _or(kind.le, kind.lt)
            return told | {"type": "number", "min": least, "max": most, "whole": isinstance(kind, inspect.IntType)}
        case inspect.LiteralType():
            return told | {"type": "choice", "options": list(kind.values), "required": True}
        case inspect.StrType() if name in FROM:
            return told | {"type": "choice", "from": FROM[name]}
        case inspect.StrType():
            return told | {"type": "long" if name == "instructions" else "text"}
        case inspect.DictType(value_type=inspect.FloatType()):
            return told | {"type": "rates", "from": FROM[name]}
        case inspect.DictType():
            return told | {"type": "pairs"}
        case inspect.VarTupleType(item_type=inspect.StructType(cls=cls)) if cls is Period:
            return told | {"type": "schedule"}
        case inspect.VarTupleType() if name in WORDS:
            return told | {"type": "words"}
        case inspect.VarTupleType(item_type=inspect.LiteralType() as item):
            return told | {"type": "choices", "options": list(item.values)}
        case _:
            source = {"from": FROM[name]} if name in FROM else {"options": list(LABELS)}
            return told | {"type": "choices"} | source


def _or(first: float | None, second: float | None) -> float | None:
    return first if first is not None else second
