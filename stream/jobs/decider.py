"""What the decide job does with one camera's lane, without the engine.

Place → track → identity → rules → what answers silence → alerts. Pure, like the parts that it puts together: the Flink
operator only loads the state, calls, saves and yields.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from contracts.attributes import KIND
from contracts.config import Camera, Config, Filter
from contracts.controls import Control
from contracts.edge_messages import EdgeStatus
from contracts.messages import Alert, Detection, Event, FrameDetections, FrameTracks, TrackedObject
from contracts.people import Sighting
from stream.jobs.pacing import PaceState
from stream.jobs.recognition import FacesState, Known, Recogniser, Seen, Tally, tell, who_is
from stream.rules import (
    AlertPolicy,
    CameraRules,
    EngineState,
    People,
    PolicyState,
    Questioner,
    QuestionState,
    Rulebook,
    RuleEngine,
    Silencer,
    SilenceState,
    alerts_of,
)
from stream.tracking import Detections, Track, Tracker, TrackerState, TrackState, distinct
from stream.tracking.attributes import AttributeLook, VoteConfig, Voter, VoteState

EMBEDDING_DTYPE = np.dtype("<f2")


NOTHING = Tally()


class LaneState(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of one camera's lane between its frames."""

    v: int = 1
    session: int = -1
    index: int = -1
    last_at_ms: int = 0
    tracker: TrackerState = TrackerState()
    engine: EngineState = EngineState()
    policy: PolicyState = PolicyState()
    faces: FacesState = FacesState()
    votes: VoteState = VoteState()
    silence: SilenceState = SilenceState()
    questions: QuestionState = QuestionState()
    pace: PaceState = PaceState()


class Decision(NamedTuple):
    """What one message leads to. `tracks` is None for a message that is no frame, or a frame that was seen before.

    `silenced` counts the events that answers keep from being alerts; `ended` are the tracks that are over.
    """

    tracks: FrameTracks | None = None
    events: tuple[Event, ...] = ()
    alerts: tuple[Alert, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    tally: Tally = NOTHING
    silenced: int = 0
    ended: tuple[TrackState, ...] = ()


class Decider:
    """The decisions of one site: the config's rules, as the controls have changed them at a frame's time."""

    def __init__(self, config: Config, recogniser: Recogniser | None = None, votes: VoteConfig | None = None) -> None:
        self._recogniser = recogniser
        self._voter = Voter(votes or VoteConfig())
        self._tracker = Tracker()
        self._rulebook = Rulebook(config)

    def frame(
        self,
        state: LaneState,
        frame: FrameDetections,
        controls: Sequence[Control] = (),
        known: Known | None = None,
    ) -> tuple[LaneState, Decision]:
        """Decide one frame. A place that the lane has seen changes nothing: replays after a restart are harmless.

        `known` is who is enrolled at this moment; without it, or a recogniser, nobody is identified.
        """
        if (frame.session, frame.index) <= (state.session, state.index):
            return state, Decision()
        rules = self._rulebook.at(frame.camera, frame.captured_at_ms, controls)
        boxes = _boxes(frame, rules.spec)
        tracker, tracks = self._tracker.step(state.tracker, _arrays(frame, boxes, rules.spec))
        seen, tally = Seen(frame, tracks, boxes, tracker), Tally()
        faces = FacesState()
        if self._recogniser is not None and known is not None and rules.spec.faces.identify:
            faces = self._recogniser.step(state.faces, seen, known, tally)
        living = {(one.track_id, one.first_seen_at_ms) for one in tracker.tracks}
        votes, said = self._voter.step(state.votes, _attribute_looks(tracks, boxes), living, frame.captured_at_ms)
        engine, objects, events = RuleEngine(rules).step(state.engine, frame, tracks, _people(faces, known), said)
        faces, sightings = tell(faces, seen, objects)
        silence, heard = Silencer(rules).step(state.silence, events, engine, frame, alerts_of(state.policy))
        policy, alerts = AlertPolicy(rules).step(state.policy, heard.alerting, at_ms=frame.captured_at_ms, frame=frame)
        questions, asked = self._questions(state.questions, frame, tracks, rules)
        after = msgspec.structs.replace(
            state,
            session=frame.session,
            index=frame.index,
            last_at_ms=frame.captured_at_ms,
            tracker=tracker,
            engine=engine,
            policy=policy,
            faces=faces,
            votes=votes,
            silence=silence,
            questions=questions,
        )
        told = _tracks(state, frame, _coloured(objects, tracks, boxes))
        ended = tuple(
            one for one in state.tracker.tracks if one.confirmed and (one.track_id, one.first_seen_at_ms) not in living
        )
        return after, Decision(told, heard.events, (*alerts, *asked), sightings, tally, heard.silenced, ended)

    def _questions(
        self, state: QuestionState, frame: FrameDetections, tracks: Sequence[Track], rules: CameraRules
    ) -> tuple[QuestionState, tuple[Alert, ...]]:
        """What is asked about, where the camera asks at all."""
        if not rules.spec.learning.ask_from or rules.maintenance:
            return QuestionState(), ()
        boxes = _boxes(frame, rules.spec, rules.spec.learning.ask_from)
        return Questioner(rules).step(state, frame, _arrays(frame, boxes, rules.spec), tracks)

    def status(
        self, state: LaneState, status: EdgeStatus, controls: Sequence[Control] = ()
    ) -> tuple[LaneState, Decision]:
        """Take in what the agent says of the camera: down, up again, tampered with."""
        rules = self._rulebook.at(status.camera, status.at_ms, controls)
        engine, events = RuleEngine(rules).on_status(state.engine, status)
        return self._health(msgspec.structs.replace(state, engine=engine), rules, events, status.at_ms)

    def is_on(self, camera: str, at_ms: int, controls: Sequence[Control] = ()) -> bool:
        """Whether the camera is there and switched on at `at_ms`."""
        return self._rulebook.at(camera, at_ms, controls).spec.enabled

    def silence(
        self, state: LaneState, camera: str, wall_ms: int, controls: Sequence[Control] = ()
    ) -> tuple[LaneState, Decision]:
        """It is `wall_ms`, and the agent may have been silent for long: the one decision that needs a wall clock."""
        rules = self._rulebook.at(camera, wall_ms, controls)
        engine, events = RuleEngine(rules).on_silence(state.engine, wall_ms)
        return self._health(msgspec.structs.replace(state, engine=engine), rules, events, wall_ms)

    def _health(
        self, state: LaneState, rules: CameraRules, events: tuple[Event, ...], at_ms: int
    ) -> tuple[LaneState, Decision]:
        policy, alerts = AlertPolicy(rules).step(state.policy, events, at_ms=at_ms, frame=None)
        return msgspec.structs.replace(state, policy=policy), Decision(None, events, alerts)


def _people(faces: FacesState, known: Known | None) -> People:
    return who_is(faces, known.enrolled.gallery) if known is not None else {}


def _boxes(frame: FrameDetections, camera: Camera, least: float | None = None) -> list[Detection]:
    """The boxes that this camera follows, one an object; from the confidence `least` on, if not from their label's."""
    picture = frame.width * frame.height
    boxes = [box for box in frame.detections if _followed(box, camera, picture, least)]
    xyxy = np.array([box.xyxy for box in boxes], dtype=np.float64).reshape(-1, 4)
    confidence = np.array([box.confidence for box in boxes], dtype=np.float64)
    return [boxes[place] for place in distinct(xyxy, confidence, [box.label for box in boxes])]


def _arrays(frame: FrameDetections, boxes: Sequence[Detection], camera: Camera) -> Detections:
    """The boxes as the tracker's struct of arrays."""
    return Detections(
        captured_at_ms=frame.captured_at_ms,
        xyxy=np.array([box.xyxy for box in boxes], dtype=np.float64).reshape(-1, 4),
        confidence=np.array([box.confidence for box in boxes], dtype=np.float64),
        labels=tuple(box.label for box in boxes),
        certain=np.array([_certain(box.label, camera, frame) for box in boxes], dtype=np.float64),
        embeddings=_embeddings(boxes),
        picture=(frame.width, frame.height),
    )


def _followed(box: Detection, camera: Camera, picture: int, least: float | None) -> bool:
    if box.label not in camera.objects.track:
        return False
    limits = camera.objects.filters.get(box.label, Filter())
    x1, y1, x2, y2 = box.xyxy
    area = (x2 - x1) * (y2 - y1) / picture
    wanted = limits.min_score if least is None else least
    return box.confidence >= wanted and limits.min_area <= area <= limits.max_area


def _certain(label: str, camera: Camera, frame: FrameDetections) -> float:
    """From which confidence on a box counts fully: as the config says, else the model, else (nan) the tracker."""
    limits = camera.objects.filters.get(label)
    if limits is not None and limits.min_score > 0:
        return limits.min_score
    return frame.thresholds.get(label, math.nan)


def _embeddings(boxes: Sequence[Detection]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]] | None:
    """float32[N,D] with a row of zeros for a box without one; None where no box has one or the sizes differ."""
    sizes = {len(box.embedding) for box in boxes if box.embedding}
    if len(sizes) != 1:
        return None
    empty = bytes(sizes.pop())
    rows = [np.frombuffer(box.embedding or empty, EMBEDDING_DTYPE) for box in boxes]
    return np.stack(rows).astype(np.float32)


def _attribute_looks(tracks: Sequence[Track], boxes: Sequence[Detection]) -> list[AttributeLook]:
    """What classifiers saw in the boxes that tracks took; a look counts as its size, and as sure as its box is."""
    return [
        AttributeLook(
            track=(track.track_id, track.first_seen_at_ms),
            name=look.kind.removeprefix(KIND),
            model=look.model,
            probabilities=look.values,
            weight=look.quality * boxes[track.detection].confidence,
            thresholds=look.thresholds,
        )
        for track in tracks
        if track.detection is not None
        for look in boxes[track.detection].looks
        if look.kind.startswith(KIND)
    ]


def _tracks(state: LaneState, frame: FrameDetections, objects: tuple[TrackedObject, ...]) -> FrameTracks:
    first = state.index < 0
    return FrameTracks(
        site=frame.site,
        camera=frame.camera,
        lane=frame.lane,
        session=frame.session,
        index=frame.index,
        captured_at_ms=frame.captured_at_ms,
        interval_ms=0 if first else max(0, frame.captured_at_ms - state.last_at_ms),
        width=frame.width,
        height=frame.height,
        ref=frame.ref,
        model=frame.model,
        tracks=objects,
        last=frame.last,
    )


def _coloured(
    objects: tuple[TrackedObject, ...], tracks: Sequence[Track], boxes: Sequence[Detection]
) -> tuple[TrackedObject, ...]:
    """The objects with the colours that their boxes of this frame were seen to have."""
    seen = {one.track_id: colours_of(boxes[one.detection]) for one in tracks if one.detection is not None}
    return tuple(
        msgspec.structs.replace(one, colours=seen[one.track_id]) if seen.get(one.track_id) and not one.gone else one
        for one in objects
    )


def colours_of(box: Detection) -> tuple[str, ...]:
    """The colours of a box's upper and lower half, or of its middle as both; () for one without such a look."""
    looks = {look.kind: next(iter(look.values), "") for look in box.looks if look.kind.startswith("colour")}
    middle = looks.get("colour", "")
    return (looks.get("colour_upper", middle), looks.get("colour_lower", middle)) if looks else ()
