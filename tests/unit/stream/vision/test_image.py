"""JPEGs in, pictures out: sizes, scaling, and everything that is no picture refused with a reason."""

import random

import cv2
import numpy as np
import pytest

from contracts.errors import ContractError
from stream.vision.image import MAX_PIXELS, decode, fit, jpeg_size, letterbox
from tests.builders import jpeg_of, solid

INTO = (416, 416)


def stated_size(jpeg, width, height):
    """The JPEG with another size in its header."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + height.to_bytes(2) + width.to_bytes(2) + jpeg[at + 4 :]


def segment(marker, payload):
    """One JPEG segment."""
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2) + payload


def with_segment(jpeg, extra):
    """The JPEG with bytes put in after its start marker."""
    return jpeg[:2] + extra + jpeg[2:]


def exif_rotated():
    """An EXIF segment that says: turn by 90 degrees."""
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"
    return segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + b"\0\0\0\0")


def noise(width, height, seed=0):
    """A picture that compresses badly, so that a JPEG of it has many bytes to spoil."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


GOOD = jpeg_of(solid(64, 48, (10, 200, 30)))
PROGRESSIVE = cv2.imencode(".jpg", noise(64, 48), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
GREY = cv2.imencode(".jpg", np.full((48, 64), 77, np.uint8))[1].tobytes()


@pytest.mark.parametrize(
    ("jpeg", "reason"),
    [
        (b"", "not a JPEG: 0 bytes"),  # nothing
        (b"\xff\xd8", "not a JPEG: 2 bytes"),  # only the start marker
        (b"hello, this is text", "not a JPEG"),  # text
        (cv2.imencode(".png", solid(8, 8))[1].tobytes(), "begin with 89504e47"),  # a PNG, which OpenCV would decode
        (GOOD[:20], "ends within its header"),  # cut in a header
        (GOOD[:-30], "cut off after"),  # cut in the data: OpenCV fills with grey
        (GOOD[:-2], "end marker is missing"),  # only the end marker is gone
        (stated_size(GOOD, 0, 48), "0x48"),  # no width
        (stated_size(GOOD, 64, 0), "64x0"),  # no height
        (stated_size(GOOD, 60_000, 60_000), "60000x60000"),  # a decompression bomb
        (stated_size(GOOD, MAX_PIXELS // 1000 + 1, 1000), "pixels can be decoded"),  # one column too many
        (b"\xff\xd8\xff\xda" + GOOD[2:], "begins before its size"),  # the data before the size
        (b"\xff\xd8" + b"\xff\xd9" * 6, "begins before its size"),  # an end and nothing before it
        (with_segment(GOOD, b"\xff\xe0\x00\x00" * 4), "where a marker belongs"),  # a segment of length 0
        (with_segment(GOOD, segment(0xFE, b"x") * 300), "more than 256 segments"),  # comments without end
        (GOOD[:-2] + b"\xff\xda" * 40 + b"\xff\xd9", "more than 32 scans"),  # a pass over all pixels for each
        (GOOD[: GOOD.index(b"\xff\xc0") + 20] + b"\xff\xd9", "can't be decoded"),  # a size, but no tables, no data
    ],
)
def test_what_is_no_picture_is_refused_with_a_reason(jpeg, reason):
    with pytest.raises(ContractError, match=reason):
        decode(jpeg, target=INTO)


def test_a_bomb_is_refused_before_any_pixel_is_made(monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ContractError):
        decode(stated_size(GOOD, 60_000, 60_000), target=INTO)


@pytest.mark.parametrize(
    "jpeg",
    [
        GOOD,
        GOOD + b"\0" * 7,  # padded, as some cameras do
        with_segment(GOOD, b"\xff\xff"),  # fill bytes before a marker
        with_segment(GOOD, segment(0xFE, b"by \xff\xda and \xff\xd9")),  # a comment with markers in it
        PROGRESSIVE,
        GREY,  # one channel becomes three
    ],
)
def test_all_kinds_of_jpeg_become_three_channels(jpeg):
    assert jpeg_size(jpeg) == (64, 48)
    picture = decode(jpeg, target=INTO)
    assert picture.shape == (48, 64, 3)
    assert picture.dtype == np.uint8


def test_full_size_is_what_opencv_gives():
    jpeg = jpeg_of(noise(100, 60), 85)
    assert np.array_equal(decode(jpeg, target=INTO), cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))


def test_a_stated_orientation_is_ignored():
    """Boxes are in pixels of the picture as it was captured; OpenCV would turn it."""
    assert decode(with_segment(GOOD, exif_rotated()), target=INTO).shape == (48, 64, 3)
    assert decode(with_segment(GOOD, exif_rotated()), target=(32, 24)).shape == (24, 32, 3)  # reduced
    turned = cv2.imdecode(np.frombuffer(with_segment(GOOD, exif_rotated()), np.uint8), cv2.IMREAD_COLOR)
    assert turned.shape == (64, 48, 3)


@pytest.mark.parametrize(
    ("size", "target", "decoded"),
    [
        ((640, 480), (416, 312), (640, 480)),  # less than twice as large: as it is
        ((832, 624), (416, 312), (416, 312)),  # exactly twice
        ((831, 624), (416, 312), (831, 624)),  # one column short of twice
        ((1920, 1080), (416, 234), (480, 270)),  # a quarter still covers it
        ((3840, 2160), (416, 234), (480, 270)),  # an eighth
        ((1000, 100), (64, 64), (1000, 100)),  # one side alone doesn't count
        ((801, 603), (100, 75), (101, 76)),  # sides that 8 doesn't divide are rounded up
    ],
)
def test_large_pictures_are_decoded_smaller(size, target, decoded):
    assert decode(jpeg_of(solid(*size)), target=target).shape == (decoded[1], decoded[0], 3)


@pytest.mark.parametrize(
    ("size", "picture", "same"),
    [
        ((64, 48), (64, 48), True),
        ((64, 48), (640, 480), True),  # a tenth
        ((853, 480), (1920, 1080), True),  # 853.33 rounded down
        ((854, 480), (1920, 1080), True),  # rounded up to even
        ((852, 480), (1920, 1080), True),  # rounded down to even
        ((848, 480), (1920, 1080), False),  # another shape, by five columns
        ((48, 64), (640, 480), False),  # turned
        ((64, 48), (0, 0), False),  # the frame says nothing
        ((64, 48), (-640, -480), False),  # the frame says nonsense
    ],
)
def test_the_jpeg_has_the_shape_of_the_picture(size, picture, same):
    jpeg = jpeg_of(solid(*size))
    if same:
        decode(jpeg, target=INTO, picture=picture)
    else:
        with pytest.raises(ContractError, match=f"{picture[0]}x{picture[1]}"):
            decode(jpeg, target=INTO, picture=picture)


def test_spoiled_bytes_give_a_picture_or_a_contract_error(capfd):
    """Bytes are changed, cut out and cut off at random; libjpeg's own remarks on stderr are expected."""
    chance, sound = random.Random(7), [jpeg_of(noise(40, 30), 80), PROGRESSIVE]
    outcomes = {True: 0, False: 0}
    for _ in range(1500):
        spoiled = bytearray(chance.choice(sound))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(spoiled))
            if chance.random() < 0.2:
                del spoiled[at : at + chance.randint(1, 20)]
            else:
                spoiled[at] = chance.randrange(256)
        try:
            picture = decode(bytes(spoiled), target=INTO)
        except ContractError:
            outcomes[False] += 1
        else:
            assert picture.ndim == 3
            outcomes[True] += 1
    assert min(outcomes.values()) > 50  # the test means something only if both happen
    capfd.readouterr()


@pytest.mark.parametrize(
    ("picture", "size"),
    [
        ((416, 416), (416, 416)),  # as it is
        ((768, 576), (416, 312)),  # the width decides
        ((576, 768), (312, 416)),  # the height decides
        ((100, 50), (416, 208)),  # small ones grow
        ((1920, 1080), (416, 234)),
        ((65535, 1), (416, 1)),  # never nothing
        ((1, 65535), (1, 416)),
    ],
)
def test_fit_keeps_the_shape(picture, size):
    assert fit(picture, INTO) == size


def test_letterbox_fills_right_and_below():
    boxed = letterbox(solid(640, 480, (1, 2, 3)), (416, 312), INTO, 114)
    assert boxed.shape == (416, 416, 3)
    assert (boxed[:312] == (1, 2, 3)).all()
    assert (boxed[312:] == 114).all()


def test_letterbox_resizes_as_opencv_does():
    image = noise(640, 480)
    assert np.array_equal(letterbox(image, (416, 312), INTO, 0)[:312], cv2.resize(image, (416, 312)))
    assert np.array_equal(letterbox(noise(416, 300), (416, 300), INTO, 0)[:300], noise(416, 300))
