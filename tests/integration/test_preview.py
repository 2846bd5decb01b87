"""A rule tried over the tracks on the topic: what an hour of two cameras says, and how soon."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from bus.admin import create_topics
from bus.reader import Reader
from console.parts import Parts
from console.rights import Who
from console.wiring import Place, build
from contracts import topics
from contracts.codec import encode
from contracts.config import CameraDown, ZoneEntry
from contracts.config_file import parse
from contracts.messages import FrameRef, FrameTracks, TrackedObject
from tests.kafka_tools import Writer
from vedette.broker import Broker, BrokerConfig

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

CONFIG = """
site: {name: tried}
cameras:
  gate: {inputs: [{url: none.mp4}], zones: {yard: {coordinates: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}}}
  hall: {inputs: [{url: none.mp4}], zones: {yard: {coordinates: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}}}
rules:
  entry: {kind: zone_entry, zone: yard, cooldown_s: 30}
"""
ADA = Who("ada", "administrator")
HOUR_S = 3600
VISIT_S, EVERY_S = 20, 120
"""Somebody comes every two minutes, and walks through the yard for twenty seconds."""


def an_hour(camera: str, until_ms: int) -> Iterator[FrameTracks]:
    """Ten frames a second while somebody is there, one in five seconds else: as the motion gate lets them through."""
    index = 0
    for tenth in range(HOUR_S * 10):
        second = tenth / 10 % EVERY_S
        here = second < VISIT_S
        if not here and tenth % 50:
            continue
        left = 10 + 30 * second
        born_ms = until_ms - HOUR_S * 1000 + round((tenth / 10 - second) * 1000)
        person = TrackedObject(
            track_id=1 + int(tenth / 10 / EVERY_S),
            xyxy=(left, 100.0, left + 40, 220.0),
            confidence=0.9,
            label="person",
            first_seen_at_ms=born_ms,
        )
        yield FrameTracks(
            site="tried", camera=camera, lane="live", session=1, index=index,
            captured_at_ms=until_ms - HOUR_S * 1000 + tenth * 100, interval_ms=100, width=640, height=480,
            ref=FrameRef("frames.tried", 0, index), model="m@1", tracks=(person,) if here else (),
        )  # fmt: skip
        index += 1


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """A console whose broker holds an hour of tracks of two cameras, and some from before."""
    with Broker(BrokerConfig(tmp_path / "kafka", heap_mb=256)) as broker:
        create_topics(broker.bootstrap, topics.specs("tried", 2))
        now_ms = time.time_ns() // 1_000_000
        with Writer(broker.bootstrap) as writer:
            for camera in ("gate", "hall"):
                frames = list(an_hour(camera, now_ms - 1000))
                old = [replace(one, session=0, captured_at_ms=one.captured_at_ms - 5 * HOUR_S * 1000) for one in frames]
                for one in (*old, *frames):
                    writer.send(topics.TRACKS, encode(one), camera, at_ms=one.captured_at_ms)
        place = Place(broker.bootstrap, tmp_path / "console", f"sqlite:///{tmp_path}/console.db", "")
        parts = build(parse(CONFIG), place, lambda: time.time_ns() // 1_000_000)
        parts.store.open()
        yield parts
        parts.store.close()


def children_s() -> float:
    """CPU seconds of the processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_an_hour_of_two_cameras_is_looked_through_in_seconds(parts: Parts) -> None:
    with Reader(parts.previews.bootstrap, topics.TRACKS, parts.clock_ms() - HOUR_S * 1000) as reader:
        count = sum(1 for _ in reader.held())
    began_s, before_s = time.monotonic(), children_s()
    found = parts.previews.ask(ADA, "entry", ZoneEntry(zone="yard", cooldown_s=300), 1.0)
    took_s, used_s = time.monotonic() - began_s, children_s() - before_s
    print(f"\n{found.frames} frames of two cameras in {took_s:.1f} s, {used_s:.1f} s of CPU")
    assert found.error == ""
    assert 12_000 < found.frames <= count  # time goes on meanwhile
    assert found.frames > 0.99 * count
    assert not found.thinned
    assert found.in_force is not None
    assert found.in_force.count == 2 * HOUR_S // EVERY_S  # each visit is an alert
    assert found.wanted.count < found.in_force.count / 2  # the longer cooldown joins them
    assert {moment.camera for moment in found.wanted.moments} == {"gate", "hall"}
    assert all(moment.ref is not None for moment in found.wanted.moments)
    assert used_s < 15  # on two calm cores half of it; whoever else is at work here takes none of ours

    only_hall = Who("hal", "supervisor", frozenset({"hall"}))
    found = parts.previews.ask(only_hall, "other", ZoneEntry(zone="yard", cooldown_s=1), 0.5)
    assert found.in_force is None
    assert {moment.camera for moment in found.wanted.moments} == {"hall"}
    assert "fires of other things" in parts.previews.ask(ADA, "down", CameraDown(), 1).error
