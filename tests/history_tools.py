"""Inputs for tests of the history: frames of tracks, and rows of many of them."""

from __future__ import annotations

import random
from typing import Any

from archive.history.rows import EventRow, TrackRow, WindowRow
from contracts.messages import Alert, Event, FrameRef, FrameTracks, TrackedObject, WindowStats

AT_MS = 1_767_571_200_000  # 2026-01-05T00:00:00Z
COLOURS = ("black", "blue", "grey", "red", "white", "")


def thing(track_id: int = 1, x: float = 100.0, **changes: Any) -> TrackedObject:
    """One track at one frame of 200x100."""
    values: dict[str, Any] = {
        "track_id": track_id,
        "xyxy": (x - 5, 20.0, x + 5, 50.0),
        "confidence": 0.8,
        "label": "person",
        "first_seen_at_ms": AT_MS,
    }
    return TrackedObject(**(values | changes))


def tracks(index: int, *things: TrackedObject, **changes: Any) -> FrameTracks:
    """A frame a second after AT_MS for each of `index`."""
    values: dict[str, Any] = {
        "site": "home",
        "camera": "gate",
        "lane": "live",
        "session": 1,
        "index": index,
        "captured_at_ms": AT_MS + 1000 * index,
        "interval_ms": 1000,
        "width": 200,
        "height": 100,
        "ref": FrameRef("frames.home", 0, index),
        "model": "detector@1",
        "tracks": things,
    }
    return FrameTracks(**(values | changes))


def event(number: int, **changes: Any) -> Event:
    """An event of track `number`."""
    values: dict[str, Any] = {
        "id": f"event-{number}",
        "site": "home",
        "camera": "gate",
        "lane": "live",
        "kind": "zone_entry",
        "rule": "yard-at-night",
        "rule_version": 1,
        "at_ms": AT_MS + 1000 * number,
        "track_ids": (number,),
        "label": "person",
        "zone": "yard",
        "score": 0.75,
    }
    return Event(**(values | changes))


def alert(number: int, **changes: Any) -> Alert:
    """An alert about track `number`."""
    values: dict[str, Any] = {
        "id": f"alert-{number}",
        "revision": 1,
        "state": "new",
        "site": "home",
        "camera": "gate",
        "rule": "yard-at-night",
        "rule_version": 1,
        "kind": "zone_entry",
        "severity": "high",
        "started_at_ms": AT_MS,
        "at_ms": AT_MS + 1000 * number,
        "track_ids": (number,),
    }
    return Alert(**(values | changes))


def window(number: int, **changes: Any) -> WindowStats:
    """The window of minute `number`."""
    values: dict[str, Any] = {
        "site": "home",
        "camera": "gate",
        "lane": "live",
        "zone": "yard",
        "label": "person",
        "start_ms": AT_MS + 60_000 * number,
        "end_ms": AT_MS + 60_000 * (number + 1),
        "part": 0,
        "frames": 600,
        "observed_ms": 60_000,
        "occupancy_ms": 30_000,
        "occupancy_max": 2,
        "entered": 3,
        "left": 2,
        "dwell_ms": 20_000,
    }
    return WindowStats(**(values | changes))


def track_row(number: int, **changes: Any) -> TrackRow:
    """A track of a made-up day: every tenth of a person in red, two zones after each other, over the line."""
    chance = random.Random(number)
    first_ms = changes.get("first_ms", AT_MS + 1000 * number)
    x, y = chance.randrange(1000, 9000), chance.randrange(3000, 9500)
    values: dict[str, Any] = {
        "id": f"gate.live.{number}.{first_ms}",
        "site": "home",
        "camera": "gate",
        "lane": "live",
        "track_id": number,
        "label": chance.choice(("person", "person", "person", "car")),
        "first_ms": first_ms,
        "last_ms": first_ms + 20_000,
        "confidence": 0.5 + chance.random() / 2,
        "upper": chance.choice(COLOURS),
        "lower": chance.choice(COLOURS),
        "zones": ("yard", "door"),
        "entered_ms": (first_ms + 1000, first_ms + 9000),
        "dwell_ms": (6000, 9000),
        "crossed": ("fence:in",),
        "rules": (),
        "alerts": (),
        "still_ms": 2000,
        "path_ms": tuple(range(0, 20_000, 1000)),
        "path_x": tuple(min(10_000, x + 50 * step) for step in range(20)),
        "path_y": (y,) * 20,
    }
    return TrackRow(**(values | changes))


def event_row(number: int, **changes: Any) -> EventRow:
    """An event of the made-up day."""
    values: dict[str, Any] = {
        "id": f"event-{number}",
        "site": "home",
        "camera": "gate",
        "lane": "live",
        "kind": "zone_entry",
        "rule": "yard-at-night",
        "at_ms": AT_MS + 1000 * number,
        "ended": False,
        "opened_by": "",
        "label": "person",
        "zone": "yard",
        "score": 0.75,
        "track_ids": (number,),
    }
    return EventRow(**(values | changes))


def window_row(number: int, **changes: Any) -> WindowRow:
    """The window of minute `number` of the made-up day."""
    start_ms = AT_MS + 60_000 * number
    values: dict[str, Any] = {
        "id": f"home/gate/live/yard/person/{start_ms}/0",
        "site": "home",
        "camera": "gate",
        "lane": "live",
        "zone": "yard",
        "label": "person",
        "start_ms": start_ms,
        "end_ms": start_ms + 60_000,
        "part": 0,
        "frames": 600,
        "observed_ms": 60_000,
        "occupancy_ms": 30_000,
        "occupancy_max": 2,
        "entered": 3,
        "departed": 2,
        "dwell_ms": 20_000,
    }
    return WindowRow(**(values | changes))
