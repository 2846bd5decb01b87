"""Hosts the guard of candidates, keyed by site: reports, alerts and answers in, controls that take a model back out.

A second pipeline of the analytics job rather than a job of its own, which on a cluster would cost a JVM. It needs no
wall clock: a candidate is judged by what is said of it, and while nothing is, no frame is its.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor

from contracts import metrics as names
from contracts import topics
from contracts.codec import decode, encode
from contracts.config import RolloutBounds
from contracts.controls import Control, EndCandidate, key
from contracts.decoding import msgpack_decoder
from contracts.messages import Alert, Feedback
from contracts.model_reports import ModelReport
from stream.jobs.clock import now_ms
from stream.jobs.guard import Guard, dead_letters_tag
from stream.jobs.kafka import TOPIC, VALUE, KafkaEnds, keyed, keyed_type, side_output
from stream.jobs.process import ProcessSettings, opened
from stream.jobs.sort import Sort, sorted_type
from stream.rollout import GuardState, RolloutGuard, Verdict

log = logging.getLogger(__name__)

NAME = "rollout"
BY = "rollout-guard"
_STATE = msgpack_decoder(GuardState)


@dataclass(frozen=True)
class RolloutConfig:
    """Whose models are watched, within which bounds, and how the process is set up."""

    site: str
    bounds: RolloutBounds
    settings: ProcessSettings
    prefix: str = ""


class Rollout(KeyedProcessFunction):
    """Loads the guard's state, lets it judge, saves, and takes back what it says."""

    def __init__(self, config: RolloutConfig) -> None:
        self._config = config

    def open(self, context: Any) -> None:
        self._metrics = opened(self._config.settings, context, NAME).metrics
        self._guard = Guard(NAME, self._metrics)
        self._rollout = RolloutGuard(self._config.bounds)
        self._state = context.get_state(ValueStateDescriptor("guard", Types.PICKLED_BYTE_ARRAY()))
        self._encoder = msgspec.msgpack.Encoder()

    def process_element(self, value: Row, _context: Any) -> Iterator[Any]:
        return self._guard.handle(value, self._judge)

    def _judge(self, record: Row) -> Iterator[Row]:
        stored = self._state.value()
        before = GuardState() if stored is None else _STATE.decode(stored)
        after, verdict = self._step(before, record)
        if after is not before:
            self._state.update(self._encoder.encode(after))
        if verdict is not None:
            yield self._taken_back(verdict)

    def _step(self, state: GuardState, record: Row) -> tuple[GuardState, Verdict | None]:
        match record[TOPIC]:
            case topics.MODEL_REPORTS:
                return self._rollout.report(state, decode(record[VALUE], ModelReport))
            case topics.ALERTS:
                return self._rollout.alert(state, decode(record[VALUE], Alert))
            case _:
                return self._rollout.feedback(state, decode(record[VALUE], Feedback))

    def _taken_back(self, verdict: Verdict) -> Row:
        """The control, whose version follows the candidate's: whoever promotes another one later has a higher one."""
        log.warning("model %s is taken back: %s", verdict.model, verdict.why)
        self._metrics.counter(names.MODEL_ROLLBACKS, verdict.reason).inc()
        everywhere = verdict.stage == "everywhere"
        change = EndCandidate(task="detector", model=verdict.model, by=BY, reason=verdict.why, in_service=everywhere)
        control = Control(
            site=self._config.site,
            origin="console",
            version=verdict.version + 1,
            effective_from_ms=now_ms(),
            change=change,
        )
        return keyed(key(change), encode(control))


def build(env: StreamExecutionEnvironment, ends: KafkaEnds, config: RolloutConfig) -> None:
    """model-reports, alerts, feedback → Sort → Rollout → controls."""
    uid = "rollout-sort"
    source = ends.source(env, [topics.MODEL_REPORTS, topics.ALERTS, topics.FEEDBACK], uid)
    sort = Sort(uid, config.prefix, config.settings, theirs=(topics.ALERTS, topics.FEEDBACK))  # the evidence's
    heard = source.process(sort, sorted_type()).name(uid).uid(uid)
    ends.sink(side_output(heard, dead_letters_tag()), topics.DEAD_LETTERS, uid)
    controls = (
        heard.key_by(lambda row: row[0], Types.STRING()).process(Rollout(config), keyed_type()).name(NAME).uid(NAME)
    )
    ends.sink(controls, topics.CONTROLS, NAME)
    ends.sink(side_output(controls, dead_letters_tag()), topics.DEAD_LETTERS, NAME)
