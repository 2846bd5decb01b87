"""Hosts the watch for drift in the decide job: tracks that ended in, reports and metrics out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from pyflink.common import Types
from pyflink.datastream import OutputTag
from pyflink.datastream.state import MapStateDescriptor

from contracts import metrics as names
from contracts.codec import encode
from contracts.config import Drift
from contracts.day_parts import PARTS, part_of_day
from contracts.decoding import msgpack_decoder
from contracts.drift import DriftReport, key
from contracts.messages import FrameDetections
from contracts.metrics import Metrics
from stream.drift import DriftWatch, PartState, Sample
from stream.drift.watch import Word
from stream.jobs.kafka import keyed, keyed_type
from stream.tracking import TrackState

_STATE = msgpack_decoder(PartState)


def drift_tag() -> OutputTag:
    """The side output of reports; made anew for each use."""
    return OutputTag("drift", keyed_type())


class DriftKeeper:
    """The state of one lane by the part of the day, apart from the lane's own: it is needed once a minute at most."""

    def __init__(self, config: Drift, metrics: Metrics, context: Any) -> None:
        self._watch = DriftWatch(config)
        self._metrics = metrics
        self._states = context.get_map_state(MapStateDescriptor("drift", Types.INT(), Types.PICKLED_BYTE_ARRAY()))
        self._encoder = msgspec.msgpack.Encoder()
        self._tag = drift_tag()

    def ended(self, frame: FrameDetections, tracks: Sequence[TrackState]) -> Iterator[Any]:
        """Take in the tracks that ended with a frame; yields (tag, record). Late frames are passed over."""
        if not tracks or frame.lane != "live":
            return
        part = part_of_day(frame.captured_at_ms)
        stored = self._states.get(part)
        before = after = PartState() if stored is None else _STATE.decode(stored)
        for track in tracks:
            sample = Sample(frame.captured_at_ms, frame.model, track.evidence / track.hits, track.embedding)
            after, word = self._watch.step(after, sample)
            if word is not None:
                yield self._tag, self._told(frame, part, word)
        if after is not before:
            self._states.put(part, self._encoder.encode(after))

    def _told(self, frame: FrameDetections, part: int, word: Word) -> Any:
        camera, wanted = frame.camera, self._watch.config.blocks
        self._metrics.gauge(names.DRIFT_LEARNT, camera, PARTS[part]).set(word.learnt / wanted)
        for one in word.signals:
            labels = (camera, PARTS[part], one.of)
            self._metrics.gauge(names.DRIFT_DISTANCE, *labels).set(one.distance)
            self._metrics.gauge(names.DRIFT_USUAL, *labels).set(one.usual)
            self._metrics.gauge(names.DRIFT_EVIDENCE, *labels).set(one.evidence)
            self._metrics.gauge(names.DRIFTED, *labels).set(one.drifted)
        report = DriftReport(
            site=frame.site,
            camera=camera,
            part=part,
            at_ms=frame.captured_at_ms,
            model=frame.model,
            learnt=word.learnt,
            wanted=wanted,
            signals=word.signals,
            confidence=word.confidence,
            usual_confidence=word.usual_confidence,
        )
        return keyed(key(report), encode(report))
