"""Rules about how things move: over a line, against the way, too fast."""

from __future__ import annotations

import math

from contracts.config import LineCrossing, Running, WrongWay
from contracts.messages import Condition
from stream.geometry import angle_between
from stream.rules.model import ActiveRule
from stream.rules.scene import Readings, Scene, of_thing
from stream.rules.state import Thing
from stream.rules.things import velocity
from stream.rules.zones import counted


def line_crossing(rule: ActiveRule, spec: LineCrossing, scene: Scene) -> Readings:
    """Everything that went over the line in a wanted direction with this frame."""
    found = {}
    for thing in scene.of(spec):
        for name, _, way in (crossing.rpartition(":") for crossing in scene.moved(thing).crossed):
            if name == spec.line and spec.direction in (way, "both"):
                condition = Condition("direction", spec.direction, way)
                found[thing.uid] = of_thing(
                    scene, rule, thing, thing.best_confidence, Condition("line", name, "crossed"), condition
                )
    return found


def wrong_way(rule: ActiveRule, spec: WrongWay, scene: Scene) -> Readings:
    """Everything in the zone that goes against `heading`, within `tolerance`, at `min_speed` heights a second.

    Its time runs from the first frame in the zone, together with the zone's inertia and not after it.
    """
    opposite = (spec.heading + 180) % 360
    against = (-math.cos(math.radians(spec.heading)), -math.sin(math.radians(spec.heading)))
    found = {}
    for thing in scene.of(spec):
        if thing.uid not in scene.seen or not any(stay.zone == spec.zone for stay in thing.stays):
            continue
        vx, vy, height = velocity(thing, scene.habits)
        speed = math.hypot(vx, vy) / height
        off = angle_between((vx, vy), against)
        if speed >= spec.min_speed and off <= spec.tolerance:
            heading = math.degrees(math.atan2(vy, vx)) % 360
            found[thing.uid] = of_thing(
                scene,
                rule,
                thing,
                speed,
                Condition("heading", f"not within {spec.tolerance:g} of {opposite:g}", f"{heading:.0f}"),
                Condition("speed_heights_s", f">= {spec.min_speed:g}", f"{speed:.2f}"),
                Condition("for_s", f">= {spec.after_s:g}", "held"),
                starts=counted(thing, spec.zone) is not None,
            )
    return found


def running(rule: ActiveRule, spec: Running, scene: Scene) -> Readings:
    """Everything that is faster than `speed`, by the slope of its path, in its own heights or in metres a second."""
    found = {}
    candidates = [t for t, _ in scene.inside(spec, spec.zone)] if spec.zone else list(scene.of(spec))
    for thing in candidates:
        speed = _speed(thing, spec, scene) if thing.uid in scene.seen else 0.0
        if speed >= spec.speed:
            found[thing.uid] = of_thing(
                scene,
                rule,
                thing,
                speed,
                Condition(f"speed_{spec.unit}_s", f">= {spec.speed:g}", f"{speed:.2f}"),
                Condition("for_s", f">= {spec.after_s:g}", "held"),
            )
    return found


def _speed(thing: Thing, spec: Running, scene: Scene) -> float:
    vx, vy, height = velocity(thing, scene.habits)
    metres = scene.rules.spec.metres_per_pixel
    if spec.unit == "metres":
        return math.hypot(vx, vy) * metres if metres is not None else 0.0
    return math.hypot(vx, vy) / height
