"""What cameras do to pictures, done to training pictures: blur, noise, night, compression, distance, mosaics.

Everything is a pure function of a numpy Generator, so that picture k of a run is the same before and after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.recipe import AugmentConfig

Picture = NDArray[np.uint8]

# Less than a fifth of a box left in the picture teaches the wrong thing: the place is then ignored.
LEAST_VISIBLE = 0.2
# A box under 4 pixels is half of the finest cell (8): nothing to learn, nothing to punish.
LEAST_SIDE_PX = 4.0


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture uint8[H,W,3] with xyxy float32[N,4], channels int64[N] and weights float32[N].

    `distil` is as in the set's config, `partly` as in training.loss.
    """

    picture: Picture
    xyxy: NDArray[np.float32]
    channels: NDArray[np.int64]
    weights: NDArray[np.float32]
    distil: bool = True
    partly: bool = False


def augment(parts: Sequence[Labelled], size: int, crop: int, config: AugmentConfig, rng: Generator) -> Labelled:
    """One training picture of `crop` pixels square out of one part (scaled as for an input of `size`) or four."""
    placed = _mosaic(parts, crop, config, rng) if len(parts) == 4 else _single(parts[0], size, crop, config, rng)
    if rng.random() < config.flip:
        placed = _flip(placed)
    if rng.random() < config.recolour:
        placed = replace(placed, picture=_recolour(placed, rng))
    if rng.random() < config.occlusion:
        placed = replace(placed, picture=_occlude(placed, rng))
    return replace(placed, picture=spoil(placed.picture, config, rng))


def _single(part: Labelled, size: int, crop: int, config: AugmentConfig, rng: Generator) -> Labelled:
    height, width = part.picture.shape[:2]
    scale = min(size / width, size / height) * rng.uniform(*config.scale)
    room_x, room_y = crop - width * scale, crop - height * scale
    # Half of the time at the top left, where the product's letterbox puts a frame.
    where = np.zeros(2) if rng.random() < 0.5 and min(room_x, room_y) >= 0 else rng.random(2)
    if len(part.xyxy) and min(room_x, room_y) < 0:
        where = _towards(part.xyxy[int(rng.integers(len(part.xyxy)))] * scale, (room_x, room_y), crop, where, rng)
    canvas = np.full((crop, crop, 3), 114, np.uint8)
    return _paste(canvas, part, scale, (room_x * where[0], room_y * where[1]), (0, 0, crop, crop))


def _towards(
    box: NDArray[np.float32], room: tuple[float, float], crop: int, where: NDArray[np.float64], rng: Generator
) -> NDArray[np.float64]:
    """Shares of the (negative) room that put the box's centre somewhere in the window, as far as the picture allows."""
    aim = rng.uniform(0.2, 0.8, 2) * crop
    shares = where.copy()
    for axis in (0, 1):
        if room[axis] < 0:
            centre = float(box[axis] + box[axis + 2]) / 2
            shares[axis] = np.clip((aim[axis] - centre) / room[axis], 0, 1)
    return shares


def _mosaic(parts: Sequence[Labelled], size: int, config: AugmentConfig, rng: Generator) -> Labelled:
    """Four pictures around a centre (YOLOv4), each cut at the centre's lines."""
    canvas = np.full((size, size, 3), 114, np.uint8)
    cx, cy = (int(size * value) for value in rng.uniform(0.35, 0.65, 2))
    windows = ((0, 0, cx, cy), (cx, 0, size, cy), (0, cy, cx, size), (cx, cy, size, size))
    pieces = []
    for part, (x1, y1, x2, y2) in zip(parts, windows, strict=True):
        height, width = part.picture.shape[:2]
        # Large enough to cover its window, or the grey would be a giveaway.
        scale = max((x2 - x1) / width, (y2 - y1) / height) * rng.uniform(1.0, max(1.0, config.scale[1]))
        slack_x, slack_y = width * scale - (x2 - x1), height * scale - (y2 - y1)
        offset = (x1 - slack_x * rng.random(), y1 - slack_y * rng.random())
        pieces.append(_paste(canvas, part, scale, offset, (x1, y1, x2, y2)))
    return Labelled(
        canvas,
        np.concatenate([piece.xyxy for piece in pieces]),
        np.concatenate([piece.channels for piece in pieces]),
        np.concatenate([piece.weights for piece in pieces]),
        all(piece.distil for piece in pieces),
        any(piece.partly for piece in pieces),
    )


def _paste(
    canvas: Picture, part: Labelled, scale: float, offset: tuple[float, float], window: tuple[int, int, int, int]
) -> Labelled:
    """Draw the part, scaled and moved, into the window of the canvas; its boxes are cut at the window."""
    x1, y1, x2, y2 = window
    matrix = np.array([[scale, 0, offset[0] - x1], [0, scale, offset[1] - y1]], np.float32)
    source = part.picture
    if scale < 0.7:  # bilinear sampling alone would alias: shrink with area weights first
        source = cv2.resize(source, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        matrix[:, :2] = np.eye(2)
    cv2.warpAffine(source, matrix, (x2 - x1, y2 - y1), dst=canvas[y1:y2, x1:x2], borderMode=cv2.BORDER_TRANSPARENT)
    return _cut(replace(part, picture=canvas, xyxy=part.xyxy * scale + np.array(offset * 2, np.float32)), window)


def _cut(placed: Labelled, window: tuple[int, int, int, int]) -> Labelled:
    """Boxes clipped to the window: gone where nothing is left, ignored (weight 0) where too little is."""
    x1, y1, x2, y2 = window
    xyxy = np.clip(placed.xyxy, np.array([x1, y1, x1, y1]), np.array([x2, y2, x2, y2])).astype(np.float32)
    sides = xyxy[:, 2:] - xyxy[:, :2]
    whole = (placed.xyxy[:, 2:] - placed.xyxy[:, :2]).prod(1)
    visible = sides.prod(1) / np.maximum(whole, 1e-6)
    left = sides.min(1, initial=np.inf) > 1 if len(sides) else np.zeros(0, bool)
    poor = (visible < LEAST_VISIBLE) | (sides.max(1, initial=0) < LEAST_SIDE_PX)
    weights = np.where(poor, 0, placed.weights).astype(np.float32)
    return replace(placed, xyxy=xyxy[left], channels=placed.channels[left], weights=weights[left])


def _flip(placed: Labelled) -> Labelled:
    width = placed.picture.shape[1]
    xyxy = placed.xyxy.copy()
    xyxy[:, [0, 2]] = width - placed.xyxy[:, [2, 0]]
    return replace(placed, picture=np.ascontiguousarray(placed.picture[:, ::-1]), xyxy=xyxy)


def _recolour(placed: Labelled, rng: Generator) -> Picture:
    """Other clothes, another paint: half of the objects change hue, saturation and brightness, softly to their edge.

    A clip has few people, and what they wear that day is not what a person looks like.
    """
    picture = placed.picture.copy()
    for x1, y1, x2, y2 in placed.xyxy[rng.random(len(placed.xyxy)) < 0.5].astype(int):
        place = picture[y1:y2, x1:x2]
        if min(place.shape[:2]) < LEAST_SIDE_PX:
            continue
        other = _turn_colours(place, rng, (90, 0.7, 0.6))
        y, x = (np.linspace(-1, 1, side) for side in place.shape[:2])
        distance = np.hypot(y[:, None], x[None])[..., None]
        share = np.clip((1.1 - distance) / 0.4, 0, 1)
        place[:] = (place + share * (other.astype(np.float32) - place)).astype(np.uint8)
    return picture


def _occlude(placed: Labelled, rng: Generator) -> Picture:
    """Hide up to a third of some boxes behind a plain or noisy rectangle, mostly their lower part."""
    picture = placed.picture.copy()
    for x1, y1, x2, y2 in placed.xyxy[rng.random(len(placed.xyxy)) < 0.5]:
        width, height = x2 - x1, y2 - y1
        left, right = sorted(rng.uniform(x1 - 0.2 * width, x2 + 0.2 * width, 2).astype(int).clip(0))
        top = int(max(0, y2 - height * rng.uniform(0.1, 0.35)))
        place = picture[top : int(y2 + 0.1 * height), left:right]
        place[:] = np.clip(rng.normal(rng.uniform(30, 220), 12, place.shape), 0, 255).astype(np.uint8)
    return picture


def spoil(picture: Picture, config: AugmentConfig, rng: Generator) -> Picture:
    """The camera's faults in the order in which light, lens, sensor and coder cause them."""
    faults: tuple[tuple[float, Callable[[Picture, Generator], Picture]], ...] = (
        (config.colour, _colour),
        (config.night, _night),
        (config.grey, _grey),
        (config.low_resolution, _low_resolution),
        (config.blur, _blur),
        (config.noise, _noise),
        (config.jpeg, _jpeg),
    )
    for probability, fault in faults:
        if rng.random() < probability:
            picture = fault(picture, rng)
    return picture


def _colour(picture: Picture, rng: Generator) -> Picture:
    """Hue, saturation and value turned a little, as white balance and exposure do."""
    return _turn_colours(picture, rng, (8, 0.4, 0.35))


def _turn_colours(picture: Picture, rng: Generator, most: tuple[float, float, float]) -> Picture:
    """Hue turned by up to so many of 180 steps; saturation and value changed by up to these shares."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)
    values = np.arange(256)
    gains = rng.uniform(-1, 1, 3) * most
    hue = ((values + gains[0]) % 180).astype(np.uint8)
    saturation, value = (np.clip(values * (1 + gain), 0, 255).astype(np.uint8) for gain in gains[1:])
    parts = [cv2.LUT(channel, table) for channel, table in zip(cv2.split(hsv), (hue, saturation, value), strict=True)]
    return _uint8(cv2.cvtColor(cv2.merge(parts), cv2.COLOR_HSV2BGR))


def _night(picture: Picture, rng: Generator) -> Picture:
    """Dark, with little colour and much sensor noise."""
    table = (255 * (np.arange(256) / 255) ** rng.uniform(1.5, 2.5) * rng.uniform(0.4, 0.8)).astype(np.uint8)
    dark = cv2.LUT(picture, table)
    grey = _grey(dark, rng)
    mixed = cv2.addWeighted(dark, 0.4, grey, 0.6, 0)
    return _noise(_uint8(mixed), rng)


def _grey(picture: Picture, rng: Generator) -> Picture:
    return _uint8(cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))


def _low_resolution(picture: Picture, rng: Generator) -> Picture:
    """Down to as little as 45 % and back up: a small camera, or one far away."""
    size = picture.shape[1], picture.shape[0]
    scale = rng.uniform(0.45, 0.9)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return _uint8(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR))


def _blur(picture: Picture, rng: Generator) -> Picture:
    """Out of focus, or moved along a line while the shutter was open."""
    if rng.random() < 0.5:
        return _uint8(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.6)))
    length = int(rng.integers(3, 8))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), rng.uniform(0, 180), 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return _uint8(cv2.filter2D(picture, -1, kernel / max(float(kernel.sum()), 1e-6)))


def _noise(picture: Picture, rng: Generator) -> Picture:
    noise = rng.normal(0, rng.uniform(2, 12), picture.shape[:2])[..., None]
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _jpeg(picture: Picture, rng: Generator) -> Picture:
    quality = int(rng.integers(25, 85))
    _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _uint8(cv2.imdecode(coded, cv2.IMREAD_COLOR))


def _uint8(picture: object) -> Picture:
    return np.asarray(picture, np.uint8)
