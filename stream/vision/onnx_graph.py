"""What of an ONNX file is needed to look inside: its nodes, its constants, one output more; no library needed.

An ONNX file is one protobuf message (onnx.proto: ModelProto.graph is field 7; GraphProto has node 1, initializer 5 and
output 12; NodeProto input 1, output 2, op_type 4, attribute 5 with name 1 and i 3; TensorProto dims 1, data_type 2,
float_data 4, name 8, raw_data 9).
Protobuf merges what is said twice: messages of the same field are joined, and lists go on. So bytes behind the file
that hold nothing but `graph { output { name } }` add an output, and the rest stays as it was, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ModelError

GRAPH, NODE, INITIALIZER, OUTPUT = 7, 1, 5, 12
TYPES = {1: "<f4", 10: "<f2"}
"""Of a constant's elements (TensorProto.DataType), those that are read."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Node(NamedTuple):
    """One operation: its kind, the names of what goes in and comes out, and its attributes that are whole numbers."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: dict[str, int]


def nodes(model: bytes) -> list[Node]:
    """The graph's operations in the order in which they run; raises ModelError for what is no ONNX file."""
    parts = _fields(_graph(model))
    return [_node(value) for number, value in parts if number == NODE and isinstance(value, memoryview)]


def constant(model: bytes, name: str) -> NDArray[np.float32] | None:
    """A constant by its name, also one that is written with 16 bits and cast; None where there is none."""
    cast = next((node.inputs[0] for node in nodes(model) if node.kind == "Cast" and name in node.outputs), name)
    for number, value in _fields(_graph(model)):
        if number == INITIALIZER and isinstance(value, memoryview):
            found = _tensor(value, cast)
            if found is not None:
                return found
    return None


def exposed(model: bytes, name: str) -> bytes:
    """The model with the value `name` as one output more, behind those that it has."""
    return model + _message(GRAPH, _message(OUTPUT, _message(1, name.encode())))


def _graph(model: bytes) -> memoryview:
    for number, value in _fields(memoryview(model)):
        if number == GRAPH and isinstance(value, memoryview):
            return value
    raise ModelError("no ONNX file: it has no graph")


def _node(message: memoryview) -> Node:
    kind, inputs, outputs, numbers = "", [], [], {}
    for number, part in _fields(message):
        match number, part:
            case 1, memoryview():
                inputs.append(_text(part))
            case 2, memoryview():
                outputs.append(_text(part))
            case 4, memoryview():
                kind = _text(part)
            case 5, memoryview():
                said = dict(_fields(part))
                name, value = said.get(1), said.get(3)
                if isinstance(name, memoryview) and isinstance(value, int):
                    numbers[_text(name)] = value
    return Node(kind, tuple(inputs), tuple(outputs), numbers)


def _tensor(value: memoryview, wanted: str) -> NDArray[np.float32] | None:
    dims: list[int] = []
    data: memoryview | None = None
    name, kind = "", 0
    for number, part in _fields(value):
        match number, part:
            case 1, int():
                dims.append(part)
            case 1, memoryview():
                dims += _packed(part)
            case 2, int():
                kind = part
            case 8, memoryview():
                name = _text(part)
            case ((4 | 9), memoryview()):
                data = part
    if name != wanted or kind not in TYPES or data is None:
        return None
    return np.frombuffer(data, TYPES[kind]).astype(np.float32).reshape(dims)


def _packed(value: memoryview) -> list[int]:
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a protobuf message by number: numbers, and bytes for everything else."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == VARINT:
            number, at = _varint(message, at)
            yield key >> 3, number
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(kind, -1)
        if kind == BYTES:
            size, at = _varint(message, at)
        if size < 0 or at + size > len(message):
            raise ModelError(f"no ONNX file: it breaks off or goes wrong at byte {at}")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    number, shift = 0, 0
    while at < len(message) and shift < 70:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise ModelError(f"no ONNX file: no number at byte {at}")


def _message(number: int, content: bytes) -> bytes:
    return _spelt(number << 3 | BYTES) + _spelt(len(content)) + content


def _spelt(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _text(part: memoryview) -> str:
    return bytes(part).decode(errors="replace")
