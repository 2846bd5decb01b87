"""Boxes, polygons and crossings in picture coordinates (x to the right, y down): arrays in, arrays out."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def as_points(points: ArrayLike) -> Floats:
    """float64[N,2] of N points; ValueError when that is not their shape."""
    array = np.asarray(points, dtype=np.float64)
    if array.size == 0:
        return array.reshape(0, 2)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"points must have the shape [N, 2], not {list(array.shape)}")
    return array


def as_boxes(xyxy: ArrayLike) -> Floats:
    """float64[N,4] of N boxes; ValueError when that is not their shape."""
    array = np.asarray(xyxy, dtype=np.float64)
    if array.size == 0:
        return array.reshape(0, 4)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"boxes must have the shape [N, 4], not {list(array.shape)}")
    return array


def xyxy_to_cxcywh(xyxy: ArrayLike) -> Floats:
    """Corners [N,4] as centre, width and height [N,4]."""
    boxes = as_boxes(xyxy)
    sizes = boxes[:, 2:] - boxes[:, :2]
    return np.concatenate((boxes[:, :2] + sizes / 2, sizes), axis=1)


def cxcywh_to_xyxy(cxcywh: ArrayLike) -> Floats:
    """Centre, width and height [N,4] as corners [N,4]."""
    boxes = as_boxes(cxcywh)
    half = boxes[:, 2:] / 2
    return np.concatenate((boxes[:, :2] - half, boxes[:, :2] + half), axis=1)


def area(xyxy: ArrayLike) -> Floats:
    """Areas [N] of boxes [N,4]; 0 for a box that is inside out."""
    boxes = as_boxes(xyxy)
    sizes: Floats = np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None)
    return np.asarray(sizes[:, 0] * sizes[:, 1])


def intersection(a_xyxy: ArrayLike, b_xyxy: ArrayLike) -> Floats:
    """Shared area [N,M] of every box of a [N,4] with every box of b [M,4]."""
    a, b = as_boxes(a_xyxy), as_boxes(b_xyxy)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sizes = np.clip(high - low, 0.0, None)
    return np.asarray(sizes[..., 0] * sizes[..., 1])


def iou(a_xyxy: ArrayLike, b_xyxy: ArrayLike) -> Floats:
    """Intersection over union [N,M], 0 where both boxes are empty."""
    shared = intersection(a_xyxy, b_xyxy)
    union = area(a_xyxy)[:, None] + area(b_xyxy)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def coverage(a_xyxy: ArrayLike, b_xyxy: ArrayLike) -> Floats:
    """The share [N,M] of each box of a [N,4] that each box of b [M,4] covers."""
    shared = intersection(a_xyxy, b_xyxy)
    own = np.broadcast_to(area(a_xyxy)[:, None], shared.shape)
    return np.divide(shared, own, out=np.zeros_like(shared), where=own > 0)


def clip_to_picture(xyxy: ArrayLike, width: float, height: float) -> Floats:
    """Boxes [N,4] cut at the picture's edges."""
    return np.clip(as_boxes(xyxy), 0.0, np.array([width, height, width, height], dtype=np.float64))


def point_in_polygon(points: ArrayLike, polygon: ArrayLike) -> Bools:
    """Which of points [N,2] lie in polygon [K,2]: bool[N], the edge belongs to it.

    Even-odd rule (Shimrat 1962): a ray to the right crosses the outline an odd number of times. An edge counts from
    its upper end, included, to its lower end, excluded, so that a ray through a corner counts once.
    """
    at, start = as_points(points), as_points(polygon)
    if len(start) < 3:
        raise ValueError(f"a polygon has at least 3 points, not {len(start)}")
    end = np.roll(start, -1, axis=0)
    x, y = at[:, 0, None], at[:, 1, None]
    x0, y0, x1, y1 = start[:, 0], start[:, 1], end[:, 0], end[:, 1]
    side = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
    spans = (y0 <= y) != (y1 <= y)
    left_of_edge = np.where(y1 > y0, side > 0, side < 0)
    inside = np.count_nonzero(spans & left_of_edge, axis=1) % 2 == 1
    within = (np.minimum(x0, x1) <= x) & (x <= np.maximum(x0, x1))
    within &= (np.minimum(y0, y1) <= y) & (y <= np.maximum(y0, y1))
    on_edge = ((side == 0) & within).any(axis=1)
    return np.asarray(inside | on_edge, dtype=np.bool_)


def side_of_line(point: ArrayLike, a: ArrayLike, b: ArrayLike) -> float:
    """Twice the signed area of a→b→point, px²: positive right of the way from a to b as seen in the picture, 0 on it.

    The picture's y grows downwards: walking from the left edge to the right one, "right" is the lower half.
    """
    (px, py), (ax, ay), (bx, by) = _pair(point), _pair(a), _pair(b)
    return (bx - ax) * (py - ay) - (by - ay) * (px - ax)


def crossing(p0: ArrayLike, p1: ArrayLike, a: ArrayLike, b: ArrayLike) -> Literal[-1, 0, 1]:
    """Whether the step p0→p1 crosses the line a→b: +1 from its left to its right, -1 from right to left, else 0.

    Left and right are those of someone who walks from a to b in the picture (x to the right, y down): for a = (0, 0)
    and b = (10, 0) the left is above and the right below, and a step downwards is +1. A point exactly on the line
    belongs to its left side, so a path that touches the line and goes on counts once, one that touches and turns
    back to the left counts never, and one that comes from the right, touches and returns counts -1 and then +1. The
    ends of the segment belong to it.
    """
    was_right, is_right = side_of_line(p0, a, b) > 0, side_of_line(p1, a, b) > 0
    if was_right == is_right:
        return 0
    if side_of_line(a, p0, p1) * side_of_line(b, p0, p1) > 0:  # both ends on one side: the step passes beside it
        return 0
    return 1 if is_right else -1


def angle_between(u: ArrayLike, v: ArrayLike) -> float:
    """The angle between two directions, degrees 0..180; 180 when one of them has no length, as it points nowhere."""
    (ux, uy), (vx, vy) = _pair(u), _pair(v)
    length = float(np.hypot(ux, uy) * np.hypot(vx, vy))
    if length == 0:
        return 180.0
    return float(np.degrees(np.arccos(np.clip((ux * vx + uy * vy) / length, -1.0, 1.0))))


def _pair(point: ArrayLike) -> tuple[float, float]:
    x, y = np.asarray(point, dtype=np.float64)
    return float(x), float(y)
