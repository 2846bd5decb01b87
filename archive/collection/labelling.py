"""What labelling tools take and give back: a picture with boxes, whatever the tool's format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from archive.collection.items import Box, Item
from contracts.decoding import from_json
from contracts.errors import VedetteError
from contracts.fields import Millis

SHOTS = "pictures.jsonl"
"""Beside the annotations: whose each picture is and when it was taken, a line a picture; tools lose that."""


class Drawn(NamedTuple):
    """What a tool says of one picture, by the name it was given: the boxes, whole, and who drew them."""

    name: str
    boxes: tuple[Box, ...]
    by: str


class Shot(msgspec.Struct, frozen=True, kw_only=True):
    """Which camera took a picture, and when."""

    name: str
    camera: str = ""
    captured_at_ms: Millis = 0


class FormatError(VedetteError):
    """A file is not what the tool's documentation says that it is."""


def name_of(item: Item) -> str:
    """The name under which a picture goes to a tool and comes back."""
    return f"{item.sha256}.jpg"


def shown(item: Item) -> tuple[Box, ...]:
    """The boxes that a tool is given to begin with."""
    return tuple(box for box in item.learnt if box.kind != "background")


def labels_of(items: Iterable[Item], more: Sequence[str] = ()) -> list[str]:
    """All labels of the items and those that are asked for beside them."""
    return sorted({box.label for item in items for box in item.boxes} | set(more))


def to_shots(items: Iterable[Item]) -> bytes:
    """The lines of the items' pictures."""
    shots = (Shot(name=name_of(item), camera=item.camera, captured_at_ms=item.captured_at_ms) for item in items)
    return b"".join(msgspec.json.encode(shot) + b"\n" for shot in shots)


def from_shots(data: bytes) -> dict[str, Shot]:
    """What the lines say, by the picture's name. Raises FormatError."""
    try:
        return {shot.name: shot for line in data.splitlines() for shot in [from_json(line, Shot)]}
    except msgspec.MsgspecError as error:
        raise FormatError(f"{SHOTS}: not a name, a camera and `captured_at_ms` a line: {error}") from error
