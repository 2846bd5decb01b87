"""Pictures that people bring: bounded, turned as their camera meant, or refused in words that they can act upon."""

from __future__ import annotations

import io
from typing import cast

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from archive.people.errors import PictureError
from contracts.fields import Xyxy
from stream.vision.image import Picture

MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 40_000_000
"""A telephone's picture; decoded it is 120 MB for a moment."""
LONGEST = 2048
"""A larger picture is shrunk to this, px: of somebody who fills it hardly, the face is still larger than is needed."""
FORMATS = ("JPEG", "PNG", "WEBP")

CROP_SIDE = 256
CROP_MARGIN = 0.35
"""Of the face's box on each side: hair, chin and a little of what is around."""
CROP_QUALITY = 88


def opened(data: bytes) -> Picture:
    """The picture BGR uint8[H,W,3], upright, at most LONGEST px long; raises PictureError with what is wrong."""
    if len(data) > MAX_BYTES:
        raise PictureError(f"the file has {len(data) / 2**20:.1f} MB, at most {MAX_BYTES // 2**20} are taken")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PictureError(f"the picture has {image.width} x {image.height} pixels: too many")
            image.draft("RGB", (LONGEST, LONGEST))
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError as error:
        raise PictureError("the file is no picture that can be read: JPEG, PNG and WebP can") from error
    except Image.DecompressionBombError as error:
        raise PictureError("the picture has too many pixels") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError(f"the picture is damaged: {error}") from error
    upright.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return cast(Picture, np.ascontiguousarray(np.asarray(upright)[..., ::-1]))


def crop(picture: Picture, face: Xyxy) -> bytes:
    """The square around a face (px of the picture) as a JPEG of at most CROP_SIDE px."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = face
    side = min(max(x2 - x1, y2 - y1) * (1 + 2 * CROP_MARGIN), width, height)
    left = min(max((x1 + x2 - side) / 2, 0), width - side)
    top = min(max((y1 + y2 - side) / 2, 0), height - side)
    part = picture[round(top) : round(top + side), round(left) : round(left + side)]
    if max(part.shape[:2]) > CROP_SIDE:
        part = cast(Picture, cv2.resize(part, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_AREA))
    _, encoded = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, CROP_QUALITY])
    return bytes(encoded)
