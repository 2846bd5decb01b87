"""Assignment and similarities against small tables worked out by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import geometry
from stream.tracking.association import assign, assign_among, buffered_iou, cosine, height_ratio


@pytest.mark.parametrize(
    ("similarity", "pairs"),
    [
        ([[0.9, 0.1], [0.2, 0.8]], [(0, 0), (1, 1)]),  # plain
        ([[0.9, 0.8], [0.8, 0.1]], [(0, 1), (1, 0)]),  # the larger total, not the largest pair first
        ([[0.9, 0.2]], [(0, 0)]),  # more columns than rows
        ([[0.4], [0.9]], [(1, 0)]),  # more rows than columns
        ([[0.1, 0.2], [0.2, 0.1]], []),  # nothing above the threshold
        ([[0.3]], []),  # the threshold itself is not above it
    ],
)
def test_assign(similarity, pairs):
    matches = assign(np.array(similarity), 0.3)
    assert list(zip(matches.rows, matches.columns, strict=True)) == pairs


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_assign_with_nothing_to_assign(shape):
    assert len(assign(np.zeros(shape), 0.3).rows) == 0


@given(st.lists(st.lists(st.integers(0, 100), min_size=3, max_size=3), min_size=3, max_size=3))
def test_assign_is_the_best_of_all_permutations(rows):
    similarity = np.array(rows) / 100

    def worth(pairs):
        return sum(similarity[i, j] - 0.3 for i, j in pairs if similarity[i, j] > 0.3)

    best = max(worth(enumerate(order)) for order in itertools.permutations(range(3)))
    matches = assign(similarity, 0.3)
    assert worth(zip(matches.rows, matches.columns, strict=True)) == pytest.approx(best)


def test_later_stages_take_only_what_is_free():
    taken = np.array([1, -1, -1], dtype=np.intp)
    similarity = np.array([[0.0, 0.9, 0.0], [0.0, 0.9, 0.5], [0.0, 0.0, 0.9]])
    assign_among(taken, similarity, np.array([True, True, False]), np.array([True, True, True]), 0.3)
    assert taken.tolist() == [1, 2, -1]  # row 1 may not take 0's column, row 2 was not asked


def test_buffered_iou_without_a_margin_is_iou():
    a, b = np.array([[0.0, 0, 10, 10]]), np.array([[5.0, 0, 15, 10], [20, 0, 30, 10]])
    np.testing.assert_allclose(buffered_iou(a, b, np.zeros((1, 2))), geometry.iou(a, b))


def test_buffered_iou_sees_what_the_margin_reaches():
    a, b = np.array([[0.0, 0, 10, 10], [0, 0, 10, 10]]), np.array([[20.0, 0, 30, 10]])
    table = buffered_iou(a, b, np.array([[10.0, 0.0], [5.0, 0.0]]))
    assert table[0, 0] == pytest.approx(10 / 50)  # 30 wide each, 10 shared
    assert table[1, 0] == 0.0  # they only touch


def test_height_ratio():
    table = height_ratio(np.array([[0.0, 0, 5, 10]]), np.array([[0.0, 0, 5, 20], [0, 5, 5, 15]]))
    np.testing.assert_allclose(table, [[0.5, 1.0]])


def test_cosine_knows_which_vectors_exist():
    alike, known = cosine(np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([[3.0, 0.0], [0.0, 1.0]]))
    np.testing.assert_allclose(alike[0], [1.0, 0.0])
    assert known.tolist() == [[True, True], [False, False]]
