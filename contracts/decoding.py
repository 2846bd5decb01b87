"""Bytes and plain values as checked types: the one door to msgspec's decoders, which any number of threads may use.

msgspec notes down what it knows of a struct when the first decoder of it is made, and puts the note up before it is
whole. A second thread that comes meanwhile reads what is not there yet, and the process dies of it. So decoders are
made by one thread at a time, and nothing is decoded of which no decoder was made before.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, TypeVar, overload

import msgspec
from msgspec.json import Decoder as JsonDecoder
from msgspec.msgpack import Decoder as MsgpackDecoder

__all__ = [
    "JsonDecoder",
    "MsgpackDecoder",
    "convert",
    "from_json",
    "from_msgpack",
    "from_yaml",
    "json_decoder",
    "msgpack_decoder",
]

T = TypeVar("T")

_making = threading.Lock()


@cache
def _json(kind: Any) -> JsonDecoder[Any]:
    with _making:
        return JsonDecoder(kind)


@cache
def _msgpack(kind: Any) -> MsgpackDecoder[Any]:
    with _making:
        return MsgpackDecoder(kind)


@overload
def json_decoder(kind: type[T]) -> JsonDecoder[T]: ...
@overload
def json_decoder(kind: Any) -> JsonDecoder[Any]: ...
def json_decoder(kind: Any) -> JsonDecoder[Any]:
    """The decoder of a type from JSON."""
    return _json(kind)


@overload
def msgpack_decoder(kind: type[T]) -> MsgpackDecoder[T]: ...
@overload
def msgpack_decoder(kind: Any) -> MsgpackDecoder[Any]: ...
def msgpack_decoder(kind: Any) -> MsgpackDecoder[Any]:
    """The decoder of a type from msgpack."""
    return _msgpack(kind)


@overload
def from_json(data: bytes | str, kind: type[T]) -> T: ...
@overload
def from_json(data: bytes | str, kind: Any) -> Any: ...
def from_json(data: bytes | str, kind: Any) -> Any:
    """What the JSON holds, as `kind`; raises msgspec.MsgspecError, or UnicodeDecodeError for what is no text."""
    return _json(kind).decode(data)


@overload
def from_msgpack(data: bytes, kind: type[T]) -> T: ...
@overload
def from_msgpack(data: bytes, kind: Any) -> Any: ...
def from_msgpack(data: bytes, kind: Any) -> Any:
    """What the msgpack holds, as `kind`; raises msgspec.MsgspecError."""
    return _msgpack(kind).decode(data)


@overload
def from_yaml(data: bytes, kind: type[T]) -> T: ...
@overload
def from_yaml(data: bytes, kind: Any) -> Any: ...
def from_yaml(data: bytes, kind: Any) -> Any:
    """What the YAML holds, as `kind`; raises msgspec.MsgspecError."""
    _msgpack(kind)  # as for `convert`
    return msgspec.yaml.decode(data, type=kind)


@overload
def convert(value: Any, kind: type[T], *, strict: bool = True, from_attributes: bool = False) -> T: ...
@overload
def convert(value: Any, kind: Any, *, strict: bool = True, from_attributes: bool = False) -> Any: ...
def convert(value: Any, kind: Any, *, strict: bool = True, from_attributes: bool = False) -> Any:
    """Plain values as `kind`, as msgspec.convert; raises msgspec.ValidationError."""
    _msgpack(kind)  # from here on all that msgspec knows of `kind` is there
    return msgspec.convert(value, kind, strict=strict, from_attributes=from_attributes)
