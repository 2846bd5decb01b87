"""What labelling tools take and give back: a picture with boxes, whatever the tool's format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archive.collection.items import Box, Item
from contracts.errors import VedetteError


class Drawn(NamedTuple):
    """What a tool says of one picture, by the name it was given: the boxes, whole, and who drew them."""

    name: str
    boxes: tuple[Box, ...]
    by: str


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
