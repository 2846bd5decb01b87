"""Questions: what the detector may see and no rule hears of is asked about, so that answers can begin to teach it.

A tracker of its own follows everything from the camera's `ask_from` on. What none of the camera's tracks has covered by
the time that it is gone (or has been there for long) is asked about, once a day at the same place, with the frame in
which the detector was surest. Alarms are decided without any of this: with questions or without, they are the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec.structs import replace

from contracts.fields import QUESTION, Millis, Xyxy
from contracts.messages import Alert, Evidence, FrameDetections
from stream.geometry import iou
from stream.rules.model import CameraRules
from stream.rules.telling import incident_id
from stream.rules.things import evidence_of
from stream.rules.words import sentence
from stream.tracking import Detections, Track, Tracker, TrackerConfig, TrackerState

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
LOOKED_AT_MS = 5_000
"""What stays is asked about after so long: by then the detector has had its look, and somebody who waits has moved."""
GAPS_MS = 1_000
"""A detector that is unsure misses more frames than it sees: what it begins to follow may be gone for so long."""
LOOKS = 3
"""So many boxes that are just sure enough are something: what shows in one frame alone is noise."""
SAME_IOU = 0.5


class Doubt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that may be there, with what shows it best. `settled` needs no question: asked already, or told of."""

    track_id: int
    label: str
    since_ms: Millis
    best: Evidence
    settled: bool = False


class Asked(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When and where something was asked about."""

    at_ms: Millis
    label: str
    xyxy: Xyxy


class QuestionState(msgspec.Struct, frozen=True, kw_only=True):
    """One camera's lane. `doubts` are those of living tracks, `asked` a day's: at most 24 hours' room."""

    v: int = 1
    tracker: TrackerState = TrackerState()
    doubts: tuple[Doubt, ...] = ()
    asked: tuple[Asked, ...] = ()


class Questioner:
    """The questions of one camera; `step` is a pure function of its arguments."""

    def __init__(self, rules: CameraRules) -> None:
        self._rules = rules
        self._config = rules.spec.learning
        self._tracker = Tracker(
            TrackerConfig(
                low_confidence=self._config.ask_from,
                confirm_evidence=LOOKS * self._config.ask_from,
                moving_confidence=self._config.ask_from / 2,  # misses count as 0
                still_confidence=self._config.ask_from / 2,
                tentative_ms=GAPS_MS,
            )
        )

    def step(
        self, state: QuestionState, frame: FrameDetections, boxes: Detections, told: Sequence[Track]
    ) -> tuple[QuestionState, tuple[Alert, ...]]:
        """What is asked with this frame: of each question a new alert and its end.

        `boxes` are all from `ask_from` on, of labels that the camera follows, `told` the tracks that rules hear of.
        """
        at_ms = frame.captured_at_ms
        certain = np.full(len(boxes), self._config.ask_from)
        tracker, tracks = self._tracker.step(state.tracker, dataclasses.replace(boxes, certain=certain))
        doubts = {one.track_id: one for one in state.doubts}
        for track in tracks:
            if track.detection is not None:
                seen = _look(track, track.detection, boxes, frame)
                doubts[track.track_id] = _seen(doubts.get(track.track_id), track, seen, told)
        living = set() if frame.last else {one.track_id for one in tracker.tracks}
        asked = tuple(one for one in state.asked if 0 <= at_ms - one.at_ms < DAY_MS)
        alerts: list[Alert] = []
        for one in list(doubts.values()):
            if one.track_id not in living:
                del doubts[one.track_id]
            elif at_ms - one.since_ms < LOOKED_AT_MS:
                continue
            if not one.settled and self._may_ask(one, asked, at_ms):
                asked = (*asked, Asked(at_ms, one.label, _place(one)))
                alerts += self._question(one, frame)
            if one.track_id in living:
                doubts[one.track_id] = replace(one, settled=True)
        return QuestionState(tracker=tracker, doubts=tuple(doubts.values()), asked=asked), tuple(alerts)

    def _may_ask(self, one: Doubt, asked: Sequence[Asked], at_ms: int) -> bool:
        if sum(at_ms - before.at_ms < HOUR_MS for before in asked) >= self._config.questions_per_hour:
            return False
        places = [before.xyxy for before in asked if before.label == one.label]
        return not places or _overlap(_place(one), places) < SAME_IOU

    def _question(self, one: Doubt, frame: FrameDetections) -> tuple[Alert, Alert]:
        rules, best = self._rules, one.best
        alert = Alert(
            id=incident_id(rules.site, rules.camera, QUESTION, 0, best.captured_at_ms, one.track_id),
            revision=1,
            state="new",
            site=rules.site,
            camera=rules.camera,
            rule=QUESTION,
            rule_version=0,
            kind=QUESTION,
            severity="info",
            started_at_ms=best.captured_at_ms,
            at_ms=frame.captured_at_ms,
            label=one.label,
            score=best.confidence,
            evidence=best,
            model=frame.model,
            config_version=rules.config_version,
            late=frame.lane == "late",
        )
        alert = replace(alert, why=sentence(alert))
        over = replace(alert, revision=2, state="end", ended_at_ms=best.captured_at_ms, end_reason="over")
        return alert, over


def _look(track: Track, detection: int, boxes: Detections, frame: FrameDetections) -> Evidence:
    """The frame with the box as the detector saw it: what is answered is learnt of that place."""
    x1, y1, x2, y2 = map(float, boxes.xyxy[detection])
    return replace(evidence_of(track, frame), xyxy=(x1, y1, x2, y2), confidence=float(boxes.confidence[detection]))


def _seen(known: Doubt | None, track: Track, seen: Evidence, told: Sequence[Track]) -> Doubt:
    """The doubt with one more look at it."""
    covered = bool(told) and _overlap(track.xyxy, [one.xyxy for one in told]) >= SAME_IOU
    if known is None:
        return Doubt(track.track_id, track.label, track.first_seen_at_ms, seen, covered)
    best = seen if seen.confidence > known.best.confidence else known.best
    return replace(known, label=track.label, best=best, settled=known.settled or covered)


def _place(one: Doubt) -> Xyxy:
    assert one.best.xyxy is not None  # evidence_of gives a track's
    return one.best.xyxy


def _overlap(one: Xyxy, others: Sequence[Xyxy]) -> float:
    """The largest IoU with any of them."""
    return float(iou(np.array([one]), np.array(others)).max())
