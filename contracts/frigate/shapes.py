"""Frigate's coordinates, sizes and names in Vedette's form."""

from __future__ import annotations

import re
from typing import Any

from contracts.config_check import MAX_CORNERS
from contracts.fields import Point
from contracts.polygons import polygon_is_simple

LABELS = {
    **{label: label for label in ("person", "bicycle", "car", "motorcycle", "bus", "truck", "dog", "cat")},
    **dict.fromkeys(("backpack", "handbag", "suitcase", "bag"), "bag"),
}
"""Frigate's labels (COCO's) that the bundled detector knows too, by its own name for them."""


def name_of(text: str) -> str:
    """A name as Vedette writes them: small letters, digits, - and _."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:64].strip("-_") or "unnamed"


def numbers_of(text: Any) -> list[float]:
    """The numbers of "x,y,x,y", or of a list of "x,y"; raises ValueError."""
    texts = text if isinstance(text, list) else [text]
    return [float(number) for one in texts for number in str(one).split(",")]


def number_of(value: Any) -> float | None:
    """A number that is meant as one; None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def polygon_of(text: Any, size: tuple[int, int] | None) -> tuple[Point, ...]:
    """A polygon in 0-1 of the picture; `size` is the picture's, which coordinates in pixels need.

    What lies beyond the picture's edge is moved onto it. Raises ValueError with the reason.
    """
    numbers = numbers_of(text)
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError(f"{len(numbers)} numbers are no polygon")
    wide, high = (1, 1)
    if max(numbers) > 1:
        if size is None:
            raise ValueError("coordinates in pixels need detect.width and detect.height")
        wide, high = size
    xs, ys = numbers[::2], numbers[1::2]
    points = tuple((_within(x / wide), _within(y / high)) for x, y in zip(xs, ys, strict=True))
    points = tuple(one for i, one in enumerate(points) if one not in points[:i])
    if len(points) > MAX_CORNERS or not polygon_is_simple(points):
        raise ValueError("the polygon crosses itself, has no area or too many corners")
    return points


def share_of(area: float, size: tuple[int, int] | None) -> float:
    """An area as share of the picture: what is below 1 is one already, else it is in pixels. Raises ValueError."""
    if area < 1:
        return area
    if size is None:
        raise ValueError("an area in pixels needs detect.width and detect.height")
    return min(1.0, round(area / (size[0] * size[1]), 6))


def _within(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 4)
