"""The tracker: one frame's detections in, tracks out; all ages are times, so any frame rate and any gap will do.

Its parts come from the literature: association in stages, where doubtful boxes only keep a track alive (ByteTrack, ECCV
2022); recovery around the place where a track was really seen (OC-SORT, CVPR 2023); buffered boxes (C-BIoU, WACV 2023).
"""

from dataclasses import dataclass, field

import numpy as np

from stream.geometry import Bools, Floats, clip_to_picture, coverage, cxcywh_to_xyxy, iou, xyxy_to_cxcywh
from stream.tracking import kalman
from stream.tracking.association import Indices, assign_among, buffered_iou, cosine, height_ratio
from stream.tracking.kalman import Motion, MotionModel
from stream.tracking.model import STATE_VERSION, Detections, Track, TrackerState, TrackState

Held = tuple[TrackState, int | None]  # a track and the index of the detection that it took in this frame


@dataclass(frozen=True)
class TrackerConfig:
    """What a tracker takes for granted. Similarities are 0..1, times are of the frames' capture."""

    high_confidence: float = 0.5  # boxes that may take any track, and start one
    low_confidence: float = 0.15  # boxes that may only keep a track alive
    confirm_evidence: float = 1.2  # confidences of a track's boxes, summed, before it is reported
    tentative_ms: int = 400  # an unconfirmed track that misses a frame and was unseen for longer is dropped
    lost_ms: int = 3000  # any track
    rescue_ms: int = 600  # a track seen no longer ago, or in the frame before, may take doubtful boxes
    coast_ms: int = 300  # an unseen track is reported where it must be for so long
    coast_hidden_ms: int = 1000  # the same while another track hides it
    coast_evidence: float = 3.0  # only tracks with so much evidence are reported unseen
    hidden_coverage: float = 0.5  # the share of a box that others cover when it counts as hidden
    buffer: float = 0.2  # margin of the first association, as a share of the box
    recover_buffer: float = 0.5  # the recovery's, around where the track was last seen
    uncertain_buffer: float = 0.5  # further margin of both, in standard deviations of the predicted place
    first_similarity: float = 0.2
    rescue_similarity: float = 0.3
    recover_similarity: float = 0.15
    tentative_similarity: float = 0.3
    duplicate_iou: float = 0.6  # a box this close to a taken one starts no track
    max_distance: float = 25.0  # squared Mahalanobis; 99.9 % of true pairs lie within 13.8 if the model is right
    appearance_weight: float = 0.5  # of the cosine, where both sides have an embedding
    appearance_memory: float = 0.9  # how much of its appearance a track keeps with a new box
    motion: MotionModel = field(default_factory=MotionModel)
    label_groups: tuple[tuple[str, ...], ...] = (("car", "truck", "bus"), ("bicycle", "motorcycle"))


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
        now_ms, tracks = self._living(state, frame.captured_at_ms)
        predicted = kalman.predict(_motion_of(tracks), _ages_s(tracks, now_ms), self._config.motion)
        recent_ms = min(state.last_at_ms, now_ms - self._config.rescue_ms)
        taken = self._associate(tracks, predicted, frame, recent_ms)
        held = self._refresh(tracks, predicted, frame, taken, now_ms) + self._start(frame, taken, state.next_id, now_ms)
        kept = tuple(track for track, _ in held)
        next_id = max((track.track_id + 1 for track in kept), default=0)
        after = TrackerState(STATE_VERSION, max(state.next_id, next_id), now_ms, kept)
        return after, self._report(held, frame, now_ms)

    def _living(self, state: TrackerState, captured_at_ms: int) -> tuple[int, tuple[TrackState, ...]]:
        """This frame's time, and the tracks that are not too old for it."""
        lost_ms = self._config.lost_ms
        if captured_at_ms < state.last_at_ms - lost_ms:
            return captured_at_ms, ()
        now_ms = max(captured_at_ms, state.last_at_ms)
        return now_ms, tuple(track for track in state.tracks if now_ms - track.last_seen_at_ms <= lost_ms)

    def _associate(
        self, tracks: tuple[TrackState, ...], predicted: Motion, frame: Detections, recent_ms: int
    ) -> Indices:
        """The detection [N] that each track takes, -1 for none; only tracks seen since `recent_ms` are rescued."""
        config = self._config
        taken = np.full(len(tracks), -1, dtype=np.intp)
        if not len(tracks) or not len(frame):
            return taken
        confirmed = np.array([track.confirmed for track in tracks])
        recent = np.array([track.last_seen_at_ms >= recent_ms for track in tracks])
        high = frame.confidence >= config.high_confidence
        low = (frame.confidence >= config.low_confidence) & ~high

        allowed = self._allowed(tracks, predicted, frame)
        expected, seen = cxcywh_to_xyxy(predicted.value), cxcywh_to_xyxy(_motion_of(tracks).value)
        near = np.where(allowed, self._similarity(tracks, expected, self._margin(predicted, config.buffer), frame), 0.0)
        exact = np.where(allowed, iou(expected, frame.xyxy), 0.0)
        around = np.where(
            allowed, self._similarity(tracks, seen, self._margin(predicted, config.recover_buffer), frame), 0.0
        )

        assign_among(taken, near, confirmed, high, config.first_similarity)
        assign_among(taken, exact, confirmed & recent, low, config.rescue_similarity)
        assign_among(taken, around, confirmed, high, config.recover_similarity)
        assign_among(taken, near, ~confirmed, high, config.tentative_similarity)
        return taken

    def _allowed(self, tracks: tuple[TrackState, ...], predicted: Motion, frame: Detections) -> Bools:
        """Which pairs [N,M] can be the same object: labels of one group, and a place within reach."""
        cxcywh = xyxy_to_cxcywh(frame.xyxy)
        variance = kalman.measurement_variance(cxcywh, frame.confidence, self._config.motion)
        own = np.array([self._group_of(_label_of(track)) for track in tracks])
        other = np.array([self._group_of(label) for label in frame.labels])
        reachable = kalman.distance(predicted, cxcywh, variance) <= self._config.max_distance
        return np.asarray((own[:, None] == other[None, :]) & reachable)

    def _margin(self, predicted: Motion, buffer: float) -> Floats:
        """How far [N,2] around each track a detection is looked for, px: more, the less is known of its place."""
        uncertain = self._config.uncertain_buffer * np.sqrt(predicted.variance[:, :2])
        return np.asarray(buffer * predicted.value[:, 2:] + uncertain)

    def _similarity(self, tracks: tuple[TrackState, ...], xyxy: Floats, margin: Floats, frame: Detections) -> Floats:
        """How well each track at `xyxy` fits each detection [N,M]: place, height and, where known, appearance."""
        similarity = buffered_iou(xyxy, frame.xyxy, margin) * height_ratio(xyxy, frame.xyxy)
        if frame.embeddings is None:
            return similarity
        width = frame.embeddings.shape[1]
        own = np.stack([_vector_of(track.embedding, width) for track in tracks])
        alike, known = cosine(own, frame.embeddings.astype(np.float64))
        weight = self._config.appearance_weight * known
        return np.asarray((1.0 - weight) * similarity + weight * alike)

    def _refresh(
        self, tracks: tuple[TrackState, ...], predicted: Motion, frame: Detections, taken: Indices, now_ms: int
    ) -> tuple[Held, ...]:
        """The tracks that stay: those with a detection brought up to date, the others as they were."""
        rows = np.flatnonzero(taken >= 0)
        columns = taken[rows]
        measured = xyxy_to_cxcywh(frame.xyxy)[columns]
        variance = kalman.measurement_variance(measured, frame.confidence[columns], self._config.motion)
        corrected = kalman.update(predicted.take(rows), measured, variance)
        place = {int(row): k for k, row in enumerate(rows)}
        held: list[Held] = []
        for row, track in enumerate(tracks):
            if row in place:
                column = int(taken[row])
                numbers = _numbers_of(corrected, place[row])
                held.append((self._seen_again(track, numbers, frame, column, now_ms), column))
            elif track.confirmed or now_ms - track.last_seen_at_ms <= self._config.tentative_ms:
                held.append((track, None))
        return tuple(held)

    def _seen_again(
        self, track: TrackState, motion: tuple[float, ...], frame: Detections, column: int, now_ms: int
    ) -> TrackState:
        """One track with the detection that it took."""
        label, confidence = frame.labels[column], float(frame.confidence[column])
        votes = track.votes | {label: track.votes.get(label, 0.0) + confidence}
        return TrackState(
            track_id=track.track_id,
            first_seen_at_ms=track.first_seen_at_ms,
            last_seen_at_ms=now_ms,
            hits=track.hits + 1,
            confirmed=track.confirmed or sum(votes.values()) >= self._config.confirm_evidence,
            confidence=confidence,
            motion=motion,
            votes=votes,
            embedding=self._remembered(track.embedding, frame, column),
        )

    def _start(self, frame: Detections, taken: Indices, next_id: int, now_ms: int) -> tuple[Held, ...]:
        """A new track for each confident detection that no track took, or stands on."""
        columns = self._free(frame, taken)
        motion = kalman.start(xyxy_to_cxcywh(frame.xyxy)[columns], frame.confidence[columns], self._config.motion)
        held: list[Held] = []
        for k, column in enumerate(columns.tolist()):
            new = TrackState(
                track_id=next_id + k,
                first_seen_at_ms=now_ms,
                last_seen_at_ms=now_ms,
                hits=0,
                confirmed=False,
                confidence=0.0,
                motion=(),
                votes={},
            )
            held.append((self._seen_again(new, _numbers_of(motion, k), frame, column, now_ms), column))
        return tuple(held)

    def _free(self, frame: Detections, taken: Indices) -> Indices:
        """The confident detections that no track took and that don't stand on a taken or more confident one."""
        used = np.zeros(len(frame), dtype=np.bool_)
        used[taken[taken >= 0]] = True
        doubles = iou(frame.xyxy, frame.xyxy) > self._config.duplicate_iou
        for column in np.argsort(-frame.confidence, kind="stable"):
            if frame.confidence[column] >= self._config.high_confidence and not (doubles[column] & used).any():
                used[column] = True
        used[taken[taken >= 0]] = False
        return np.flatnonzero(used)

    def _remembered(self, embedding: bytes, frame: Detections, column: int) -> bytes:
        """The track's mean appearance after one more box."""
        if frame.embeddings is None or not frame.embeddings[column].any():
            return embedding
        new = _unit(frame.embeddings[column].astype(np.float64))
        old = _vector_of(embedding, len(new))
        memory = self._config.appearance_memory if old.any() else 0.0
        return _unit(memory * old + (1.0 - memory) * new).astype("<f2").tobytes()

    def _report(self, held: tuple[Held, ...], frame: Detections, now_ms: int) -> tuple[Track, ...]:
        """The confirmed tracks where they are now: all that were seen, and the unseen ones that must still be there."""
        tracks = tuple(track for track, _ in held)
        motion = kalman.predict(_motion_of(tracks), _ages_s(tracks, now_ms), self._config.motion)
        xyxy = cxcywh_to_xyxy(motion.value)
        if frame.picture is not None:
            xyxy = clip_to_picture(xyxy, *frame.picture)
        seen = np.array([column is not None for _, column in held], dtype=np.bool_)
        hidden = coverage(xyxy, xyxy[seen]).max(axis=1, initial=0.0) >= self._config.hidden_coverage
        return tuple(
            Track(
                track_id=track.track_id,
                xyxy=(float(xyxy[k, 0]), float(xyxy[k, 1]), float(xyxy[k, 2]), float(xyxy[k, 3])),
                confidence=track.confidence,
                label=_label_of(track),
                detection=column,
                first_seen_at_ms=track.first_seen_at_ms,
                last_seen_at_ms=track.last_seen_at_ms,
                velocity=(float(motion.rate[k, 0]), float(motion.rate[k, 1])),
            )
            for k, (track, column) in enumerate(held)
            if track.confirmed and (column is not None or self._coasts(track, bool(hidden[k]), now_ms))
        )

    def _coasts(self, track: TrackState, hidden: bool, now_ms: int) -> bool:
        """Whether an unseen track is certain enough to be reported."""
        config = self._config
        limit_ms = config.coast_hidden_ms if hidden else config.coast_ms
        return sum(track.votes.values()) >= config.coast_evidence and now_ms - track.last_seen_at_ms <= limit_ms

    def _group_of(self, label: str) -> str:
        return self._group.get(label, label)


def _label_of(track: TrackState) -> str:
    """The label with most confidence behind it; the first in the alphabet of equals."""
    return min(track.votes, key=lambda label: (-track.votes[label], label))


def _ages_s(tracks: tuple[TrackState, ...], now_ms: int) -> Floats:
    """How long ago each track was seen [N], s."""
    return np.array([now_ms - track.last_seen_at_ms for track in tracks], dtype=np.float64) / 1000.0


def _motion_of(tracks: tuple[TrackState, ...]) -> Motion:
    """The filter of all tracks when each was last seen."""
    numbers = np.array([track.motion for track in tracks], dtype=np.float64).reshape(len(tracks), 5, kalman.AXES)
    return Motion(*(numbers[:, k] for k in range(5)))


def _numbers_of(motion: Motion, row: int) -> tuple[float, ...]:
    """One row of the filter as plain numbers, for the state."""
    parts = (motion.value, motion.rate, motion.variance, motion.covariance, motion.rate_variance)
    return tuple(np.concatenate([part[row] for part in parts]).tolist())


def _vector_of(embedding: bytes, width: int) -> Floats:
    """The kept appearance [width]; zeros for none, or for one of another model."""
    vector = np.frombuffer(embedding, dtype="<f2").astype(np.float64)
    return vector if len(vector) == width else np.zeros(width)


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector
