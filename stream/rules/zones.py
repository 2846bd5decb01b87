"""Where things stand: in which zones, after inertia in time, and over which lines they went."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from contracts.fields import Point
from contracts.messages import FrameDetections
from stream.geometry import Bools, crossing, point_in_polygon, side_of_line
from stream.rules.habits import Habits
from stream.rules.model import CameraRules
from stream.rules.state import Side, Stay, Thing
from stream.rules.things import bottom_of, height_of


class Moves(NamedTuple):
    """What one thing did with this frame; `dwell_ms` belongs to `left`, in its order; `crossed` is `line:in|out`."""

    entered: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    dwell_ms: tuple[int, ...] = ()
    crossed: tuple[str, ...] = ()


NOWHERE = Moves()


class Places:
    """The zones and lines of one camera in pixels of its picture."""

    def __init__(self, rules: CameraRules, width: int, height: int, habits: Habits) -> None:
        scale = np.array([width, height], dtype=np.float64)
        spec = rules.spec
        self._habits = habits
        self._zones = {name: (zone, np.array(zone.coordinates) * scale) for name, zone in sorted(spec.zones.items())}
        self._lines = {name: (line, np.array(line.coordinates) * scale) for name, line in sorted(spec.lines.items())}

    def move(
        self, before: dict[int, Thing], seen: Iterable[Thing], frame: FrameDetections, ms: int
    ) -> dict[int, tuple[Thing, Moves]]:
        """Each seen thing with its stays and sides brought up to date, and what changed; `before` is the last frame."""
        things = list(seen)
        points = [bottom_of(thing.xyxy, frame) for thing in things]
        inside: dict[str, Bools] = {
            name: point_in_polygon(points, outline) for name, (_, outline) in self._zones.items()
        }
        moved = {}
        for k, thing in enumerate(things):
            within = {name for name, flags in inside.items() if flags[k]}
            stays, entered, left, dwell_ms = self._stays(thing, within, ms)
            old = before.get(thing.uid)
            since = bottom_of(old.xyxy, frame) if old is not None and not old.parked else None
            sides, crossed = self._sides(thing, since, points[k])
            moved[thing.uid] = (
                replace(thing, stays=stays, sides=sides),
                Moves(entered, left, dwell_ms, crossed),
            )
        return moved

    def _stays(
        self, thing: Thing, within: set[str], ms: int
    ) -> tuple[tuple[Stay, ...], tuple[str, ...], tuple[str, ...], tuple[int, ...]]:
        """A zone counts when the thing has been in it for its inertia, and no longer when it was out for as long."""
        old = {stay.zone: stay for stay in thing.stays}
        stays: list[Stay] = []
        entered: list[str] = []
        left: list[tuple[str, int]] = []
        for name, (zone, _) in self._zones.items():
            stay = old.get(name)
            inertia_ms = zone.inertia_s * 1000
            if name in within and (not zone.objects or thing.label in zone.objects):
                stay = Stay(name, ms, ms) if stay is None else replace(stay, last_in_ms=ms)
                if not stay.counted and ms - stay.since_ms >= inertia_ms:
                    stay = replace(stay, counted=True)
                    entered.append(name)
                stays.append(stay)
            elif stay is not None and ms - stay.last_in_ms < inertia_ms:
                stays.append(stay)
            elif stay is not None and stay.counted:
                left.append((name, stay.last_in_ms - stay.since_ms))
        left += [(s.zone, s.last_in_ms - s.since_ms) for s in thing.stays if s.zone not in self._zones and s.counted]
        return tuple(stays), tuple(entered), tuple(n for n, _ in left), tuple(dwell for _, dwell in left)

    def _sides(self, thing: Thing, since: Point | None, at: Point) -> tuple[tuple[Side, ...], tuple[str, ...]]:
        """Lines that the thing is clearly over now, having gone through between their ends.

        The step that passes the line is remembered (`net`), and told when the thing stands clear of it on the other
        side: who lingers on a line crosses it once, or never.
        """
        old = {side.line: side for side in thing.sides}
        sides: list[Side] = []
        crossed: list[str] = []
        margin = self._habits.line_margin * height_of(thing.xyxy)
        for name, (line, ends) in self._lines.items():
            if line.objects and thing.label not in line.objects:
                continue
            side = old.get(name) or Side(name, 0)
            area = side_of_line(at, *ends)
            flips = since is not None and (side_of_line(since, *ends) > 0) != (area > 0)
            net = side.net + (crossing(since, at, *ends) if since is not None and flips else 0)
            beyond = area / math.dist(*ends.tolist())
            if abs(beyond) < margin:
                sides.append(Side(name, side.side, net))
                continue
            now = 1 if beyond > 0 else -1
            if net == now and side.side != now:
                crossed.append(f"{name}:{'in' if now > 0 else 'out'}")
            sides.append(Side(name, now))
        return tuple(sides), tuple(crossed)


def counted(thing: Thing, zone: str) -> Stay | None:
    """The thing's stay in the zone once it counts."""
    return next((stay for stay in thing.stays if stay.zone == zone and stay.counted), None)
