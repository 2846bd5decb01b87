"""Follows objects through the frames of one camera's lane; pure, time is the frames' capture time."""

from stream.tracking.model import Detections, Track, TrackerState, TrackState
from stream.tracking.suppression import distinct
from stream.tracking.tracker import Tracker, TrackerConfig

__all__ = ["Detections", "Track", "TrackState", "Tracker", "TrackerConfig", "TrackerState", "distinct"]
