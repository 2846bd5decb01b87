"""Two runs over the same pictures: which incidents both saw, which only one, which elsewhere or at another time.

An incident of one run is one of the other when camera and rule are the same, their times overlap (or lie within
SLACK_MS), and they were at one place: the nearest two of where the thing stood (its trail and its box) are no farther
apart than the taller box is high, so a body length; things without a box (a crowd, a camera) are where their zone is.
Of several candidates those of the greatest overlap in time are paired first, each incident once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import msgspec

from contracts.fields import Point
from contracts.messages import Alert

SLACK_MS = 1_000
"""What begins or ends by less later is not moved: a tracker is sure of a thing some frames earlier or later."""


class Pair(msgspec.Struct, frozen=True):
    """One incident as both runs told it last; `moved` says in words what is otherwise ("": nothing that matters)."""

    a: Alert
    b: Alert
    moved: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the incidents of run A in run B: the same, moved, lost; and what B gained."""

    same: tuple[Pair, ...]
    moved: tuple[Pair, ...]
    lost: tuple[Alert, ...]
    gained: tuple[Alert, ...]


def compare(a: Iterable[Alert], b: Iterable[Alert]) -> Comparison:
    """Match the alerts of two runs (any revisions, in any order); the result is in order of time."""
    ours, theirs = told_last(a), told_last(b)
    candidates = [
        (-overlap_ms(one, other), i, k)
        for (i, one), (k, other) in itertools.product(enumerate(ours), enumerate(theirs))
        if _alike(one, other)
    ]
    pairs: dict[int, int] = {}
    for _, i, k in sorted(candidates):
        if i not in pairs and k not in pairs.values():
            pairs[i] = k
    matched = [Pair(ours[i], theirs[k], moved(ours[i], theirs[k])) for i, k in sorted(pairs.items())]
    return Comparison(
        same=tuple(pair for pair in matched if not pair.moved),
        moved=tuple(pair for pair in matched if pair.moved),
        lost=tuple(one for i, one in enumerate(ours) if i not in pairs),
        gained=tuple(one for k, one in enumerate(theirs) if k not in pairs.values()),
    )


def told_last(alerts: Iterable[Alert]) -> list[Alert]:
    """Each incident by its last revision, in order of time."""
    last: dict[tuple[str, str], Alert] = {}
    for alert in sorted(alerts, key=lambda one: one.revision):
        last[alert.camera, alert.id] = alert
    return sorted(last.values(), key=lambda one: (one.started_at_ms, one.camera, one.rule, one.id))


def overlap_ms(a: Alert, b: Alert) -> int:
    """For how long both ran; below 0 the time between them."""
    return min(_end_ms(a), _end_ms(b)) - max(a.started_at_ms, b.started_at_ms)


def moved(a: Alert, b: Alert) -> str:
    """In words, how B's is otherwise: when it begins and ends, what it is called, how severe it is."""
    said = [
        f"{name} {abs(after - before) / 1000:.1f} s {'later' if after > before else 'earlier'}"
        for name, before, after in (
            ("begins", a.started_at_ms, b.started_at_ms),
            ("ends", _end_ms(a), _end_ms(b)),
        )
        if abs(after - before) > SLACK_MS
    ]
    said += [
        f"{name} {after or 'none'} instead of {before or 'none'}"
        for name, before, after in (("label", a.label, b.label), ("severity", a.severity, b.severity))
        if before != after
    ]
    return ", ".join(said)


def _alike(a: Alert, b: Alert) -> bool:
    same = (a.camera, a.rule) == (b.camera, b.rule)
    return same and overlap_ms(a, b) >= -SLACK_MS and _at_one_place(a, b)


def _at_one_place(a: Alert, b: Alert) -> bool:
    ours, theirs = _stood(a), _stood(b)
    if not ours or not theirs:
        return a.zone == b.zone
    return min(math.dist(p, q) for p, q in itertools.product(ours, theirs)) <= max(_height(a), _height(b))


def _stood(alert: Alert) -> Sequence[Point]:
    """The bottom centres that are known of the thing, px."""
    if alert.evidence is None or alert.evidence.xyxy is None:
        return ()
    x1, _, x2, y2 = alert.evidence.xyxy
    return (*alert.trail, ((x1 + x2) / 2, y2))


def _height(alert: Alert) -> float:
    box = alert.evidence.xyxy if alert.evidence is not None else None
    return box[3] - box[1] if box is not None else 0.0


def _end_ms(alert: Alert) -> int:
    return alert.ended_at_ms or alert.at_ms
