"""Counts what becomes of a camera's pictures: for Prometheus and for the camera's EdgeStatus, in one place."""

from __future__ import annotations

import threading

from contracts import metrics
from contracts.edge_messages import CameraCounters
from contracts.fields import Lane
from contracts.metrics import Metrics
from contracts.trace import exemplar


class CameraMeter:
    """The counters of one camera since the agent's start; any thread may count."""

    def __init__(self, made: Metrics, camera: str) -> None:
        self._metrics = made
        self._camera = camera
        self._lock = threading.Lock()
        self._captured_total = made.counter(metrics.FRAMES_CAPTURED, camera)
        self._gated_total = made.counter(metrics.FRAMES_GATED, camera)
        self._sent_total = {lane: made.counter(metrics.FRAMES_SENT, camera, lane) for lane in ("live", "late")}
        self._capture_to_broker = made.histogram(metrics.CAPTURE_TO_BROKER, camera)
        self._captured = self._sent = self._gated = self._spooled = 0
        self._dropped: dict[str, int] = {}

    def captured(self) -> None:
        """A picture was read."""
        with self._lock:
            self._captured += 1
        self._captured_total.inc()

    def gated(self) -> None:
        """A picture was not worth sending."""
        with self._lock:
            self._gated += 1
        self._gated_total.inc()

    def sent(self, lane: Lane, capture_to_broker_s: float, traceparent: str = "") -> None:
        """The broker acknowledged a frame; the time counts for the live lane only."""
        with self._lock:
            self._sent += 1
        self._sent_total[lane].inc()
        if lane == "live":
            self._capture_to_broker.observe(max(capture_to_broker_s, 0.0), exemplar(traceparent))

    def spooled(self) -> None:
        """A frame waits on disk for the late lane."""
        with self._lock:
            self._spooled += 1
        self._metrics.counter(metrics.FRAMES_SPOOLED, self._camera).inc()

    def dropped(self, reason: str) -> None:
        """An accepted frame was given up."""
        with self._lock:
            self._dropped[reason] = self._dropped.get(reason, 0) + 1
        self._metrics.counter(metrics.FRAMES_DROPPED, self._camera, reason).inc()

    def reconnected(self) -> None:
        """The camera is being opened again."""
        self._metrics.counter(metrics.CAMERA_RECONNECTS, self._camera).inc()

    def gone(self) -> None:
        """The camera is read here no more: it is neither up nor down."""
        self._metrics.gauge(metrics.CAMERA_UP).remove(self._camera)

    def up(self, is_up: bool) -> None:
        """Whether the camera delivers."""
        self._metrics.gauge(metrics.CAMERA_UP, self._camera).set(1.0 if is_up else 0.0)

    def counters(self) -> CameraCounters:
        """The counts so far."""
        with self._lock:
            return CameraCounters(
                captured=self._captured,
                sent=self._sent,
                gated=self._gated,
                spooled=self._spooled,
                dropped=dict(self._dropped),
            )


class Meters:
    """The meters of all cameras by name, made on first use: a spool may hold frames of a camera that is gone."""

    def __init__(self, made: Metrics) -> None:
        self.metrics = made
        self._lock = threading.Lock()
        self._meters: dict[str, CameraMeter] = {}

    def of(self, camera: str) -> CameraMeter:
        """The camera's meter."""
        with self._lock:
            if camera not in self._meters:
                self._meters[camera] = CameraMeter(self.metrics, camera)
            return self._meters[camera]
