"""Faces that are hidden: nothing finds or knows them again, and what is beside them stays."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from archive.anonymise import grown, heads, hidden, hidden_jpeg, to_hide, whole
from archive.watch_list import WatchList
from bus.consuming import Record
from contracts.codec import encode
from contracts.identity import TrackIdentity
from contracts.manifest import load_manifest
from contracts.messages import FrameRef, FrameTracks, TrackedObject
from contracts.people import GalleryChange, RemovedPerson, SetDenial, SetPerson
from stream.geometry import iou
from stream.vision import SessionOptions
from stream.vision.faces import FaceConfig, FaceEmbedder, FaceLocaliser, FaceLooker, align
from tests.builders import jpeg_of, solid
from tests.conftest import SHARED

MODELS = Path(__file__).resolve().parents[3] / "models"
FACES = SHARED / "data" / "faces"


@pytest.fixture(scope="module")
def looker():
    localiser, embedder = (load_manifest(MODELS / f"face-{name}.json") for name in ("localiser", "embedder"))
    return FaceLooker(
        FaceLocaliser.open(localiser, MODELS, SessionOptions()),
        FaceEmbedder.open(embedder, MODELS, SessionOptions()),
        FaceConfig(),
    )


def tracks(*objects):
    return FrameTracks(
        site="site",
        camera="gate",
        lane="live",
        session=1,
        index=1,
        captured_at_ms=1,
        interval_ms=0,
        width=1000,
        height=500,
        ref=FrameRef("frames.site", 0, 1),
        model="m@1",
        tracks=objects,
    )


def track(xyxy=(400, 100, 500, 400), label="person", confidence=0.9, person_id="", decision="identified"):
    return TrackedObject(
        track_id=1,
        xyxy=xyxy,
        confidence=confidence,
        label=label,
        first_seen_at_ms=1,
        identity=TrackIdentity(decision=decision, person_id=person_id) if person_id else None,
    )


def noise(width, height):
    return np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)


def test_the_heads_of_people_are_hidden_and_nothing_else():
    # 120 px of head in a box of 300: from 12 px above it, with 15 % more on each side.
    (head,) = heads(tracks(track(), track(label="car"), track(confidence=0.0)))
    assert np.multiply(head, (1000, 500, 1000, 500)) == pytest.approx((372, 70, 528, 226))
    picture = noise(1000, 500)
    shown = hidden(picture, [head])
    changed = (shown != picture).any(axis=2)
    assert changed[72:224, 374:526].mean() > 0.95
    changed[70:226, 372:528] = False
    assert not changed.any()
    assert len(np.unique(shown[70:226, 372:528].reshape(-1, 3), axis=0)) <= 16


def test_heads_at_the_edge_and_beyond_it_hide_what_is_there():
    picture = noise(100, 60)
    assert (hidden(picture, [(-0.5, -0.5, 0.1, 0.1)])[:6, :10] != picture[:6, :10]).any()
    assert hidden(picture, [(1.1, 0.2, 1.5, 0.5), (0.3, 0.2, 0.3, 0.5)]) is picture
    assert hidden(picture, []) is picture


def test_where_the_people_are_not_known_the_whole_picture_is_hidden():
    picture = noise(1280, 720)
    assert len(np.unique(whole(picture).reshape(-1, 3), axis=0)) <= 8 * 14
    jpeg = jpeg_of(picture)
    assert hidden_jpeg(jpeg, lambda picture: ()) == jpeg
    veiled = cv2.imdecode(np.frombuffer(hidden_jpeg(jpeg, None), np.uint8), cv2.IMREAD_COLOR)
    assert veiled.std() < picture.std() / 5
    assert hidden_jpeg(b"no picture", None) == b""


@pytest.mark.parametrize(
    ("person_id", "decision", "spared"),
    [("p-vip", "identified", True), ("p-vip", "unsure", False), ("p-staff", "identified", False), ("", "", False)],
    ids=["on the list", "perhaps", "of another group", "nobody known"],
)
def test_whoever_is_on_a_watch_list_is_shown(person_id, decision, spared):
    watched = watch_list(("p-vip", "vip"), ("p-staff", "staff"))
    one = track(person_id=person_id, decision=decision)
    assert len(heads(tracks(one), watched.has)) == (not spared)


@pytest.mark.parametrize("faces", ["both", "only the neighbour's"])
def test_whoever_looks_over_the_shoulder_of_somebody_on_a_watch_list_is_hidden(faces):
    watched = watch_list(("p-vip", "vip"))
    own, neighbours = (0.43, 0.2, 0.47, 0.32), (0.49, 0.22, 0.52, 0.32)  # both in the square around the head
    found = (neighbours, own) if faces == "both" else (neighbours,)
    assert to_hide(tracks(track(person_id="p-vip")), found, watched.has) == (neighbours,)
    assert to_hide(tracks(track(person_id="p-vip"), track()), found, watched.has)[1:] == (neighbours,)


def test_a_watch_list_follows_who_is_enrolled():
    watched = watch_list(("p-1", "vip"))
    watched.take(change(SetDenial(id="d", person_id="p-1", model="m", sealed=b"")))
    watched.take(change(SetPerson(id="p-1", group="staff", wrapped=b"", sealed=b""), site="elsewhere"))
    assert watched.has(track(person_id="p-1"))
    watched.take(change(RemovedPerson(kind="person", id="p-1"), version=2))
    watched.take(change(SetPerson(id="p-1", group="vip", wrapped=b"", sealed=b""), version=1))  # an older word
    assert not watched.has(track(person_id="p-1"))


def watch_list(*people):
    watched = WatchList("site", ["vip", "banned"])
    for person_id, group in people:
        watched.take(change(SetPerson(id=person_id, group=group, wrapped=b"", sealed=b"")))
    return watched


def change(content, version=1, site="site"):
    return Record("gallery", 0, 0, 0, b"", encode(GalleryChange(site=site, version=version, change=content)))


@pytest.mark.shared
def test_no_hidden_face_is_found_or_known_again(looker):
    """Against the whole collection: the right person is the most alike no more often than by chance."""
    files = sorted(FACES.glob("azure_families/*.jpg"))[:6] + sorted(FACES.glob("lfw10x10/*/*.jpg"))[::7]
    pictures = [cv2.imread(str(path)) for path in files]
    faces = [(picture, looks[0]) for picture in pictures if (looks := looker.enrol(picture))]
    gallery = np.stack([look.vector for _, look in faces])
    assert len(faces) >= 16
    for hide in (lambda picture, regions: hidden(picture, regions), lambda picture, _: whole(picture)):
        known = 0
        for number, (picture, look) in enumerate(faces):
            height, width = picture.shape[:2]
            shown = hide(picture, [np.divide(grown(look.face.xyxy, 0.25), (width, height, width, height))])
            again = [face.xyxy for face in looker._localiser.everywhere(shown)]
            assert not again or iou([look.face.xyxy], again).max() < 0.3
            vector = looker._embedder.embed([align(shown, look.face.points)])[0][0]
            assert vector @ look.vector < 0.369  # the embedder's own threshold
            known += int((gallery @ vector).argmax()) == number
        assert known <= 3


def test_a_picture_without_people_stays_as_it_was():
    picture = solid(64, 48, (9, 9, 9))
    assert hidden(picture, heads(tracks())) is picture
