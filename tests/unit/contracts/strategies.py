"""Any value of a message type, for hypothesis: follows the type's own bounds."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from msgspec import inspect


def values_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Values of a msgspec struct."""
    return _of(inspect.type_info(kind))


def _of(kind: inspect.Type) -> st.SearchStrategy[Any]:  # noqa: C901  one case a type
    match kind:
        case inspect.Metadata():
            return _of(kind.type)
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType(ge=ge, le=le, gt=gt, lt=lt):
            low = ge if ge is not None else gt + 1 if gt is not None else -(2**63)
            high = le if le is not None else lt - 1 if lt is not None else 2**63 - 1
            return st.integers(low, high)
        case inspect.FloatType(ge=ge, le=le, gt=gt, lt=lt):
            bounds = {"min_value": ge if ge is not None else gt, "max_value": le if le is not None else lt}
            return st.floats(
                **bounds, exclude_min=gt is not None, exclude_max=lt is not None, allow_nan=False, allow_infinity=False
            )
        case inspect.StrType(pattern=pattern, min_length=low, max_length=high):
            return st.from_regex(pattern) if pattern else st.text(min_size=low or 0, max_size=min(high or 20, 20))
        case inspect.BytesType():
            return st.binary(max_size=20)
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case inspect.NoneType():
            return st.none()
        case inspect.UnionType(types=types):
            return st.one_of([_of(one) for one in types])
        case inspect.TupleType(item_types=items):
            return st.tuples(*[_of(item) for item in items])
        case inspect.VarTupleType(item_type=item):
            return st.lists(_of(item), max_size=3).map(tuple)
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(_of(key), _of(value), max_size=3)
        case inspect.StructType(cls=cls, fields=fields):
            kept = {field.name: _of(field.type) for field in fields if field.name != "v"}
            return st.builds(cls, **kept)
        case _:
            raise TypeError(f"no strategy for {kind}")
