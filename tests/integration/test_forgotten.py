"""What was deleted is looked for in the broker's own files: after its bound the bytes are not there any more."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.admin import create_topics
from bus.reader import Reader
from contracts import topics
from contracts.codec import decode, encode
from contracts.people import FaceKey, GalleryChange, RemovedPerson, SetPerson, UnknownSeen
from contracts.topics import COMPACTED_WITHIN_MS, TopicSpec
from tests.kafka_tools import Writer
from vedette.broker import Broker, BrokerConfig

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

FASTER = COMPACTED_WITHIN_MS // 6000
"""The product's topics with their times so much shorter: a bound of 6 s instead of an hour."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A broker's folder and address; its cleaner looks every half second, as the bound is short."""
    with Broker(BrokerConfig(tmp_path, heap_mb=256, more={"log.cleaner.backoff.ms": "500"})) as broker:
        create_topics(broker.bootstrap, [shortened(spec) for spec in topics.specs("site", 1) if forgets(spec)])
        yield tmp_path, broker.bootstrap


def forgets(spec: TopicSpec) -> bool:
    return spec.name in (topics.GALLERY, topics.FACE_KEYS, topics.UNKNOWNS)


def shortened(spec: TopicSpec) -> TopicSpec:
    times = {key: str(int(spec.config[key]) // FASTER) for key in ("segment.ms", "max.compaction.lag.ms")}
    return TopicSpec(spec.name, spec.partitions, spec.config | times)


def there(folder: Path, marks: dict[str, bytes]) -> set[str]:
    """Which of these bytes are in a file of the broker's; files that it has deleted it unlinks a minute later."""
    found = set()
    for path in folder.rglob("*.log"):
        content = path.read_bytes()
        found |= {name for name, mark in marks.items() if mark in content}
    return found


def test_what_is_removed_leaves_the_topics_after_its_bound(folder: tuple[Path, str]) -> None:
    files, bootstrap = folder
    marks = {name: os.urandom(64) for name in ("person", "key of a person", "key of a day", "unknown", "somebody else")}
    person = SetPerson(id="p-1", group="", wrapped=marks["key of a person"], sealed=marks["person"])
    other = SetPerson(id="p-2", group="", wrapped=b"", sealed=marks["somebody else"])
    seen = UnknownSeen(site="site", pseudonym="u-1", first_at_ms=0, last_at_ms=0, came=1, sealed=marks["unknown"])
    gone = UnknownSeen(site="site", pseudonym="u-1", first_at_ms=0, last_at_ms=0, came=1, gone=True)
    with Writer(bootstrap) as writer:
        for number, one in ((1, person), (2, other)):
            writer.put(topics.GALLERY, gallery(one), f"person/p-{number}")
        writer.put(topics.FACE_KEYS, encode(FaceKey(site="site", day=1, wrapped=marks["key of a day"])), "site/1")
        writer.put(topics.UNKNOWNS, encode(seen), "u-1")
        assert there(files, marks) == set(marks)
        writer.put(topics.GALLERY, gallery(RemovedPerson(kind="person", id="p-1")), "person/p-1")
        writer.put(topics.FACE_KEYS, encode(FaceKey(site="site", day=1)), "site/1")
        writer.put(topics.UNKNOWNS, encode(gone), "u-1")
        began_s = time.monotonic()
        while there(files, marks) != {"somebody else"}:
            assert time.monotonic() - began_s < 60, there(files, marks)
            time.sleep(1.0)
            # As the console does: a segment is closed by a record that comes after its time.
            writer.put(topics.GALLERY, gallery(RemovedPerson(kind="denial", id="beat")), "denial/beat")
            writer.put(topics.FACE_KEYS, encode(FaceKey(site="site", day=2, wrapped=b"another")), "site/2")
            writer.put(topics.UNKNOWNS, encode(gone), "u-2")
    with Reader(bootstrap, topics.GALLERY) as reader:
        kept = [decode(record.value or b"", GalleryChange).change for record in reader.held()]
    assert other in kept
    assert RemovedPerson(kind="person", id="p-1") in kept


def gallery(change: SetPerson | RemovedPerson) -> bytes:
    return encode(GalleryChange(site="site", version=1, change=change))
