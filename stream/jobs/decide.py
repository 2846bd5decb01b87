"""The decide job, keyed by camera and lane: boxes and agents' status in, tracks, events and alerts out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from pyflink.common import Row, Types
from pyflink.datastream import (
    DataStream,
    KeyedBroadcastProcessFunction,
    StreamExecutionEnvironment,
)
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from contracts import metrics as names
from contracts import topics
from contracts.codec import decode, encode
from contracts.config import Config
from contracts.controls import Control, key
from contracts.messages import EdgeStatus, FrameDetections
from stream.jobs.decider import Decider, Decision, LaneState
from stream.jobs.guard import Guard, dead_letters_tag
from stream.jobs.kafka import TOPIC, VALUE, KafkaEnds, keyed, keyed_type, side_output
from stream.jobs.outputs import Outputs, write
from stream.jobs.process import ProcessSettings, process_of
from stream.jobs.sort import Sort, sorted_type

NAME = "decide"
SILENCE_CHECK_MS = 1_000
"""How often a camera whose agent speaks is looked at; an agent speaks once a second."""
# Made on import, by one thread: see contracts/codec.py.
_LANE = msgspec.msgpack.Decoder(LaneState)
_CONTROLS = msgspec.msgpack.Decoder(list[Control])
START_GRACE_MS = 15_000
"""After a start of ours the agents' word may still be on its way: nobody is called silent so soon."""


@dataclass(frozen=True)
class DecideConfig:
    """The site's config at the start of the job, and how the process is set up."""

    config: Config
    settings: ProcessSettings
    prefix: str = ""


def controls_state() -> MapStateDescriptor:
    """The broadcast state: for each key of `controls` its last two versions, so that a replay finds the one before."""
    return MapStateDescriptor("controls", Types.STRING(), Types.PICKLED_BYTE_ARRAY())


class Decide(KeyedBroadcastProcessFunction):
    """Loads the lane's state, lets the Decider decide, saves and yields."""

    def __init__(self, config: DecideConfig) -> None:
        self._config = config

    def open(self, context: Any) -> None:
        self._process = process_of(self._config.settings)
        self._decider = Decider(self._config.config)
        self._guard = Guard(NAME, self._process.metrics)
        self._outputs = Outputs(self._process.metrics)
        self._seconds = self._process.metrics.histogram(names.DECIDE)
        self._replayed = self._process.metrics.counter(names.REPLAYED)
        self._lane = context.get_state(ValueStateDescriptor("lane", Types.PICKLED_BYTE_ARRAY()))
        self._timer = context.get_state(ValueStateDescriptor("silence-timer", Types.LONG()))
        self._encoder = msgspec.msgpack.Encoder()
        self._controls_state = controls_state()
        self._controls: tuple[Control, ...] | None = None

    def process_element(self, value: Row, context: Any) -> Iterator[Any]:
        if self._controls is None:
            self._controls = _controls_in(context.get_broadcast_state(self._controls_state))
        return self._guard.handle(value, lambda record: self._decide(record, context))

    def process_broadcast_element(self, value: Row, context: Any) -> Iterator[Any]:
        control = decode(value[VALUE], Control)
        state = context.get_broadcast_state(self._controls_state)
        kept = _versions(state.get(key(control.change)))
        newest = sorted({one.version: one for one in (*kept, control)}.values(), key=lambda one: one.version)[-2:]
        state.put(key(control.change), msgspec.msgpack.encode(newest))
        self._controls = _controls_in(state)
        return iter(())

    def on_timer(self, timestamp: int, context: Any) -> Iterator[Any]:
        camera = context.get_current_key().rsplit("|", 1)[0]
        if camera not in self._config.config.cameras:  # the config of an earlier start had it
            self._lane.clear()
            self._timer.clear()
            return
        wall_ms = context.timer_service().current_processing_time()
        self._wake(context, wall_ms)
        if wall_ms - self._process.started_at_ms < START_GRACE_MS:
            return
        after, decision = self._decider.silence(self._load(), camera, wall_ms, self._controls or ())
        self._save(after)
        yield from self._records(decision)

    def _decide(self, record: Row, context: Any) -> Iterator[Any]:
        controls = self._controls or ()
        if record[TOPIC] == topics.EDGE_STATUS:
            lane, decision = self._decider.status(self._load(), decode(record[VALUE], EdgeStatus), controls)
            if self._timer.value() is None:
                self._wake(context, context.timer_service().current_processing_time())
        else:
            with self._seconds.time():
                frame = decode(record[VALUE], FrameDetections)
                lane, decision = self._decider.frame(self._load(), frame, controls)
            if decision.tracks is None:
                self._replayed.inc()
                return
        self._save(lane)
        yield from self._records(decision)

    def _records(self, decision: Decision) -> Iterator[Any]:
        yield from self._outputs.records(decision.events, decision.alerts)
        if decision.tracks is not None:
            yield keyed(decision.tracks.camera, encode(decision.tracks))

    def _load(self) -> LaneState:
        stored = self._lane.value()
        return LaneState() if stored is None else _LANE.decode(stored)

    def _save(self, lane: LaneState) -> None:
        self._lane.update(self._encoder.encode(lane))

    def _wake(self, context: Any, wall_ms: int) -> None:
        at_ms = wall_ms + SILENCE_CHECK_MS
        context.timer_service().register_processing_time_timer(at_ms)
        self._timer.update(at_ms)


def _versions(stored: bytes | None) -> list[Control]:
    return _CONTROLS.decode(stored) if stored else []


def _controls_in(state: Any) -> tuple[Control, ...]:
    """All that the broadcast state holds, in the order in which they come into force."""
    controls = [control for _, stored in state.items() for control in _versions(stored)]
    return tuple(sorted(controls, key=lambda one: (one.effective_from_ms, one.version, key(one.change))))


def build(env: StreamExecutionEnvironment, ends: KafkaEnds, config: DecideConfig) -> None:
    """detections, edge-status (and controls to all) → Sort → Decide → tracks, events, alerts, dead-letters."""
    messages = _sorted(env, ends, config, [topics.DETECTIONS, topics.EDGE_STATUS], "decide-sort")
    controls = _sorted(env, ends, config, [topics.CONTROLS], "decide-controls")
    tracks = (
        messages.key_by(lambda row: row[0], Types.STRING())
        .connect(controls.broadcast(controls_state()))
        .process(Decide(config), keyed_type())
        .name(NAME)
        .uid(NAME)
    )
    write(ends, tracks, topics.TRACKS, NAME)


def _sorted(
    env: StreamExecutionEnvironment, ends: KafkaEnds, config: DecideConfig, names_: list[str], uid: str
) -> DataStream:
    source = ends.source(env, names_, uid)
    stream = source.process(Sort(uid, config.prefix, config.settings), sorted_type()).name(uid).uid(uid)
    ends.sink(side_output(stream, dead_letters_tag()), topics.DEAD_LETTERS, uid)
    return stream
