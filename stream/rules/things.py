"""From tracks to things: which track is which thing, what has come to rest, what is gone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from contracts.fields import Point, Xyxy
from contracts.messages import Evidence, FrameDetections
from stream.geometry import iou
from stream.rules.habits import ALIKE, LIVING, Habits
from stream.rules.state import MAX_PARKED, MAX_TRAIL, EngineState, Place, Thing
from stream.tracking import Track


class Followed(NamedTuple):
    """The things after a frame: all that are kept, which of them (uids) were seen in it, and those that are gone."""

    things: tuple[Thing, ...]
    seen: frozenset[int]
    born: frozenset[int]
    gone: tuple[Thing, ...]
    next_uid: int


@dataclass(frozen=True)
class Sight:
    """One frame as this module needs it: `ms` on the observed clock, the interval since the frame before."""

    frame: FrameDetections
    ms: int
    interval_ms: int

    @property
    def at_ms(self) -> int:
        """The frame's own time."""
        return self.frame.captured_at_ms


def follow(state: EngineState, tracks: Sequence[Track], sight: Sight, habits: Habits) -> Followed:
    """The things after one frame.

    A track that is new takes the nearest thing whose own track has just ended: the tracker lost it and found it
    again, so it has not entered anything. A parked thing waits for a box on its very place.
    """
    pairs = _pairs(state.things, tracks, sight, habits)
    seen = [_seen(state.things[i], track, sight, habits) for i, track in sorted(pairs.items())]
    taken = {track.track_id for track in pairs.values()}
    next_uid = state.next_uid
    fresh = []
    for track in tracks:
        if track.track_id not in taken and track.detection is not None:
            fresh.append(_seen(_born(next_uid, track, sight), track, sight, habits))
            next_uid += 1
    rest = [thing for i, thing in enumerate(state.things) if i not in pairs]
    held = _held(rest, sight, habits)
    kept, gone = _sorted_out([thing for thing in rest if thing.uid not in held], sight, habits)
    things = sorted((*seen, *fresh, *held.values(), *kept), key=lambda thing: thing.uid)
    present = frozenset(thing.uid for thing in (*seen, *fresh, *held.values()))
    born = frozenset(thing.uid for thing in fresh)
    back = frozenset(state.things[i].uid for i in pairs if state.things[i].parked)
    return Followed(tuple(things), present, born | back, gone, next_uid)


def bottom_of(xyxy: Xyxy, frame: FrameDetections) -> Point:
    """Where a box stands, not below the picture: a walker at its lower edge stands on the edge."""
    return (xyxy[0] + xyxy[2]) / 2, min(xyxy[3], float(frame.height))


def height_of(xyxy: Xyxy) -> float:
    """The box's height, px, at least 1."""
    return max(xyxy[3] - xyxy[1], 1.0)


def velocity(thing: Thing, habits: Habits) -> tuple[float, float, float]:
    """Velocity (x, y) in px/s and mean height in px: the least-squares slope of the path; (0, 0) while it is short."""
    path = thing.path
    if len(path) < 2 or path[-1].ms - path[0].ms < habits.speed_least_ms:
        return 0.0, 0.0, height_of(thing.xyxy)
    # Plain sums over a dozen places: the same bits on every machine, which a BLAS doesn't promise.
    count = len(path)
    mean_s = sum(p.ms for p in path) / count / 1000
    mean_x, mean_y = sum(p.x for p in path) / count, sum(p.y for p in path) / count
    spread = sum((p.ms / 1000 - mean_s) ** 2 for p in path)
    vx = sum((p.ms / 1000 - mean_s) * (p.x - mean_x) for p in path) / spread
    vy = sum((p.ms / 1000 - mean_s) * (p.y - mean_y) for p in path) / spread
    return vx, vy, sum(p.height for p in path) / count


def worth(evidence: Evidence | None) -> float:
    """How well a frame shows a thing: full-size pictures first, then a large, confident box clear of the edge."""
    if evidence is None:
        return 0.0
    value = 4.0 if evidence.detail else 1.0
    if evidence.xyxy is None:
        return value
    x0, y0, x1, y1 = evidence.xyxy
    cut = x0 <= 1 or y0 <= 1 or x1 >= evidence.width - 1 or y1 >= evidence.height - 1
    share = (x1 - x0) * (y1 - y0) / (evidence.width * evidence.height)
    return value * evidence.confidence * share * (0.5 if cut else 1.0)


def _pairs(things: Sequence[Thing], tracks: Sequence[Track], sight: Sight, habits: Habits) -> dict[int, Track]:
    """Index of the thing → its track: by the track's identity, then by place, the nearest first."""
    own = {(thing.track_id, thing.track_started_at_ms): i for i, thing in enumerate(things)}
    pairs: dict[int, Track] = {}
    strangers: list[Track] = []
    for track in tracks:
        index = own.get((track.track_id, track.first_seen_at_ms))
        if index is not None:
            pairs[index] = track
        elif track.detection is not None:
            strangers.append(track)
    free = [i for i in range(len(things)) if i not in pairs or pairs[i].detection is None]
    offers = sorted(
        (distance, things[i].uid, track.track_id, i, k)
        for k, track in enumerate(strangers)
        for i in free
        if (distance := _distance(things[i], track, sight, habits)) is not None
    )
    used: set[int] = set()
    for _, _, _, i, k in offers:
        if i in free and k not in used:
            free.remove(i)
            used.add(k)
            pairs[i] = strangers[k]
    return pairs


def _distance(thing: Thing, track: Track, sight: Sight, habits: Habits) -> float | None:
    """How far the new track is from the lost thing, as a share of what is allowed; None when it is another one."""
    if _kin(thing.label) != _kin(track.label):
        return None
    if track.first_seen_at_ms < thing.observed_at_ms - habits.rejoin_overlap_ms:
        return None
    own, other = height_of(thing.xyxy), height_of(track.xyxy)
    if min(own, other) < habits.rejoin_size * max(own, other):
        return None
    (x, y), (x1, y1) = bottom_of(thing.xyxy, sight.frame), bottom_of(track.xyxy, sight.frame)
    if thing.stationary:
        reach = habits.leave_radius * size_of(thing.xyxy)
    else:
        lost_s = (sight.ms - thing.seen_ms) / 1000
        vx, vy, _ = velocity(thing, habits)
        x, y = x + vx * min(lost_s, habits.rejoin_ahead_s), y + vy * min(lost_s, habits.rejoin_ahead_s)
        reach = own * (habits.rejoin_reach + habits.rejoin_speed * lost_s)
    distance = math.hypot(x1 - x, y1 - y) / reach
    return distance if distance <= 1 else None


def size_of(xyxy: Xyxy) -> float:
    """The side of a square of the box's area, px, at least 1."""
    return math.sqrt(max((xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1]), 1.0))


def _kin(label: str) -> str:
    return ALIKE.get(label, label)


def _born(uid: int, track: Track, sight: Sight) -> Thing:
    return Thing(
        uid=uid,
        track_id=track.track_id,
        track_started_at_ms=track.first_seen_at_ms,
        label=track.label,
        confidence=track.confidence,
        best_confidence=track.confidence,
        since_ms=sight.ms,
        seen_ms=sight.ms,
        seen_at_ms=sight.at_ms,
        observed_at_ms=sight.at_ms,
        xyxy=track.xyxy,
        anchor=bottom_of(track.xyxy, sight.frame),
        anchor_ms=sight.ms,
        trail_ms=sight.ms - 3_600_000,
    )


def _seen(thing: Thing, track: Track, sight: Sight, habits: Habits) -> Thing:
    """The thing where its track is now."""
    x, y = bottom_of(track.xyxy, sight.frame)
    broken = (thing.track_id, thing.track_started_at_ms) != (track.track_id, track.first_seen_at_ms)
    path = () if broken or thing.parked else thing.path
    path = tuple(place for place in path if place.ms >= sight.ms - habits.speed_ms)
    if not path or sight.ms - path[-1].ms >= habits.path_step_ms:
        path = (*path, Place(sight.ms, x, y, height_of(track.xyxy)))
    trail_due = sight.ms - thing.trail_ms >= habits.trail_step_ms
    point = (round(x, 1), round(y, 1))
    observed = track.detection is not None
    anchor, anchor_ms, stationary = _rest(thing, (x, y), size_of(track.xyxy), sight.ms, habits)
    return replace(
        thing,
        track_id=track.track_id,
        track_started_at_ms=track.first_seen_at_ms,
        label=track.label,
        confidence=track.confidence,
        best_confidence=max(thing.best_confidence, track.confidence),
        seen_ms=sight.ms,
        seen_at_ms=sight.at_ms,
        observed_at_ms=sight.at_ms if observed else thing.observed_at_ms,
        xyxy=track.xyxy,
        anchor=anchor,
        anchor_ms=anchor_ms,
        stationary=stationary,
        parked=False,
        path=path,
        trail=(*thing.trail[-MAX_TRAIL + 1 :], point) if trail_due else thing.trail,
        trail_ms=sight.ms if trail_due else thing.trail_ms,
        best=_better(thing.best, evidence_of(track, sight.frame), sight, habits) if observed else thing.best,
        embedding=track.embedding if observed else thing.embedding,
    )


def _rest(thing: Thing, at: Point, size: float, ms: int, habits: Habits) -> tuple[Point, int, bool]:
    """Anchor, since when, and whether it is stationary: it takes more to leave a place than to be at it."""
    radius = habits.leave_radius if thing.stationary else habits.still_radius
    if math.dist(thing.anchor, at) > radius * size:
        return at, ms, False
    return thing.anchor, thing.anchor_ms, thing.stationary or ms - thing.anchor_ms >= habits.still_ms


def evidence_of(track: Track, frame: FrameDetections) -> Evidence:
    """This frame as evidence, with the track's box."""
    return Evidence(
        ref=frame.ref,
        captured_at_ms=frame.captured_at_ms,
        width=frame.width,
        height=frame.height,
        xyxy=track.xyxy,
        confidence=track.confidence,
        detail=frame.detail,
        embedding=track.embedding,
    )


def _better(old: Evidence | None, new: Evidence, sight: Sight, habits: Habits) -> Evidence:
    if old is None or worth(new) >= worth(old) or abs(sight.at_ms - old.captured_at_ms) > habits.evidence_ms:
        return new
    return old


def _held(rest: Sequence[Thing], sight: Sight, habits: Habits) -> dict[int, Thing]:
    """Things without a track that a heartbeat frame shows on their place all the same.

    In a still scene frames are seconds apart and no tracker confirms anything, but a box on the place is proof enough.
    """
    waiting = [thing for thing in rest if not thing.parked]
    if sight.interval_ms < habits.sparse_ms or not waiting:
        return {}
    boxes = sight.frame.detections
    overlap = iou([thing.xyxy for thing in waiting], [box.xyxy for box in boxes])
    held = {}
    for i, thing in enumerate(waiting):
        if any(
            overlap[i, k] >= habits.hold_iou and _kin(box.label) == _kin(thing.label) for k, box in enumerate(boxes)
        ):
            still = thing.stationary or sight.ms - thing.anchor_ms >= habits.still_ms
            held[thing.uid] = replace(thing, seen_ms=sight.ms, seen_at_ms=sight.at_ms, stationary=still, path=())
    return held


def _sorted_out(rest: Sequence[Thing], sight: Sight, habits: Habits) -> tuple[list[Thing], tuple[Thing, ...]]:
    """Of the things that were not seen: those to keep, and those that are gone with this frame (parked ones too)."""
    kept: list[Thing] = []
    parked: list[Thing] = []
    gone: list[Thing] = []
    for thing in rest:
        if thing.parked:
            keep_at_ms = habits.parked_living_at_ms if thing.label in LIVING else habits.parked_at_ms
            if sight.at_ms - thing.seen_at_ms <= keep_at_ms:
                parked.append(thing)
        elif sight.ms - thing.seen_ms <= (habits.hold_ms if thing.stationary else habits.rejoin_ms):
            kept.append(thing)
        else:
            gone.append(thing)
            if thing.stationary:
                parked.append(
                    replace(thing, parked=True, path=(), stays=(), sides=(), owner=0, best=None, embedding=b"")
                )
    parked.sort(key=lambda thing: (thing.seen_at_ms, thing.uid))
    return kept + parked[-MAX_PARKED:], tuple(gone)
