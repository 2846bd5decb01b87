"""What the rules remember of one camera's lane between frames: plain numbers, each with the one who deletes it.

Two clocks. Fields `…_at_ms` are frame time. Fields `…_ms` are the *observed clock*: it runs with the frames, but by at
most `CameraRules.gap_ms` a frame, so that time in which the camera showed nothing is nobody's dwell and nobody's
absence.
"""

from __future__ import annotations

import msgspec

from contracts.fields import Point, Tamper, Xyxy
from contracts.messages import Event, Evidence

STATE_VERSION = 1

MAX_TRAIL = 20
MAX_PARKED = 64


class Stay(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A thing in a zone, from its first moment in it; `counted` after the zone's inertia. Deleted when it left."""

    zone: str
    since_ms: int
    last_in_ms: int
    counted: bool = False


class Side(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a thing stands to a line: the side on which it clearly was last, and the steps over the line since."""

    line: str
    side: int
    net: int = 0


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A rule that has spoken of this thing; deleted when it is seen to leave `zone` ("" = when it moves)."""

    rule: str
    version: int
    zone: str


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a thing stood at one moment: bottom centre and height, px."""

    ms: int
    x: float
    y: float
    height: float


class Thing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing of the world, over as many tracks as the tracker needs for it; `uid` is never used again.

    Its track is (`track_id`, `track_started_at_ms`), so that ids that begin again at 1 are no danger. `anchor` is
    where it has been since `anchor_ms`, near enough to count as one place. `parked` things are out of sight for longer
    than a track breaks and are kept so that they don't alert again. `owner` is the uid of the person that put it
    down, who was last near at `owner_ms`. `path` is the last second of places, `trail` the last seconds of points,
    `embedding` how it looked when it was observed last.
    """

    uid: int
    track_id: int
    track_started_at_ms: int
    label: str
    confidence: float
    best_confidence: float
    since_ms: int
    seen_ms: int
    seen_at_ms: int
    observed_at_ms: int
    xyxy: Xyxy
    anchor: Point
    anchor_ms: int
    stationary: bool = False
    parked: bool = False
    path: tuple[Place, ...] = ()
    trail: tuple[Point, ...] = ()
    trail_ms: int = 0
    stays: tuple[Stay, ...] = ()
    sides: tuple[Side, ...] = ()
    marks: tuple[Mark, ...] = ()
    owner: int = 0
    owner_ms: int = 0
    best: Evidence | None = None
    embedding: bytes = b""


class Spell(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How long a condition has held for a subject (a thing's uid, 0 = the scene). Deleted when it no longer does."""

    rule: str
    version: int
    subject: int
    since_ms: int
    last_ms: int


class Open(msgspec.Struct, frozen=True, array_like=True):
    """An event that has begun and not ended: as it was told last (`told_ms` on the observed clock), and of whom."""

    start_id: str
    subject: int
    told_ms: int
    event: Event


class Health(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the agent said last, in the broker's time; `silent` once someone with a clock has missed it."""

    at_ms: int = 0
    state: str = "starting"
    reason: str = ""
    tamper: tuple[Tamper, ...] = ()
    silent: bool = False


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """One camera's lane. `things` hold at most the tracks of the last seconds and MAX_PARKED parked ones."""

    v: int = STATE_VERSION
    started: bool = False
    ms: int = 0
    at_ms: int = 0
    next_uid: int = 1
    things: tuple[Thing, ...] = ()
    spells: tuple[Spell, ...] = ()
    open: tuple[Open, ...] = ()
    health: Health = Health()
    last_frame: Evidence | None = None
