"""What evidence keeps of cameras that anonymise: heads by tracks, faces beside them, whole pictures without tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from archive.evidence.anonymise import Anonymiser
from archive.evidence.veiled import VeiledCameras
from archive.people.whole_faces import WholeFaces
from archive.watch_list import WatchList
from bus.consuming import Record
from contracts import metrics
from contracts.codec import encode
from contracts.config import Camera, CameraFaces, Input
from contracts.controls import Control, Removed, SetCamera
from contracts.metrics import Metrics
from contracts.people import SetPerson
from tests.builders import drawn_face, solid
from tests.evidence_tools import frame
from tests.unit.archive.test_anonymise import change, track, tracks

MODELS = Path(__file__).resolve().parents[4] / "models"
PICTURE = np.random.default_rng(1).integers(0, 255, (500, 1000, 3), np.uint8)


class Known:
    """Tracks of all frames, or of none."""

    def __init__(self, *objects, there=True):
        self._tracks = tracks(*objects) if there else None

    def of(self, _):
        return self._tracks


def anonymiser(known, faces=(), watched=("vip",), covers=True, measured=None):
    watch_list = WatchList("site", watched)
    watch_list.take(change(SetPerson(id="p-vip", group="vip", wrapped=b"", sealed=b"")))
    return Anonymiser(lambda _: covers, known, watch_list, lambda _: faces, measured or Metrics(CollectorRegistry()))


def changed(shown):
    return (shown != PICTURE).any(axis=2)


def test_other_cameras_are_kept_as_they_were_sent():
    assert anonymiser(Known(track()), covers=False)(PICTURE, frame(1)) is PICTURE


def test_heads_and_faces_beside_them_are_hidden():
    where = changed(anonymiser(Known(track((400, 100, 500, 400))), [(800, 300, 840, 350)])(PICTURE, frame(1)))
    assert where[80:210, 380:520].mean() > 0.95
    assert where[295:355, 795:845].mean() > 0.95
    where[70:226, 372:528] = False
    where[287:363, 790:850] = False
    assert not where.any()


def test_whoever_is_on_a_watch_list_is_kept_and_who_stands_beside_them_is_not():
    vip = track((400, 100, 500, 400), person_id="p-vip")
    faces = [(430, 110, 470, 160), (800, 300, 840, 350)]
    where = changed(anonymiser(Known(vip, track((700, 100, 800, 400))), faces)(PICTURE, frame(1)))
    assert not where[70:226, 372:528].any()
    assert where[80:210, 680:820].mean() > 0.95
    assert where[295:355, 795:845].mean() > 0.95


def test_a_frame_of_which_nothing_is_known_is_hidden_as_a_whole():
    measured = Metrics(CollectorRegistry())
    assert changed(anonymiser(Known(there=False), measured=measured)(PICTURE, frame(1))).mean() > 0.99
    assert measured.counter(metrics.EVIDENCE_HIDDEN, "gate")._value.get() == 1


def test_a_face_without_a_box_is_found():
    picture = drawn_face(solid(640, 360, (150, 160, 170)), (300, 150), 90)
    found = list(WholeFaces(MODELS / "face-localiser.json")(picture))
    assert len(found) == 1
    made = Anonymiser(
        lambda _: True,
        Known(),
        WatchList("site", ()),
        WholeFaces(MODELS / "face-localiser.json"),
        Metrics(CollectorRegistry()),
    )
    assert not list(WholeFaces(MODELS / "face-localiser.json")(made(picture, frame(1))))


@pytest.mark.parametrize("how", ["removed", "older", "elsewhere"])
def test_which_cameras_anonymise_follows_the_controls(how):
    cameras = VeiledCameras("site", ["gate"])
    assert "gate" in cameras
    cameras.take(control(SetCamera(camera="gate", spec=camera(anonymise=False)), 2))
    cameras.take(control(SetCamera(camera="yard", spec=camera(anonymise=True)), 2))
    assert "gate" not in cameras
    match how:
        case "removed":
            cameras.take(control(Removed(kind="camera", name="yard", camera="yard"), 3))
        case "older":
            cameras.take(control(SetCamera(camera="yard", spec=camera(anonymise=False)), 1))
        case "elsewhere":
            cameras.take(control(SetCamera(camera="yard", spec=camera(anonymise=False)), 3, site="other"))
    assert "yard" in cameras


def camera(anonymise):
    return Camera(inputs=(Input(url="x.mp4"),), faces=CameraFaces(anonymise=anonymise))


def control(content, version, site="site"):
    message = Control(site=site, origin="console", version=version, effective_from_ms=0, change=content)
    return Record("controls", 0, 0, 0, b"", encode(message))
