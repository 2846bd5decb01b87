"""Behind a real broker: a change of people is with the jobs within a second, and who is removed is in no byte left."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from archive.history.keeper import Keeper
from archive.history.mirror import Mirror
from archive.sightings.folder import SightingsFolder
from bus.admin import create_topics
from bus.consuming import Record
from bus.follower import Follower
from bus.reader import Reader
from console.parts import Parts
from console.people.days import BEAT_MS
from console.people.sealing import half
from contracts import topics
from contracts.codec import decode, encode
from contracts.identity import TrackIdentity
from contracts.messages import Detection, FrameDetections, FrameRef, Look
from contracts.metrics import Metrics
from contracts.people import GalleryChange, GalleryContent, RemovedPerson, SetDenial, SetPerson
from tests.console_tools import take
from tests.face_tools import readable_forms
from tests.history_tools import alert as history_alert
from tests.history_tools import event as history_event
from tests.history_tools import thing
from tests.history_tools import tracks as history_tracks
from tests.kafka_tools import Writer
from tests.people_tools import ANNA, OTTO, Clock, a_master, look, named_alert, people_parts
from tests.sighting_tools import MODEL, D, sighting
from vault import DayKeys, VaultError, day_of, key_name
from vault.days import DAY_MS
from vedette.broker import Broker, BrokerConfig

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]
SOON = {"segment.ms": "200", "max.compaction.lag.ms": "200", "file.delete.delay.ms": "0"}
"""The topic's bounds, short enough for a test; the mechanism is the same."""
FORGOTTEN_S = 90.0
LOOKS = (
    *(topics.DETECTIONS, topics.TRACKS, topics.EVENTS, topics.ALERTS, topics.SIGHTINGS),
    *(topics.GALLERY, topics.FEEDBACK),
)


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
        """How long after `began_s` the first change of that kind came since, and which; fails after 20 s."""
        until_s = time.monotonic() + 20
        with self._news:
            while time.monotonic() < until_s:
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
    # The first change also waits for the connection to the broker, which a console has long made.
    other = parts.people.register.enrol(ANNA, "Carl", "staff", look(2), source="upload").person.id
    gallery.wait(SetPerson, 0.0)
    began_s = time.monotonic()
    person = parts.people.register.enrol(ANNA, "Bea", "banned", look(1), source="upload").person.id
    enrolled_s, enrolled = gallery.wait(SetPerson, began_s)
    assert isinstance(enrolled, SetPerson)
    take(parts.store, named_alert(parts, person, look(1, seed=7)))
    seen = whatever_cameras_saw(parts, person, kafka.bootstrap, tmp_path / "state")
    began_s = time.monotonic()
    parts.people.saying.deny(OTTO, "alert-0")
    denied_s, denial = gallery.wait(SetDenial, began_s)
    assert isinstance(denial, SetDenial)
    everything = bytes_of(tmp_path / "kafka", tmp_path / "state")
    assert enrolled.wrapped in everything  # the test would see it
    assert denial.sealed in everything
    assert all(there(one, on_topics(kafka.bootstrap)) for one in seen)
    nothing_readable(everything + on_topics(kafka.bootstrap))

    began_s = time.monotonic()
    parts.people.register.remove(ANNA, person)
    removed_s, removed = gallery.wait(RemovedPerson, began_s)
    assert removed == RemovedPerson(kind="person", id=person)
    gone = [enrolled.wrapped, enrolled.sealed, denial.sealed]
    gone += [base64.b64encode(one) for one in gone]
    left = forgotten(parts, tmp_path, gone)
    gallery.close()
    nothing_readable(bytes_of(tmp_path / "kafka", tmp_path / "state") + on_topics(kafka.bootstrap))
    print(f"enrolled {enrolled_s:.2f} s, denied {denied_s:.2f} s, removed {removed_s:.2f} s, forgotten {left:.0f} s")
    assert max(enrolled_s, denied_s, removed_s) <= 1.0
    assert [one.id for one in parts.people.register.people(ANNA)] == [other]

    # What cameras saw of them is on the topics for longer: until the day's key is gone, which is nowhere then.
    day = day_of(parts.clock_ms())
    with parts.store.database.read() as connection:
        wrapped = parts.store.people.key(connection, key_name("home", day))
    assert wrapped is not None
    assert opened_by_what_is_left(parts, seen) == len(seen)
    assert isinstance(parts.clock_ms, Clock)
    parts.clock_ms.now_ms = (day + 1) * DAY_MS + round(parts.people.seen_days * DAY_MS)
    left = forgotten(parts, tmp_path, [wrapped, base64.b64encode(wrapped)])
    print(f"the key of what was seen is forgotten after {left:.0f} s")
    assert all(there(one, on_topics(kafka.bootstrap)) for one in seen)  # for as long as the topics keep it
    assert opened_by_what_is_left(parts, seen) == 0
    nothing_readable(bytes_of(tmp_path / "kafka", tmp_path / "state") + on_topics(kafka.bootstrap))


def there(sealed: bytes, everything: bytes) -> bool:
    """As it is, or in JSON."""
    return sealed in everything or base64.b64encode(sealed) in everything


def on_topics(bootstrap: str) -> bytes:
    """All that topics with looks hold, as a reader gets it: the files may be compressed."""
    values = []
    for topic in LOOKS:
        with Reader(bootstrap, topic) as reader:
            values += [record.value or b"" for record in reader.held()]
    return b"\n".join(values)


def nothing_readable(everything: bytes) -> None:
    """Of the face: not its picture, and no vector in any form."""
    for candidate in (look(1), look(1, seed=7)):
        assert candidate.crop not in everything
        assert not any(part in everything for part in readable_forms(candidate.vector))


def whatever_cameras_saw(parts: Parts, person: str, bootstrap: str, state: Path) -> list[bytes]:
    """Looks at them on all topics that carry any, and in what is made of those: the looks as they are sealed."""
    keys, now_ms, vector = parts.people.days.keys, parts.clock_ms(), look(1, seed=7).vector
    sealed = [keys.seal(now_ms, half(vector)) for _ in range(4)]
    said = named_alert(parts, person, look(1, seed=7)).identity
    assert said is not None
    a_look = Look(kind="face", model=MODEL, quality=0.8, xyxy=(2, 2, 7, 7), vector=sealed[0])
    box = Detection(xyxy=(0, 0, 9, 9), confidence=0.9, label="person", looks=(a_look,))
    frame = FrameDetections(
        site="home",
        camera="gate",
        lane="live",
        session=1,
        index=1,
        captured_at_ms=now_ms,
        detected_at_ms=now_ms,
        width=200,
        height=100,
        detail=True,
        motion=0.5,
        ref=FrameRef("frames.home", 0, 1),
        model="detector@1",
        detections=(box,),
    )
    event = history_event(1, identity=replace(said, sealed=sealed[1]), at_ms=now_ms)
    alert = history_alert(1, identity=replace(said, sealed=sealed[2]), at_ms=now_ms)
    seen = sighting(1, vector, keys, now_ms, site="home", person_id=person, sealed=sealed[3])
    tracks = history_tracks(1, thing(1, identity=TrackIdentity(decision="identified", person_id=person)))
    told = {
        topics.DETECTIONS: frame,
        topics.EVENTS: event,
        topics.ALERTS: alert,
        topics.SIGHTINGS: seen,
        topics.TRACKS: tracks,
    }
    with Writer(bootstrap) as writer:
        for topic, message in told.items():
            writer.put(topic, encode(message), "gate")
    SightingsFolder(state / "sightings", keys).add([seen])
    history = Keeper(Mirror(state / "history"), Metrics(CollectorRegistry()), keep_days=30)
    history.read_from("cluster")
    for topic in (topics.EVENTS, topics.ALERTS, topics.TRACKS):
        history.take(Record(topic, 0, 0, now_ms, None, encode(told[topic])), now_ms)
    history.commit(now_ms)
    history.close()
    rows = duckdb.sql(f"SELECT * FROM read_parquet('{state}/history/**/*.parquet', union_by_name=true)").fetchall()
    assert rows
    values = [value for row in rows for value in row]
    assert not [one for one in values if isinstance(one, bytes) or (isinstance(one, str) and len(one) > 2 * D)]
    return sealed


def opened_by_what_is_left(parts: Parts, seen: list[bytes]) -> int:
    """How many of these can be opened with the master key and all keys of days that the database still has."""
    with parts.store.database.read() as connection:
        kept = parts.store.people.keys(connection, "day/home/")
    keys = DayKeys("home")
    master = parts.people.keys.master
    for name, wrapped in kept.items():
        keys.put(int(name.rpartition("/")[2]), master.unwrap(wrapped, name))
    count = 0
    for one in seen:
        try:
            keys.open(one)
            count += 1
        except VaultError:
            continue
    return count


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
