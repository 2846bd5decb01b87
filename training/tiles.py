"""Pictures with marked boxes, side by side in one: what a report shows of the worst errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.dataset import Picture

GREEN, YELLOW, RED, MAGENTA = (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255)
"""BGR: right, missed, false, taken over by another track."""
WIDTH, HEIGHT = 400, 300
COLUMNS = 3

Colour = tuple[int, int, int]


def tile(picture: Picture, marked: Iterable[tuple[NDArray[np.floating[Any]], Colour]]) -> Picture:
    """The picture with boxes xyxy (in its pixels) in their colours, WIDTH x HEIGHT."""
    shown = np.asarray(cv2.resize(picture, (WIDTH, HEIGHT)), np.uint8)
    x_scale, y_scale = WIDTH / picture.shape[1], HEIGHT / picture.shape[0]
    for box, colour in marked:
        x1, y1, x2, y2 = (round(float(value)) for value in box * np.array([x_scale, y_scale, x_scale, y_scale]))
        cv2.rectangle(shown, (x1, y1), (x2, y2), colour, 2)  # of one pixel JPEG would leave no colour
    return shown


def write_sheet(tiles: Sequence[Picture], path: Path) -> None:
    """Write the tiles in rows of COLUMNS."""
    whole = [*tiles, *[np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * (-len(tiles) % COLUMNS)]
    rows = [np.hstack(whole[start : start + COLUMNS]) for start in range(0, len(whole), COLUMNS)]
    cv2.imwrite(str(path), np.vstack(rows))
