"""People in the real jobs: nobody, a watch-list match, a name taken back, and kill -9 with somebody in the picture."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from contracts import topics
from contracts.manifest import load_manifest
from contracts.messages import Alert, DeadLetter, Frame, FrameDetections, FrameTracks
from contracts.people import Sighting
from stream.jobs.face_models import BUNDLED
from stream.vision.faces import FaceConfig, FaceEmbedder, FaceLocaliser, FaceLooker
from stream.vision.session import SessionOptions
from tests.builders import drawn_face, jpeg_of, solid
from tests.face_tools import Enrolling, Vector, face_key, seen
from tests.jobs.world import CELL_H, CELL_W, CONFIG, HEIGHT, RED, T0_MS, WIDTH, SiteUnderTest, frame
from vault import DayKeys, day_of, master_key, new_key
from vault.master import FILE_VARIABLE
from vedette.master_file import NAME

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(600)]

STAY, PAUSE = 25, 55
"""Frames of a visit at 10/s, every fifth of full size, and of the time until the next."""


def config() -> dict[str, object]:
    gate, yard = CONFIG["cameras"]["gate"], CONFIG["cameras"]["yard"]
    faces = {"identify": True, "purpose": "watch-list"}
    rules = {
        "watch": {"kind": "known_person", "groups": ["banned"], "cameras": ["gate"], "cooldown_s": 1},
        "unknown": {"kind": "unknown_person", "cameras": ["gate"], "cooldown_s": 1},
    }
    return CONFIG | {"cameras": {"gate": gate | {"faces": faces}, "yard": yard}, "rules": rules}


class FacesUnderTest:
    """The site with people to enrol: the test is agent and console."""

    def __init__(self, site: SiteUnderTest) -> None:
        self.site = site
        master = master_key({FILE_VARIABLE: str(site.system.state_dir / NAME)})
        assert master is not None
        self.model = load_manifest(BUNDLED / "face-embedder.json").id
        self.enrolling = Enrolling(model=self.model, master=master)
        self.keys = DayKeys("site")
        key = new_key()
        self.keys.put(day_of(T0_MS), key)
        self.put(face_key(T0_MS, key, master=master))
        self.index = 0

    def put(self, record) -> None:
        self.site.send_raw(record.topic, record.key, record.value)
        self.site.producer.flush()

    def come(self, camera: str = "gate", count: int = STAY) -> None:
        """Somebody with the drawn face stands there for so many frames."""
        self.site.send([with_face(camera, self.index + number) for number in range(count)])
        self.index += count

    def go(self, camera: str = "gate") -> None:
        """Nobody is there until the track is given up."""
        self.site.send([frame(camera, self.index + number) for number in range(PAUSE)])
        self.index += PAUSE

    def wait_for_tracks(self, camera: str = "gate") -> None:
        """Every frame that was sent of the camera was decided."""

        def all_there() -> bool:
            places = {one.index for one in self.tracks() if one.camera == camera}
            return self.index - 1 in places

        self.site.wait(f"tracks of frame {self.index - 1}", all_there)

    def tracks(self) -> list[FrameTracks]:
        return self.site.messages(topics.TRACKS, FrameTracks)

    def said(self, first: int = 0) -> set[tuple[str, str]]:
        """Who the tracks of the gate were said to be from a frame on."""
        found = [t.identity for one in self.tracks() if one.index >= first for t in one.tracks]
        return {(one.decision, one.person_id) for one in found if one is not None}

    def alerts(self, rule: str) -> list[Alert]:
        return [alert for alert in self.site.messages(topics.ALERTS, Alert) if alert.rule == rule]


def with_face(camera: str, index: int) -> Frame:
    """A frame with a person in the left zone, who has the drawn face."""
    picture = solid(WIDTH, HEIGHT)
    picture[CELL_H : 2 * CELL_H, :CELL_W] = RED
    jpeg = jpeg_of(drawn_face(picture, (CELL_W // 2, CELL_H + 70), 80))
    return frame(camera, index, jpeg=jpeg, sha256=hashlib.sha256(jpeg).hexdigest())


def enrolment_vector() -> Vector:
    """What the bundled models see in the drawn face."""
    manifests = [load_manifest(BUNDLED / f"face-{name}.json") for name in ("localiser", "embedder")]
    options = SessionOptions(device="cpu")
    looker = FaceLooker(
        FaceLocaliser.open(manifests[0], BUNDLED, options),
        FaceEmbedder.open(manifests[1], BUNDLED, options),
        FaceConfig(),
    )
    (look,) = looker.enrol(drawn_face(solid(300, 220, (150, 160, 170)), (150, 100), 80))
    return look.vector


def kept_bytes(site: SiteUnderTest) -> Iterator[bytes]:
    """All that is on the topics behind detect, and in the checkpoints."""
    for topic in (topics.DETECTIONS, topics.TRACKS, topics.EVENTS, topics.ALERTS, topics.SIGHTINGS, topics.GALLERY):
        yield from (record.value for record in site.records(topic) if record.value)
    for file in (site.system.state_dir / "stream" / "checkpoints").rglob("*"):
        if file.is_file():
            yield file.read_bytes()


def test_people_are_named_only_while_they_are_enrolled(tmp_path: Path) -> None:
    vector = enrolment_vector()
    with SiteUnderTest(tmp_path, config()) as site:
        world = FacesUnderTest(site)
        # Nobody is enrolled, then 50 others are: none is named.
        world.come()
        world.go()
        world.wait_for_tracks()
        for number in range(50):
            world.put(world.enrolling.person(f"other{number}", [seen(number)], group="banned"))
        time.sleep(1.0)
        world.come()
        world.go()
        world.wait_for_tracks()
        assert world.said() == {("unknown", "")}
        assert not world.alerts("watch")
        assert len({alert.id for alert in world.alerts("unknown")}) == 2

        # Enrolled: the next visit is a watch-list match, with the frame of the face.
        world.put(world.enrolling.person("ann", [vector], "Ann", "banned"))
        time.sleep(1.0)
        first = world.index
        world.come()
        world.wait_for_tracks()
        assert world.said(first) == {("identified", "ann")}
        (alert,) = world.alerts("watch")
        assert alert.why.startswith("Ann (banned) seen; ")
        assert alert.identity is not None
        assert alert.evidence is not None
        assert alert.evidence.ref.offset >= first
        fused = np.frombuffer(world.keys.open(alert.identity.sealed), "<f2").astype(np.float32)
        assert fused @ vector > 0.8

        # Removed while the track runs: within a second its name is taken back.
        world.put(world.enrolling.removal("ann"))
        time.sleep(1.0)
        first = world.index
        world.come(count=10)
        world.go()
        world.wait_for_tracks()
        assert world.said(first) == {("unknown", "")}
        assert [(a.state, a.end_reason) for a in world.alerts("watch")] == [
            ("new", ""),
            ("end", "the name was taken back"),
        ]

        # Enrolled again, and kill -9 of the jobs: the gallery is there before the first frame.
        world.put(world.enrolling.person("ann", [vector], "Ann", "banned", version=3))
        site.send_raw(topics.GALLERY, b"person/nobody", b"\xff")
        site.kill_flink()
        first = world.index
        world.come()
        world.go()
        world.wait_for_tracks()
        assert world.said(first) == {("identified", "ann")}
        site.wait("the dead letter", lambda: bool(site.messages(topics.DEAD_LETTERS, DeadLetter)))
        assert {letter.topic for letter in site.messages(topics.DEAD_LETTERS, DeadLetter)} == {topics.GALLERY}

        sightings = site.messages(topics.SIGHTINGS, Sighting)
        ends = [(one.decision, one.person_id) for one in sightings if one.final]
        assert sorted(set(ends)) == [("identified", "ann"), ("unknown", "")]
        assert {one.zones for one in sightings if one.final} == {("left",)}

        # A camera that identifies nobody has no looks; and nowhere is a vector that could be read.
        world.come("yard", 10)
        world.wait_for_tracks("yard")
        detections = site.messages(topics.DETECTIONS, FrameDetections)
        faces = {d.camera for d in detections for box in d.detections if any(look.kind == "face" for look in box.looks)}
        assert faces == {"gate"}
        plain = [v.astype(form).tobytes()[:16] for v in (vector, fused) for form in ("<f2", "<f4", "<f8")]
        for data in kept_bytes(site):
            assert not any(part in data for part in plain)
