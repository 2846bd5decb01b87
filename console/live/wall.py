"""What each camera shows now: its newest picture with that picture's own boxes, its state, and whether it is live.

Pure: messages go in, times are given. The reader's thread and the pages' tasks share one `Wall` through its lock.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from contracts.edge_messages import EdgeStatus
from contracts.messages import Frame, FrameRef, FrameTracks

Standing = Literal["live", "old", "down", "silent", "ended", "waiting"]

PATIENCE_MS = 400
"""How long a picture waits for its boxes: detect and decide take 40 ms, 150 ms when the cores are busy."""

STATUS_MS = 5_000
"""An agent says once a second how its camera is; silent for so long, nothing is known about the picture."""

GRACE_MS = 2_000
"""What a picture may take beyond the heartbeat: capture, spool, broker."""

DELAY_MS = 15_000
"""How long a decision's delay is worth telling: three heartbeats of a camera where nothing moves."""

LATE_MS = 5_000
"""Decided on later than this, the jobs fall behind: boxes and alerts are not of the picture that is live."""

HELD = 16


Place = tuple[int, int]
"""A frame's (session, index): of two frames of a camera the greater is the later."""


class Picture(NamedTuple):
    """One picture to show; `tracks` are its own, None when they did not come in time."""

    frame: Frame
    tracks: FrameTracks | None
    received_at_ms: int
    ref: FrameRef | None = None
    """Where it lies in its topic."""

    @property
    def place(self) -> Place:
        """Its place."""
        return self.frame.session, self.frame.index


@dataclass
class _Camera:
    waiting: deque[Picture] = field(default_factory=lambda: deque(maxlen=HELD))
    shown: Picture | None = None
    status: EdgeStatus | None = None
    heard_at_ms: int = 0
    delay_ms: int | None = None
    delayed_at_ms: int = 0


class State(NamedTuple):
    """How a camera is: whether its picture may be shown as live and if not why, and the agent's last word.

    `delay_ms` is from the shutter to the decision, None while nobody reads tracks or none come.
    """

    standing: Standing
    age_ms: int
    status: EdgeStatus | None
    picture_at_ms: int
    delay_ms: int | None


def standing_of(
    status: EdgeStatus | None, heard_at_ms: int, picture_at_ms: int, now_ms: int, heartbeat_s: float
) -> Standing:
    """Whether a picture of `picture_at_ms` is live: the agent speaks, its camera is up, and no newer one is overdue.

    While nothing moves an agent sends one picture in `heartbeat_s`: an older one is not live, whatever the agent says.
    """
    if status is None or now_ms - heard_at_ms > STATUS_MS:
        return "silent" if status or picture_at_ms else "waiting"
    if status.state == "down":
        return "down"
    if status.state == "ended":
        return "ended"
    if not picture_at_ms or status.state == "starting":
        return "waiting"
    return "live" if now_ms - picture_at_ms <= heartbeat_s * 1000 + GRACE_MS else "old"


class Wall:
    """All cameras of a site; `heartbeats_s` are their heartbeats."""

    def __init__(self, heartbeats_s: dict[str, float]) -> None:
        self._heartbeats_s = heartbeats_s
        self._cameras = {name: _Camera() for name in heartbeats_s}
        self._lock = threading.Lock()

    def know(self, heartbeats_s: dict[str, float]) -> None:
        """The cameras are these from now on; what was known of those that stay is kept."""
        with self._lock:
            self._heartbeats_s = heartbeats_s
            self._cameras = {name: self._cameras.get(name) or _Camera() for name in heartbeats_s}

    def take(self, message: Frame | FrameTracks | EdgeStatus, now_ms: int, ref: FrameRef | None = None) -> None:
        """A message came, from that place of its topic; what belongs to no known camera is ignored."""
        with self._lock:
            camera = self._cameras.get(message.camera)
            if camera is None:
                return
            match message:
                case EdgeStatus():
                    camera.status, camera.heard_at_ms = message, now_ms
                case Frame():
                    if camera.shown is None or (message.session, message.index) > camera.shown.place:
                        camera.waiting.append(Picture(message, None, now_ms, ref))
                case FrameTracks():
                    offset_ms = (camera.status.clock_offset_ms if camera.status else None) or 0
                    if message.lane == "live":
                        camera.delay_ms = max(0, now_ms - message.captured_at_ms + offset_ms)
                        camera.delayed_at_ms = now_ms
                    self._match(camera, message)

    def pictures(self, now_ms: int, wanted: frozenset[str]) -> dict[str, Picture]:
        """Of each wanted camera the newest picture that is due: it has its boxes, or has waited for them."""
        with self._lock:
            return {
                name: picture
                for name in wanted
                if (camera := self._cameras.get(name)) and (picture := _due(camera, now_ms))
            }

    def state(self, camera: str, now_ms: int) -> State:
        """How a camera is."""
        with self._lock:
            known = self._cameras.get(camera) or _Camera()
            heartbeat_s = self._heartbeats_s.get(camera, 0.0)
            status, heard_at_ms = known.status, known.heard_at_ms
            newest = known.waiting[-1] if known.waiting else known.shown
            delay_ms = known.delay_ms if now_ms - known.delayed_at_ms < DELAY_MS else None
        offset_ms = (status.clock_offset_ms if status else None) or 0
        # Without a picture here (nobody watched) the agent's word stands for it.
        captured_at_ms = newest.frame.captured_at_ms if newest else status.last_frame_at_ms if status else 0
        picture_at_ms = captured_at_ms - offset_ms if captured_at_ms else 0
        standing = standing_of(status, heard_at_ms, picture_at_ms, now_ms, heartbeat_s)
        age_ms = max(0, now_ms - picture_at_ms) if picture_at_ms else 0
        return State(standing, age_ms, status, captured_at_ms, delay_ms)

    def cameras(self) -> tuple[str, ...]:
        """The cameras' names."""
        with self._lock:
            return tuple(self._cameras)

    @staticmethod
    def _match(camera: _Camera, tracks: FrameTracks) -> None:
        place = (tracks.session, tracks.index)
        for number, picture in enumerate(camera.waiting):
            if picture.place == place:
                camera.waiting[number] = picture._replace(tracks=tracks)
        if camera.shown is not None and camera.shown.place == place and camera.shown.tracks is None:
            camera.shown = camera.shown._replace(tracks=tracks)


def _due(camera: _Camera, now_ms: int) -> Picture | None:
    while camera.waiting:
        first = camera.waiting[0]
        if first.tracks is None and now_ms - first.received_at_ms < PATIENCE_MS:
            matched = next((number for number, one in enumerate(camera.waiting) if one.tracks), None)
            if matched is None:
                break
            for _ in range(matched):  # one after it has its boxes: it is passed over
                camera.waiting.popleft()
            first = camera.waiting[0]
        camera.shown = first
        camera.waiting.popleft()
    return camera.shown
