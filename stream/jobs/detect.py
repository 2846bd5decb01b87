"""The detect job: frames in, boxes out. Stateless and not keyed, so that pixels are never shuffled and stop here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyflink.common import Row
from pyflink.datastream import ProcessFunction, StreamExecutionEnvironment

from contracts import metrics as names
from contracts import topics, trace
from contracts.assignment import check_session
from contracts.codec import decode, encode
from contracts.errors import ContractError
from contracts.messages import Frame, FrameDetections, FrameRef
from contracts.trace import Attributes, Span
from stream.jobs.clock import now_ms
from stream.jobs.guard import Guard, dead_letters_tag
from stream.jobs.kafka import OFFSET, PARTITION, TOPIC, VALUE, KafkaEnds, keyed, keyed_type, side_output
from stream.jobs.model_reports import reports_tag
from stream.jobs.process import ProcessSettings, opened

NAME = "detect"


@dataclass(frozen=True)
class DetectConfig:
    """Whose frames are looked at, how the process is set up, and the cameras whose people are identified."""

    site: str
    settings: ProcessSettings
    prefix: str = ""
    identified: frozenset[str] = frozenset()


class Detect(ProcessFunction):
    """Decode, verify and detect one frame; the models are the process's, opened before the first frame."""

    def __init__(self, config: DetectConfig) -> None:
        self._config = config

    def open(self, context: Any) -> None:
        self._process = opened(self._config.settings, context, NAME)
        self._models = self._process.models()
        self._faces = self._process.faces
        if self._faces is not None and self._faces.start_looking(self._config.identified):
            self._faces.looks()
        self._classifiers = self._process.classifiers
        self._metrics = self._process.metrics
        self._guard = Guard(NAME, self._metrics)
        self._reports = reports_tag()
        self._seconds = self._metrics.histogram(names.DETECT)

    def process_element(self, value: Row, _context: Any) -> Iterator[Any]:
        yield from self._guard.handle(value, self._detect)
        report = self._models.reports.due(self._config.site)
        if report is not None:
            yield self._reports, keyed(report.process, encode(report))

    def _detect(self, record: Row) -> Iterator[Row]:
        frame = self._verified(record)
        begun_ms = now_ms()
        with self._seconds.time():
            found = self._models.service.detect(frame)
            inferred_ms = now_ms()
            detections = found.detections
            if self._faces is not None and frame.detail and self._faces.looks_at(frame.camera):
                detections = self._faces.looks().at(frame, detections)
            if self._classifiers is not None and frame.detail:
                detections = self._classifiers.at(frame, detections)
        lane = topics.lane_of(record[TOPIC].removeprefix(self._config.prefix))
        now = now_ms()
        if lane == "live":
            seconds = max(0, now - frame.captured_at_ms) / 1000
            exemplar = trace.exemplar(frame.traceparent)
            self._metrics.histogram(names.CAPTURE_TO_DETECT, frame.camera).observe(seconds, exemplar)
        result = FrameDetections(
            site=frame.site,
            camera=frame.camera,
            lane=lane,
            session=frame.session,
            index=frame.index,
            captured_at_ms=frame.captured_at_ms,
            detected_at_ms=now,
            width=frame.width,
            height=frame.height,
            detail=frame.detail,
            motion=frame.motion,
            ref=FrameRef(record[TOPIC], record[PARTITION], record[OFFSET]),
            model=found.model,
            detections=detections,
            last=frame.last,
            thresholds=found.thresholds,
            traceparent=trace.child(frame.traceparent, "detect"),
        )
        if result.traceparent:
            self._trace(frame, result, begun_ms, inferred_ms)
        yield keyed(frame.camera, encode(result))

    def _trace(self, frame: Frame, result: FrameDetections, begun_ms: int, inferred_ms: int) -> None:
        """What was read at `begun_ms` and had its boxes at `inferred_ms`; before that it waited in the log."""
        own, record = result.traceparent, self._process.tracer.record
        waited_ms = begun_ms - frame.captured_at_ms
        said: Attributes = {"model": result.model, "boxes": len(result.detections), "waited_ms": waited_ms}
        record(Span("detect", own, frame.traceparent, begun_ms, result.detected_at_ms, said))
        record(Span("inference", trace.child(own, "inference"), own, begun_ms, inferred_ms))

    def _verified(self, record: Row) -> Frame:
        if record[VALUE] is None:
            raise ContractError("no value")
        frame = decode(record[VALUE], Frame)
        if frame.site != self._config.site:
            raise ContractError(f"a frame of site {frame.site!r} in the topic of {self._config.site!r}")
        if hashlib.sha256(frame.jpeg).hexdigest() != frame.sha256:
            raise ContractError("the JPEG's sha256 is not the frame's")
        check_session(frame)
        return frame


def build(env: StreamExecutionEnvironment, ends: KafkaEnds, config: DetectConfig) -> None:
    """frames, frames-late → Detect → detections, model-reports; what fails → dead-letters."""
    frames = ends.source(env, [topics.frames(config.site), topics.frames_late(config.site)], NAME)
    detections = frames.process(Detect(config), keyed_type()).name(NAME).uid(NAME)
    ends.sink(detections, topics.DETECTIONS, NAME)
    ends.sink(side_output(detections, reports_tag()), topics.MODEL_REPORTS, NAME)
    ends.sink(side_output(detections, dead_letters_tag()), topics.DEAD_LETTERS, NAME)
