"""A site of the jobs where one camera identifies people: what agent and console would write, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

from bus.consuming import Record
from contracts import topics
from contracts.face_models import BUNDLED
from contracts.manifest import load_manifest
from contracts.messages import Alert, Frame, FrameTracks
from stream.vision.faces import FaceConfig, FaceEmbedder, FaceLocaliser, FaceLooker
from stream.vision.session import SessionOptions
from tests.builders import drawn_face, jpeg_of, solid
from tests.face_tools import Enrolling, Vector, face_key
from tests.jobs.world import CELL_H, CELL_W, CONFIG, HEIGHT, RED, T0_MS, WIDTH, SiteUnderTest, frame, frame_of
from vault import DayKeys, day_of, master_key, new_key
from vault.master import FILE_VARIABLE
from vedette.master_file import NAME

STAY, PAUSE = 25, 55
"""Frames of a visit at 10/s, every fifth of full size, and of the time until the next."""


def config() -> dict[str, object]:
    """Two cameras, of which `gate` identifies people, and the rules about them."""
    gate, yard = CONFIG["cameras"]["gate"], CONFIG["cameras"]["yard"]
    faces = {"identify": True, "purpose": "watch-list"}
    rules = {
        "watch": {"kind": "known_person", "groups": ["banned"], "cameras": ["gate"], "cooldown_s": 1},
        "unknown": {"kind": "unknown_person", "cameras": ["gate"], "cooldown_s": 1},
    }
    return CONFIG | {"cameras": {"gate": gate | {"faces": faces}, "yard": yard}, "rules": rules}


class FacesUnderTest:
    """The site with people to enrol: the test is agent and console."""

    def __init__(self, site: SiteUnderTest, at_ms: int = T0_MS) -> None:
        self.site = site
        master = master_key({FILE_VARIABLE: str(site.system.state_dir / NAME)})
        assert master is not None
        self.model = load_manifest(BUNDLED / "face-embedder.json").id
        self.enrolling = Enrolling(model=self.model, master=master)
        self.keys = DayKeys("site")
        key = new_key()
        self.keys.put(day_of(at_ms), key)
        self.put(face_key(at_ms, key, master=master))
        self.index = 0

    def put(self, record: Record) -> None:
        """Write a record of `gallery` or `face-keys`."""
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
    return frame_of(camera, index, jpeg, WIDTH, HEIGHT)


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
