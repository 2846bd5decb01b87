"""Rules about who is in a zone: entry, loitering, crowd, absence."""

from __future__ import annotations

from contracts.config import Absence, Crowd, Loitering, ZoneEntry
from contracts.messages import Condition
from stream.rules.model import ActiveRule
from stream.rules.scene import SCENE, Reading, Readings, Scene, of_thing, whole

MAX_BOXES = 50
"""So many of a crowd are shown: more boxes would hide the picture."""


def zone_entry(rule: ActiveRule, spec: ZoneEntry, scene: Scene) -> Readings:
    """Everything that is in the zone; what stands still there is no news, also when the rule is new."""
    return {
        thing.uid: of_thing(scene, rule, thing, thing.best_confidence, starts=not thing.stationary)
        for thing, _ in scene.inside(spec, spec.zone)
    }


def loitering(rule: ActiveRule, spec: Loitering, scene: Scene) -> Readings:
    """Everything that was last seen in the zone `after_s` or more after it came."""
    limit_s = loitering_limit_s(rule, scene)
    found = {}
    for thing, stay in scene.inside(spec, spec.zone):
        dwell_s = (stay.last_in_ms - stay.since_ms) / 1000
        if dwell_s >= limit_s:
            condition = Condition("dwell_s", f">= {limit_s:g}", f"{dwell_s:.1f}")
            found[thing.uid] = of_thing(scene, rule, thing, dwell_s, condition)
    return found


def loitering_limit_s(rule: ActiveRule, scene: Scene) -> float:
    """The rule's `after_s`, else its zone's `loitering_time`."""
    spec = rule.rule
    assert isinstance(spec, Loitering)
    return spec.after_s if spec.after_s is not None else scene.rules.spec.zones[spec.zone].loitering_time


def crowd(rule: ActiveRule, spec: Crowd, scene: Scene) -> Readings:
    """At least `count` things in the zone at once; a thing whose track has just broken still counts."""
    there = [thing for thing, _ in scene.inside(spec, spec.zone)]
    if len(there) < spec.count:
        return {}
    trace = (
        Condition("label", " or ".join(spec.labels) or "any", ", ".join(sorted({thing.label for thing in there}))),
        Condition("zone", spec.zone, "inside"),
        Condition("count", f">= {spec.count}", str(len(there))),
        Condition("for_s", f">= {spec.after_s:g}", "held"),
    )
    ids = tuple(sorted(thing.track_id for thing in there))
    label = there[0].label if len({thing.label for thing in there}) == 1 else ""
    boxes = tuple(thing.xyxy for thing in there if thing.uid in scene.seen)[:MAX_BOXES]
    return {SCENE: Reading(float(len(there)), trace, label, ids, evidence=whole(scene.frame, boxes))}


def absence(rule: ActiveRule, spec: Absence, scene: Scene) -> Readings:
    """Nothing of the labels stands in the zone; only observed time counts, since a blind camera sees nobody."""
    if any(True for _ in scene.inside(spec, spec.zone)):
        return {}
    trace = (
        Condition("label", " or ".join(spec.labels) or "any", "none"),
        Condition("zone", spec.zone, "empty"),
        Condition("for_s", f">= {spec.after_s:g}", "held"),
    )
    return {SCENE: Reading(spec.after_s, trace, " or ".join(spec.labels))}
