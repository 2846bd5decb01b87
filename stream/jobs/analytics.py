"""The analytics job, keyed by camera and lane: tracks in, windows and what is unusual in them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from pyflink.common import Row, Types
from pyflink.datastream import KeyedBroadcastProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from contracts import metrics as names
from contracts import topics
from contracts.codec import decode, encode
from contracts.config import Anomaly, Config
from contracts.controls import Control
from contracts.decoding import MsgpackDecoder, msgpack_decoder
from contracts.messages import Alert, Event, FrameTracks, WindowStats
from stream.jobs.broadcast import Controls, controls_state, controls_stream
from stream.jobs.guard import Guard, dead_letters_tag
from stream.jobs.kafka import VALUE, KafkaEnds, keyed, keyed_type, side_output
from stream.jobs.outputs import Outputs, write
from stream.jobs.process import ProcessSettings, opened
from stream.jobs.sort import Sort, sorted_type
from stream.rules import AlertPolicy, CameraRules, PolicyState, Rulebook
from stream.windows.baseline import Baseline, BaselineConfig, BaselineState
from stream.windows.windows import WindowConfig, Windows, WindowState, cells_of

NAME = "analytics"
S = TypeVar("S")

_WINDOWS = msgpack_decoder(WindowState)
_POLICY = msgpack_decoder(PolicyState)
_BASELINE = msgpack_decoder(BaselineState)


@dataclass(frozen=True)
class AnalyticsConfig:
    """The site's config at the start of the job, and how the process is set up."""

    config: Config
    settings: ProcessSettings
    prefix: str = ""


class Analytics(KeyedBroadcastProcessFunction):
    """Loads a lane's windows, adds the frame, and holds each window that closes against its baseline."""

    def __init__(self, config: AnalyticsConfig) -> None:
        self._config = config

    def open(self, context: Any) -> None:
        process = opened(self._config.settings, context, NAME)
        site = self._config.config
        self._metrics = process.metrics
        self._guard = Guard(NAME, process.metrics)
        self._outputs = Outputs(process.metrics)
        self._rulebook = Rulebook(site)
        self._controls = Controls()
        self._cut: dict[str, tuple[CameraRules, Windows]] = {}
        # A camera that is silent for two windows has its open windows given out in parts.
        self._idle_ms = int(2 * site.analytics.window_s * 1000)
        self._window_state = context.get_state(ValueStateDescriptor("windows", Types.PICKLED_BYTE_ARRAY()))
        self._policy_state = context.get_state(ValueStateDescriptor("policy", Types.PICKLED_BYTE_ARRAY()))
        self._timer = context.get_state(ValueStateDescriptor("idle-timer", Types.LONG()))
        self._baselines = context.get_map_state(
            MapStateDescriptor("baselines", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        )
        self._encoder = msgspec.msgpack.Encoder()

    def process_element(self, value: Row, context: Any) -> Iterator[Any]:
        return self._guard.handle(value, lambda record: self._add(record, context))

    def process_broadcast_element(self, value: Row, context: Any) -> Iterator[Any]:
        self._controls.take(value, context)
        return iter(())

    def _add(self, record: Row, context: Any) -> Iterator[Any]:
        tracks = decode(record[VALUE], FrameTracks)
        controls = self._controls.known(context)
        if not self._rulebook.knows(tracks.camera, controls):
            return
        windows = self._windows(tracks.camera, tracks.captured_at_ms, controls)
        before = _loaded(self._window_state, _WINDOWS, WindowState)
        after, rows = windows.step(before, tracks)
        if after.late_total > before.late_total:
            self._metrics.counter(names.LATE_RECORDS, tracks.camera).inc(after.late_total - before.late_total)
        if tracks.last:
            after, rest = windows.flush(after)
            rows += rest
        self._window_state.update(self._encoder.encode(after))
        if self._timer.value() is None:
            self._wake(context)
        yield from self._emit(rows, controls)

    def on_timer(self, timestamp: int, context: Any) -> Iterator[Any]:
        state = _loaded(self._window_state, _WINDOWS, WindowState)
        controls = self._controls.known(context)
        if not self._rulebook.knows(state.camera, controls):  # the config of an earlier start had it
            self._window_state.clear()
            self._timer.clear()
            return
        age_ms = timestamp - state.clock_ms
        if state.lane == "live" and age_ms < self._idle_ms:
            self._wake(context)
            return
        self._timer.clear()
        after, rows = self._windows(state.camera, state.clock_ms, controls).flush(state)
        self._window_state.update(self._encoder.encode(after))
        yield from self._emit(rows, controls)

    def _windows(self, camera: str, at_ms: int, controls: tuple[Control, ...]) -> Windows:
        """The camera's windows by its zones at that time; made once a change."""
        rules = self._rulebook.at(camera, at_ms, controls)
        cut = self._cut.get(camera)
        if cut is None or cut[0] is not rules:
            cut = self._cut[camera] = (rules, Windows(_window_config(self._config.config, rules)))
        return cut[1]

    def _emit(self, rows: tuple[WindowStats, ...], controls: tuple[Control, ...]) -> Iterator[Any]:
        for row in rows:
            yield keyed(row.camera, encode(row))
            if row.final:
                yield from self._outputs.records(*self._judge(row, controls))

    def _judge(self, row: WindowStats, controls: tuple[Control, ...]) -> tuple[tuple[Event, ...], tuple[Alert, ...]]:
        """What is unusual in the window, and what becomes of the alerts by the rules at its end."""
        rules = self._rulebook.at(row.camera, row.end_ms, controls)
        place = f"{row.zone}|{row.label}"
        stored = self._baselines.get(place)
        known = BaselineState() if stored is None else _BASELINE.decode(stored)
        learned, event = Baseline(_baseline_config(self._config.config, rules)).step(known, row)
        self._baselines.put(place, self._encoder.encode(learned))
        events = () if event is None else (event,)
        before = _loaded(self._policy_state, _POLICY, PolicyState)
        if not events and not before.incidents and not before.waiting:
            return (), ()
        # Without an event too: what is open ends with its rule, or when its zone is disarmed.
        after, alerts = AlertPolicy(rules).step(before, events, at_ms=row.end_ms, frame=None)
        self._policy_state.update(self._encoder.encode(after))
        return events, alerts

    def _wake(self, context: Any) -> None:
        at_ms = context.timer_service().current_processing_time() + self._idle_ms
        context.timer_service().register_processing_time_timer(at_ms)
        self._timer.update(at_ms)


def _loaded(state: Any, decoder: MsgpackDecoder[S], new: Callable[[], S]) -> S:
    stored = state.value()
    return new() if stored is None else decoder.decode(stored)


def _window_config(config: Config, rules: CameraRules) -> WindowConfig:
    return WindowConfig(
        window_ms=int(config.analytics.window_s * 1000),
        lateness_ms=int(config.analytics.lateness_s * 1000),
        # Between two heartbeats of a still scene nothing changed: that time was observed.
        interval_cap_ms=rules.gap_ms,
        always=cells_of(rules.spec),
    )


def _baseline_config(config: Config, rules: CameraRules) -> BaselineConfig:
    """The baseline reports from the lowest score on that any anomaly rule of the camera listens to."""
    scores = [rule.rule.score for rule in rules.active if isinstance(rule.rule, Anomaly)]
    return BaselineConfig(
        time_zone=config.site.time_zone,
        baseline_weeks=config.analytics.baseline_weeks,
        min_windows=config.analytics.min_windows,
        score=min(scores, default=4.0),
    )


def build(env: StreamExecutionEnvironment, ends: KafkaEnds, config: AnalyticsConfig) -> None:
    """tracks (and controls to all) → Sort → Analytics → analytics, events, alerts, dead-letters."""
    uid = "analytics-sort"
    source = ends.source(env, [topics.TRACKS], uid)
    tracks = source.process(Sort(uid, config.prefix, config.settings), sorted_type()).name(uid).uid(uid)
    ends.sink(side_output(tracks, dead_letters_tag()), topics.DEAD_LETTERS, uid)
    controls = controls_stream(env, ends, config.settings, "analytics-controls", letters=False)
    stats = (
        tracks.key_by(lambda row: row[0], Types.STRING())
        .connect(controls.broadcast(controls_state()))
        .process(Analytics(config), keyed_type())
        .name(NAME)
        .uid(NAME)
    )
    write(ends, stats, topics.ANALYTICS, NAME)
