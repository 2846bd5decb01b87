"""Aligned faces as cameras see them from afar: turned, dark, blurred, a few pixels large, compressed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augment import spoil
from training.faces.people import SIDE
from training.faces.recipe import DegradeConfig

Picture = NDArray[np.uint8]

TEST_QUALITY = 50
"""The JPEG quality of the faces that the evaluation shrinks: where cameras' coders usually are."""


def shrink_and_compress(face: Picture, side: int, quality: int = TEST_QUALITY) -> Picture:
    """The face shrunk to `side` pixels by area, JPEG at that size, and back to 112 bilinearly: the evaluation's."""
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    _, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
    back = cv2.resize(cv2.imdecode(coded, cv2.IMREAD_COLOR), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(back, np.uint8)


def degrade(face: Picture, config: DegradeConfig, rng: Generator) -> Picture:
    """One random look at an aligned face uint8[112,112,3]; mirrored half of the time."""
    if rng.random() < 0.5:
        face = np.ascontiguousarray(face[:, ::-1])
    if rng.random() < config.clean:
        return face
    face = spoil(_misalign(face, config, rng), config.faults, rng)
    if rng.random() < config.shrink_share:
        return _far_away(face, config, rng)
    return face


def _misalign(face: Picture, config: DegradeConfig, rng: Generator) -> Picture:
    """The face as points with an error would have aligned it; beyond its edge the outermost pixels are repeated."""
    angle, zoom = rng.normal(0, config.turn / 2), 1 + rng.normal(0, config.zoom / 2)
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), angle, zoom)
    matrix[:, 2] += rng.normal(0, config.shift / 2, 2)
    turned = cv2.warpAffine(face, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8)


def _far_away(face: Picture, config: DegradeConfig, rng: Generator) -> Picture:
    """Few pixels, perhaps out of focus, compressed with the coder's blocks anywhere, and back to 112."""
    least, most = np.log(config.shrink)
    side = round(float(np.exp(rng.uniform(least, most))))
    way = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(face, (side, side), interpolation=way), np.uint8)
    if rng.random() < config.blur_share:
        small = np.asarray(cv2.GaussianBlur(small, (0, 0), rng.uniform(0.3, 0.9)), np.uint8)
    if rng.random() < config.compress_share:
        small = _compress(small, int(rng.integers(*config.quality)), rng)
    back = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=back), np.uint8)


def _compress(small: Picture, quality: int, rng: Generator) -> Picture:
    """JPEG with the face at a random place within the coder's blocks of 8 (16 for colour) pixels."""
    left, top = (int(value) for value in rng.integers(0, 16, 2))
    framed = cv2.copyMakeBorder(small, top, 16, left, 16, cv2.BORDER_REPLICATE)
    _, coded = cv2.imencode(".jpg", framed, [cv2.IMWRITE_JPEG_QUALITY, quality])
    whole = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(whole[top : top + small.shape[0], left : left + small.shape[1]])
