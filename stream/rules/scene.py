"""What the rules look at in one frame, and what a rule says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.attributes import TrackAttribute
from contracts.config import LineCrossing, Rule
from contracts.fields import Xyxy
from contracts.identity import Identified
from contracts.messages import Condition, Evidence, FrameDetections
from stream.rules.habits import Habits
from stream.rules.model import ActiveRule, CameraRules
from stream.rules.state import Stay, Thing
from stream.rules.zones import NOWHERE, Moves, counted
from stream.tracking.attributes import Attributes

SCENE = 0
"""The subject of a rule that speaks of no single thing."""


class Who(NamedTuple):
    """Who a track is said to be, the frame that shows the face best, and what they are called by now.

    `since_ms` is the first look at them: somebody may have had the track before.
    """

    identified: Identified
    evidence: Evidence
    name: str = ""
    since_ms: int = 0


People = Mapping[tuple[int, int], Who]
"""By track: its number and its first time."""


@dataclass(frozen=True)
class Scene:
    """One frame after following and placing. `things` are those that count: not the parked ones.

    `ms` is the observed clock, `seen` the uids of things that are in this very frame, `people` those tracks of whose
    face something was seen, `attributes` what classifiers say of tracks.
    """

    rules: CameraRules
    habits: Habits
    frame: FrameDetections
    ms: int
    things: tuple[Thing, ...]
    seen: frozenset[int]
    moves: Mapping[int, Moves] = field(default_factory=dict)
    people: People = field(default_factory=dict)
    attributes: Attributes = field(default_factory=dict)

    def who(self, thing: Thing) -> Who | None:
        """Who the thing's track is said to be; None while nothing was seen of a face."""
        return self.people.get((thing.track_id, thing.track_started_at_ms))

    def said(self, thing: Thing) -> tuple[TrackAttribute, ...]:
        """What classifiers say of the thing's track."""
        return self.attributes.get((thing.track_id, thing.track_started_at_ms), ())

    def moved(self, thing: Thing) -> Moves:
        """What the thing did with this frame."""
        return self.moves.get(thing.uid, NOWHERE)

    def of(self, rule: Rule) -> Iterator[Thing]:
        """The things of the rule's labels and attributes that the detector was sure enough of once."""
        for thing in self.things:
            if rule.labels and thing.label not in rule.labels:
                continue
            if thing.best_confidence >= rule.min_confidence and self.is_as(rule, thing):
                yield thing

    def is_as(self, rule: Rule, thing: Thing) -> bool:
        """Whether the thing has all attributes that the rule asks for."""
        known = {one.name: one.value for one in self.said(thing)} if rule.attributes else {}
        return all(known.get(name) == wanted for name, wanted in rule.attributes.items())

    def inside(self, rule: Rule, zone: str) -> Iterator[tuple[Thing, Stay]]:
        """Those of them that stand in the zone, after inertia."""
        for thing in self.of(rule):
            stay = counted(thing, zone)
            if stay is not None:
                yield thing, stay


@dataclass(frozen=True)
class Reading:
    """A rule's condition holds for a subject in this frame: how much (`score`), for which tracks, and why.

    `starts` is false when it holds, but is no news: a thing that has been standing there all along.
    """

    score: float
    trace: tuple[Condition, ...]
    label: str = ""
    track_ids: tuple[int, ...] = ()
    starts: bool = True
    evidence: Evidence | None = None
    identity: Identified | None = None
    attributes: tuple[TrackAttribute, ...] = ()


Readings = dict[int, Reading]
"""By subject: a thing's uid, or SCENE."""


def whole(frame: FrameDetections, boxes: tuple[Xyxy, ...] = ()) -> Evidence:
    """The frame as evidence of something without a box of its own; `boxes` are those of all who make it up."""
    return Evidence(
        ref=frame.ref,
        captured_at_ms=frame.captured_at_ms,
        width=frame.width,
        height=frame.height,
        xyxy=None,
        confidence=0.0,
        detail=frame.detail,
        boxes=boxes,
    )


def of_thing(
    scene: Scene, rule: ActiveRule, thing: Thing, score: float, *more: Condition, starts: bool = True
) -> Reading:
    """A reading of one thing with the conditions that all such rules have in common before `more`."""
    spec = rule.rule
    trace = [
        Condition("label", " or ".join(spec.labels) or "any", thing.label),
        Condition("confidence", f">= {spec.min_confidence:.2f}", f"{thing.best_confidence:.2f}"),
    ]
    if rule.place and not isinstance(spec, LineCrossing):
        trace.append(Condition("zone", rule.place, "inside"))
    said = scene.said(thing)
    trace += [Condition(one.name, spec.attributes[one.name], _of(one)) for one in said if one.name in spec.attributes]
    return Reading(
        score=round(score, 3),
        trace=(*trace, *more),
        label=thing.label,
        track_ids=(thing.track_id,),
        starts=starts,
        evidence=thing.best,
        attributes=said,
    )


def _of(said: TrackAttribute) -> str:
    """E.g. `no (0.93 of 4 looks)`."""
    return f"{said.value} ({said.confidence:.2f} of {said.looks} look{'s' * (said.looks != 1)})"
