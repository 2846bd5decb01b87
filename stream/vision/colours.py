"""The colour of what is in a box, in the eleven words that people use: a table over colours, and a count over pixels.

The words are the basic colour terms of Berlin and Kay (1969). Cheap and coarse: shade and coloured light change the
answer, so it is given only where it is clear, and a track has many looks.
"""

from __future__ import annotations

import functools
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.fields import Xyxy
from contracts.messages import Look
from stream.vision.image import Picture

NAMES = ("black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
MODEL = "colours@1"

UPRIGHT = {"person"}
"""Labels of which the upper and the lower half are looked at apart."""
PARTS: dict[str, Xyxy] = {
    "colour_upper": (0.25, 0.18, 0.75, 0.48),
    "colour_lower": (0.30, 0.56, 0.70, 0.88),
    "colour": (0.20, 0.25, 0.80, 0.75),
}
"""What of the box is looked at: coat and trousers, or the middle; its edges are mostly background."""

LEAST_PX = 8
"""A part narrower or lower than this, in the decoded picture, has too few pixels of its own."""
SIDE = 24
"""Pixels a side that are counted at most."""
CLEAR = 0.4
"""The share of the pixels that the commonest colour must have."""
BITS = 3
"""Bits of each channel that don't matter: the table has 32 steps a channel."""


def looks(picture: Picture, xyxy: Xyxy, label: str) -> tuple[Look, ...]:
    """The colours of a box (px of the BGR picture): of its halves for who stands upright, else of its middle.

    A part that is too small, or of many colours, is left out. `quality` is the colour's share of the pixels.
    """
    kinds = ("colour_upper", "colour_lower") if label in UPRIGHT else ("colour",)
    found = []
    for kind in kinds:
        shares = _shares(picture, _part(xyxy, PARTS[kind]))
        if shares is not None and shares.max() >= CLEAR:
            best = int(shares.argmax())
            share = round(float(shares[best]), 3)
            found.append(Look(kind=kind, model=MODEL, quality=share, values={NAMES[best]: share}))
    return tuple(found)


def _part(xyxy: Xyxy, part: Xyxy) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = xyxy
    width, height = x2 - x1, y2 - y1
    return (
        round(x1 + part[0] * width),
        round(y1 + part[1] * height),
        round(x1 + part[2] * width),
        round(y1 + part[3] * height),
    )


def _shares(picture: Picture, xyxy: tuple[int, int, int, int]) -> NDArray[np.float64] | None:
    """The share of each of NAMES among the part's pixels, None for too few of them."""
    x1, y1, x2, y2 = xyxy
    part = picture[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)]
    height, width = part.shape[:2]
    if height < LEAST_PX or width < LEAST_PX:
        return None
    thinned = part[:: -(-height // SIDE), :: -(-width // SIDE)].reshape(-1, 3) >> BITS
    place = (thinned[:, 0].astype(np.intp) * 32 + thinned[:, 1]) * 32 + thinned[:, 2]
    counts = np.bincount(_table()[place], minlength=len(NAMES))
    return cast(NDArray[np.float64], counts / len(place))


@functools.cache
def _table() -> NDArray[np.uint8]:
    """The place in NAMES of each of 32 x 32 x 32 colours (B, G, R), by hue, saturation and value."""
    steps = (np.arange(32) << BITS) + (1 << (BITS - 1))
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    grid = np.stack([blue, green, red], axis=-1).astype(np.uint8).reshape(1, -1, 3)
    hue, saturation, value = cv2.cvtColor(grid, cv2.COLOR_BGR2HSV)[0].astype(np.int32).T
    names = np.full(len(hue), NAMES.index("red"))
    for name, first, last in (
        ("orange", 6, 18),
        ("yellow", 19, 34),
        ("green", 35, 88),
        ("blue", 89, 132),
        ("purple", 133, 155),
        ("pink", 156, 172),
    ):
        names[(hue >= first) & (hue <= last)] = NAMES.index(name)
    warm = (hue <= 22) | (hue >= 173)
    names[warm & (hue >= 3) & (hue <= 22) & (value < 165)] = NAMES.index("brown")
    names[warm & (saturation < 130) & (value >= 165) & ((hue <= 8) | (hue >= 165))] = NAMES.index("pink")
    # How far from grey a colour is to the eye: saturation means little where it is dark.
    pale = saturation * value < 45 * 255 * 0.7
    names[pale] = NAMES.index("grey")
    names[pale & (value >= 185)] = NAMES.index("white")
    names[value < 52] = NAMES.index("black")
    names[pale & (value < 70)] = NAMES.index("black")
    return names.astype(np.uint8)
