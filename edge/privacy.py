"""Privacy masks: polygons that are blackened in the pixels before a picture is encoded."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.motion import Image
from edge.settings import Polygon


def burn(picture: Image, masks: tuple[Polygon, ...]) -> None:
    """Blacken the polygons (0-1 of the picture) in `picture` (H, W) or (H, W, 3), in place, border included."""
    if not masks:
        return
    height, width = picture.shape[:2]
    for mask in masks:
        cv2.fillPoly(picture, [_outline(mask, width, height)], (0, 0, 0))


def _outline(mask: Polygon, width: int, height: int) -> npt.NDArray[np.int32]:
    """Corners in pixels (n, 1, 2). A border pixel that the polygon only touches is filled as well."""
    return np.array([[[round(x * (width - 1)), round(y * (height - 1))]] for x, y in mask], dtype=np.int32)
