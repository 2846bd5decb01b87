"""JPEG bytes to the picture that a model takes, with every hostile input turned into a ContractError."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.errors import ContractError

Picture = NDArray[np.uint8]
Size = tuple[int, int]

MAX_PIXELS = 40_000_000
"""8K is 33 million pixels: 120 MB decoded. A header may claim 65535 x 65535, which would be 13 GB."""

MAX_SCANS = 32
"""Each scan costs a pass over all pixels for a few bytes; progressive pictures in use have about 10."""

MAX_SEGMENTS = 256
"""Segments before the size. Cameras write about 10."""

SHAPE_TOLERANCE_PX = 2.0
"""A scaled picture's side is rounded to a pixel, by some encoders to an even one."""

_FRAME_MARKERS = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})  # no length follows
_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}


def jpeg_size(jpeg: bytes) -> Size:
    """Width and height that the JPEG's header states, px, read without decoding (ITU T.81, annex B)."""
    if not jpeg.startswith(b"\xff\xd8\xff"):
        raise ContractError(f"not a JPEG: {len(jpeg)} bytes that begin with {jpeg[:4].hex() or 'nothing'}")
    at = 2
    for _ in range(MAX_SEGMENTS):
        while jpeg[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        if len(jpeg) < at + 9:
            raise ContractError(f"a JPEG that ends within its header, after {len(jpeg)} bytes")
        if jpeg[at] != 0xFF:
            raise ContractError(f"a JPEG with {jpeg[at]:#04x} where a marker belongs, at byte {at}")
        marker = jpeg[at + 1]
        if marker in _FRAME_MARKERS:
            return int.from_bytes(jpeg[at + 7 : at + 9]), int.from_bytes(jpeg[at + 5 : at + 7])
        if marker in (0xD9, 0xDA):
            raise ContractError("a JPEG whose picture begins before its size was given")
        at += 2 if marker in _BARE_MARKERS else 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    raise ContractError(f"a JPEG with more than {MAX_SEGMENTS} segments before its size")


def decode(jpeg: bytes, *, target: Size, picture: Size | None = None) -> Picture:
    """The picture as BGR uint8[H,W,3], at 1/2, 1/4 or 1/8 of its size where that still covers `target` (width, height).

    The reduced sizes come out of the JPEG's DCT directly: a 1080p picture costs a quarter of the full decoding.
    `picture` is the size (width, height) of which the JPEG is said to be a scaled copy. An orientation that it
    states is ignored. ContractError when the bytes are no complete JPEG, are too large to decode, or have another
    shape than `picture`.
    """
    width, height = jpeg_size(jpeg)
    if width == 0 or height == 0 or width * height > MAX_PIXELS:
        raise ContractError(f"a JPEG of {width}x{height}: from 1 to {MAX_PIXELS} pixels can be decoded")
    if picture is not None:
        _check_shape((width, height), picture)
    if not jpeg.endswith(b"\xff\xd9") and not jpeg.rstrip(b"\0").endswith(b"\xff\xd9"):
        # OpenCV would fill what is missing with grey and say nothing.
        raise ContractError(f"a JPEG that is cut off after {len(jpeg)} bytes: its end marker is missing")
    if jpeg.count(b"\xff\xda") > MAX_SCANS:
        raise ContractError(f"a JPEG with more than {MAX_SCANS} scans")
    try:
        decoded: Picture | None = cv2.imdecode(np.frombuffer(jpeg, np.uint8), _flags((width, height), target))
    except cv2.error as error:
        raise ContractError(f"a JPEG that OpenCV can't decode: {error.err}") from error
    if decoded is None:
        raise ContractError(f"a JPEG of {width}x{height} whose data can't be decoded")
    return decoded


def fit(picture: Size, into: Size) -> Size:
    """Width and height of `picture` scaled to the largest that fits `into`, its shape kept, px."""
    (width, height), (room_width, room_height) = picture, into
    if room_width * height <= room_height * width:
        return room_width, max(1, round(height * room_width / width))
    return max(1, round(width * room_height / height)), room_height


def letterbox(image: Picture, size: Size, into: Size, pad: int) -> Picture:
    """`image` resized to `size` in the top-left corner of a picture `into` large, the rest filled with `pad`."""
    width, height = size
    canvas = np.full((into[1], into[0], 3), pad, np.uint8)
    cv2.resize(image, size, dst=canvas[:height, :width], interpolation=cv2.INTER_LINEAR)
    return canvas


def _flags(size: Size, target: Size) -> int:
    for divisor, flag in _REDUCED.items():
        if size[0] >= divisor * target[0] and size[1] >= divisor * target[1]:
            return int(flag | cv2.IMREAD_IGNORE_ORIENTATION)
    return int(cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


def _check_shape(jpeg: Size, picture: Size) -> None:
    """ContractError unless `jpeg` is `picture` scaled, give or take the rounding of a side."""
    (width, height), (full_width, full_height) = jpeg, picture
    if full_width <= 0 or full_height <= 0:
        raise ContractError(f"a frame of {full_width}x{full_height}")
    off_by = abs(width * full_height - height * full_width)
    if off_by > SHAPE_TOLERANCE_PX * max(full_width, full_height):
        raise ContractError(f"a JPEG of {width}x{height} for a picture of {full_width}x{full_height}: another shape")
