"""The topic `controls` as broadcast state: each subtask of a keyed job knows which changes were made, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from pyflink.common import Row, Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.state import MapStateDescriptor

from contracts import topics
from contracts.codec import decode
from contracts.controls import Control, key
from contracts.decoding import msgpack_decoder
from stream.jobs.guard import dead_letters_tag
from stream.jobs.kafka import VALUE, KafkaEnds, side_output
from stream.jobs.process import ProcessSettings
from stream.jobs.sort import Sort, sorted_type

_CONTROLS = msgpack_decoder(list[Control])

MAX_VERSIONS = 8
SETTLED_MS = 1_000
"""A change is in force half a second after it was made: so long after the one before, that one has been in force."""


def controls_state() -> MapStateDescriptor:
    """The broadcast state: for each key of `controls` its last versions, so that a replay finds the one before."""
    return MapStateDescriptor("controls", Types.STRING(), Types.PICKLED_BYTE_ARRAY())


class Controls:
    """One subtask's view of the broadcast state, decoded once a change."""

    def __init__(self) -> None:
        self._descriptor = controls_state()
        self._known: tuple[Control, ...] | None = None

    def known(self, context: Any) -> tuple[Control, ...]:
        """All that is kept, in the order in which they come into force; `context` is that of any method."""
        if self._known is None:
            self._known = _controls_in(context.get_broadcast_state(self._descriptor))
        return self._known

    def take(self, record: Row, context: Any) -> None:
        """Keep one more; `context` is that of `process_broadcast_element`."""
        control = decode(record[VALUE], Control)
        state = context.get_broadcast_state(self._descriptor)
        kept = _versions(state.get(key(control.change)))
        versions = sorted({one.version: one for one in (*kept, control)}.values(), key=lambda one: one.version)
        state.put(key(control.change), msgspec.msgpack.encode(newest(versions)))
        self._known = _controls_in(state)


def newest(versions: Sequence[Control]) -> list[Control]:
    """Of one thing's versions in order those to keep: the last two, and where changes follow each other so quickly that
    none of them is in force yet, also the one before them, which still is. At most MAX_VERSIONS.
    """
    last_ms = versions[-1].effective_from_ms
    fresh = sum(one.effective_from_ms > last_ms - SETTLED_MS for one in versions)
    return list(versions[-min(max(2, fresh + 1), MAX_VERSIONS) :])


def controls_stream(
    env: StreamExecutionEnvironment, ends: KafkaEnds, settings: ProcessSettings, uid: str, *, letters: bool
) -> DataStream:
    """The topic's good records. One of the jobs that read it makes dead letters of the bad ones."""
    source = ends.source(env, [topics.CONTROLS], uid)
    theirs = () if letters else (topics.CONTROLS,)
    stream = source.process(Sort(uid, ends.prefix, settings, theirs=theirs), sorted_type()).name(uid).uid(uid)
    if letters:
        ends.sink(side_output(stream, dead_letters_tag()), topics.DEAD_LETTERS, uid)
    return stream


def _versions(stored: bytes | None) -> list[Control]:
    return _CONTROLS.decode(stored) if stored else []


def _controls_in(state: Any) -> tuple[Control, ...]:
    controls = [control for _, stored in state.items() for control in _versions(stored)]
    return tuple(sorted(controls, key=lambda one: (one.effective_from_ms, one.version, key(one.change))))
