"""Geometry against values worked out by hand, and against properties that hold for every input."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import geometry

SQUARE = [(0, 0), (10, 0), (10, 10), (0, 10)]
ARROW = [(0, 0), (10, 5), (0, 10), (4, 5)]  # concave at (4, 5)

small = st.integers(-20, 20)
points = st.tuples(small, small)
sizes = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.5, 40), st.floats(0.5, 40))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),  # the same box
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),  # 50 shared of 150
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),  # side by side
        ((0, 0, 10, 10), (2, 2, 4, 4), 0.04),  # inside
        ((3, 3, 3, 3), (3, 3, 3, 3), 0.0),  # two empty boxes share nothing
        ((5, 5, 0, 0), (0, 0, 10, 10), 0.0),  # inside out
    ],
)
def test_iou(a, b, expected):
    assert geometry.iou([a], [b])[0, 0] == pytest.approx(expected)


def test_iou_has_a_row_for_each_a_and_a_column_for_each_b():
    assert geometry.iou(np.zeros((3, 4)), np.zeros((2, 4))).shape == (3, 2)
    assert geometry.iou([], np.zeros((2, 4))).shape == (0, 2)


@given(st.lists(sizes, min_size=1, max_size=5), st.lists(sizes, min_size=1, max_size=5))
def test_iou_is_symmetric_and_within_0_and_1(a, b):
    a_xyxy, b_xyxy = geometry.cxcywh_to_xyxy(a), geometry.cxcywh_to_xyxy(b)
    table = geometry.iou(a_xyxy, b_xyxy)
    assert table.min() >= 0
    assert table.max() <= 1 + 1e-9
    np.testing.assert_allclose(table, geometry.iou(b_xyxy, a_xyxy).T)


@given(st.lists(sizes, min_size=1, max_size=5))
def test_centre_and_size_survive_the_way_to_corners_and_back(boxes):
    np.testing.assert_allclose(geometry.xyxy_to_cxcywh(geometry.cxcywh_to_xyxy(boxes)), boxes, atol=1e-9)


@pytest.mark.parametrize(
    ("call", "bad"),
    [
        (geometry.as_boxes, [[1, 2, 3]]),  # three numbers are no box
        (geometry.as_boxes, [1, 2, 3, 4]),  # one box without its row
        (geometry.as_points, [[1, 2, 3]]),  # three numbers are no point
    ],
)
def test_wrong_shapes_are_refused_with_the_shape(call, bad):
    with pytest.raises(ValueError, match=r"must have the shape \[N, \d\], not"):
        call(bad)


def test_coverage_is_the_share_of_the_first_box():
    np.testing.assert_allclose(geometry.coverage([(0, 0, 10, 10)], [(0, 0, 10, 5), (0, 0, 20, 20)]), [[0.5, 1.0]])


def test_clip_to_picture():
    np.testing.assert_allclose(geometry.clip_to_picture([(-5, 3, 700, 500)], 640, 480), [(0, 3, 640, 480)])


@pytest.mark.parametrize(
    ("point", "polygon", "inside"),
    [
        ((5, 5), SQUARE, True),  # the middle
        ((-1, 5), SQUARE, False),  # left of it
        ((11, 5), SQUARE, False),  # right of it
        ((5, -1), SQUARE, False),  # above
        ((0, 5), SQUARE, True),  # on the left edge
        ((10, 5), SQUARE, True),  # on the right edge
        ((5, 10), SQUARE, True),  # on the lower edge
        ((10, 10), SQUARE, True),  # a corner
        ((15, 10), SQUARE, False),  # on the line of an edge, beyond its end
        ((2, 5), ARROW, False),  # in the notch
        ((6, 5), ARROW, True),  # before the tip
        ((-3, 5), ARROW, False),  # the ray passes through two corners
        ((4, 5), ARROW, True),  # the concave corner itself
    ],
)
def test_point_in_polygon(point, polygon, inside):
    assert geometry.point_in_polygon([point], polygon).tolist() == [inside]
    assert geometry.point_in_polygon([point], polygon[::-1]).tolist() == [inside]


def test_point_in_polygon_takes_many_points_and_none():
    assert geometry.point_in_polygon([(5, 5), (50, 5)], SQUARE).tolist() == [True, False]
    assert geometry.point_in_polygon([], SQUARE).shape == (0,)


def test_a_polygon_of_two_points_is_refused():
    with pytest.raises(ValueError, match="at least 3 points, not 2"):
        geometry.point_in_polygon([(0, 0)], [(0, 0), (1, 1)])


@pytest.mark.parametrize(
    ("p0", "p1", "expected"),
    [
        ((5, -5), (5, 5), 1),  # from above (left of a→b) to below (right)
        ((5, 5), (5, -5), -1),  # and back
        ((5, -5), (5, -1), 0),  # stays above
        ((15, -5), (15, 5), 0),  # passes beyond b
        ((-5, -5), (-5, 5), 0),  # passes before a
        ((10, -5), (10, 5), 1),  # through the end of the line
        ((5, -5), (5, 0), 0),  # comes from the left and touches: not over it yet
        ((5, 0), (5, 5), 1),  # goes on from the line to the right
        ((5, 5), (5, 0), -1),  # comes from the right and touches: over it
        ((5, 0), (5, -5), 0),  # goes on to the left: already counted
        ((2, 0), (8, 0), 0),  # along the line
        ((5, 5), (5, 5), 0),  # no step at all
        ((9, -1), (12, 2), 1),  # just inside the end
        ((9, -1), (13, 1), 0),  # just outside it
    ],
)
def test_crossing_of_a_line_from_0_0_to_10_0(p0, p1, expected):
    assert geometry.crossing(p0, p1, (0, 0), (10, 0)) == expected


@given(points, points, points, points)
def test_the_line_the_other_way_round_counts_the_other_way(p0, p1, a, b):
    if geometry.side_of_line(p0, a, b) != 0 and geometry.side_of_line(p1, a, b) != 0:
        assert geometry.crossing(p0, p1, b, a) == -geometry.crossing(p0, p1, a, b)


@given(st.lists(points, min_size=2, max_size=12))
def test_crossings_of_an_endless_line_add_up_to_the_change_of_side(path):
    a, b = (-1000, 0), (1000, 0)
    total = sum(geometry.crossing(p, q, a, b) for p, q in itertools.pairwise(path))
    assert total == int(path[-1][1] > 0) - int(path[0][1] > 0)


@pytest.mark.parametrize(
    ("u", "v", "degrees"),
    [
        ((1, 0), (5, 0), 0),  # the same way
        ((1, 0), (0, -2), 90),  # across
        ((1, 1), (-3, -3), 180),  # against
        ((0, 0), (1, 0), 180),  # no direction agrees with nothing
    ],
)
def test_angle_between(u, v, degrees):
    assert geometry.angle_between(u, v) == pytest.approx(degrees)


@given(st.floats(0, 2 * math.pi), st.floats(0, math.pi))
def test_angle_between_is_the_turn(start, turn):
    u, v = (math.cos(start), math.sin(start)), (math.cos(start + turn), math.sin(start + turn))
    assert geometry.angle_between(u, v) == pytest.approx(math.degrees(turn), abs=1e-4)
