"""The geometry of polygons that people draw: zones and masks."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.fields import Point


def polygon_is_simple(points: Sequence[Point]) -> bool:
    """Whether no two edges of the polygon cross or lie on each other, and it has an area."""
    n = len(points)
    edges = [(points[i], points[(i + 1) % n]) for i in range(n)]
    folded = any(_folds_back(points[i - 1], points[i], points[(i + 1) % n]) for i in range(n))
    area2 = sum(a[0] * b[1] - b[0] * a[1] for a, b in edges)
    if n < 3 or abs(area2) < 1e-9 or len(set(points)) != n or folded:
        return False
    return not any(_touch(*edges[i], *edges[j]) for i in range(n) for j in range(i + 1, n) if j - i not in (1, n - 1))


def _folds_back(a: Point, b: Point, c: Point) -> bool:
    """Whether the way from b to c lies on that from a to b."""
    (dx, dy), (ex, ey) = (b[0] - a[0], b[1] - a[1]), (c[0] - b[0], c[1] - b[1])
    return dx * ey - dy * ex == 0 and dx * ex + dy * ey < 0


def _touch(a: Point, b: Point, c: Point, d: Point) -> bool:
    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    def within(p: Point, q: Point, r: Point) -> bool:
        return min(p[0], q[0]) <= r[0] <= max(p[0], q[0]) and min(p[1], q[1]) <= r[1] <= max(p[1], q[1])

    s = (side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b))
    if s[0] * s[1] < 0 and s[2] * s[3] < 0:
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(value == 0 and within(*end) for value, end in zip(s, ends, strict=True))
