"""The types of tracking: what comes in, what is kept between frames, what goes out."""

from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.geometry import Bools, Floats, as_boxes, coverage
from stream.tracking.kalman import AXES, Motion

STATE_VERSION = 1

COVERING_CONFIDENCE = 0.4
"""Doubtful boxes are mostly parts of the one that they seem to cover."""


@dataclass(frozen=True)
class Detections:
    """What the detector saw in one frame, as a struct of arrays over N boxes.

    `xyxy` float64[N,4] in px, `confidence` float64[N] in 0..1, `labels` N names, `embeddings` float32[N,D] of
    appearance (a row of zeros is a box without one) or None, `picture` its (width, height) in px where known.
    `certain` float64[N] is the confidence from which on each box may take any track, and start one: that of its label
    in a calibrated model. NaN, or None for all, leaves it to the tracker's config.
    """

    captured_at_ms: int
    xyxy: Floats
    confidence: Floats
    labels: tuple[str, ...]
    embeddings: NDArray[np.float32] | None = None
    picture: tuple[float, float] | None = None
    certain: Floats | None = None

    def __post_init__(self) -> None:
        count = len(as_boxes(self.xyxy))
        if self.confidence.shape != (count,) or len(self.labels) != count:
            raise ValueError(f"{count} boxes, but {self.confidence.shape} confidences and {len(self.labels)} labels")
        if self.certain is not None and self.certain.shape != (count,):
            raise ValueError(f"{count} boxes, but {self.certain.shape} values of certain")
        if self.embeddings is not None and (self.embeddings.ndim != 2 or len(self.embeddings) != count):
            raise ValueError(f"{count} boxes, but embeddings of shape {self.embeddings.shape}")
        if not (np.isfinite(self.xyxy).all() and np.isfinite(self.confidence).all()):
            raise ValueError("boxes and confidences must be finite numbers")

    def __len__(self) -> int:
        return len(self.xyxy)

    @cached_property
    def visible(self) -> Floats:
        """The share [N] of each box that each sure one in front (with a lower lower edge) leaves, at the least."""
        nearer = (self.xyxy[None, :, 3] > self.xyxy[:, None, 3]) & (self.confidence >= COVERING_CONFIDENCE)
        return np.asarray(1.0 - (coverage(self.xyxy, self.xyxy) * nearer).max(axis=1, initial=0.0))

    def at_least(self, confidence: float) -> Bools:
        """Which boxes [N] are certain, where a box without a `certain` of its own needs this confidence."""
        if self.certain is None:
            return np.asarray(self.confidence >= confidence)
        return np.asarray(self.confidence >= np.where(np.isnan(self.certain), confidence, self.certain))


class TrackState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One track as it was when it was last seen; nothing changes while it only coasts.

    `confidence` is smoothed over time, misses counting as 0. `anchor` is where the centre was when the track last moved
    on, at `moved_at_ms`. `motion` holds 5 rows of (cx, cy, w, h): see kalman.Motion. `votes` is the confidence summed
    by label, `embedding` the mean appearance as little-endian float16, or empty.
    """

    track_id: int
    first_seen_at_ms: int
    last_seen_at_ms: int
    hits: int
    confirmed: bool
    confidence: float
    moved_at_ms: int
    anchor: tuple[float, float]
    motion: tuple[float, ...]
    votes: dict[str, float]
    embedding: bytes = b""

    @property
    def evidence(self) -> float:
        """The confidences of all boxes that the track took, summed."""
        return sum(self.votes.values())

    @property
    def label(self) -> str:
        """The label with most confidence behind it; the first in the alphabet of equals."""
        return min(self.votes, key=lambda label: (-self.votes[label], label))


class TrackerState(msgspec.Struct, frozen=True, array_like=True):
    """All that a tracker remembers of one camera's lane: its tracks, its id counter and the last frame's time."""

    version: int = STATE_VERSION
    next_id: int = 1
    last_at_ms: int = -1
    tracks: tuple[TrackState, ...] = ()


class Track(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One object in one frame.

    `xyxy` is the filter's estimate, smoother than the boxes. `detection` is the index of the box that the track took in
    this frame, None while it coasts. `velocity` is px/s. `moved_at_ms` is when it last left the place where it stood.
    `embedding` is that box's appearance as little-endian float16, or empty.
    """

    track_id: int
    xyxy: tuple[float, float, float, float]
    confidence: float
    label: str
    detection: int | None
    first_seen_at_ms: int
    last_seen_at_ms: int
    moved_at_ms: int
    velocity: tuple[float, float]
    confirmed: bool = True
    embedding: bytes = b""

    @property
    def speed(self) -> float:
        """px/s"""
        return float(np.hypot(*self.velocity))

    @property
    def speed_heights(self) -> float:
        """Box heights a second: about metres a second over 1.75 for a standing person."""
        return self.speed / max(self.xyxy[3] - self.xyxy[1], 1.0)


def motion_of(tracks: tuple[TrackState, ...]) -> Motion:
    """The filter of all tracks as it was when each was last seen."""
    numbers = np.array([track.motion for track in tracks], dtype=np.float64).reshape(len(tracks), 5, AXES)
    return Motion(*(numbers[:, k] for k in range(5)))


def numbers_of(motion: Motion, row: int) -> tuple[float, ...]:
    """One row of the filter as plain numbers, for the state."""
    parts = (motion.value, motion.rate, motion.variance, motion.covariance, motion.rate_variance)
    return tuple(np.concatenate([part[row] for part in parts]).tolist())
