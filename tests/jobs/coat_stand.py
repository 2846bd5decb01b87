"""A false alarm that comes again: the console answers it, on the jobs' own broker; what is told from then on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from console.answers import Verdict, answer
from console.rights import Who
from console.wiring import Place, build
from contracts import topics
from contracts.messages import Alert, Event, FrameDetections
from tests.console_tools import person
from tests.jobs.world import SiteUnderTest
from tests.rule_scenes import Walker, frame_of

CAMERA = "coat"
X, Y, TALL = 320.0, 240.0, 60.0
COAT, SOMEBODY = (np.array([np.cos(a), np.sin(a)], "<f2").tobytes() for a in (0.0, 1.2))
"""Two looks; their cosine is .36, that of two people."""


class Told(NamedTuple):
    """How long after the answer the alert that it was about ended (s), and all of the camera."""

    ended_after_s: float
    alerts: list[Alert]
    events: list[Event]


def seen(index: int, at_ms: int, *who: tuple[float, bytes]) -> FrameDetections:
    """A frame with these at (x, look), all at the coat stand's height in the picture."""
    boxes = [Walker(((0, x, Y), (1, x, Y)), height=TALL).box(0) for x, _ in who]
    frame = frame_of(at_ms, boxes, index=index)
    looks = [replace(one, embedding=look) for one, (_, look) in zip(frame.detections, who, strict=True)]
    return replace(frame, camera=CAMERA, detections=tuple(looks))


def answered(site: SiteUnderTest, folder: Path) -> Told:
    """A coat stand is taken for somebody, answered "false" while it goes on, and taken for somebody again, three times;
    in the end somebody stands a body height beside it.
    """
    place = Place(site.system.bootstrap, folder / "console", f"sqlite:///{folder}/console.db", "http://localhost")
    parts = build(site.system.config, place, _now_ms)
    parts.store.open()
    person(parts.store)
    for thread in (parts.consumer, parts.outbox):
        thread.start()
    try:
        index, alert = 0, None
        while alert is None:
            index = _live(site, index)
            alert = next(iter(_alerts(site)), None)
        while parts.store.alerts.get(alert.id) is None:
            index = _live(site, index)
        said_s = time.monotonic()
        answer(
            *(parts.store, parts.hub, Who("anna", "operator"), alert.id, Verdict("false")),
            at_ms=_now_ms(),
            silencing=parts.silences.silencing,
        )
        parts.outbox.wake()
        while _alerts(site)[-1].state != "end":
            index = _live(site, index)
            assert time.monotonic() - said_s < 30, site.log()
        ended_after_s = time.monotonic() - said_s
    finally:
        for thread in (parts.consumer, parts.outbox):
            thread.stop()
        parts.store.close()
    _again(site, index)
    site.wait("somebody beside it", lambda: len(_alerts(site)) >= 4 and _alerts(site)[-1].state == "end", 30)
    return Told(ended_after_s, _alerts(site), [e for e in site.messages(topics.EVENTS, Event) if e.camera == CAMERA])


def _live(site: SiteUnderTest, index: int) -> int:
    """One frame of now with the coat stand in it, and a tenth of a second."""
    site.send_detections([seen(index, _now_ms(), (X, COAT))])
    time.sleep(0.1)
    return index + 1


def _again(site: SiteUnderTest, index: int) -> None:
    """Minutes at once: gone for so long that the rules forget it; there for 1 s and gone for 12 s, three times; then
    somebody beside it, and an empty end.
    """
    frames, at_ms = [], _now_ms()
    for _ in range(70):
        at_ms += 5_000
        frames.append(seen(index, at_ms))
        index += 1
    for shown, seconds in [((), 12), (((X, COAT),), 1)] * 3 + [((), 12), (((X + TALL, SOMEBODY),), 1), ((), 8)]:
        for _ in range(10 * seconds):
            at_ms += 100
            frames.append(seen(index, at_ms, *shown))
            index += 1
    site.send_detections(frames)


def _alerts(site: SiteUnderTest) -> list[Alert]:
    found = [one for one in site.messages(topics.ALERTS, Alert) if one.camera == CAMERA]
    return sorted(found, key=lambda one: (one.started_at_ms, one.revision))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
