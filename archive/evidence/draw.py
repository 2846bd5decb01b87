"""Draws an alert on its frame: zone or line, trail, box with label, and a strip that says what, where and when."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from contracts.fields import Point, Severity
from contracts.messages import Alert

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

# BGR
SEVERITY: dict[Severity, Colour] = {
    "info": (214, 172, 96),
    "low": (170, 190, 60),
    "medium": (36, 176, 250),
    "high": (40, 110, 250),
    "critical": (60, 48, 235),
}
AREA: Colour = (235, 206, 84)
STRIP: Colour = (32, 27, 25)
BRIGHT: Colour = (245, 243, 240)
DIM: Colour = (178, 170, 164)

_SPELT = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "\u2013": "-", "\u2014": "-", "\u2018": "'", "\u2019": "'"})

SHIFT = 4
"""cv2 takes fixed-point coordinates; 4 bits are sixteenths of a pixel."""


class Caption(NamedTuple):
    """What the strip says: two lines on the left, two on the right."""

    title: str
    why: str
    when: str
    where: str


def drawn(picture: Picture, alert: Alert, caption: Caption) -> Picture:
    """The snapshot of `alert` on its frame (BGR): the whole picture, with the strip below it.

    Sizes follow the picture's height, so that it reads the same at 480 and at 1080 lines. Boxes and trail are in
    pixels of the camera's picture and are scaled to this one.
    """
    height, width = picture.shape[:2]
    unit = _unit(height)
    colour = SEVERITY[alert.severity]
    canvas = picture.copy()
    _area(canvas, [(x * width, y * height) for x, y in alert.area], alert.kind, unit)
    evidence = alert.evidence
    if evidence is not None:
        across, down = width / evidence.width, height / evidence.height
        _trail(canvas, [(x * across, y * down) for x, y in alert.trail], colour, unit)
        for x1, y1, x2, y2 in evidence.boxes:
            _box(canvas, (x1 * across, y1 * down, x2 * across, y2 * down), colour, unit)
        if evidence.xyxy is not None:
            x1, y1, x2, y2 = evidence.xyxy
            box = (x1 * across, y1 * down, x2 * across, y2 * down)
            _box(canvas, box, colour, unit)
            _chip(canvas, box, f"{alert.label or 'object'} {evidence.confidence:.0%}", colour, unit)
    return cast(Picture, np.vstack([canvas, _strip(width, caption, colour, unit)]))


def subtitled(picture: Picture, left: str, right: str) -> Picture:
    """A picture (BGR) of even width and height, with one line of text below it; sizes stay even."""
    height, width = picture.shape[:2]
    unit = _unit(height)
    strip: Picture = np.full((subtitle_height(height), width, 3), STRIP, np.uint8)
    font, middle, pad = _font(round(12.5 * unit)), strip.shape[0] / 2, round(8 * unit)
    room = width - 3 * pad - font.getlength(right)
    lines = [
        (width - pad, middle, right, font, DIM, "rm"),
        (pad, middle, _fitted(left, font, room), font, BRIGHT, "lm"),
    ]
    _text(strip, lines)
    return cast(Picture, np.vstack([picture, strip]))


def subtitle_height(height: int) -> int:
    """How much `subtitled` adds to a picture of that height; an even number."""
    return round(11 * _unit(height)) * 2


def _unit(height: int) -> float:
    return min(max(height / 480, 0.7), 4.5)


def _area(canvas: Picture, points: Sequence[Point], kind: str, unit: float) -> None:
    """The zone as a light veil with an outline; a line with its ends, and an arrow to the side that is `in`."""
    if len(points) < 2:
        return
    corners = _fixed(points, canvas)
    if len(points) == 2:
        _stroke(canvas, corners, AREA, unit, closed=False)
        for x, y in corners:
            cv2.circle(canvas, (int(x), int(y)), round(4 * unit) << SHIFT, AREA, -1, cv2.LINE_AA, SHIFT)
        if kind == "line_crossing":
            _arrow(canvas, points, unit)
        return
    veil = canvas.copy()
    cv2.fillPoly(veil, [corners], AREA, cv2.LINE_AA, SHIFT)
    cv2.addWeighted(veil, 0.16, canvas, 0.84, 0, canvas)
    _stroke(canvas, corners, AREA, unit, closed=True)


def _arrow(canvas: Picture, points: Sequence[Point], unit: float) -> None:
    (x1, y1), (x2, y2) = points
    length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1.0)
    # With y down, the right of the direction (dx, dy) is (-dy, dx).
    reach = 22 * unit / length
    start = ((x1 + x2) / 2, (y1 + y2) / 2)
    tip = (start[0] - (y2 - y1) * reach, start[1] + (x2 - x1) * reach)
    ends = _fixed([start, tip], canvas) >> SHIFT
    cv2.arrowedLine(canvas, ends[0].tolist(), ends[1].tolist(), AREA, _thick(unit), cv2.LINE_AA, 0, 0.4)


def _trail(canvas: Picture, points: Sequence[Point], colour: Colour, unit: float) -> None:
    """The way that the object came, fading towards its beginning."""
    if not points:
        return
    corners = _fixed(points, canvas)
    margin = round(8 * unit)
    (left, top), (right, bottom) = (corners.min(0) >> SHIFT) - margin, (corners.max(0) >> SHIFT) + margin
    part = canvas[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if not part.size:
        return
    corners -= np.array([max(left, 0), max(top, 0)], np.int32) << SHIFT
    for i in range(1, len(corners)):
        layer = part.copy()
        cv2.line(layer, corners[i - 1].tolist(), corners[i].tolist(), colour, _thick(unit), cv2.LINE_AA, SHIFT)
        share = 0.25 + 0.75 * i / (len(corners) - 1)
        part[:] = cv2.addWeighted(layer, share, part, 1 - share, 0)
    part[:] = cv2.circle(part.copy(), corners[-1].tolist(), round(3.5 * unit) << SHIFT, colour, -1, cv2.LINE_AA, SHIFT)


def _box(canvas: Picture, xyxy: tuple[float, float, float, float], colour: Colour, unit: float) -> None:
    x1, y1, x2, y2 = xyxy
    _stroke(canvas, _fixed([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], canvas), colour, unit, closed=True)


def _stroke(canvas: Picture, corners: NDArray[np.int32], colour: Colour, unit: float, *, closed: bool) -> None:
    """A line in `colour` on a thin dark one, so that it is seen on bright ground too."""
    for inner, thickness in ((STRIP, _thick(unit) + 2), (colour, _thick(unit))):
        cv2.polylines(canvas, [corners], closed, inner, thickness, cv2.LINE_AA, SHIFT)


def _chip(canvas: Picture, xyxy: tuple[float, float, float, float], text: str, colour: Colour, unit: float) -> None:
    """The label above the box's left corner; inside the box where there is no room above."""
    font = _font(round(14 * unit))
    pad = round(4 * unit)
    text_width, text_height = round(font.getlength(text)), round(16 * unit)
    chip_width, chip_height = text_width + 2 * pad, text_height + pad
    height, width = canvas.shape[:2]
    left = round(min(max(xyxy[0] - unit, 0), max(width - chip_width, 0)))
    above = round(xyxy[1] - unit) - chip_height
    top = min(max(above if above >= 0 else round(xyxy[1] + unit), 0), max(height - chip_height, 0))
    part = canvas[top : top + chip_height, left : left + chip_width]
    part[:] = colour
    middle = (part.shape[0]) / 2
    _text(part, [(pad, middle, text, font, (20, 16, 14), "lm")])


def _strip(width: int, caption: Caption, colour: Colour, unit: float) -> Picture:
    """A dark band: the rule and why it fired on the left, time and camera on the right."""
    height, pad = round(46 * unit), round(12 * unit)
    strip: Picture = np.full((height, width, 3), STRIP, np.uint8)
    strip[:, : round(5 * unit)] = colour
    big, small = _font(round(15 * unit)), _font(round(12.5 * unit))
    lines = []
    for y, left, right, font, tint in (
        (14.5 * unit, caption.title, caption.when, big, BRIGHT),
        (32.5 * unit, caption.why, caption.where, small, DIM),
    ):
        right_font = small
        room = width - 3 * pad - right_font.getlength(right)
        lines.append((width - pad, y, right, right_font, tint, "rm"))
        lines.append((pad + round(2 * unit), y, _fitted(left, font, room), font, tint, "lm"))
    _text(strip, lines)
    return strip


def _text(part: Picture, lines: Sequence[tuple[float, float, str, ImageFont.FreeTypeFont, Colour, str]]) -> None:
    """Write lines of (x, y, text, font, BGR, anchor) into `part`."""
    image = Image.fromarray(np.ascontiguousarray(part[..., ::-1]))
    brush = ImageDraw.Draw(image)
    for x, y, text, font, (blue, green, red), anchor in lines:
        brush.text((x, y), text, font=font, fill=(red, green, blue), anchor=anchor)
    part[:] = np.asarray(image)[..., ::-1]


def _fitted(text: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "...") > room:
        text = text[:-1]
    return text.rstrip() + "..." if text else ""


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))


def plain(text: str, otherwise: str = "?") -> str:
    """`text` in the letters that Pillow's own font has (ASCII): accents go; `otherwise` where nothing would be left."""
    letters = unicodedata.normalize("NFKD", text.translate(_SPELT))
    kept = "".join(c for c in letters if " " <= c <= "~").strip()
    lost = sum(1 for c in letters if not unicodedata.combining(c) and not " " <= c <= "~")
    return kept if kept and lost <= len(kept) else otherwise


def _thick(unit: float) -> int:
    return max(2, round(1.8 * unit))


def _fixed(points: Sequence[Point], canvas: Picture) -> NDArray[np.int32]:
    """Points as fixed-point integers, kept within three pictures of this one (cv2's arithmetic is 32 bits)."""
    height, width = canvas.shape[:2]
    bounds = np.array([width, height], np.float64)
    within = np.clip(np.array(points, np.float64).reshape(-1, 2), -bounds, 2 * bounds)
    return cast(NDArray[np.int32], np.round(within * (1 << SHIFT)).astype(np.int32))
