"""Made-up scenes for the rules: who walks where at which time, as tracks a frame, with what the rules must say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from contracts.config import Config
from contracts.edge_messages import EdgeStatus
from contracts.messages import Detection, Event, FrameDetections, FrameRef
from stream.rules import (
    AlertPolicy,
    CameraRules,
    EngineState,
    PolicyState,
    RuleEngine,
    Silencer,
    SilenceState,
    alerts_of,
    compile_rules,
)
from stream.tracking import Track

WIDTH, HEIGHT = 640, 480
T0_MS = 1_700_000_000_000
SQUARE = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
ASPECT = {"person": 0.4, "car": 1.6, "bag": 1.0}


def config_of(rules, zones=None, lines=None, **more) -> Config:
    """A site with the camera `gate`; zones and lines are coordinates in 0-1, or whole zones."""
    camera = {
        "inputs": [{"url": "clip.avi"}],
        "zones": {n: z if isinstance(z, dict) else {"coordinates": z} for n, z in (zones or {}).items()},
        "lines": {n: {"coordinates": c} for n, c in (lines or {}).items()},
    } | more.pop("camera", {})
    return msgspec.convert({"cameras": {"gate": camera}, "rules": rules, **more}, Config)


def rules_of(rules, zones=None, lines=None, **more) -> CameraRules:
    """The compiled rules of such a camera."""
    return compile_rules(config_of(rules, zones, lines, **more), "gate")


@dataclass(frozen=True)
class Walker:
    """Something that moves on straight lines between points (s, x, y), and is there from the first to the last.

    `look` is its appearance as the detector writes it.
    """

    points: tuple[tuple[float, float, float], ...]
    label: str = "person"
    height: float = 60.0
    confidence: float = 0.9
    look: bytes = b""

    def box(self, s: float) -> tuple[float, float, float, float] | None:
        """xyxy at `s`, None when it is not there."""
        t, x, y = np.array(self.points).T
        if not t[0] <= s <= t[-1]:
            return None
        cx, cy, half = float(np.interp(s, t, x)), float(np.interp(s, t, y)), self.height * ASPECT[self.label] / 2
        return cx - half, cy - self.height, cx + half, cy


def frame_of(
    at_ms, boxes, *, index=0, detail=False, last=False, lane="live", labels=(), model="m@1"
) -> FrameDetections:
    """One frame with these boxes as detections of confidence 0.9."""
    names = labels or ["person"] * len(boxes)
    return FrameDetections(
        site="site",
        camera="gate",
        lane=lane,
        session=1,
        index=index,
        captured_at_ms=at_ms,
        detected_at_ms=0,
        width=WIDTH,
        height=HEIGHT,
        detail=detail,
        motion=0.1,
        ref=FrameRef("frames.site", 0, index),
        model=model,
        detections=tuple(
            Detection(xyxy=box, confidence=0.9, label=label) for box, label in zip(boxes, names, strict=True)
        ),
        last=last,
    )


def track_of(track_id, xyxy, at_ms, *, since_ms=T0_MS, label="person", confidence=0.9, detection=0, look=b"") -> Track:
    """One track; `detection` None for one that coasts."""
    return Track(
        track_id=track_id,
        xyxy=xyxy,
        confidence=confidence,
        label=label,
        detection=detection,
        first_seen_at_ms=since_ms,
        last_seen_at_ms=at_ms,
        moved_at_ms=at_ms,
        velocity=(0.0, 0.0),
        embedding=look,
    )


def times_of(seconds: float, fps: float, rng: np.random.Generator | None = None, jitter: float = 0.6) -> list[int]:
    """Frame times in ms from T0_MS: regular, or with `rng` at intervals of up to ±`jitter` more."""
    count = int(seconds * fps)
    steps = np.full(count, 1000.0 / fps) * (1.0 if rng is None else 1 + jitter * rng.uniform(-1, 1, count))
    return [T0_MS + round(ms) for ms in np.concatenate(([0.0], np.cumsum(steps)))]


def frames_of(walkers: Sequence[Walker], times: Sequence[int], noise=0.0, rng=None, *, end=False):
    """(frame, tracks) at each time; each walker is one track, with boxes that shake by `noise` px."""
    for index, at_ms in enumerate(times):
        boxes, tracks, labels = [], [], []
        for k, walker in enumerate(walkers):
            box = walker.box((at_ms - T0_MS) / 1000)
            if box is None:
                continue
            if noise:
                box = tuple(float(v) for v in np.array(box) + rng.normal(0, noise, 4))
            since_ms = T0_MS + math.ceil(walker.points[0][0] * 1000)
            tracks.append(
                track_of(
                    k + 1, box, at_ms, since_ms=since_ms, label=walker.label, confidence=walker.confidence,
                    detection=len(boxes), look=walker.look,
                )
            )  # fmt: skip
            boxes.append(box)
            labels.append(walker.label)
        last = end and index == len(times) - 1
        yield frame_of(at_ms, boxes, index=index, detail=index % 5 == 0, labels=labels, last=last), tracks


def run(rules: CameraRules, frames, state=None) -> tuple[EngineState, list, list[Event]]:
    """The state, the objects of each frame and all events."""
    engine, state, objects, events = RuleEngine(rules), state or EngineState(), [], []
    for frame, tracks in frames:
        state, seen, told = engine.step(state, frame, tracks)
        objects.append(seen)
        events += told
    return state, objects, events


def run_silenced(rules_at, frames):
    """All events as they are told, and all alert revisions; `rules_at` gives the rules at a time (ms)."""
    engine, silence, policy, events, alerts = EngineState(), SilenceState(), PolicyState(), [], []
    for frame, tracks in frames:
        rules = rules_at(frame.captured_at_ms)
        engine, _, seen = RuleEngine(rules).step(engine, frame, tracks)
        silence, heard = Silencer(rules).step(silence, seen, engine, frame, alerts_of(policy))
        at_ms = frame.captured_at_ms
        policy, told = AlertPolicy(rules).step(policy, heard.alerting, at_ms=at_ms, frame=frame)
        events += heard.events
        alerts += told
    return events, alerts


def run_alerts(rules: CameraRules, frames, states=None):
    """The states of engine and policy, and all alert revisions."""
    engine, policy, alerts = RuleEngine(rules), AlertPolicy(rules), []
    state, policy_state = states or (EngineState(), PolicyState())
    for frame, tracks in frames:
        state, _, events = engine.step(state, frame, tracks)
        policy_state, told = policy.step(policy_state, events, at_ms=frame.captured_at_ms, frame=frame)
        alerts += told
    return (state, policy_state), alerts


def status_of(s: float, state="up", tamper=(), offset_ms=None) -> EdgeStatus:
    """What the agent says at `s`."""
    return EdgeStatus(
        site="site", camera="gate", agent="a", session=1, at_ms=T0_MS + round(s * 1000), state=state,
        reason="no picture for 10 s" if state == "down" else "", tamper=tamper, clock_offset_ms=offset_ms,
    )  # fmt: skip


def starts(events: Sequence[Event]) -> list[Event]:
    """The events that are the beginning of something."""
    return [event for event in events if not event.opened_by]


def seconds(event: Event) -> float:
    """When, in s from the start of the scene."""
    return (event.at_ms - T0_MS) / 1000


Truth = list[tuple[float, str]]
"""What must be said: when (s), and of what label."""

Maker = Callable[[np.random.Generator], tuple[CameraRules, list[Walker], Truth, float]]
