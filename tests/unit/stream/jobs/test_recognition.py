"""Who the tracks of a lane are, without the engine: looks to names, alerts, sightings, and what Flink stores of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from contracts.config_file import parse
from contracts.manifest import load_manifest
from contracts.messages import Alert, Detection, Event, FrameDetections, FrameRef
from contracts.metrics import Metrics
from contracts.people import Sighting
from stream.identity import IdentifierConfig, calibration_of
from stream.jobs.decider import Decider, LaneState
from stream.jobs.gallery_watch import Embedder, GalleryWatch
from stream.jobs.letters import Letters
from stream.jobs.recognition import Known, Recogniser
from tests.face_tools import MASTER, MODEL, SITE, D, Enrolling, day_keys, direction, face_look, half, seen
from vault import day_of, new_key

MODELS = Path(__file__).resolve().parents[4] / "models"
T0_MS = 1_767_225_600_000
CONFIG = """
site: {name: site}
cameras:
  gate:
    inputs: [{url: gate.mp4}]
    zones: {yard: {coordinates: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], inertia_s: 0.2}}
    faces: {identify: true, purpose: watch-list}
  hall: {inputs: [{url: hall.mp4}]}
rules:
  watch: {kind: known_person, groups: [banned], cameras: [gate], cooldown_s: 1}
  staff: {kind: known_person, zone: yard, groups: [staff], except_groups: [vip], cameras: [gate], cooldown_s: 1}
  unknown: {kind: unknown_person, cameras: [gate], cooldown_s: 1}
"""


class World:
    """A decider with its gallery and keys, and what it said so far; the state goes through its bytes each frame."""

    def __init__(self) -> None:
        calibration = calibration_of(load_manifest(MODELS / "face-embedder.json"))
        embedder = Embedder(MODEL, D)
        self.enrolling = Enrolling()
        self.watch = GalleryWatch(SITE, MASTER, embedder, Letters(), Metrics(CollectorRegistry()))
        self.keys = day_keys(T0_MS)
        self.decider = Decider(parse(CONFIG), Recogniser(embedder, calibration, IdentifierConfig()))
        self.stored = msgspec.msgpack.encode(LaneState())
        self.dropped: dict[str, int] = {}
        self.alerts: list[Alert] = []
        self.events: list[Event] = []
        self.sightings: list[Sighting] = []
        self.identities: list[tuple[str, str] | None] = []
        self.index = 0

    def enrol(self, *numbers: int, group: str = "banned") -> None:
        for number in numbers:
            pictures = [seen(number, 0.9, 99), seen(number, 0.9, 98)]
            self.watch.take(self.enrolling.person(f"p{number}", pictures, f"Person {number}", group))
        self.watch.settle()

    def frame(self, vector: np.ndarray | None, quality: float = 0.75, **changes: object) -> None:
        """One more frame at 5/s with a person in the yard, of whose face this was seen."""
        at_ms = T0_MS + 200 * self.index
        looks = () if vector is None else (face_look(self.keys, at_ms, vector, quality),)
        box = Detection(xyxy=(50.0, 100.0, 150.0, 400.0), confidence=0.9, label="person", looks=looks)
        values = {
            "site": SITE,
            "camera": "gate",
            "lane": "live",
            "session": 1,
            "index": self.index,
            "captured_at_ms": at_ms,
            "detected_at_ms": 0,
            "width": 640,
            "height": 480,
            "detail": vector is not None,
            "motion": 0.1,
            "ref": FrameRef("frames.site", 0, self.index),
            "model": "m@1",
            "detections": (box,),
        }
        self.decide(FrameDetections(**(values | changes)))
        self.index += 1

    def decide(self, frame: FrameDetections) -> None:
        state = msgspec.msgpack.decode(self.stored, type=LaneState)
        state, decision = self.decider.frame(state, frame, (), Known(self.watch.now, self.keys))
        self.stored = msgspec.msgpack.encode(state)
        self.alerts += decision.alerts
        self.events += decision.events
        self.sightings += decision.sightings
        for reason, count in decision.tally.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + count
        if decision.tracks is not None:
            said = [one.identity for one in decision.tracks.tracks]
            self.identities.append((said[0].decision, said[0].person_id) if said and said[0] else None)

    def walk(self, number: int, count: int = 8) -> None:
        """So many frames with looks at one person."""
        for _ in range(count):
            self.frame(seen(number, 0.8, self.index))

    @property
    def told(self) -> list[tuple[str, str, str]]:
        return [(alert.rule, alert.state, alert.end_reason) for alert in self.alerts if alert.state != "update"]


@pytest.fixture
def world() -> World:
    return World()


def test_who_is_on_the_watch_list_is_named_and_told(world: World) -> None:
    world.enrol(1, 2, 3)
    world.walk(2)
    assert world.identities[-1] == ("identified", "p2")
    assert {alert.rule for alert in world.alerts} == {"watch"}
    alert = world.alerts[0]
    assert alert.why == "person/p2 (banned) seen; fewer than 1 of 100,000 strangers look so alike"
    assert alert.identity is not None
    assert (alert.identity.person_id, alert.identity.group, alert.identity.decision) == ("p2", "banned", "identified")
    assert "Person" not in str((world.alerts, world.events, world.sightings))  # kept for longer than a removed person
    assert b"Person" not in world.stored
    assert alert.identity.score >= alert.identity.threshold > 0
    assert alert.identity.strangers < 0.01
    assert {one.person_id for one in alert.identity.runners_up} == {"p1", "p3"}
    assert alert.evidence is not None
    assert alert.evidence.detail
    assert alert.identity.face == (10, 10, 50, 60)
    cosine = np.frombuffer(world.keys.open(alert.identity.sealed), "<f2").astype(np.float32) @ direction(2)
    assert cosine > 0.75


def test_strangers_are_told_apart_and_never_named(world: World) -> None:
    world.enrol(*range(40))
    for stranger in range(100, 130):
        world.stored = msgspec.msgpack.encode(LaneState())
        world.walk(stranger)
    assert not [one for one in world.identities if one is not None and one[0] == "identified"]
    assert ("unknown", "") in world.identities
    assert {alert.rule for alert in world.alerts} == {"unknown"}
    assert "nobody who is enrolled" in world.alerts[0].why


def test_with_nobody_enrolled_nobody_is_named(world: World) -> None:
    world.walk(1)
    assert set(world.identities) <= {None, ("unknown", "")}


def remove(world: World) -> None:
    world.watch.take(world.enrolling.removal("p1"))


def deny(world: World) -> None:
    """As the console does: with the vector that the alert came with."""
    identity = world.alerts[0].identity
    assert identity is not None
    vector = np.frombuffer(world.keys.open(identity.sealed), "<f2").astype(np.float32)
    world.watch.take(world.enrolling.denial("d1", "p1", vector))


def enrol_as_staff(world: World) -> None:
    world.enrol(50, 51, group="staff")


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (remove, None),
        (deny, None),
        (enrol_as_staff, ("identified", "p1")),  # other people: the name stays
    ],
)
def test_a_change_of_the_gallery_counts_for_tracks_that_run(
    world: World, change: Callable[[World], None], after: tuple[str, str] | None
) -> None:
    # Somebody who is not person 1, but looks very like them: pictures at a cosine of .6 to the true direction.
    alike = [seen(70, 0.6, 1), seen(70, 0.6, 2)]
    world.watch.take(world.enrolling.person("p1", alike, "Person 1", "banned"))
    world.enrol(2)
    world.walk(70)
    assert world.identities[-1] == ("identified", "p1")
    change(world)
    world.watch.settle()
    world.frame(None)  # not even a look is needed
    if after is not None:
        assert world.identities[-1] == after
        assert world.told == [("watch", "new", "")]
        return
    assert world.identities[-1] is not None
    assert world.identities[-1][1] == ""
    told = [one for one in world.told if one[0] == "watch"]
    assert told == [("watch", "new", ""), ("watch", "end", "the name was taken back")]
    ended = next(alert for alert in world.alerts if alert.state == "end")
    assert ended.why.startswith("person/p1 (banned) was seen")
    assert ended.why.endswith("the name was taken back")
    assert world.sightings[-1].person_id == ""


@pytest.mark.parametrize(("group", "rules"), [("staff", {"staff"}), ("vip", set()), ("", set())])
def test_groups_say_who_a_rule_is_about(world: World, group: str, rules: set[str]) -> None:
    world.enrol(1, 2, group=group)
    world.walk(1)
    assert world.identities[-1] == ("identified", "p1")
    assert {alert.rule for alert in world.alerts} - {"unknown"} == rules


def test_sightings_tell_what_is_new_and_how_the_track_ended(world: World) -> None:
    world.enrol(1, 2)
    world.walk(1, 20)
    for _ in range(30):  # 6 s: the track is given up
        world.frame(None, detections=())
    assert 2 <= len(world.sightings) <= 9  # a test needs half as much again to go by: not one a look
    assert [one.final for one in world.sightings].count(True) == 1
    last = world.sightings[-1]
    assert (last.final, last.person_id, last.track, last.zones) == (True, "p1", "gate/live/1/1", ("yard",))
    assert last.ref_at_ms == T0_MS
    assert last.xyxy is not None
    assert msgspec.msgpack.decode(world.stored, type=LaneState).faces.faces == ()


def test_who_takes_a_track_over_is_somebody_else_in_alerts_and_sightings(world: World) -> None:
    world.enrol(1, 2)
    world.walk(1, 12)
    before = world.sightings[-1]
    world.walk(100)  # a stranger, in the very same place
    assert world.identities[-1] == ("unknown", "")
    assert ("watch", "end", "another person's face is on this track now") in world.told
    unknown = next(alert for alert in world.alerts if alert.rule == "unknown")
    assert unknown.evidence is not None
    assert unknown.evidence.captured_at_ms > before.at_ms  # not the picture of whoever was there before
    assert unknown.identity is not None
    assert unknown.identity.looks <= 8
    first = [one for one in world.sightings if one.track == "gate/live/1/1"]
    second = [one for one in world.sightings if one.track == "gate/live/1/1+1"]
    assert (first[-1].final, first[-1].person_id, [one.final for one in first].count(True)) == (True, "p1", 1)
    assert {one.person_id for one in second} == {""}
    assert second[0].first_at_ms > first[-1].at_ms
    assert msgspec.msgpack.decode(world.stored, type=LaneState).faces.over == ()


def test_a_clearer_face_of_somebody_else_is_no_picture_of_whoever_has_the_track(world: World) -> None:
    world.enrol(1, 2)
    world.walk(1, 12)
    until_ms = T0_MS + 200 * world.index
    for _ in range(6):  # the first of them are kept aside, as they may be odd looks at the same person
        world.frame(seen(100, 0.8, world.index), quality=0.95)
    theirs = [one for one in world.sightings if one.track == "gate/live/1/1"]
    assert {one.track for one in world.sightings[len(theirs) :]} == {"gate/live/1/1+1"}
    assert {(one.ref_at_ms < until_ms, one.quality) for one in theirs} == {(True, 0.75)}
    pictures = [one.evidence for one in world.alerts if one.rule == "watch"]
    assert all(one is not None and one.captured_at_ms < until_ms for one in pictures)


def test_the_last_frame_of_a_source_ends_every_track(world: World) -> None:
    world.walk(1, 5)
    world.frame(None, last=True)
    assert world.sightings[-1].final


def test_no_vector_is_readable_in_what_flink_stores(world: World) -> None:
    world.enrol(1, 2)
    looks = [seen(1, 0.8, index) for index in range(8)]
    for look in looks:
        world.frame(look)
        state = msgspec.msgpack.decode(world.stored, type=LaneState)
        fused = np.frombuffer(world.keys.open(state.faces.faces[0].who.sealed), "<f2").astype(np.float32)
        for vector in (*looks, fused):
            for form in ("<f2", "<f4", "<f8"):
                whole = vector.astype(form).tobytes()
                assert whole[:16] not in world.stored
                assert whole[-16:] not in world.stored
    # No run of bytes of the state is near to what was seen, in whatever form and at whatever place.
    for form in ("<f2", "<f4"):
        size = np.dtype(form).itemsize * D
        for start in range(len(world.stored) - size):
            with np.errstate(all="ignore"):
                found = np.frombuffer(world.stored, form, D, start).astype(np.float64)
                cosine = found @ fused / np.linalg.norm(found)
            assert not abs(cosine) > 0.6


def test_without_the_days_key_nobody_is_named_and_nothing_is_kept(world: World) -> None:
    world.enrol(1, 2)
    world.walk(1, 4)
    assert world.identities[-1] == ("identified", "p1")
    looks = (face_look(world.keys, T0_MS, seen(1)),)
    world.keys.drop(day_of(T0_MS))
    box = Detection(xyxy=(50.0, 100.0, 150.0, 400.0), confidence=0.9, label="person", looks=looks)
    world.frame(None, detections=(box,))
    assert world.dropped == {"key": 1}
    world.keys.put(day_of(T0_MS), new_key())  # another key opens nothing of before
    world.frame(None, detections=(box,))
    assert world.dropped == {"key": 2}
    remove(world)
    world.watch.settle()
    world.frame(None, detections=(box,))
    assert world.identities[-1] is None
    assert not msgspec.msgpack.decode(world.stored, type=LaneState).faces.faces


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "face-embedder@2"}, "model"),
        ({"vector": half(seen(1))}, "key"),  # not sealed
        ({"xyxy": None}, ""),
        ({"kind": "colour"}, ""),
    ],
)
def test_a_look_that_can_t_be_compared_is_counted(world: World, changes: dict[str, object], reason: str) -> None:
    world.enrol(1, 2)
    for _ in range(4):
        look = face_look(world.keys, T0_MS, seen(1))
        box = Detection(
            xyxy=(50.0, 100.0, 150.0, 400.0),
            confidence=0.9,
            label="person",
            looks=(msgspec.structs.replace(look, **changes),),
        )
        world.frame(None, detections=(box,))
    assert set(world.identities) == {None}
    assert world.dropped == ({reason: 4} if reason else {})


def test_what_another_embedder_saw_of_a_track_before_a_restart_is_not_compared(world: World) -> None:
    """Its vectors may even have another length."""
    world.walk(1, 4)
    calibration = calibration_of(load_manifest(MODELS / "face-embedder.json"))
    embedder = Embedder("face-embedder@9", D // 2)
    world.watch = GalleryWatch(SITE, MASTER, embedder, Letters(), Metrics(CollectorRegistry()))
    world.decider = Decider(parse(CONFIG), Recogniser(embedder, calibration, IdentifierConfig()))
    vector = np.eye(D // 2, dtype=np.float32)[0]
    look = face_look(world.keys, T0_MS, vector, model=embedder.model)
    box = Detection(xyxy=(50.0, 100.0, 150.0, 400.0), confidence=0.9, label="person", looks=(look,))
    world.frame(None, detections=(box,))
    (face,) = msgspec.msgpack.decode(world.stored, type=LaneState).faces.faces
    assert (face.model, face.who.looks, world.dropped) == (embedder.model, 1, {"model": 1})


def test_a_camera_that_identifies_nobody_keeps_nothing(world: World) -> None:
    world.enrol(1, 2)
    for _ in range(6):
        world.frame(seen(1), camera="hall")
    assert set(world.identities) == {None}
    assert not world.sightings
    assert not msgspec.msgpack.decode(world.stored, type=LaneState).faces.faces


def test_the_same_frames_and_gallery_give_the_same_decisions() -> None:
    def story(order: tuple[int, ...]) -> list[object]:
        world = World()
        world.enrol(*order)
        world.walk(2, 20)
        return [world.identities, [(a.id, a.revision, a.state, a.at_ms, a.score) for a in world.alerts]]

    assert story((1, 2, 3)) == story((3, 1, 2))
