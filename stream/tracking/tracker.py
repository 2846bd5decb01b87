"""The tracker: one frame's detections in, tracks out; all ages are times, so any frame rate and any gap will do.

Its parts come from the literature: association in stages, where doubtful boxes only keep a track alive (ByteTrack, ECCV
2022); recovery around the place where a track was really seen, and momentum (OC-SORT, CVPR 2023); buffered boxes
(C-BIoU, WACV 2023). Of its own: a confidence that remembers, and asks more of what stands still than of what moves.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from stream.geometry import Bools, Floats, area, clip_to_picture, coverage, cxcywh_to_xyxy, iou, xyxy_to_cxcywh
from stream.tracking import kalman
from stream.tracking.appearance import AppearanceConfig, Looks, come_back, looks, remembered, seen_as, weighed
from stream.tracking.association import Indices, assign_among, buffered_iou, heading, height_ratio
from stream.tracking.kalman import Motion, MotionModel
from stream.tracking.model import (
    STATE_VERSION,
    Detections,
    Track,
    TrackerState,
    TrackState,
    motion_of,
    numbers_of,
)

Held = tuple[TrackState, int | None]  # a track and the index of the detection that it took in this frame


@dataclass(frozen=True)
class TrackerConfig:
    """What a tracker takes for granted. Similarities are 0..1, times are of the frames' capture.

    The values were searched for on the scenes of tests/bench/tracking_scenes.py.
    """

    high_confidence: float = 0.5  # boxes that may take any track, where `Detections.certain` doesn't say otherwise
    low_confidence: float = 0.15  # boxes that may only keep a track alive
    start_confidence: float = 0.55  # boxes that may start one, where `Detections.certain` doesn't
    duplicate_iou: float = 0.4  # a box this close to a taken one starts none

    confirm_evidence: float = 0.8  # confidences of a track's boxes, summed, before it is reported
    confidence_memory_s: float = 5.0  # how long a track's confidence outlives the boxes that gave it
    moving_confidence: float = 0.4  # a track of less is followed, but not reported
    still_confidence: float = 0.6  # the same for one that keeps its place: lamps and coats don't walk, people do
    still_s: float = 1.0  # a track keeps its place when it did not move on for so long
    move_heights: float = 0.5  # it moves on when its centre gets so far, in box heights

    tentative_ms: int = 0  # an unconfirmed track that misses a frame is dropped when unseen for longer
    lost_ms: int = 3000  # any track is
    rescue_ms: int = 1000  # a track seen no longer ago, or in the frame before, may take doubtful boxes
    coast_ms: int = 200  # an unseen track is reported where it must be for so long
    coast_hidden_ms: int = 1000  # the same while another track hides it
    coast_evidence: float = 15.0  # only tracks with so much evidence are reported unseen
    inside_share: float = 0.95  # a track that leaves the picture by more than the rest of this is not reported unseen
    hidden_coverage: float = 0.5  # the share of a box that another covers when it counts as hidden

    buffer: float = 0.1  # margin of the first association, as a share of the box
    recover_buffer: float = 0.2  # the recovery's, around where the track was last seen
    uncertain_buffer: float = 1.0  # further margin of both, in standard deviations of the predicted place
    first_similarity: float = 0.05
    rescue_similarity: float = 0.5
    recover_similarity: float = 0.15
    tentative_similarity: float = 0.15
    max_distance: float = 40.0  # squared Mahalanobis; 99.9 % of true pairs lie within 13.8 if the model is right
    heading_weight: float = 0.2  # how much a turn of direction counts
    appearance: AppearanceConfig = field(default_factory=AppearanceConfig)
    motion: MotionModel = field(default_factory=MotionModel)
    label_groups: tuple[tuple[str, ...], ...] = (("car", "truck", "bus"), ("bicycle", "motorcycle"))


@dataclass(frozen=True)
class _Moment:
    """This frame's time and the one before, ms."""

    now_ms: int
    before_ms: int

    def ages_s(self, tracks: tuple[TrackState, ...]) -> Floats:
        """How long ago each track was seen [N], s."""
        return np.array([self.now_ms - track.last_seen_at_ms for track in tracks], dtype=np.float64) / 1000.0


class Tracker:
    """Follows the objects of one camera's lane: `step` is a pure function of its arguments."""

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self._config = config or TrackerConfig()
        self._group = {label: group[0] for group in self._config.label_groups for label in group}

    def step(self, state: TrackerState, frame: Detections) -> tuple[TrackerState, tuple[Track, ...]]:
        """The state after one frame, and the confirmed tracks in it by ascending id.

        Frames come in the order of `captured_at_ms`. A clock that jumps back further than a track's life ends all
        tracks, since their ages mean nothing any more; a smaller step back counts as no time at all.
        """
        at, tracks = self._living(state, frame.captured_at_ms)
        predicted = kalman.predict(motion_of(tracks), at.ages_s(tracks), self._config.motion)
        taken = self._associate(tracks, predicted, frame, at)
        held = self._refresh(tracks, predicted, frame, taken, at) + self._start(frame, taken, state.next_id, at)
        kept = tuple(track for track, _ in held)
        next_id = max((track.track_id + 1 for track in kept), default=0)
        after = TrackerState(STATE_VERSION, max(state.next_id, next_id), at.now_ms, kept)
        return after, self._report(held, frame, at)

    def _living(self, state: TrackerState, captured_at_ms: int) -> tuple[_Moment, tuple[TrackState, ...]]:
        """This frame's time, and the tracks that are not too old for it."""
        if captured_at_ms < state.last_at_ms - self._config.lost_ms:
            return _Moment(captured_at_ms, captured_at_ms), ()
        now_ms = max(captured_at_ms, state.last_at_ms)
        living = tuple(track for track in state.tracks if now_ms - track.last_seen_at_ms <= self._life_ms(track))
        return _Moment(now_ms, state.last_at_ms), living

    def _life_ms(self, track: TrackState) -> int:
        """How long a track is kept unseen: longer where its looks may find it again."""
        config = self._config
        known = track.embedding and track.evidence >= config.appearance.back_evidence
        return max(config.lost_ms, config.appearance.back_ms) if known else config.lost_ms

    def _associate(self, tracks: tuple[TrackState, ...], predicted: Motion, frame: Detections, at: _Moment) -> Indices:
        """The detection [N] that each track takes, -1 for none."""
        config = self._config
        taken = np.full(len(tracks), -1, dtype=np.intp)
        if not len(tracks) or not len(frame):
            return taken
        confirmed = np.array([track.confirmed for track in tracks])
        recent_ms = min(at.before_ms, at.now_ms - config.rescue_ms)
        recent = np.array([track.last_seen_at_ms >= recent_ms for track in tracks])
        followed = confirmed & (at.ages_s(tracks) * 1000 <= config.lost_ms)
        high = frame.at_least(config.high_confidence)
        low = (frame.confidence >= config.low_confidence) & ~high

        last = motion_of(tracks)
        expected, seen = cxcywh_to_xyxy(predicted.value), cxcywh_to_xyxy(last.value)
        allowed = self._allowed(tracks, predicted, frame)
        turn = heading(last.value[:, :2], last.rate[:, :2], xyxy_to_cxcywh(frame.xyxy)[:, :2], predicted.scale())
        seen_looks = looks(tracks, frame)
        near = self._similarity(expected, self._margin(predicted, config.buffer), frame, seen_looks)
        near = np.where(allowed, near - config.heading_weight * turn, 0.0)
        exact = np.where(allowed, iou(expected, frame.xyxy), 0.0)
        around = self._similarity(seen, self._margin(predicted, config.recover_buffer), frame, seen_looks)
        around = np.where(allowed, around, 0.0)

        assign_among(taken, near, followed, high, config.first_similarity)
        assign_among(taken, exact, followed & recent, low, config.rescue_similarity)
        assign_among(taken, around, followed, high, config.recover_similarity)
        assign_among(taken, near, ~confirmed, high, config.tentative_similarity)
        if seen_looks is not None:
            back = come_back(tracks, seen_looks, frame, at.now_ms, config.appearance)
            back = np.where(self._one_group(tracks, frame), back, 0.0)
            new = np.isin(np.arange(len(frame)), self._free(frame, taken))
            assign_among(taken, back, confirmed & ~recent, new, config.appearance.back_cosine)
        return taken

    def _allowed(self, tracks: tuple[TrackState, ...], predicted: Motion, frame: Detections) -> Bools:
        """Which pairs [N,M] can be the same object: labels of one group, and a place within reach."""
        cxcywh = xyxy_to_cxcywh(frame.xyxy)
        variance = kalman.measurement_variance(cxcywh, frame.confidence, self._config.motion)
        reachable = kalman.distance(predicted, cxcywh, variance) <= self._config.max_distance
        return np.asarray(self._one_group(tracks, frame) & reachable)

    def _one_group(self, tracks: tuple[TrackState, ...], frame: Detections) -> Bools:
        """Which pairs [N,M] have labels of one group."""
        own = np.array([self._group_of(track.label) for track in tracks])
        other = np.array([self._group_of(label) for label in frame.labels])
        return np.asarray(own[:, None] == other[None, :])

    def _margin(self, predicted: Motion, buffer: float) -> Floats:
        """How far [N,2] around each track a detection is looked for, px: more, the less is known of its place."""
        uncertain = self._config.uncertain_buffer * np.sqrt(predicted.variance[:, :2])
        return np.asarray(buffer * predicted.value[:, 2:] + uncertain)

    def _similarity(self, xyxy: Floats, margin: Floats, frame: Detections, seen: Looks | None) -> Floats:
        """How well each track at `xyxy` fits each detection [N,M]: place, height and, where known, appearance."""
        similarity = buffered_iou(xyxy, frame.xyxy, margin) * height_ratio(xyxy, frame.xyxy)
        return weighed(np.asarray(similarity), seen, self._config.appearance)

    def _refresh(
        self, tracks: tuple[TrackState, ...], predicted: Motion, frame: Detections, taken: Indices, at: _Moment
    ) -> tuple[Held, ...]:
        """The tracks that stay: those with a detection brought up to date, the others as they were."""
        rows = np.flatnonzero(taken >= 0)
        columns = taken[rows]
        measured, model = xyxy_to_cxcywh(frame.xyxy)[columns], self._config.motion
        variance = kalman.measurement_variance(measured, frame.confidence[columns], model)
        prior = predicted.take(rows)
        variance = variance + kalman.cut_variance(prior, measured, model)
        corrected = kalman.update(prior, measured, variance)
        place = {int(row): k for k, row in enumerate(rows)}
        held: list[Held] = []
        for row, track in enumerate(tracks):
            if row in place:
                column = int(taken[row])
                held.append((self._seen(track, numbers_of(corrected, place[row]), frame, column, at), column))
            elif track.confirmed or at.now_ms - track.last_seen_at_ms <= self._config.tentative_ms:
                held.append((track, None))
        return tuple(held)

    def _start(self, frame: Detections, taken: Indices, next_id: int, at: _Moment) -> tuple[Held, ...]:
        """A new track for each confident detection that no track took, or stands on."""
        columns = self._free(frame, taken)
        cxcywh = xyxy_to_cxcywh(frame.xyxy)[columns]
        motion = kalman.start(cxcywh, frame.confidence[columns], self._config.motion)
        held: list[Held] = []
        for k, column in enumerate(columns.tolist()):
            new = TrackState(
                track_id=next_id + k,
                first_seen_at_ms=at.now_ms,
                last_seen_at_ms=at.now_ms,
                hits=0,
                confirmed=False,
                confidence=float(frame.confidence[column]),
                moved_at_ms=at.now_ms,
                anchor=(float(cxcywh[k, 0]), float(cxcywh[k, 1])),
                motion=(),
                votes={},
            )
            held.append((self._seen(new, numbers_of(motion, k), frame, column, at), column))
        return tuple(held)

    def _free(self, frame: Detections, taken: Indices) -> Indices:
        """The confident detections that no track took and that don't stand on a taken or more confident one."""
        used = np.zeros(len(frame), dtype=np.bool_)
        used[taken[taken >= 0]] = True
        doubles = iou(frame.xyxy, frame.xyxy) > self._config.duplicate_iou
        certain = frame.at_least(self._config.start_confidence)
        for column in np.argsort(-frame.confidence, kind="stable"):
            if certain[column] and not (doubles[column] & used).any():
                used[column] = True
        used[taken[taken >= 0]] = False
        return np.flatnonzero(used)

    def _seen(
        self, track: TrackState, motion: tuple[float, ...], frame: Detections, column: int, at: _Moment
    ) -> TrackState:
        """One track with the detection that it took."""
        label, confidence = frame.labels[column], float(frame.confidence[column])
        votes = track.votes | {label: track.votes.get(label, 0.0) + confidence}
        x, y, _, height = motion[: kalman.AXES]
        moved = math.hypot(x - track.anchor[0], y - track.anchor[1]) > self._config.move_heights * height
        return TrackState(
            track_id=track.track_id,
            first_seen_at_ms=track.first_seen_at_ms,
            last_seen_at_ms=at.now_ms,
            hits=track.hits + 1,
            confirmed=track.confirmed or sum(votes.values()) >= self._config.confirm_evidence,
            confidence=self._smoothed(track, confidence, at),
            moved_at_ms=at.now_ms if moved else track.moved_at_ms,
            anchor=(x, y) if moved else track.anchor,
            motion=motion,
            votes=votes,
            embedding=remembered(track.embedding, frame, column, float(frame.visible[column]), self._config.appearance),
        )

    def _smoothed(self, track: TrackState, confidence: float, at: _Moment) -> float:
        """The track's confidence with one more box: the box stands for this frame's time, the misses before for 0."""
        memory_ms = 1000.0 * self._config.confidence_memory_s
        frame_ms = at.now_ms - max(at.before_ms, track.last_seen_at_ms)
        fresh = 1.0 - math.exp(-frame_ms / memory_ms)
        kept = math.exp(-(at.now_ms - track.last_seen_at_ms) / memory_ms)
        return kept * track.confidence + fresh * confidence

    def _report(self, held: tuple[Held, ...], frame: Detections, at: _Moment) -> tuple[Track, ...]:
        """The confirmed tracks where they are now: those that were seen, and unseen ones that must still be there."""
        tracks = tuple(track for track, _ in held)
        motion = kalman.predict(motion_of(tracks), at.ages_s(tracks), self._config.motion)
        xyxy = cxcywh_to_xyxy(motion.value)
        seen = np.array([column is not None for _, column in held], dtype=np.bool_)
        hidden = coverage(xyxy, xyxy[seen]).max(axis=1, initial=0.0) >= self._config.hidden_coverage
        inside = np.ones(len(held), dtype=np.bool_)
        if frame.picture is not None:
            clipped = clip_to_picture(xyxy, *frame.picture)
            inside = area(clipped) > self._config.inside_share * area(xyxy)
            xyxy = clipped
        return tuple(
            Track(
                track_id=track.track_id,
                xyxy=(float(xyxy[k, 0]), float(xyxy[k, 1]), float(xyxy[k, 2]), float(xyxy[k, 3])),
                confidence=track.confidence,
                label=track.label,
                detection=column,
                first_seen_at_ms=track.first_seen_at_ms,
                last_seen_at_ms=track.last_seen_at_ms,
                moved_at_ms=track.moved_at_ms,
                velocity=(float(motion.rate[k, 0]), float(motion.rate[k, 1])),
                embedding=seen_as(frame, column),
            )
            for k, (track, column) in enumerate(held)
            if self._certain(track, at)
            and (column is not None or (inside[k] and self._coasts(track, bool(hidden[k]), at)))
        )

    def _certain(self, track: TrackState, at: _Moment) -> bool:
        """Whether a track is there for sure."""
        config = self._config
        still = at.now_ms - track.moved_at_ms >= 1000 * config.still_s
        wanted = config.still_confidence if still else config.moving_confidence
        return track.confirmed and track.confidence >= wanted

    def _coasts(self, track: TrackState, hidden: bool, at: _Moment) -> bool:
        """Whether an unseen track is certain enough of its place."""
        config = self._config
        limit_ms = config.coast_hidden_ms if hidden else config.coast_ms
        return track.evidence >= config.coast_evidence and at.now_ms - track.last_seen_at_ms <= limit_ms

    def _group_of(self, label: str) -> str:
        return self._group.get(label, label)
