"""The snapshot, by its pixels: what is where, in which colour, at every size."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from archive.evidence.draw import AREA, SEVERITY, STRIP, Caption, Picture, drawn, plain
from contracts.messages import Alert, Evidence, FrameRef

CAPTION = Caption("yard · zone entry", "A person came in", "Sat 21 Nov 2026 08:50:40.1 CET", "Gate")
EVIDENCE = Evidence(
    ref=FrameRef("frames.s", 0, 0),
    captured_at_ms=0,
    width=1920,
    height=1080,
    xyxy=(960.0, 540.0, 1200.0, 1000.0),
    confidence=0.87,
    detail=True,
)
PLAIN = Alert(
    id="x",
    revision=1,
    state="new",
    site="s",
    camera="c",
    rule="r",
    rule_version=1,
    kind="zone_entry",
    severity="high",
    started_at_ms=0,
    at_ms=0,
    label="person",
)
SIZES = [(360, 480), (480, 854), (1080, 1920)]


def grey(size: tuple[int, int]) -> Picture:
    return np.full((*size, 3), 128, np.uint8)


def near(picture: Picture, x: float, y: float, colour: tuple[int, int, int], reach: int = 2) -> bool:
    """Whether a pixel of about this colour is within `reach` of (x, y), given in 0-1 of a 16:9 or 4:3 frame."""
    height, width = picture.shape[:2]
    column, line = round(x * (width - 1)), round(y * (height - 1))
    part = picture[max(line - reach, 0) : line + reach + 1, max(column - reach, 0) : column + reach + 1]
    return bool((np.abs(part.astype(int) - colour).max(-1) < 40).any())


def changed(a: Picture, b: Picture) -> np.ndarray:
    return np.abs(a.astype(int) - b).max(-1) > 8


@pytest.mark.parametrize("size", SIZES)
def test_the_box_is_where_the_object_is_at_every_size(size: tuple[int, int]) -> None:
    alert = msgspec.structs.replace(PLAIN, evidence=EVIDENCE)
    snapshot = drawn(grey(size), alert, CAPTION)
    frame = snapshot[: size[0]]
    for x, y in [(0.5, 0.7), (0.625, 0.7), (0.56, 0.5), (0.56, 1000 / 1080)]:
        assert near(frame, x, y, SEVERITY["high"])
    assert (frame[round(0.75 * size[0]), round(0.56 * size[1])] == 128).all(), "the object itself is not covered"
    assert not changed(frame, grey(size))[: round(0.4 * size[0])].any(), "nothing is drawn far from the box"


@pytest.mark.parametrize("size", SIZES)
def test_the_strip_is_below_the_picture_and_has_text_on_both_sides(size: tuple[int, int]) -> None:
    snapshot = drawn(grey(size), PLAIN, CAPTION)
    assert (snapshot[: size[0]] == 128).all()
    strip = snapshot[size[0] :]
    assert 0.08 < len(strip) / size[0] < 0.12
    assert (strip[:, 0] == SEVERITY["high"]).all()
    assert (strip[:, -1] == STRIP).all()
    bright = strip.min(-1) > 150
    assert bright[:, : size[1] // 2].any()
    assert bright[:, size[1] // 2 :].any()
    other = drawn(grey(size), PLAIN, CAPTION._replace(when="Sun 22 Nov 2026 08:50:40.1 CET"))
    assert (other != snapshot).any(), "the time is drawn"


def test_a_zone_is_outlined_and_veiled() -> None:
    area = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
    frame = drawn(grey((480, 640)), msgspec.structs.replace(PLAIN, area=area), CAPTION)[:480]
    for x, y in [(0.2, 0.5), (0.5, 0.2), (0.8, 0.5), (0.5, 0.8)]:
        assert near(frame, x, y, AREA)
    inside, outside = frame[240, 320].astype(int), frame[20, 20]
    assert (outside == 128).all()
    assert np.abs(inside - (0.84 * 128 + 0.16 * np.array(AREA))).max() <= 1


@pytest.mark.parametrize(("kind", "arrow"), [("line_crossing", True), ("zone_entry", False)])
def test_a_lines_arrow_points_to_its_in_side(kind: str, arrow: bool) -> None:
    # From left to right: the right-hand side is below.
    alert = msgspec.structs.replace(PLAIN, area=((0.2, 0.5), (0.8, 0.5)), kind=kind)
    frame = drawn(grey((480, 640)), alert, CAPTION)[:480]
    assert near(frame, 0.3, 0.5, AREA)
    touched = changed(frame, grey((480, 640)))
    assert touched[255:270, 300:340].any() == arrow
    assert not touched[205:230].any()


def test_the_trail_is_scaled_and_fades() -> None:
    trail = tuple((x, 1000.0) for x in range(100, 1000, 50))
    alert = msgspec.structs.replace(PLAIN, evidence=msgspec.structs.replace(EVIDENCE, xyxy=None), trail=trail)
    frame = drawn(grey((540, 960)), alert, CAPTION)[:540]
    difference = np.abs(frame[497:504].astype(int) - 128).max((0, 2))
    assert difference[60] < difference[250] < difference[440]
    assert not changed(frame, grey((540, 960)))[:480].any()


@pytest.mark.parametrize(
    "changes",
    [
        {"xyxy": (-500.0, -500.0, 5000.0, 5000.0)},  # larger than the picture
        {"xyxy": (1e6, 1e6, 1e6, 1e6)},  # a point far away
        {"xyxy": (0.0, 0.0, 0.0, 0.0)},
        {"xyxy": (1900.0, 0.0, 1920.0, 20.0)},  # the corner, where the label has no room above or beside
        {"width": 1, "height": 1},  # a frame that says nonsense of itself
    ],
)
def test_boxes_at_and_beyond_the_edge_draw(changes: dict[str, object]) -> None:
    alert = msgspec.structs.replace(
        PLAIN,
        evidence=msgspec.structs.replace(EVIDENCE, **changes),
        trail=((-1e9, 1e9), (1e9, -1e9)),
        area=((-1e9, 0.0), (1e9, 0.0), (0.0, 1e9)),
    )
    assert drawn(grey((480, 640)), alert, CAPTION).shape == (526, 640, 3)


def test_tiny_and_long() -> None:
    alert = msgspec.structs.replace(PLAIN, evidence=EVIDENCE, label="x" * 500)
    long = Caption("t" * 500, "w" * 500, "when", "where")
    assert drawn(grey((16, 16)), alert, long).shape[1] == 16
    snapshot = drawn(grey((480, 640)), alert, long)
    assert (snapshot[480:, -4:] == STRIP).all()


def test_the_frame_given_is_not_drawn_on() -> None:
    picture = grey((480, 640))
    drawn(picture, msgspec.structs.replace(PLAIN, evidence=EVIDENCE, area=((0, 0), (1, 0), (1, 1))), CAPTION)
    assert (picture == 128).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Gate", "Gate"),
        ("Hoftor Süd, Straße", "Hoftor Sud, Strasse"),
        ("Café \u2013 côté", "Cafe - cote"),
        ("Вход", "camera-1"),  # nothing of it is in the font
        ("入口 1", "camera-1"),  # most of it isn't
        ("", "camera-1"),
        ("a\nb", "ab"),
    ],
)
def test_text_in_the_fonts_letters(text: str, expected: str) -> None:
    assert plain(text, otherwise="camera-1") == expected


def test_all_boxes_of_a_crowd_are_drawn() -> None:
    boxes = ((96.0, 108.0, 192.0, 540.0), (960.0, 540.0, 1152.0, 864.0))
    many = msgspec.structs.replace(EVIDENCE, xyxy=None, boxes=boxes)
    frame = drawn(grey((480, 854)), msgspec.structs.replace(PLAIN, kind="crowd", evidence=many), CAPTION)[:480]
    for x1, y1, x2, y2 in boxes:
        for x, y in ((x1, (y1 + y2) / 2), (x2, (y1 + y2) / 2), ((x1 + x2) / 2, y1), ((x1 + x2) / 2, y2)):
            assert near(frame, x / 1920, y / 1080, SEVERITY["high"])
