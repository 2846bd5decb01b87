"""What a console's test puts onto the topics: frames of the recorded clip (drawn where it is away), tracks, alerts."""

from __future__ import annotations

import functools
import hashlib
import random
import time
import uuid
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from contracts.edge_messages import EdgeStatus
from contracts.fields import Point, Xyxy
from contracts.identity import TrackIdentity
from contracts.messages import (
    Alert,
    Condition,
    Evidence,
    Frame,
    FrameRef,
    FrameTracks,
    TrackedObject,
)
from tests.builders import jpeg_of

CLIP = Path(__file__).parents[2] / "shared" / "data" / "videos" / "vtest_480x360.mp4"
TRUTH = CLIP.parents[1] / "tracking" / "MOT15" / "PETS09-S2L1" / "gt" / "gt.txt"
FRAMES = 700
"""Of the clip's pictures so many are used."""

AREAS = {
    "lawn": ((0.62, 0.2), (0.98, 0.25), (0.98, 0.6), (0.62, 0.55)),
    "crossing": ((0.25, 0.45), (0.62, 0.38), (0.78, 0.62), (0.35, 0.8)),
    "path": ((0.45, 0.2), (0.45, 0.95)),
    "floor": ((0.2, 0.3), (0.8, 0.3), (0.9, 1.0), (0.1, 1.0)),
}


def now_ms() -> int:
    """The time."""
    return time.time_ns() // 1_000_000


@functools.cache
def person_at(number: int) -> tuple[Xyxy, tuple[Point, ...]]:
    """A person's box in frame `number` and the way they came, from the clip's ground truth where it is there."""
    if not (CLIP.is_file() and TRUTH.is_file()):
        left = 288.0 + number % 40
        return (left, 140.0, left + 26, 212.0), tuple((left - 70 + 12 * step, 205.0) for step in range(7))
    rows = [[float(one) for one in line.split(",")] for line in TRUTH.read_text().splitlines()]
    boxes: dict[int, dict[int, Xyxy]] = {}
    for frame, track, x, y, wide, high, *_ in rows:  # of 768x576: 0.625 of it is the clip
        box = (x * 0.625, y * 0.625, (x + wide) * 0.625, (y + high) * 0.625)
        boxes.setdefault(int(track), {})[int(frame) - 1] = box
    here = [track for track in boxes.values() if number in track and number - 12 in track]
    here = here or [track for track in boxes.values() if number in track]
    track = max(here, key=lambda one: one[number][3])
    way = [track[frame] for frame in range(number - 60, number + 1, 4) if frame in track]
    return track[number], tuple(((x1 + x2) / 2, y2) for x1, _, x2, y2 in way)


def scene(number: int) -> np.ndarray:
    """A picture of 480x360 (BGR) for frame `number`: of the recorded clip where it is, else drawn."""
    if CLIP.is_file():
        video = cv2.VideoCapture(str(CLIP))
        video.set(cv2.CAP_PROP_POS_FRAMES, number % FRAMES)
        found, picture = video.read()
        video.release()
        assert found
        return picture
    picture = np.full((360, 480, 3), (70, 110, 80), np.uint8)
    cv2.rectangle(picture, (0, 0), (480, 90), (140, 120, 110), -1)
    cv2.circle(picture, (300 + number % 40, 150), 9, (60, 80, 200), -1)
    cv2.rectangle(picture, (290 + number % 40, 160), (312 + number % 40, 210), (40, 40, 160), -1)
    return picture


def frame_of(camera: str, number: int, captured_at_ms: int) -> Frame:
    """A frame of the scene."""
    jpeg = jpeg_of(scene(number), 85)
    return Frame(
        site="harbour",
        camera=camera,
        session=1,
        index=number,
        captured_at_ms=captured_at_ms,
        width=480,
        height=360,
        detail=True,
        motion=0.1,
        sha256=hashlib.sha256(jpeg).hexdigest(),
        jpeg=jpeg,
    )


def tracks_of(frame: Frame) -> FrameTracks:
    """Two tracks on a frame."""
    boxes = {"person": person_at(frame.index % FRAMES)[0], "car": (390.0, 40.0, 440.0, 85.0)}
    things = tuple(
        TrackedObject(
            track_id=7 + number,
            xyxy=xyxy,
            confidence=0.9,
            label=label,
            first_seen_at_ms=1,
            identity=TrackIdentity(decision="unknown") if label == "person" else None,
        )
        for number, (label, xyxy) in enumerate(boxes.items())
    )
    return FrameTracks(
        site=frame.site,
        camera=frame.camera,
        lane="live",
        session=frame.session,
        index=frame.index,
        captured_at_ms=frame.captured_at_ms,
        interval_ms=200,
        width=frame.width,
        height=frame.height,
        ref=FrameRef("frames.harbour", 0, frame.index),
        model="detector@1",
        tracks=things,
    )


def status_of(camera: str, state: str = "up", **changes: Any) -> EdgeStatus:
    """An agent's word."""
    values: dict[str, Any] = {
        "site": "harbour",
        "camera": camera,
        "agent": "edge-1",
        "session": 1,
        "at_ms": now_ms(),
        "state": state,
        "last_frame_at_ms": now_ms(),
        "width": 480,
        "height": 360,
        "captured_fps": 10.0,
        "sent_fps": 5.0,
        "clock_offset_ms": 0,
    }
    return EdgeStatus(**(values | changes))


def alert_now(**changes: Any) -> Alert:
    """An alert that began just now; every one is another."""
    at_ms = changes.get("started_at_ms") or now_ms()
    offset = random.randrange(2**40)
    xyxy, trail = person_at(offset % FRAMES)
    zone = changes.get("zone", "lawn")
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "revision": 0,
        "state": "new",
        "site": "harbour",
        "camera": "forecourt",
        "rule": "nobody-on-the-lawn",
        "rule_version": 7,
        "kind": "zone_entry",
        "severity": "high",
        "started_at_ms": at_ms,
        "at_ms": at_ms,
        "label": "person",
        "zone": zone,
        "track_ids": (7,),
        "score": 0.87,
        "why": "person entered lawn",
        "instructions": "Look whether it is staff. If not, call the guard on 4711.",
        "trace": (Condition("zone", zone, "inside"), Condition("confidence", ">= 0.50", "0.87")),
        "area": AREAS.get(zone, ()),
        "trail": trail,
        "model": "detector@1",
        "config_version": "ddeb1ae6e2bd",
        "decided_at_ms": at_ms + 42,
        "evidence": Evidence(
            ref=FrameRef("frames.harbour", 0, offset),
            captured_at_ms=at_ms,
            width=480,
            height=360,
            xyxy=xyxy,
            confidence=0.87,
            detail=True,
        ),
    }
    return Alert(**(values | changes))
