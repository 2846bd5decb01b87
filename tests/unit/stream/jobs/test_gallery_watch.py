"""What a process knows of who is enrolled and of the days' keys, record by record."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from bus.consuming import Record
from contracts import metrics as names
from contracts.codec import encode
from contracts.config import Camera, CameraFaces
from contracts.controls import Control, Removed, SetCamera, key
from contracts.metrics import Metrics
from contracts.people import PersonSecret, RemovedPerson, SetPerson
from stream.jobs.chosen_cameras import ChosenCameras
from stream.jobs.day_keys import DayKeyWatch
from stream.jobs.gallery_watch import Embedder, GalleryWatch
from stream.jobs.letters import Letters
from tests.face_tools import MASTER, MODEL, SITE, D, Enrolling, face_key, half, seen
from vault import VaultError, new_key, sealed

T0_MS = 1_767_225_600_000
ENROLLING = Enrolling()
ANN, BOB = [seen(1)], [seen(2), seen(2, 0.9)]


class Watched:
    """A gallery that took these records, in this order."""

    def __init__(self, *records: Record) -> None:
        self.letters = Letters()
        self.metrics = Metrics(CollectorRegistry())
        self.watch = GalleryWatch(SITE, MASTER, Embedder(MODEL, D), self.letters, self.metrics, clock=lambda: T0_MS)
        for record in records:
            self.watch.take(record)
        self.watch.settle()

    @property
    def people(self) -> list[str]:
        return [person.id for person in self.watch.now.gallery.people]


@pytest.mark.parametrize(
    ("records", "people"),
    [
        ((ENROLLING.person("bob", BOB), ENROLLING.person("ann", ANN)), ["ann", "bob"]),
        ((ENROLLING.person("ann", ANN), ENROLLING.removal("ann")), []),
        ((ENROLLING.removal("ann", version=3), ENROLLING.person("ann", ANN, version=2)), []),  # late word
        ((ENROLLING.removal("ann", version=2), ENROLLING.person("ann", ANN, version=3)), ["ann"]),  # enrolled anew
        ((Enrolling("elsewhere").person("ann", ANN),), []),
        ((Enrolling(model="face-embedder@2").person("ann", ANN), ENROLLING.person("bob", BOB)), ["bob"]),
        ((ENROLLING.person("bob", BOB), Enrolling(model="face-embedder@2").person("bob", BOB, version=2)), []),
    ],
    ids=["two", "removed", "late", "again", "another site", "another model", "enrolled with another model since"],
)
def test_the_highest_version_of_each_person_counts(records: tuple[Record, ...], people: list[str]) -> None:
    found = Watched(*records)
    assert found.people == people
    assert not list(found.letters.taken())
    assert found.metrics.registry.get_sample_value(names.GALLERY_PEOPLE.name) == len(people)


def test_pictures_names_and_groups_arrive_as_they_were_enrolled() -> None:
    gallery = Watched(ENROLLING.person("bob", BOB, "Bob", "vip")).watch.now.gallery
    assert (gallery.people[0].name, gallery.people[0].group) == ("Bob", "vip")
    np.testing.assert_allclose(gallery.vectors, BOB, atol=1e-3)


def test_the_order_of_records_makes_no_difference() -> None:
    records = [ENROLLING.person("ann", ANN), ENROLLING.person("bob", BOB), ENROLLING.denial("d", "bob", seen(3))]
    there, back = Watched(*records).watch.now, Watched(*reversed(records)).watch.now
    assert there.state == back.state
    assert there.gallery.people == back.gallery.people
    np.testing.assert_array_equal(there.gallery.vectors, back.gallery.vectors)
    assert len(back.gallery.denials) == 1  # also where its person came behind it


def test_a_denial_goes_with_its_person() -> None:
    records = (ENROLLING.person("ann", ANN), ENROLLING.denial("d", "ann", seen(3)))
    assert Watched(*records).watch.now.gallery.denials
    taken_back = ENROLLING.record(RemovedPerson(kind="denial", id="d"), version=2)
    assert not Watched(*records, taken_back).watch.now.gallery.denials
    gone = Watched(*records, ENROLLING.removal("ann"), ENROLLING.person("ann", ANN, version=3))
    assert not gone.watch.now.gallery.denials


def with_secret(vectors: tuple[bytes, ...]) -> Record:
    own = new_key()
    secret = msgspec.msgpack.encode(PersonSecret(name="x", model=MODEL, vectors=vectors))
    change = SetPerson(id="x", group="", wrapped=MASTER.wrap(own, "person/x"), sealed=sealed(own, secret, b"person/x"))
    return ENROLLING.record(change)


def of_another_person() -> Record:
    own = new_key()
    change = SetPerson(id="x", group="", wrapped=MASTER.wrap(own, "person/y"), sealed=sealed(own, b"", b"person/x"))
    return ENROLLING.record(change)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Record("gallery", 0, 7, 0, None, b"\xff"), "no GalleryChange"),
        (Record("gallery", 0, 7, 0, None, None), "no value"),
        (of_another_person(), "key person/x: can't be opened"),
        (with_secret(()), "no picture"),
        (with_secret((b"\0" * 10,)), "10 bytes instead of 256"),
        (with_secret((bytes(256),)), "length 0 instead of 1"),
        (with_secret((half(seen(1))[:-2] + b"\x00\x7e",)), "length nan instead of 1"),
    ],
)
def test_a_bad_record_is_a_dead_letter_and_changes_nothing(record: Record, reason: str) -> None:
    found = Watched(ENROLLING.person("ann", ANN), record)
    ((letter, said),) = found.letters.taken()
    assert letter == record
    assert reason in said
    assert found.people == ["ann"]
    assert not list(found.letters.taken())


def test_how_long_a_change_took_is_measured_from_the_record_on() -> None:
    found = Watched()
    found.watch.take(ENROLLING.person("ann", ANN)._replace(timestamp_ms=T0_MS - 400))
    found.watch.settle()
    total = found.metrics.registry.get_sample_value(f"{names.GALLERY_CHANGE.name}_sum")
    assert total == pytest.approx(0.4)


def test_a_days_key_comes_and_goes() -> None:
    letters = Letters()
    watch = DayKeyWatch(SITE, MASTER, letters)
    watch.take(face_key(T0_MS, new_key()))
    watch.take(face_key(T0_MS, new_key(), site="elsewhere"))
    sealed_then = watch.keys.seal(T0_MS, b"a face")
    assert watch.keys.open(sealed_then) == b"a face"
    watch.take(face_key(T0_MS, None))
    with pytest.raises(VaultError):
        watch.keys.open(sealed_then)
    assert not list(letters.taken())
    watch.take(face_key(T0_MS, new_key())._replace(value=b"\xff"))
    assert len(list(letters.taken())) == 1


IDENTIFY = Camera(inputs=(), faces=CameraFaces(identify=True, purpose="watch-list"))


@pytest.mark.parametrize(
    ("changes", "identified"),
    [
        ([], {"gate"}),
        ([SetCamera(camera="yard", spec=IDENTIFY)], {"gate", "yard"}),
        ([SetCamera(camera="gate", spec=Camera(inputs=()))], set()),
        ([SetCamera(camera="gate", spec=msgspec.structs.replace(IDENTIFY, enabled=False))], set()),
        ([SetCamera(camera="yard", spec=IDENTIFY), Removed(kind="camera", camera="yard", name="")], {"gate"}),
    ],
)
def test_controls_say_which_cameras_identify(changes: list[SetCamera | Removed], identified: set[str]) -> None:
    cameras = ChosenCameras(SITE, {"gate"}, lambda camera: camera.faces.identify)
    for version, change in enumerate(changes):
        control = Control(site=SITE, origin="console", version=version, effective_from_ms=0, change=change)
        cameras.take(Record("controls", 0, version, 0, key(change).encode(), encode(control)))
    cameras.take(Record("controls", 0, 9, 0, None, b"\xff"))
    assert {name for name in ("gate", "yard") if name in cameras} == identified
    assert len(cameras) == len(identified)
