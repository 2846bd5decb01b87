"""Gathers what the frames' tracks say into one row a track. Pure: messages and times go in, a state comes out."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from archive.history.rows import PLACES, TrackRow
from contracts.attributes import pairs
from contracts.messages import FrameTracks, TrackedObject

END_MS = 20_000
"""A track unseen for so long is over: the tracker finds one again by its looks for 10 s, the rules keep it as long."""

SILENT_MS = 60_000
"""A lane of which nothing came for so long (by the wall clock) has no tracks any more."""

PART_MS = 3_600_000
"""A track that lasts longer is a row an hour, so that it is found before it leaves."""

STEP_MS = 1_000
MOST_POINTS = 128
"""A path begins with a point a second; with more than so many, every second one goes and the step doubles."""

CLEAR = 0.5
"""The share of its looks in which a colour must have been seen to be the track's."""


class Visit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A stay in a zone; `dwell_ms` is -1 while it lasts."""

    zone: str
    entered_ms: int
    dwell_ms: int = -1


class Passage(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One track as far as it has come. A point is (ms after the first picture, x, y)."""

    track_id: int
    label: str
    first_ms: int
    last_ms: int
    confidence: float = 0.0
    upper: dict[str, int] = {}
    lower: dict[str, int] = {}
    person: str = ""
    decision: str = ""
    visits: tuple[Visit, ...] = ()
    crossed: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    still_ms: int = 0
    step_ms: int = STEP_MS
    points: tuple[tuple[int, int, int], ...] = ()
    attributes: tuple[str, ...] = ()


class Lane(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One camera's lane: its last place, its clock, when something was last heard of it, and the tracks in it."""

    site: str
    camera: str
    lane: str
    session: int = -1
    index: int = -1
    at_ms: int = 0
    heard_at_ms: int = 0
    passages: dict[int, Passage] = {}


class Links(msgspec.Struct, frozen=True, array_like=True):
    """What spoke of a track: rules, and alerts by their ids."""

    rules: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()

    def with_(self, rule: str, alert: str) -> Links:
        """These and one more."""
        return Links(_added(self.rules, rule), _added(self.alerts, alert))


def step(lane: Lane, frame: FrameTracks, now_ms: int) -> tuple[Lane, tuple[TrackRow, ...]]:
    """The lane after a frame, and the tracks that are over. A place that was there before changes nothing."""
    if (frame.session, frame.index) <= (lane.session, lane.index):
        return lane, ()
    passages = dict(lane.passages)
    rows: list[TrackRow] = []
    for thing in frame.tracks:
        passage = passages.get(thing.track_id)
        if passage is None and thing.gone:
            continue
        if passage is not None and frame.captured_at_ms - passage.first_ms > PART_MS and not thing.gone:
            rows.append(_row(lane, passage))
            passage = _go_on(passage, frame.captured_at_ms)
        if passage is None:
            passage = Passage(
                track_id=thing.track_id,
                label=thing.label,
                first_ms=min(thing.first_seen_at_ms, frame.captured_at_ms),
                last_ms=frame.captured_at_ms,
            )
        passages[thing.track_id] = _seen(passage, thing, frame)
    after = replace(
        lane,
        session=frame.session,
        index=frame.index,
        at_ms=max(lane.at_ms, frame.captured_at_ms),
        heard_at_ms=now_ms,
        passages=passages,
    )
    over = [one for one in passages.values() if frame.last or after.at_ms - one.last_ms > END_MS]
    return _without(after, over), (*rows, *(_row(lane, one) for one in over))


def expire(lane: Lane, now_ms: int) -> tuple[Lane, tuple[TrackRow, ...]]:
    """A lane that has been silent for long loses its tracks."""
    if not lane.passages or now_ms - lane.heard_at_ms <= SILENT_MS:
        return lane, ()
    return replace(lane, passages={}), tuple(_row(lane, one) for one in lane.passages.values())


def linked(passage: Passage, links: Links) -> Passage:
    """A track with what spoke of it."""
    rules, alerts = passage.rules, passage.alerts
    for rule in links.rules:
        rules = _added(rules, rule)
    for alert in links.alerts:
        alerts = _added(alerts, alert)
    return replace(passage, rules=rules, alerts=alerts)


def _added(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return names if not name or name in names else (*names, name)


def _without(lane: Lane, over: Iterable[Passage]) -> Lane:
    gone = {one.track_id for one in over}
    return replace(lane, passages={k: one for k, one in lane.passages.items() if k not in gone}) if gone else lane


def _seen(passage: Passage, thing: TrackedObject, frame: FrameTracks) -> Passage:
    at_ms = frame.captured_at_ms
    visits = _visited(passage.visits, thing, at_ms)
    if thing.gone:
        return replace(passage, visits=visits)
    moved = thing.stationary and passage.last_ms < at_ms
    return replace(
        passage,
        label=thing.label,
        last_ms=max(passage.last_ms, at_ms),
        confidence=max(passage.confidence, thing.confidence),
        visits=visits,
        crossed=(*passage.crossed, *thing.crossed),
        still_ms=passage.still_ms + (min(at_ms - passage.last_ms, END_MS) if moved else 0),
        **_point(passage, thing, frame),
        **_looks(passage, thing),
    )


def _looks(passage: Passage, thing: TrackedObject) -> dict[str, object]:
    """The colours with one vote more each, who it is said to be by now, and what classifiers say."""
    changed: dict[str, object] = {}
    for half, colour in zip(("upper", "lower"), thing.colours, strict=False):
        votes: dict[str, int] = getattr(passage, half)
        changed[half] = votes | {colour: votes.get(colour, 0) + 1}
    if thing.identity is not None:
        changed |= {"person": thing.identity.person_id, "decision": thing.identity.decision}
    if thing.attributes:
        changed["attributes"] = pairs(thing.attributes)
    return changed


def _visited(visits: tuple[Visit, ...], thing: TrackedObject, at_ms: int) -> tuple[Visit, ...]:
    """The visits with those that began and ended in this frame; "" is the whole picture and no zone."""
    if not thing.entered and not thing.left:
        return visits
    made = list(visits)
    for zone, dwell_ms in zip(thing.left, thing.dwell_ms, strict=False):
        if not zone:
            continue
        open_ = [place for place, one in enumerate(made) if one.zone == zone and one.dwell_ms < 0]
        if open_:
            made[open_[-1]] = replace(made[open_[-1]], dwell_ms=dwell_ms)
        else:
            made.append(Visit(zone, at_ms - dwell_ms, dwell_ms))
    made += [Visit(zone, at_ms) for zone in thing.entered if zone]
    return tuple(made)


def _point(passage: Passage, thing: TrackedObject, frame: FrameTracks) -> dict[str, object]:
    """The path with this frame's bottom centre, when a step has gone by."""
    after_ms = max(0, frame.captured_at_ms - passage.first_ms)
    if passage.points and after_ms - passage.points[-1][0] < passage.step_ms:
        return {}
    x1, _, x2, y2 = thing.xyxy
    x, y = (x1 + x2) / 2 / frame.width, y2 / frame.height
    point = (after_ms, *(round(min(max(share, 0.0), 1.0) * PLACES) for share in (x, y)))
    points = (*passage.points, point)
    if len(points) <= MOST_POINTS:
        return {"points": points}
    return {"points": points[::2], "step_ms": 2 * passage.step_ms}


def _go_on(passage: Passage, at_ms: int) -> Passage:
    """The next part of a long track: where it is, it is since now."""
    inside = tuple(Visit(one.zone, at_ms) for one in passage.visits if one.dwell_ms < 0)
    return Passage(
        track_id=passage.track_id,
        label=passage.label,
        first_ms=at_ms,
        last_ms=at_ms,
        upper=passage.upper,
        lower=passage.lower,
        visits=inside,
        attributes=passage.attributes,
    )


def _row(lane: Lane, passage: Passage) -> TrackRow:
    return TrackRow(
        id=f"{lane.camera}.{lane.lane}.{passage.track_id}.{passage.first_ms}",
        site=lane.site,
        camera=lane.camera,
        lane=lane.lane,
        track_id=passage.track_id,
        label=passage.label,
        first_ms=passage.first_ms,
        last_ms=passage.last_ms,
        confidence=passage.confidence,
        upper=_clear(passage.upper),
        lower=_clear(passage.lower),
        zones=tuple(one.zone for one in passage.visits),
        entered_ms=tuple(one.entered_ms for one in passage.visits),
        dwell_ms=tuple(
            one.dwell_ms if one.dwell_ms >= 0 else max(0, passage.last_ms - one.entered_ms) for one in passage.visits
        ),
        crossed=passage.crossed,
        rules=passage.rules,
        alerts=passage.alerts,
        still_ms=passage.still_ms,
        path_ms=tuple(one[0] for one in passage.points),
        path_x=tuple(one[1] for one in passage.points),
        path_y=tuple(one[2] for one in passage.points),
        person=passage.person,
        decision=passage.decision,
        attributes=passage.attributes,
    )


def _clear(votes: dict[str, int]) -> str:
    """The colour of at least CLEAR of the looks, of which "" (nothing could be said) are some."""
    best = min(votes, key=lambda name: (-votes[name], name), default="")
    return best if best and votes[best] >= CLEAR * sum(votes.values()) else ""
