"""What tracks look like: how alike a box is, what a track remembers, and who comes back after motion has lost them.

After BoT-SORT (arXiv:2206.14651) and Deep OC-SORT (arXiv:2302.11813): place and looks together decide, and a track's
vector is a mean that a doubtful box hardly moves. Of its own: a box that another one covers shows somebody else's
pixels, so its looks count, and are remembered, only as far as it is seen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.geometry import Bools, Floats
from stream.tracking.association import cosine
from stream.tracking.model import Detections, TrackState


@dataclass(frozen=True)
class AppearanceConfig:
    """How far looks are trusted. The values were searched for as those of TrackerConfig."""

    weight: float = 0.5  # the share that a pair's similarity loses when the box looks like a stranger
    stranger_cosine: float = 0.1  # the cosine of two people's vectors
    memory: float = 0.9  # how much of its looks a track keeps with a new, certain, uncovered box
    back_ms: int = 10_000  # a track that was lost may be found again by its looks alone for so long
    back_cosine: float = 0.75  # if it looks so much like before
    back_evidence: float = 3.0  # and is known so well (the confidences of its boxes, summed)
    back_visible: float = 0.7  # and so much of the box is seen
    back_heights: float = 1.5  # and it could have come there: so many box heights, and
    back_speed_heights: float = 1.0  # so many a second


@dataclass(frozen=True)
class Looks:
    """Tracks against boxes: cosine [N,M], where both have a vector [N,M], and how much of each box is seen [M]."""

    cosine: Floats
    known: Bools
    visible: Floats


def looks(tracks: tuple[TrackState, ...], frame: Detections) -> Looks | None:
    """Each track's looks against each box's; None where no box has any."""
    if frame.embeddings is None:
        return None
    width = frame.embeddings.shape[1]
    own = np.stack([vector_of(track.embedding, width) for track in tracks])
    alike, known = cosine(own, frame.embeddings.astype(np.float64))
    return Looks(alike, known, frame.visible)


def weighed(similarity: Floats, seen: Looks | None, config: AppearanceConfig) -> Floats:
    """Similarities [N,M] of place, lowered where the box looks like a stranger."""
    if seen is None:
        return similarity
    likeness = np.clip((seen.cosine - config.stranger_cosine) / (1.0 - config.stranger_cosine), 0.0, 1.0)
    weight = config.weight * seen.known * seen.visible[None, :]
    return np.asarray(similarity * (1.0 - weight * (1.0 - likeness)))


def come_back(
    tracks: tuple[TrackState, ...], seen: Looks, frame: Detections, now_ms: int, config: AppearanceConfig
) -> Floats:
    """How alike [N,M] each lost track and each box are, 0 where it can't be the same: too far, too covered, too new."""
    ages_s = np.array([now_ms - track.last_seen_at_ms for track in tracks], dtype=np.float64)[:, None] / 1000.0
    place = np.array([track.motion[:4] for track in tracks], dtype=np.float64)
    centres, heights = (frame.xyxy[:, :2] + frame.xyxy[:, 2:]) / 2, frame.xyxy[:, 3] - frame.xyxy[:, 1]
    apart = np.hypot(*(centres[None, :, :] - place[:, None, :2]).transpose(2, 0, 1))
    scale = np.maximum(place[:, None, 3], heights[None, :])
    reached = apart <= scale * (config.back_heights + config.back_speed_heights * ages_s)
    known_well = np.array([track.evidence >= config.back_evidence for track in tracks])[:, None]
    clear = (seen.visible >= config.back_visible)[None, :]
    return np.asarray(np.where(reached & known_well & clear & seen.known, seen.cosine, 0.0))


def remembered(embedding: bytes, frame: Detections, column: int, seen: float, config: AppearanceConfig) -> bytes:
    """A track's mean looks after one more box of which this share is seen."""
    if frame.embeddings is None or not frame.embeddings[column].any():
        return embedding
    new = _unit(frame.embeddings[column].astype(np.float64))
    old = vector_of(embedding, len(new))
    fresh = (1.0 - config.memory) * float(frame.confidence[column]) * seen**2 if old.any() else 1.0
    return _unit((1.0 - fresh) * old + fresh * new).astype("<f2").tobytes()


def seen_as(frame: Detections, column: int | None) -> bytes:
    """How the box of a column looks, as little-endian float16; empty for none, and for one without a vector."""
    if column is None or frame.embeddings is None or not frame.embeddings[column].any():
        return b""
    return bytes(frame.embeddings[column].astype("<f2").tobytes())


def vector_of(embedding: bytes, width: int) -> Floats:
    """The kept looks [width]; zeros for none, or for those of another model."""
    vector: NDArray[np.float64] = np.frombuffer(embedding, dtype="<f2").astype(np.float64)
    return vector if len(vector) == width else np.zeros(width)


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector
