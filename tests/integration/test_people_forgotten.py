"""Behind a real broker: a change of people is with the jobs within a second, and who is removed is in no byte left."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.admin import create_topics
from bus.consuming import Record
from bus.follower import Follower
from console.parts import Parts
from console.people.days import BEAT_MS
from console.people.sealing import half
from contracts import topics
from contracts.codec import decode
from contracts.people import GalleryChange, GalleryContent, RemovedPerson, SetDenial, SetPerson
from tests.console_tools import take
from tests.people_tools import ANNA, OTTO, Clock, a_master, look, named_alert, people_parts
from vedette.broker import Broker, BrokerConfig

pytestmark = pytest.mark.broker
SOON = {"segment.ms": "200", "max.compaction.lag.ms": "200", "file.delete.delay.ms": "0"}
"""The topic's bounds, short enough for a test; the mechanism is the same."""
FORGOTTEN_S = 90.0


class Gallery:
    """The topic as a job follows it, with the time of each change."""

    def __init__(self, bootstrap: str) -> None:
        self._arrived: list[tuple[float, GalleryContent]] = []
        self._news = threading.Condition()
        self._follower = Follower(bootstrap, topics.GALLERY, self._take)
        self._follower.start()

    def _take(self, record: Record) -> None:
        with self._news:
            self._arrived.append((time.monotonic(), decode(record.value or b"", GalleryChange).change))
            self._news.notify_all()

    def wait(self, kind: type, began_s: float) -> tuple[float, GalleryContent]:
        """How long after `began_s` the first change of that kind came since, and which; a failure after 20 s."""
        with self._news:
            while time.monotonic() < began_s + 20:
                for at_s, change in self._arrived:
                    if at_s >= began_s and isinstance(change, kind) and getattr(change, "id", "") != "beat":
                        return at_s - began_s, change
                self._news.wait(0.2)
        raise AssertionError(f"no {kind.__name__} came")

    def close(self) -> None:
        self._follower.stop()


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Broker]:
    """A broker of its own: its files are looked through."""
    with Broker(BrokerConfig(tmp_path / "kafka", heap_mb=256, more={"log.cleaner.backoff.ms": "500"})) as broker:
        specs = topics.specs("home", 1)
        forgetting = (topics.GALLERY, topics.FACE_KEYS)
        short = [forgetting_soon(one) if one.name in forgetting else one for one in specs]
        create_topics(broker.bootstrap, tuple(short))
        yield broker


def forgetting_soon(spec: topics.TopicSpec) -> topics.TopicSpec:
    return topics.TopicSpec(spec.name, spec.partitions, spec.config | SOON)


@pytest.fixture
def parts(tmp_path: Path, kafka: Broker) -> Iterator[Parts]:
    clock = Clock()
    parts = people_parts(tmp_path / "state", clock, a_master(), bootstrap=kafka.bootstrap)
    parts.people.step(clock.now_ms)
    parts.outbox.start()
    yield parts
    parts.outbox.stop()
    parts.store.close()


def bytes_of(*folders: Path) -> bytes:
    """All bytes of all files there."""
    files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    return b"\n".join(file.read_bytes() for file in files)


def test_changes_are_there_within_a_second_and_who_is_removed_is_in_no_byte(
    parts: Parts, kafka: Broker, tmp_path: Path
) -> None:
    gallery = Gallery(kafka.bootstrap)
    began_s = time.monotonic()
    person = parts.people.register.enrol(ANNA, "Bea", "banned", look(1), source="upload").person.id
    other = parts.people.register.enrol(ANNA, "Carl", "staff", look(2), source="upload").person.id
    enrolled_s, enrolled = gallery.wait(SetPerson, began_s)
    assert isinstance(enrolled, SetPerson)
    take(parts.store, named_alert(parts, person, look(1, seed=7)))
    began_s = time.monotonic()
    parts.people.saying.deny(OTTO, "alert-0")
    denied_s, denial = gallery.wait(SetDenial, began_s)
    assert isinstance(denial, SetDenial)
    everything = bytes_of(tmp_path / "kafka", tmp_path / "state")
    assert enrolled.wrapped in everything  # the test would see it
    assert denial.sealed in everything
    for plain in (half(look(1).vector), look(1).vector.tobytes(), look(1).crop, half(look(1, seed=7).vector)):
        assert plain not in everything

    began_s = time.monotonic()
    parts.people.register.remove(ANNA, person)
    removed_s, removed = gallery.wait(RemovedPerson, began_s)
    assert removed == RemovedPerson(kind="person", id=person)
    gone = [enrolled.wrapped, enrolled.sealed, denial.sealed]
    gone += [base64.b64encode(one) for one in gone]
    left = forgotten(parts, tmp_path, gone)
    gallery.close()
    print(f"enrolled {enrolled_s:.2f} s, denied {denied_s:.2f} s, removed {removed_s:.2f} s, forgotten {left:.0f} s")
    assert max(enrolled_s, denied_s, removed_s) <= 1.0
    assert [one.id for one in parts.people.register.people(ANNA)] == [other]


def forgotten(parts: Parts, folder: Path, gone: list[bytes]) -> float:
    """How long it takes until none of these is in any file, while the console's beat goes on; fails after a while."""
    began_s = time.monotonic()
    clock = parts.clock_ms
    assert isinstance(clock, Clock)
    while time.monotonic() < began_s + FORGOTTEN_S:
        clock.now_ms += BEAT_MS
        parts.people.step(clock.now_ms)
        time.sleep(2.0)
        left = bytes_of(folder / "kafka", folder / "state")
        if not any(one in left for one in gone):
            return time.monotonic() - began_s
    raise AssertionError([one[:12] for one in gone if one in left])
