"""The site job, keyed by site: sightings and operators' words in, unknown people and alerts about them out.

The room for what only shows over all cameras. Plain vectors are in the operator's memory only: Flink's state has them
as they came, sealed under their days' keys, a record a person. So a checkpoint shows nobody once the keys are gone.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from pyflink.common import Row, Types
from pyflink.datastream import KeyedBroadcastProcessFunction, ProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from contracts import metrics as names
from contracts import topics
from contracts.codec import decode, encode
from contracts.config import Config
from contracts.controls import Control
from contracts.decoding import msgpack_decoder
from contracts.manifest import load_manifest
from contracts.people import PeopleCommand, Sighting, UnknownSeen, UnknownVisit
from contracts.topics import COMPACTED_WITHIN_MS
from stream.identity import calibration_of, cohort_of
from stream.jobs.broadcast import Controls, controls_state, controls_stream
from stream.jobs.clock import now_ms
from stream.jobs.guard import Guard, dead_letters_tag
from stream.jobs.kafka import OFFSET, TOPIC, VALUE, KafkaEnds, keyed, keyed_type, side_output
from stream.jobs.outputs import Outputs, write
from stream.jobs.process import ProcessSettings, opened
from stream.jobs.sort import Sort, sorted_type
from stream.jobs.ticks import TICK, pulse
from stream.rules import CameraRules, Rulebook
from stream.sites import (
    Gone,
    Returning,
    Site,
    SiteState,
    Told,
    UnknownPerson,
    Unknowns,
    UnknownsConfig,
    UnknownsState,
    closed,
    reopened,
)
from vault import DayKeys, VaultError

log = logging.getLogger(__name__)

NAME = "site"
VECTOR = np.dtype("<f2")
BEAT_MS = COMPACTED_WITHIN_MS // 4
"""What was replaced leaves a compacted topic only after a later record: so one comes whether or not anybody does."""
BEAT = "beat"
IDLE_MS = 5_000
"""When no sighting has come for so long none waits to be read: from then on the wall's time is the cameras'."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """An unknown person in Flink's state; `number` is their place among the others, which `step` goes by.

    `model` is the embedder of their vectors: with another one nothing can be compared to them.
    """

    number: int
    person: UnknownPerson
    model: str = ""


_KEPT = msgpack_decoder(Kept)
_SITE = msgpack_decoder(SiteState)


@dataclass(frozen=True)
class SiteConfig:
    """The site's config at the start of the job, how the process is set up, and the embedder's manifest."""

    config: Config
    settings: ProcessSettings
    embedder: str
    prefix: str = ""


@dataclass
class Memory:
    """The site as it is in memory, with plain vectors, and the numbers of its people in Flink's state."""

    state: SiteState
    numbers: dict[str, int]
    days: tuple[int, ...]
    heard_ms: int


class SiteWide(KeyedBroadcastProcessFunction):
    """Loads the site once, lets its logic decide, writes down what has changed and yields."""

    def __init__(self, config: SiteConfig) -> None:
        self._config = config

    def open(self, context: Any) -> None:
        config, path = self._config.config, Path(self._config.embedder)
        manifest = load_manifest(path)
        process = opened(self._config.settings, context, NAME)
        assert process.faces is not None
        self._keys: DayKeys = process.faces.keys()
        self._letters = process.faces.letters
        self._metrics = process.metrics
        self._model = manifest.id
        self._others: set[str] = set()
        unknowns = Unknowns(calibration_of(manifest), unknowns_config(config), cohort_of(manifest, path.parent))
        self._site = Site(unknowns, Returning(config.faces.unknowns.visit_gap_s))
        self._guard = Guard(NAME, process.metrics)
        self._outputs = Outputs(process.metrics)
        self._rulebook = Rulebook(config)
        self._controls = Controls()
        self._people = context.get_map_state(MapStateDescriptor("people", Types.STRING(), Types.PICKLED_BYTE_ARRAY()))
        self._rest = context.get_state(ValueStateDescriptor("site", Types.PICKLED_BYTE_ARRAY()))
        self._encoder = msgspec.msgpack.Encoder()
        self._memory: Memory | None = None
        self._beaten_ms = 0

    def process_element(self, value: Row, context: Any) -> Iterator[Any]:
        yield from self._guard.handle(value, lambda record: self._take(record, context))
        yield from self._guard.followed(self._letters)

    def process_broadcast_element(self, value: Row, context: Any) -> Iterator[Any]:
        self._controls.take(value, context)
        return iter(())

    def _take(self, record: Row, context: Any) -> Iterator[Any]:
        controls = self._controls.known(context)
        wall_ms = now_ms()
        if self._memory is None:
            self._memory, lost = self._load(wall_ms)
            yield from self._gone(lost)
        if self._memory.days != self._keys.days:
            self._memory.days = self._keys.days
            yield from self._told(*self._site.keys_gone(self._memory.state, frozenset(self._keys.days)))
        if record[TOPIC] == TICK:
            yield from self._beat(wall_ms)
            idle_ms = record[OFFSET] - self._memory.heard_ms
            if idle_ms >= IDLE_MS and self._memory.state.returning.open:
                at_ms = self._memory.state.clock_ms + idle_ms
                rules_of = lambda camera: self._rules(camera, at_ms, controls)  # noqa: E731
                yield from self._told(*self._site.passed(self._memory.state, at_ms, rules_of))
        elif record[TOPIC] == topics.PEOPLE_COMMANDS:
            command = decode(record[VALUE], PeopleCommand)
            yield from self._told(*self._site.command(self._memory.state, command))
        else:
            self._memory.heard_ms = wall_ms
            yield from self._sighting(decode(record[VALUE], Sighting), self._memory, controls)

    def _beat(self, wall_ms: int) -> Iterator[Any]:
        if wall_ms - self._beaten_ms >= BEAT_MS:
            self._beaten_ms = wall_ms
            site = self._config.config.site.name
            yield keyed(
                BEAT, encode(UnknownSeen(site=site, pseudonym=BEAT, first_at_ms=0, last_at_ms=0, came=0, gone=True))
            )

    def _sighting(self, sighting: Sighting, memory: Memory, controls: tuple[Control, ...]) -> Iterator[Any]:
        if sighting.model != self._model:
            self._pass_over(sighting.model)
            return
        try:
            vector = np.frombuffer(self._keys.open(sighting.sealed), VECTOR).astype(np.float32)
        except VaultError:
            self._metrics.counter(names.FACES_DROPPED, "key").inc()
            return

        def rules_of(camera: str) -> CameraRules:
            return self._rules(camera, sighting.at_ms, controls)

        yield from self._told(*self._site.sighting(memory.state, sighting, vector, rules_of))

    def _pass_over(self, model: str) -> None:
        """Count a sighting by another embedder, which can't be compared; said once of each, as many may come."""
        self._metrics.counter(names.FACES_DROPPED, "model").inc()
        if model not in self._others:
            self._others.add(model)
            log.warning("sightings by %s are passed over: this site's embedder is %s", model, self._model)

    def _rules(self, camera: str, at_ms: int, controls: tuple[Control, ...]) -> CameraRules:
        """The camera's rules; none for one that is no more."""
        if self._rulebook.knows(camera, controls):
            return self._rulebook.at(camera, at_ms, controls)
        known = self._rulebook.at(next(iter(self._config.config.cameras)), at_ms, controls)
        return dataclasses.replace(known, camera=camera, rules=())

    def _load(self, wall_ms: int) -> tuple[Memory, tuple[Gone, ...]]:
        """The site out of Flink's state, and the people of whom nothing can be opened or compared any more."""
        stored = self._rest.value()
        state = SiteState() if stored is None else _SITE.decode(stored)
        kept = sorted((_KEPT.decode(value) for value in self._people.values()), key=lambda one: one.number)
        people = [reopened(one.person, self._opened) if one.model == self._model else None for one in kept]
        lost = tuple(Gone(one.person) for one, person in zip(kept, people, strict=True) if person is None)
        for one in lost:
            self._people.remove(one.person.id)
        whole = UnknownsState(people=tuple(person for person in people if person is not None))
        numbers = {one.person.id: one.number for one in kept}
        return Memory(msgspec.structs.replace(state, people=whole), numbers, self._keys.days, wall_ms), lost

    def _opened(self, sealed: bytes) -> bytes | None:
        try:
            return self._keys.open(sealed)
        except VaultError:
            return None

    def _told(self, state: SiteState, told: Told) -> Iterator[Any]:
        """Write down what has changed, and tell it: alerts first, as somebody waits for them."""
        assert self._memory is not None
        memory, before = self._memory, self._memory.state
        for one in told.gone:
            memory.numbers.pop(one.person.id, None)
            self._people.remove(one.person.id)
        for person in told.changed:
            number = memory.numbers.setdefault(person.id, max(memory.numbers.values(), default=0) + 1)
            self._people.put(person.id, self._encoder.encode(Kept(number, closed(person), self._model)))
        bare = msgspec.structs.replace(state, people=UnknownsState())
        if bare != msgspec.structs.replace(before, people=UnknownsState()):
            self._rest.update(self._encoder.encode(bare))
        memory.state = state
        self._metrics.gauge(names.UNKNOWN_PEOPLE).set(len(state.people.people))
        yield from self._outputs.records((), told.alerts)
        yield from self._gone(told.gone)
        for person in told.changed:
            yield keyed(person.id, encode(self._seen(person)))

    def _gone(self, gone: tuple[Gone, ...]) -> Iterator[Any]:
        for one in gone:
            message = UnknownSeen(
                site=self._config.config.site.name,
                pseudonym=one.person.id,
                first_at_ms=one.person.first_at_ms,
                last_at_ms=one.person.last_at_ms,
                came=one.person.came,
                gone=True,
                merged_into=one.merged_into,
            )
            yield keyed(one.person.id, encode(message))

    def _seen(self, person: UnknownPerson) -> UnknownSeen:
        try:
            sealed = self._keys.seal(person.last_at_ms, person.centre)
        except VaultError:
            sealed = b""  # seen last on a day whose key was just thrown away
        return UnknownSeen(
            site=self._config.config.site.name,
            pseudonym=person.id,
            first_at_ms=person.first_at_ms,
            last_at_ms=person.last_at_ms,
            came=person.came,
            model=self._model,
            visits=tuple(
                UnknownVisit(
                    track=visit.track,
                    camera=visit.camera,
                    at_ms=visit.at_ms,
                    strength=visit.strength,
                    ref=visit.ref,
                    face=visit.face,
                )
                for visit in person.visits
            ),
            sealed=sealed,
        )


class Tick(ProcessFunction):
    """Each pulse as a record for the site, in the form that `Sort` gives to messages."""

    def __init__(self, site: str) -> None:
        self._site = site

    def process_element(self, value: int, context: Any) -> Iterator[Row]:
        yield Row(self._site, b"", TICK, 0, now_ms())


def unknowns_config(config: Config) -> UnknownsConfig:
    """How unknown people are told apart, and what is kept of them."""
    wanted = config.faces.unknowns
    return UnknownsConfig(
        wanted_rate=wanted.wanted_rate,
        min_strength=wanted.min_strength,
        visit_gap_s=wanted.visit_gap_s,
        max_people=wanted.max_people,
    )


def build(env: StreamExecutionEnvironment, ends: KafkaEnds, config: SiteConfig) -> None:
    """sightings, people-commands (a tick a second, and controls to all) → Sort → SiteWide → unknowns, alerts."""
    uid = "site-sort"
    source = ends.source(env, [topics.SIGHTINGS, topics.PEOPLE_COMMANDS], uid)
    messages = source.process(Sort(uid, config.prefix, config.settings), sorted_type()).name(uid).uid(uid)
    ends.sink(side_output(messages, dead_letters_tag()), topics.DEAD_LETTERS, uid)
    controls = controls_stream(env, ends, config.settings, "site-controls", letters=False)
    ticks = pulse(env, "site-pulse").process(Tick(config.config.site.name), sorted_type())
    unknowns = (
        messages.union(ticks.name("site-ticks").uid("site-ticks"))
        .key_by(lambda row: row[0], Types.STRING())
        .connect(controls.broadcast(controls_state()))
        .process(SiteWide(config), keyed_type())
        .name(NAME)
        .uid(NAME)
    )
    write(ends, unknowns, topics.UNKNOWNS, NAME)
