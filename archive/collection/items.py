"""What a data set holds: a picture, where it comes from, and what is known of places in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

from contracts.decoding import from_json
from contracts.fields import Count, Millis, Share, Size, Xyxy

Kind = Literal["confirmed", "pseudo", "background"]
"""A person said so; a model saw it; a person said that there is nothing of this label."""
Source = Literal["alert", "sample", "import"]
"""Evidence (of an alert, or a picture in which something was missed), a frame worth a look, or a labelling tool."""

AGAIN = "looked at again"
"""The reason of a picture that was labelled after somebody's words about it had been doubted."""
SAME = 0.5
"""Boxes that overlap (IoU) by so much are of the same thing."""


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a picture: xyxy in its pixels; `by` is the operator, or the models, that said so.

    Of an answer `alert` is what it was about, `at_ms` when it was given, and `attributes` (`name:value`) are those that
    the alert's rule asked for.
    """

    xyxy: Xyxy
    label: str
    kind: Kind
    confidence: Share = 1.0
    by: str = ""
    alert: str = ""
    at_ms: Millis = 0
    attributes: tuple[str, ...] = ()


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of a data set, named by the SHA-256 of its JPEG.

    `model`, `rule` and `rule_version` are those that saw it; `answer` is the verdict on its alert. `complete` says that
    a person labelled all of it: what has no box then is background. Elsewhere that is not known, and `agreement` is the
    share of the models that saw the box which they least agree on. `identities` says who it is (true) or is not.
    """

    sha256: str
    width: Size
    height: Size
    site: str
    camera: str
    captured_at_ms: Millis
    source: Source
    reasons: tuple[str, ...] = ()
    model: str = ""
    alert: str = ""
    rule: str = ""
    rule_version: int = 0
    answer: str = ""
    answered_by: str = ""
    answered_at_ms: Millis = 0
    complete: bool = False
    agreement: Share = 1.0
    identities: dict[str, bool] = {}
    boxes: tuple[Box, ...] = ()

    @property
    def path(self) -> str:
        """Where the picture lies in the collection."""
        return picture_path(self.sha256)

    @property
    def learnt(self) -> tuple[Box, ...]:
        """What counts: what a person said, and what models see where nobody said anything (nor labelled all of it).

        Of several alerts about one box it counts once. Who denies an attribute ("no hat") denies nobody's being there.
        """
        words = [
            one for one in self.boxes if one.kind == "confirmed" or (one.kind == "background" and not one.attributes)
        ]
        said = list(dict.fromkeys(msgspec.structs.replace(one, alert="", at_ms=0, attributes=()) for one in words))
        if self.complete:
            return tuple(said)
        free = [
            box
            for box in self.boxes
            if box.kind == "pseudo" and not any(box.label == one.label and overlap(box, one) >= SAME for one in said)
        ]
        return (*said, *free)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that was kept because it is worth a label; `hidden`: heads in it were made unreadable.

    `tracks` are the boxes of its tracks by their ids: an answer about one of them is about its box here too.
    """

    v: int = 1
    item: Item
    hidden: bool = False
    tracks: dict[int, Box] = {}


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What a person drew on a picture, all of it; it counts more than any answer."""

    v: int = 1
    boxes: tuple[Box, ...]
    by: str
    at_ms: Millis


class About(msgspec.Struct, frozen=True, kw_only=True):
    """A version: `id` is the SHA-256 of its index, `number` counts up, `left_out` says how many pictures and why.

    `labellers` are the models that saw what no person had said; `files` has the SHA-256 of each file.
    """

    v: int = 1
    id: str
    number: Count
    made_at_ms: Millis
    pictures: Count
    cameras: dict[str, int]
    answers: dict[str, int]
    labellers: tuple[str, ...] = ()
    left_out: dict[str, int] = {}
    files: dict[str, str]


def overlap(one: Box, other: Box) -> float:
    """The IoU of two boxes."""
    (a1, b1, a2, b2), (c1, d1, c2, d2) = one.xyxy, other.xyxy
    inner = max(0.0, min(a2, c2) - max(a1, c1)) * max(0.0, min(b2, d2) - max(b1, d1))
    return inner / max((a2 - a1) * (b2 - b1) + (c2 - c1) * (d2 - d1) - inner, 1e-9)


def picture_path(sha256: str) -> str:
    """Where a picture lies in the collection."""
    return f"pictures/{sha256[:2]}/{sha256}.jpg"


def index_of(items: Iterable[Item]) -> bytes:
    """The index: an item a line, in the order of time, the same bytes for the same items."""
    ordered = sorted(items, key=lambda item: (item.captured_at_ms, item.camera, item.sha256))
    return b"".join(msgspec.json.encode(item, order="deterministic") + b"\n" for item in ordered)


def items_of(index: bytes) -> tuple[Item, ...]:
    """The items of an index; raises msgspec.ValidationError."""
    return tuple(from_json(line, Item) for line in index.splitlines())


def digest(data: bytes) -> str:
    """A SHA-256 as it stands in names."""
    return hashlib.sha256(data).hexdigest()
