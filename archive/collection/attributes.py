"""What answers and people's labels say of an attribute: a box, its value, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from archive.collection.items import SAME, Box, Item, overlap
from archive.collection.seeing import SURE
from contracts.fields import Xyxy
from contracts.messages import Alert


class Wanted(NamedTuple):
    """Which attribute of which boxes (labels), its values, and the drawn labels that mean one of them."""

    name: str
    values: Sequence[str]
    boxes: Collection[str]
    drawn: Mapping[str, str]


class Shown(NamedTuple):
    """One box that shows `value`; not `sure` where it follows from an answer, but nobody looked at this very box.

    `alert` is the one that was answered, "" for what was drawn; `by` and `at_ms` are of whom said it, and when.
    """

    item: Item
    xyxy: Xyxy
    value: str
    sure: bool
    alert: str = ""
    by: str = ""
    at_ms: int = 0


def asked(alert: Alert) -> tuple[str, ...]:
    """The attributes that the alert's rule asked for, as `name:value`."""
    wanted = {condition.name: condition.wanted for condition in alert.trace}
    return tuple(f"{one.name}:{wanted[one.name]}" for one in alert.attributes if one.name in wanted)


def shown(items: Sequence[Item], wanted: Wanted, left: Counter[str]) -> Iterator[Shown]:
    """What is known of the attribute; `left` counts by reason what could be meant and says nothing.

    A confirmed alert shows the value that its rule asked for. A denied one shows the other of two values, if models
    see the thing there: else there may have been nothing. On another frame of the same track it may have changed since.
    """
    for item in items:
        for box in item.boxes:
            if item.complete and box.kind == "confirmed" and box.label in wanted.drawn:
                yield Shown(item, box.xyxy, wanted.drawn[box.label], True, "", item.answered_by, item.answered_at_ms)
            elif box.label in wanted.boxes:
                yield from _answered(item, box, wanted, left)


def shows(item: Item, wanted: Wanted) -> bool:
    """Whether somebody who looked at the picture said something that teaches the attribute."""
    answered = item.complete or bool(item.answer)
    return answered and next(shown([item], wanted, Counter()), None) is not None


def speaks_of(item: Item, attribute: str) -> bool:
    """Whether somebody answered an alert whose rule asked for the attribute."""
    return bool(item.answer) and any(one.partition(":")[0] == attribute for box in item.boxes for one in box.attributes)


def _answered(item: Item, box: Box, wanted: Wanted, left: Counter[str]) -> Iterator[Shown]:
    values = dict(one.split(":", 1) for one in box.attributes)
    said = values.get(wanted.name)
    if said is None:
        return
    if said not in wanted.values:
        left["a value that is no label"] += 1
    elif box.kind == "confirmed":
        yield Shown(item, box.xyxy, said, item.source == "alert", box.alert, box.by, box.at_ms)
    elif len(values) > 1 or len(wanted.values) != 2:
        left["denied, and several things may have been meant"] += 1
    elif not any(_sees(one, box) for one in item.boxes):
        left["denied, and models see nothing there"] += 1
    else:
        other = next(value for value in wanted.values if value != said)
        yield Shown(item, box.xyxy, other, False, box.alert, box.by, box.at_ms)


def _sees(one: Box, box: Box) -> bool:
    surely = one.kind == "pseudo" and one.confidence >= SURE
    return surely and one.label == box.label and overlap(one, box) >= SAME
