"""The decide job, keyed by camera and lane: boxes and agents' status in, tracks, events and alerts out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pyflink.common import Row, Types
from pyflink.datastream import KeyedBroadcastProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor

from contracts import metrics as names
from contracts import topics
from contracts.codec import decode, encode
from contracts.config import Config
from contracts.controls import Control
from contracts.decoding import msgpack_decoder
from contracts.edge_messages import EdgeStatus
from contracts.messages import FrameDetections
from stream.jobs.broadcast import Controls, controls_state, controls_stream
from stream.jobs.clock import now_ms
from stream.jobs.decider import Decider, Decision, LaneState
from stream.jobs.drift import DriftKeeper, drift_tag
from stream.jobs.guard import Guard, dead_letters_tag
from stream.jobs.kafka import KEY, OFFSET, TOPIC, VALUE, KafkaEnds, keyed, keyed_type, side_output
from stream.jobs.outputs import Outputs, sightings_tag, write
from stream.jobs.pace_keeper import PaceKeeper, budgets_tag
from stream.jobs.process import ProcessSettings, opened
from stream.jobs.recognition import Known
from stream.jobs.sort import Sort, sorted_type
from stream.jobs.ticks import TICK, ticks
from stream.jobs.tracing import traced
from stream.tracking.attributes import VoteConfig

NAME = "decide"
_LANE = msgpack_decoder(LaneState)
START_GRACE_MS = 15_000
"""After a start of ours the agents' word may still be on its way: nobody is called silent so soon."""


@dataclass(frozen=True)
class DecideConfig:
    """The site's config at the start of the job, and how the process is set up.

    `watch` is whether silent agents are missed; a replay's says nothing by design. `votes` is when what classifiers say
    is believed.
    """

    config: Config
    settings: ProcessSettings
    prefix: str = ""
    watch: bool = True
    votes: VoteConfig = field(default_factory=VoteConfig)


class Decide(KeyedBroadcastProcessFunction):
    """Loads the lane's state, lets the Decider decide, saves and yields."""

    def __init__(self, config: DecideConfig) -> None:
        self._config = config

    def open(self, context: Any) -> None:
        self._process = opened(self._config.settings, context, NAME)
        self._faces = self._process.faces
        self._pace = PaceKeeper(self._config.config.stream.pace, self._process.metrics)
        self._decider = Decider(
            self._config.config, self._faces.recogniser() if self._faces is not None else None, self._config.votes
        )
        self._known()  # before the first frame
        self._guard = Guard(NAME, self._process.metrics)
        self._outputs = Outputs(self._process.metrics)
        self._seconds = self._process.metrics.histogram(names.DECIDE)
        self._lane = context.get_state(ValueStateDescriptor("lane", Types.PICKLED_BYTE_ARRAY()))
        self._drift = DriftKeeper(self._config.config.stream.drift, self._process.metrics, context)
        self._encoder = msgspec.msgpack.Encoder()
        self._controls = Controls()

    def process_element(self, value: Row, context: Any) -> Iterator[Any]:
        yield from self._guard.handle(value, lambda record: self._decide(record, context))
        if self._faces is not None:
            yield from self._guard.followed(self._faces.letters)

    def process_broadcast_element(self, value: Row, context: Any) -> Iterator[Any]:
        self._controls.take(value, context)
        return iter(())

    def _decide(self, record: Row, context: Any) -> Iterator[Any]:
        controls = self._controls.known(context)
        if record[TOPIC] == TICK:
            yield from self._tick(record[KEY].rsplit("|", 1)[0], record[OFFSET], controls)
            return
        if record[TOPIC] == topics.EDGE_STATUS:
            status = decode(record[VALUE], EdgeStatus)
            lane, decision = self._decider.status(self._load(), status, controls)
            lane = msgspec.structs.replace(lane, pace=self._pace.heard(lane.pace, status))
        else:
            with self._seconds.time():
                begun_ms, frame = now_ms(), decode(record[VALUE], FrameDetections)
                lane, decision = self._decider.frame(self._load(), frame, controls, self._known())
            if decision.tracks is None:
                self._process.metrics.counter(names.REPLAYED, frame.camera).inc()
                return
            self._count(frame.camera, decision)
            yield from self._drift.ended(frame, decision.ended)
            if self._config.watch:
                pace, told = self._pace.frame(lane.pace, frame)
                lane = msgspec.structs.replace(lane, pace=pace)
                yield from told
            if frame.traceparent:
                decision, spans = traced(frame, decision, begun_ms, now_ms())
                for span in spans:
                    self._process.tracer.record(span)
        self._save(lane)
        yield from self._records(decision)

    def _count(self, camera: str, decision: Decision) -> None:
        self._process.metrics.counter(names.DECIDED, camera).inc()
        for reason, count in decision.tally.dropped.items():
            self._process.metrics.counter(names.FACES_DROPPED, reason).inc(count)
        for verdict, count in decision.tally.tests.items():
            self._process.metrics.counter(names.FACE_TESTS, camera, verdict).inc(count)
        if decision.silenced:
            self._process.metrics.counter(names.EVENTS_SILENCED, camera).inc(decision.silenced)

    def _tick(self, camera: str, wall_ms: int, controls: tuple[Control, ...]) -> Iterator[Any]:
        """Look whether the agent has been silent for long; for one that never spoke the first tick counts as a word."""
        if not self._decider.is_on(camera, wall_ms, controls):
            self._pace.gone(camera)
        before = self._load()
        early = wall_ms - self._process.started_at_ms < START_GRACE_MS
        if early and before.engine.health.at_ms:
            return
        after, decision = self._decider.silence(before, camera, wall_ms, controls)
        self._save(after)
        yield from self._records(decision)

    def _records(self, decision: Decision) -> Iterator[Any]:
        yield from self._outputs.records(decision.events, decision.alerts)
        yield from self._outputs.sightings(decision.sightings)
        if decision.tracks is not None:
            yield keyed(decision.tracks.camera, encode(decision.tracks))

    def _known(self) -> Known | None:
        """Who is enrolled by now, where people are identified."""
        return self._faces.known() if self._faces is not None else None

    def _load(self) -> LaneState:
        stored = self._lane.value()
        return LaneState() if stored is None else _LANE.decode(stored)

    def _save(self, lane: LaneState) -> None:
        self._lane.update(self._encoder.encode(lane))


def build(env: StreamExecutionEnvironment, ends: KafkaEnds, config: DecideConfig) -> None:
    """detections, edge-status (ticks, and controls to all) → Sort → Decide → tracks, events, alerts, and to agents."""
    uid = "decide-sort"
    source = ends.source(env, [topics.DETECTIONS, topics.EDGE_STATUS], uid)
    messages = source.process(Sort(uid, config.prefix, config.settings), sorted_type()).name(uid).uid(uid)
    ends.sink(side_output(messages, dead_letters_tag()), topics.DEAD_LETTERS, uid)
    controls = controls_stream(env, ends, config.settings, "decide-controls", letters=True)
    if config.watch:
        messages = messages.union(ticks(env, config.config, controls, "decide-ticks"))
    tracks = (
        messages.key_by(lambda row: row[0], Types.STRING())
        .connect(controls.broadcast(controls_state()))
        .process(Decide(config), keyed_type())
        .name(NAME)
        .uid(NAME)
    )
    write(ends, tracks, topics.TRACKS, NAME)
    ends.sink(side_output(tracks, drift_tag()), topics.DRIFT, NAME)
    ends.sink(side_output(tracks, budgets_tag()), topics.EDGE_CONTROLS, NAME)
    if config.settings.faces is not None:
        ends.sink(side_output(tracks, sightings_tag()), topics.SIGHTINGS, NAME)
