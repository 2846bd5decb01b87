"""The rule about things left behind, and who put them down."""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec.structs import replace

from contracts.config import LeftObject
from contracts.fields import Xyxy
from contracts.messages import Condition
from stream.rules.habits import Habits
from stream.rules.model import ActiveRule
from stream.rules.scene import Readings, Scene, of_thing
from stream.rules.state import Thing
from stream.rules.things import height_of
from stream.rules.zones import counted

PERSON = "person"


def left_object(rule: ActiveRule, spec: LeftObject, scene: Scene) -> Readings:
    """Everything of the labels that stands still and that its owner went away from `after_s` ago.

    What nobody was seen to put down was there before and is not left.
    """
    found = {}
    for thing in scene.of(spec):
        if not thing.owner or (spec.zone and counted(thing, spec.zone) is None):
            continue
        # Up to when it was seen last: what has been out of sight since may have been fetched.
        alone_s = (thing.seen_ms - max(thing.owner_ms, thing.anchor_ms)) / 1000
        if alone_s >= spec.after_s:
            found[thing.uid] = of_thing(
                scene,
                rule,
                thing,
                alone_s,
                Condition("stands_s", f">= {spec.after_s:g}", f"{(thing.seen_ms - thing.anchor_ms) / 1000:.1f}"),
                Condition("owner_gone_s", f">= {spec.after_s:g}", f"{alone_s:.1f}"),
            )
    return found


def owned(
    things: Iterable[Thing], seen: frozenset[int], labels: frozenset[str], near: float, ms: int, habits: Habits
) -> tuple[Thing, ...]:
    """The things with their owners brought up to date; `labels` are what can be left, `near` is in body heights.

    The person nearest to a thing that has just come to stand owns it. Passers-by later don't; but when the owner's
    track ends beside the thing and somebody stands there, that is most likely the owner under a new track.
    """
    everything = tuple(things)
    people = {t.uid: t for t in everything if t.label == PERSON and not t.parked}
    return tuple(
        _with_owner(thing, people, seen, near, ms, habits) if thing.label in labels and not thing.parked else thing
        for thing in everything
    )


def _with_owner(
    thing: Thing, people: dict[int, Thing], seen: frozenset[int], near: float, ms: int, habits: Habits
) -> Thing:
    beside = sorted(
        (gap, person.uid)
        for person in people.values()
        if person.uid in seen and (gap := _gap(thing.xyxy, person.xyxy) / height_of(person.xyxy)) <= near
    )
    uids = {uid for _, uid in beside}
    if thing.owner in uids:
        return replace(thing, owner_ms=ms)
    just_put_down = ms - thing.anchor_ms <= habits.owner_ms
    lost_beside = thing.owner and thing.owner not in people and ms - thing.owner_ms <= habits.rejoin_ms + 1000
    if beside and (lost_beside or (just_put_down and (not thing.owner or thing.anchor_ms > thing.owner_ms))):
        return replace(thing, owner=beside[0][1], owner_ms=ms)
    return thing


def _gap(a: Xyxy, b: Xyxy) -> float:
    """The distance between two boxes, px; 0 when they touch."""
    return math.hypot(max(0.0, a[0] - b[2], b[0] - a[2]), max(0.0, a[1] - b[3], b[1] - a[3]))
