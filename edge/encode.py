"""Pictures to JPEG: the only way out of the process, so the privacy masks are burned in here."""

from __future__ import annotations

import cv2

from contracts.errors import CameraError
from edge.motion import Image
from edge.privacy import burn
from edge.settings import Polygon


def encode_jpeg(picture: Image, *, height: int | None, quality: int, masks: tuple[Polygon, ...]) -> bytes:
    """JPEG of `picture` (H, W, 3, BGR) with `masks` blackened; `picture` is changed.

    At most `height` pixels high (None: as it is), never enlarged. The masks are burned in at full size: what is
    averaged into a smaller picture was black before.
    """
    burn(picture, masks)
    full_height, full_width = picture.shape[:2]
    if height is not None and height < full_height:
        size = (max(round(full_width * height / full_height), 1), height)
        # Averaging (slow) is needed only where a linear filter would skip pixels.
        shrink = cv2.INTER_AREA if full_height >= 2 * height else cv2.INTER_LINEAR
        picture = cv2.resize(picture, size, interpolation=shrink)
    done, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise CameraError(f"a picture of {full_width}x{full_height} can't be encoded")
    return jpeg.tobytes()
