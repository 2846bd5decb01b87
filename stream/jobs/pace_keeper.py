"""Hosts the pacing of cameras in the decide job: frames and agents' clocks in, words to agents and a metric out."""

from __future__ import annotations

from typing import Any

from pyflink.common import Row
from pyflink.datastream import OutputTag

from contracts import metrics as names
from contracts.codec import encode
from contracts.config import Pace
from contracts.controls import Budget, EdgeControl, edge_key
from contracts.edge_messages import EdgeStatus
from contracts.messages import FrameDetections
from contracts.metrics import Metrics
from stream.jobs.clock import Clock, now_ms
from stream.jobs.kafka import keyed, keyed_type
from stream.jobs.pacing import Pacer, PaceState


def budgets_tag() -> OutputTag:
    """The side output of what agents are told; made anew for each use."""
    return OutputTag("budgets", keyed_type())


class PaceKeeper:
    """The pace of all cameras of one task; their states lie with the lanes'."""

    def __init__(self, config: Pace, metrics: Metrics, clock: Clock = now_ms) -> None:
        self._pacer = Pacer(config)
        self._shares = metrics.gauge(names.RATE_SHARE)
        # Cameras may be another process's by now: what this one said of them would stand for ever.
        self._shares.clear()
        self._clock = clock
        self._tag = budgets_tag()

    def heard(self, state: PaceState, status: EdgeStatus) -> PaceState:
        """Take in how far off the agent's clock is."""
        return self._pacer.heard(state, status)

    def frame(self, state: PaceState, frame: FrameDetections) -> tuple[PaceState, tuple[Any, ...]]:
        """How much the camera may send from now on: (tag, record) where that is news. Only live frames say it."""
        if frame.lane != "live":
            return state, ()
        state, share = self._pacer.step(state, frame.captured_at_ms, self._clock())
        self._shares.labels(frame.camera).set(state.share or 1.0)
        return state, () if share is None else ((self._tag, _told(frame, share)),)

    def gone(self, camera: str) -> None:
        """The camera is no more, or switched off: its share is nobody's."""
        self._shares.remove(camera)


def _told(frame: FrameDetections, share: float) -> Row:
    """The control that has the camera send this share of its own rates."""
    change = Budget(camera=frame.camera, share=share)
    return keyed(edge_key(frame.site, change), encode(EdgeControl(site=frame.site, change=change)))
