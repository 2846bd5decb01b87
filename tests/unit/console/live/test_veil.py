"""Live pictures of cameras that anonymise: hidden before anybody sees them, made once, and shown when that is known."""

import cv2
import numpy as np
from msgspec.structs import replace

from archive.watch_list import WatchList
from console.live.veil import Veil
from console.live.wall import Picture
from tests.builders import jpeg_of
from tests.unit.console.live.test_wall import AT_MS, frame, tracks

JPEG = jpeg_of(np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8))


def picture(boxes=True, index=1):
    people = tracks(index)
    person = replace(people.tracks[0], xyxy=(100, 100, 200, 400))
    return Picture(replace(frame(index), jpeg=JPEG), replace(people, tracks=(person,)) if boxes else None, AT_MS)


def veil(*cameras):
    return veil_of(lambda pixels: (), *cameras)


def veil_of(faces, *cameras):
    made = Veil(WatchList("home", ()), faces)
    made.know(frozenset(cameras))
    return made


def opened(jpeg):
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).astype(int)


def test_other_cameras_are_shown_as_they_are():
    assert veil("yard").jpeg(picture()) == JPEG


def test_people_s_heads_are_hidden_and_the_rest_is_not():
    shown = np.abs(opened(veil("gate").jpeg(picture())) - opened(JPEG)).mean(axis=2)
    assert shown[100:180, 110:190].mean() > 30
    assert shown[240:, :].mean() < 12


def test_a_face_whose_person_nobody_tracks_is_hidden_too_and_looked_for_now_and_then():
    looks = []

    def faces(pixels):
        looks.append(pixels.shape)
        return [(400, 200, 440, 260)]

    shown = veil_of(faces, "gate")
    for index in (1, 2):
        hidden = np.abs(opened(shown.jpeg(picture(index=index))) - opened(JPEG)).mean(axis=2)
        assert hidden[200:260, 400:440].mean() > 30
        assert hidden[300:, 460:].mean() < 12
    assert looks == [(480, 640, 3)]
    later = picture(index=3)
    shown.jpeg(later._replace(tracks=replace(later.tracks, captured_at_ms=later.tracks.captured_at_ms + 500)))
    assert len(looks) == 2


def test_a_picture_whose_people_are_not_known_yet_is_hidden_whole_and_then_shown():
    shown = veil("gate")
    before, after = shown.jpeg(picture(boxes=False)), shown.jpeg(picture())
    assert opened(before)[240:].std() < opened(after)[240:].std() / 5
    assert shown.jpeg(picture()) is after  # made once
    assert shown.jpeg(picture(index=2)) is not after
