"""A frame to the detections that are told of it: by the model that it is for, or by another one if that fails."""

from __future__ import annotations

import time
from functools import partial
from typing import NamedTuple

from contracts import metrics as names
from contracts.messages import Detection, Frame
from contracts.metrics import Metrics
from stream.rollout import Choice, Placed, Tally, certain, compare
from stream.rollout.tally import Pair
from stream.vision.beside import Beside, Comparison
from stream.vision.detector import Detector
from stream.vision.session import Session
from stream.vision.slot import Chosen, ModelSlot


class Found(NamedTuple):
    """What is told of a frame, by which model (name@version), with the confidences that it was calibrated to."""

    detections: tuple[Detection, ...]
    model: str
    thresholds: dict[str, float]


class _Told(NamedTuple):
    """The detections that are told, whose they are, and how long they took."""

    by: Placed
    detections: tuple[Detection, ...]
    seconds: float


class DetectService:
    """Threads may share it. Whatever the candidate does, each frame's detections come from some model, once."""

    def __init__(self, slot: ModelSlot, detector: Detector, beside: Beside, tally: Tally, metrics: Metrics) -> None:
        self._slot = slot
        self._detector = detector
        self._beside = beside
        self._tally = tally
        self._metrics = metrics

    def detect(self, frame: Frame) -> Found:
        """The frame's detections; ContractError for a picture that no model can have, else what the last one raised."""
        chosen = self._slot.choose(frame)
        told = self._first(frame, chosen)
        session = chosen.sessions[told.by.key]
        self._tally.served(frame.camera, session.manifest.id, told.seconds, certain(told.detections, session.manifest))
        # A model that stood in for the candidate has nothing to be compared with.
        if chosen.choice.beside is not None and told.by is chosen.choice.serves:
            self._compare(frame, chosen, chosen.choice.beside, told)
        return Found(told.detections, session.manifest.id, session.calibrated)

    def _first(self, frame: Frame, chosen: Chosen[Session]) -> _Told:
        """By the first model that does not fail."""

        def told(placed: Placed) -> _Told:
            return _Told(placed, *self._look(chosen.sessions[placed.key], frame.detail, frame))

        return self._slot.first(
            chosen.choice, told, lambda placed: self._tally.failed(frame.camera, placed.manifest.id)
        )

    def _look(self, session: Session, detail: bool, frame: Frame) -> tuple[tuple[Detection, ...], float]:
        """The detections, and what they cost: the thread's own time, as the one beside gives way to all others.

        A GPU's is the wall's time, since the thread only waits for it.
        """
        clock = time.perf_counter if session.on_gpu else time.thread_time
        started = clock()
        detections = self._detector.look(session, frame.jpeg, frame.width, frame.height, detail=detail)
        return detections, clock() - started

    def _compare(self, frame: Frame, chosen: Chosen[Session], beside: Placed, told: _Told) -> None:
        pair = _pair(frame.camera, chosen.choice)
        trial = beside is chosen.choice.candidate

        def done(detections: tuple[Detection, ...], seconds: float) -> None:
            seen = certain(detections, beside.manifest), seconds
            was = certain(told.detections, told.by.manifest), told.seconds
            (service, service_s), (candidate, candidate_s) = (was, seen) if trial else (seen, was)
            difference = compare(service, candidate)
            self._tally.compared(pair, difference, candidate_s, service_s)
            self._count(frame.camera, "compared")
            for change, boxes in (("gained", difference.gained), ("lost", difference.lost)):
                for label, count in boxes.items():
                    self._metrics.counter(names.MODEL_DIFFERENCES, frame.camera, label, change).inc(count)
            for shift in difference.shifts:
                self._metrics.histogram(names.MODEL_SHIFT).observe(shift)
            for role, took_s in (("candidate", candidate_s), ("in service", service_s)):
                self._metrics.histogram(names.MODEL_SECONDS, role).observe(took_s)

        def failed(error: Exception) -> None:
            if trial:
                self._slot.failed(beside, error)
            self._tally.not_compared(pair, failed=trial)
            self._count(frame.camera, "failed")

        look = partial(self._look, chosen.sessions[beside.key], frame.detail)
        if not self._beside.offer(Comparison(frame, look, done, failed)):
            self._tally.not_compared(pair, failed=False)
            self._count(frame.camera, "dropped")

    def _count(self, camera: str, outcome: str) -> None:
        self._metrics.counter(names.MODEL_COMPARED, camera, outcome).inc()


def _pair(camera: str, choice: Choice) -> Pair:
    assert choice.candidate is not None
    service = choice.instead[0] if choice.served_by_candidate else choice.serves
    return Pair(camera, choice.candidate.manifest.id, service.manifest.id)
