"""The messages on the wire, in the order in which a picture becomes an alert.

Frozen structs. `v` is the schema version of the writer: a reader takes its own version and the one before.
Fields may be added with a default; a field never changes its meaning (see tests/golden). Boxes are `xyxy`,
float pixels of the camera's picture, whatever the size of the JPEG. Times are milliseconds since the epoch.
`traceparent` is the stage that led here, for frames whose way is traced (contracts/trace.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contracts.attributes import TrackAttribute
from contracts.fields import (
    Answer,
    Count,
    Id,
    Lane,
    Millis,
    Point,
    Real,
    Severity,
    Share,
    Size,
    Traceparent,
    Verdict,
    Xyxy,
)
from contracts.identity import Identified, TrackIdentity


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What all messages have in common."""

    v: int = 1


class Frame(Message, frozen=True, kw_only=True, gc=False):
    """One picture that an agent found worth sending.

    `session` is the agent's start (persisted, increasing) and `index` counts the camera's captured pictures from 0,
    sent or not: (session, index) is the frame's place. `last` marks the end of a finite source.
    """

    site: Id
    camera: Id
    session: Count
    index: Count
    captured_at_ms: Millis
    width: Size
    height: Size
    detail: bool
    motion: Share
    sha256: str
    jpeg: bytes
    last: bool = False
    traceparent: Traceparent = ""


class FrameRef(msgspec.Struct, frozen=True, gc=False):
    """Where a frame lies in the log."""

    topic: str
    partition: Count
    offset: Count


class Look(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one look at a box saw: a face, an appearance or an attribute, by which model, how good.

    `thresholds` are the mean probabilities from which on an attribute's `values` are believed of this model.
    """

    kind: str
    model: str
    quality: Share
    xyxy: Xyxy | None = None
    vector: bytes = b""
    values: dict[str, Real] = {}
    thresholds: dict[str, Share] = {}


class Detection(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One object in one frame; `embedding` is its appearance as little-endian float16, or empty."""

    xyxy: Xyxy
    confidence: Share
    label: str
    embedding: bytes = b""
    looks: tuple[Look, ...] = ()


class FrameDetections(Message, frozen=True, kw_only=True, gc=False):
    """What the detector saw in one frame. `model` is name@version; `detected_at_ms` is processing time.

    `thresholds` are the confidences from which on a box counts fully, for the labels on which the model was calibrated.
    """

    site: Id
    camera: Id
    lane: Lane
    session: Count
    index: Count
    captured_at_ms: Millis
    detected_at_ms: Millis
    width: Size
    height: Size
    detail: bool
    motion: Share
    ref: FrameRef
    model: str
    detections: tuple[Detection, ...]
    last: bool = False
    thresholds: dict[str, Share] = {}
    traceparent: Traceparent = ""


class TrackedObject(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One track at one frame.

    `zones` are those that it stands in (after inertia), `entered` and `left` those that changed with this frame,
    `dwell_ms` belongs to the zones of `left`, in their order. `observed` is false while the tracker only predicts.
    "" in `entered` and `left` is the whole picture: a thing that leaves it is listed once more, with confidence 0, and
    is no longer there. `colours` are those of its upper and lower half ("" where nothing can be said), in the frames in
    which they were looked at. `attributes` are what classifiers say of it by now.
    """

    track_id: Count
    xyxy: Xyxy
    confidence: Share
    label: str
    first_seen_at_ms: Millis
    observed: bool = True
    stationary: bool = False
    zones: tuple[str, ...] = ()
    entered: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    dwell_ms: tuple[int, ...] = ()
    crossed: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    identity: TrackIdentity | None = None
    attributes: tuple[TrackAttribute, ...] = ()

    @property
    def gone(self) -> bool:
        """Whether it is listed only for the zones that it left, and is not there any more."""
        return self.confidence == 0


class FrameTracks(Message, frozen=True, kw_only=True, gc=False):
    """The tracks of one frame; `interval_ms` is the time since the lane's frame before (0 for the first)."""

    site: Id
    camera: Id
    lane: Lane
    session: Count
    index: Count
    captured_at_ms: Millis
    interval_ms: Count
    width: Size
    height: Size
    ref: FrameRef
    model: str
    tracks: tuple[TrackedObject, ...]
    last: bool = False


class Condition(msgspec.Struct, frozen=True, gc=False):
    """One condition of a rule as it was when the rule fired: `name`, what was wanted, what was there."""

    name: str
    wanted: str
    got: str
    met: bool = True


class Evidence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The frame that shows an event best, and the box in it (none for events without an object).

    `boxes` are those of all who count, for an event of many. `embedding` is the box's appearance as little-endian
    float16, or empty.
    """

    ref: FrameRef
    captured_at_ms: Millis
    width: Size
    height: Size
    xyxy: Xyxy | None
    confidence: Share
    detail: bool
    boxes: tuple[Xyxy, ...] = ()
    embedding: bytes = b""


class Event(Message, frozen=True, kw_only=True, gc=False):
    """A rule's condition came true, or ended, at one moment of one camera.

    `opened_by` is the id of the event that began it: with `ended` it is over, without it goes on, better shown or
    joined by more. One that is `ended` and opened by none was over at once (a line crossing), but for anomalies,
    where it ends that of the same zone and label. `area` is the zone or line as it was (0-1 of the picture), `trail`
    the object's last bottom centres (pixels). `suppressed_by` is the suppression that keeps it from being an alert.
    """

    id: str
    site: Id
    camera: Id
    lane: Lane
    kind: str
    rule: str
    rule_version: int
    at_ms: Millis
    ended: bool = False
    opened_by: str = ""
    track_ids: tuple[int, ...] = ()
    label: str = ""
    zone: str = ""
    score: Real = 0.0
    trace: tuple[Condition, ...] = ()
    area: tuple[Point, ...] = ()
    trail: tuple[Point, ...] = ()
    evidence: Evidence | None = None
    identity: Identified | None = None
    suppressed_by: str = ""
    attributes: tuple[TrackAttribute, ...] = ()


class Alert(Message, frozen=True, kw_only=True, gc=False):
    """One incident for an operator; revisions of one id go new → update → end.

    `id` is uuid5 over (site, camera, rule, rule version, first event time, track), so a replay gives the same one.
    `why` is one sentence, that of an end says for how long it was so; `trace` holds its values. `late` marks an alert
    from the lane of spooled frames.
    """

    id: str
    revision: int
    state: Literal["new", "update", "end"]
    site: Id
    camera: Id
    rule: str
    rule_version: int
    kind: str
    severity: Severity
    started_at_ms: Millis
    at_ms: Millis
    ended_at_ms: Millis = 0
    end_reason: str = ""
    label: str = ""
    zone: str = ""
    track_ids: tuple[int, ...] = ()
    score: Real = 0.0
    why: str = ""
    instructions: str = ""
    trace: tuple[Condition, ...] = ()
    area: tuple[Point, ...] = ()
    trail: tuple[Point, ...] = ()
    evidence: Evidence | None = None
    model: str = ""
    config_version: str = ""
    late: bool = False
    decided_at_ms: Millis = 0
    identity: Identified | None = None
    attributes: tuple[TrackAttribute, ...] = ()
    traceparent: Traceparent = ""


class Feedback(Message, frozen=True, kw_only=True, gc=False):
    """What an operator answered to an alert, or did with it; a reader keeps one of each `id`.

    Of an alert's verdicts the latest counts. `operator` is "" for the console itself (an escalation whose time came).
    `to` is who it was given to, `until_ms` the end of a snooze, `case` the case that holds (or no longer holds) its
    evidence. What the alert said when it was answered is repeated (revision, rule, label, evidence ...), so that
    training and suppression need nothing else. `person_id` is whom a `not_person`, `is_person` or `denial_undone` is
    about, `identity` what the alert said of who it is. A `missed` says by `label` and `evidence` what nobody had said,
    and where on which frame; one about a live picture, which is no alert's, has its own `id` for `alert`.
    """

    id: Id
    site: Id
    camera: Id
    alert: Id
    revision: Count
    action: Answer
    operator: Annotated[str, Meta(max_length=200)]
    at_ms: Millis
    verdict: Verdict | None = None
    to: str = ""
    text: str = ""
    until_ms: Millis = 0
    case: Annotated[str, Meta(max_length=200)] = ""
    started_at_ms: Millis = 0
    rule: str = ""
    rule_version: int = 0
    kind: str = ""
    label: str = ""
    zone: str = ""
    score: Real = 0.0
    track_ids: tuple[int, ...] = ()
    evidence: Evidence | None = None
    model: str = ""
    config_version: str = ""
    person_id: str = ""
    identity: Identified | None = None


class EvidenceNote(Message, frozen=True, kw_only=True, gc=False):
    """What became of an alert's evidence: its clip is there, or there is none and why, or it was deleted and why.

    What is deleted is noted before it goes, so a kill in between repeats the note, with the same `at_ms`.
    """

    site: Id
    camera: Id
    alert: Id
    at_ms: Millis
    kind: Literal["clip", "no_clip", "deleted"]
    why: str = ""


class WindowStats(Message, frozen=True, kw_only=True, gc=False):
    """One part of one window of one camera, zone ("" = the whole picture), label and lane.

    Parts of the same window add up: sums are summed, `occupancy_max` is the maximum. `final` is false for a part
    that was given early because the camera fell silent. `late_records` came after the window's close and are not in it.
    """

    site: Id
    camera: Id
    lane: Lane
    zone: str
    label: str
    start_ms: Millis
    end_ms: Millis
    part: Count
    frames: Count
    observed_ms: Count
    occupancy_ms: Count
    occupancy_max: Count
    entered: Count
    left: Count
    dwell_ms: Count
    late_records: int = 0
    final: bool = True


class DeadLetter(Message, frozen=True, kw_only=True, gc=False):
    """A message that could not be handled, with the reason and at most 64 KiB of it; of a frame nothing.

    Whose faces are to be hidden is not known where one is written, and a frame is at its place for an hour.
    """

    topic: str
    partition: Count
    offset: Count
    source: str
    reason: str
    sha256: str
    size: Count
    payload: bytes
    at_ms: Millis
