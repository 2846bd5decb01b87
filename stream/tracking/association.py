"""Which detection belongs to which track: similarities and their best assignment, arrays in, index pairs out."""

from dataclasses import dataclass

import lap
import numpy as np
from numpy.typing import NDArray

from stream.geometry import Bools, Floats

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Matches:
    """Pairs (rows[k], columns[k]) in ascending order of rows."""

    rows: Indices
    columns: Indices


def assign(similarity: Floats, threshold: float) -> Matches:
    """The one-to-one pairs of largest total similarity [N,M], each above `threshold` (Jonker-Volgenant)."""
    if similarity.size == 0 or not (similarity > threshold).any():
        return Matches(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp))
    # A pair costs 1 - similarity; cost_limit lets a row stay alone for less than a pair below the threshold costs.
    _, columns, _ = lap.lapjv(1.0 - similarity, extend_cost=True, cost_limit=1.0 - threshold)
    rows = np.flatnonzero(columns >= 0)
    taken = np.asarray(columns, dtype=np.intp)[rows]
    good = similarity[rows, taken] > threshold
    return Matches(rows[good], taken[good])


def assign_among(taken: Indices, similarity: Floats, rows: Bools, columns: Bools, threshold: float) -> None:
    """Fills `taken` [N], the column of each row or -1, from those of `rows` and `columns` that are still free."""
    free_rows = np.flatnonzero(rows & (taken < 0))
    free = columns.copy()
    free[taken[taken >= 0]] = False
    free_columns = np.flatnonzero(free)
    matches = assign(similarity[np.ix_(free_rows, free_columns)], threshold)
    taken[free_rows[matches.rows]] = free_columns[matches.columns]


def buffered_iou(a_xyxy: Floats, b_xyxy: Floats, margin: Floats) -> Floats:
    """IoU [N,M] of the boxes a [N,4] and b [M,4], both made larger on each side by a's `margin` [N,2] px in x and y.

    C-BIoU (WACV 2023) takes a fixed share of the box; the margin of each track can also grow with its uncertainty.
    """
    around = np.concatenate((-margin, margin), axis=1)
    a = (a_xyxy + around)[:, None, :]
    b = b_xyxy[None, :, :] + around[:, None, :]
    overlap = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0.0, None).prod(axis=2)
    areas = (a[..., 2:] - a[..., :2]).prod(axis=2) + (b[..., 2:] - b[..., :2]).prod(axis=2)
    return np.asarray(overlap / np.maximum(areas - overlap, 1e-9))


def height_ratio(a_xyxy: Floats, b_xyxy: Floats) -> Floats:
    """The smaller height over the larger one [N,M], 1 for equal heights."""
    a = np.maximum(a_xyxy[:, 3] - a_xyxy[:, 1], 1e-6)[:, None]
    b = np.maximum(b_xyxy[:, 3] - b_xyxy[:, 1], 1e-6)[None, :]
    return np.asarray(np.minimum(a, b) / np.maximum(a, b))


def heading(places: Floats, rates: Floats, towards: Floats, unit: Floats) -> Floats:
    """How far a step [N,2]→[M,2] turns away from the way each track goes [N,M]: 0 straight on, 1 straight back.

    The idea is OC-SORT's momentum (CVPR 2023). `rates` is in px/s and `unit` [N] a length in px: a step or a speed of
    less than a third of it (a second) is too short to have a direction, and counts for less in proportion.
    """
    step = towards[None, :, :] - places[:, None, :]
    length, speed = np.hypot(step[..., 0], step[..., 1]), np.hypot(rates[:, 0], rates[:, 1])[:, None]
    along = (step * rates[:, None, :]).sum(axis=2) / np.maximum(length * speed, 1e-9)
    meaning = np.minimum(length / (unit[:, None] / 3), 1.0) * np.minimum(speed / (unit[:, None] / 3), 1.0)
    return np.asarray(meaning * (1.0 - along) / 2)


def cosine(a: Floats, b: Floats) -> tuple[Floats, Bools]:
    """Cosine [N,M] of appearance vectors [N,D] and [M,D], and where both exist (an all-zero row is no vector)."""
    a_length, b_length = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    known = (a_length[:, None] > 0) & (b_length[None, :] > 0)
    scale = np.where(known, a_length[:, None] * b_length[None, :], 1.0)
    return np.asarray(a @ b.T / scale), known
