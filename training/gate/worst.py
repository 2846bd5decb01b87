"""Where a candidate loses most against the model in service: boxes of the truth of which it is less certain. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from contracts.fields import Xyxy
from training.gate.measure import Boxes, Picture, certainties

MOST = 4
"""So many are told: each is explained for both models, two or three seconds of a core a time."""
LEAST = 0.1
"""Of what one model is so much less certain, it says the same."""


class Worst(msgspec.Struct, frozen=True, kw_only=True):
    """A box, xyxy in pixels of a set's `picture`, and how certain both models are of it (0: not seen)."""

    set: str
    picture: str
    camera: str
    label: str
    xyxy: Xyxy
    before: float
    after: float


def worst(
    pictures: Sequence[Picture], sets: Sequence[str], before: Sequence[Boxes], after: Sequence[Boxes]
) -> tuple[Worst, ...]:
    """The boxes that are lost most, one a picture, the worst first; `sets` says of which set each picture is."""
    seen = zip(pictures, sets, before, after, strict=True)
    lost = [one for picture, name, was, now in seen for one in _lost(picture, name, was, now)]
    return tuple(sorted(lost, key=lambda one: one.after - one.before)[:MOST])


def _lost(picture: Picture, name: str, before: Boxes, after: Boxes) -> Iterator[Worst]:
    """The picture's worst box, where there is one."""
    was, now = (certainties(picture.truth, found) for found in (before, after))
    place = int((was - now).argmax()) if len(was) else -1
    if place < 0 or was[place] - now[place] < LEAST:
        return
    x1, y1, x2, y2 = picture.truth.xyxy[place].tolist()
    yield Worst(
        set=name,
        picture=picture.name,
        camera=picture.camera,
        label=picture.truth.labels[place],
        xyxy=(x1, y1, x2, y2),
        before=round(float(was[place]), 4),
        after=round(float(now[place]), 4),
    )
