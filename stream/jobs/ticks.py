"""The wall clock as a stream: a record a second for each camera, so that one of which nothing is heard is noticed.

Timers can't do this: PyFlink 2.3 gives no side outputs from `on_timer` of a keyed function with broadcast state (the
tuple goes to the main output and fails there), and a camera that was never heard of has no key that could have one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import BroadcastProcessFunction, DataStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from contracts.config import Config
from stream.jobs.broadcast import Controls, controls_state
from stream.jobs.clock import now_ms
from stream.jobs.sort import sorted_type
from stream.rules import Rulebook

TICK = "tick"
"""Stands where other records have their topic; the time, ms since the epoch, where they have their offset."""


class Ticks(BroadcastProcessFunction):
    """Each pulse as a record for every camera's live lane, in the form that `Sort` gives to messages."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self, _context: Any) -> None:
        self._rulebook = Rulebook(self._config)
        self._controls = Controls()

    def process_element(self, value: int, context: Any) -> Iterator[Row]:
        at_ms = now_ms()
        for camera in self._rulebook.cameras(self._controls.known(context)):
            yield Row(f"{camera}|live", b"", TICK, 0, at_ms)

    def process_broadcast_element(self, value: Row, context: Any) -> Iterator[Any]:
        self._controls.take(value, context)
        return iter(())


def ticks(env: StreamExecutionEnvironment, config: Config, controls: DataStream, uid: str) -> DataStream:
    """Once a second a record for each camera of the config and of the controls.

    The pulse comes from one task and goes by turns to those that make ticks of it. They are as many as the job has:
    PyFlink chains its `key_by` to each stream of a union, and Flink refuses streams of different numbers of tasks.
    """
    beat = pulse(env, f"{uid}-pulse").connect(controls.broadcast(controls_state()))
    return beat.process(Ticks(config), sorted_type()).name(uid).uid(uid)


def pulse(env: StreamExecutionEnvironment, uid: str) -> DataStream:
    """A number a second, from the source behind SQL's `datagen`: unlike a sleep it holds no checkpoint up."""
    jvm = get_gateway().jvm
    generators = jvm.org.apache.flink.streaming.api.functions.source.datagen
    source = generators.DataGeneratorSource(generators.RandomGenerator.longGenerator(0, 1), 1, None)
    stream = env._j_stream_execution_environment.addSource(source, uid, Types.LONG().get_java_type_info())
    return DataStream(stream).set_parallelism(1).uid(uid)
