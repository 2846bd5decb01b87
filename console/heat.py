"""A heat map as a picture that lies over the camera's: clear where nobody was, red where most time was spent."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

COLUMNS, ROWS = 96, 72
SIZE = (768, 576)
BLUR_PX = 13
"""About a step of somebody who walks between two points of a path: the way is shown, not the points."""
SHARE = 0.995
"""The time of all but the hottest few parts is spread over the colours: one parked car would leave the rest dark."""

STOPS = np.array([(59, 76, 192), (60, 190, 200), (90, 200, 90), (250, 210, 60), (230, 60, 40)], np.float32)
"""RGB from little to much."""
MOST_COVER = 200


def picture_of(seconds: NDArray[np.float32]) -> bytes:
    """A PNG with transparency from the seconds spent in each part of the picture, float32[rows,columns]."""
    spent = np.sqrt(seconds)  # the eye compares areas; who stood ten times longer is not ten times hotter
    seen = spent[spent > 0]
    top = float(np.quantile(seen, SHARE)) if len(seen) else 1.0
    level = Image.fromarray((np.clip(spent / top, 0, 1) * 255).astype(np.uint8), "L")
    spread = level.resize(SIZE, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(BLUR_PX))
    smooth = np.asarray(spread, np.float32)
    share = smooth / max(float(smooth.max()), 1.0)
    place = share * (len(STOPS) - 1)
    lower = np.minimum(place.astype(np.intp), len(STOPS) - 2)
    part = (place - lower)[..., None]
    colour = STOPS[lower] * (1 - part) + STOPS[lower + 1] * part
    cover = np.clip(share * 4, 0, 1) * MOST_COVER
    made = io.BytesIO()
    Image.fromarray(np.dstack([colour, cover]).astype(np.uint8), "RGBA").save(made, "PNG", compress_level=3)
    return made.getvalue()
