"""Where a tracker errs: frame by frame who is followed, missed, taken over, and what is followed that isn't there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import lap
import numpy as np
from numpy.typing import NDArray

from stream.geometry import Floats, iou

Ints = NDArray[np.int64]

MISSED = -1
"""In the place of a track's number."""
GOES_ON = 1000.0
"""A pair of the frame before is worth more than any overlap."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, in the truth's pixels: its objects [N] with boxes xyxy [N,4], the track that follows each (or MISSED),
    and whether that is another than its last one; and the tracks [K] that follow nothing, with their boxes [K,4]."""

    number: int
    objects: Ints
    xyxy: Floats
    tracks: Ints
    switched: NDArray[np.bool_]
    false: Ints
    false_xyxy: Floats

    @property
    def missed(self) -> NDArray[np.bool_]:
        """Which objects no track follows [N]."""
        return np.asarray(self.tracks == MISSED)

    @property
    def errors(self) -> int:
        """Missed objects, false boxes and switches together."""
        return int(self.missed.sum() + len(self.false) + self.switched.sum())


def frames_of(truth: Floats, tracks: Floats, least_iou: float = 0.5) -> list[Frame]:
    """Each frame from 1 to the last one of MOTChallenge rows [N,>=6].

    CLEAR MOT (Bernardin and Stiefelhagen, 2008) as TrackEval counts it, so that the sums are the package's FN, FP and
    IDSW: a pair of the frame before goes on while it overlaps by `least_iou`, the others are those with the largest sum
    of overlaps; a switch is counted against the track that followed the object last, however long ago.
    """
    last: dict[int, int] = {}
    before: Mapping[int, int] = {}
    frames = []
    for number in range(1, int(max(truth[:, 0].max(initial=0), tracks[:, 0].max(initial=0))) + 1):
        objects, xyxy = _at(truth, number)
        found, boxes = _at(tracks, number)
        partners = _partners(objects, xyxy, found, boxes, before, least_iou)
        own = np.where(partners == MISSED, MISSED, np.append(found, MISSED)[partners])
        switched = np.array(
            [track not in (MISSED, last.get(int(k), track)) for k, track in zip(objects, own, strict=True)]
        )
        now = {int(k): int(track) for k, track in zip(objects, own, strict=True) if track != MISSED}
        last |= now
        if len(objects) and len(found):  # elsewhere TrackEval lets the pairs of before stand
            before = now
        false = np.setdiff1d(np.arange(len(found)), partners)
        frames.append(Frame(number, objects, xyxy, own, np.array(switched, np.bool_), found[false], boxes[false]))
    return frames


def worst(frames: list[Frame], count: int) -> list[Frame]:
    """The frames with the most errors, no two of them nearer than a twentieth of all, in order of time."""
    apart, chosen = max(1, len(frames) // 20), list[Frame]()
    for frame in sorted(frames, key=lambda one: -one.errors):
        if len(chosen) < count and frame.errors and all(abs(frame.number - one.number) >= apart for one in chosen):
            chosen.append(frame)
    return sorted(chosen, key=lambda one: one.number)


def _at(rows: Floats, frame: int) -> tuple[Ints, Floats]:
    """The identities [N] of a frame and their boxes xyxy [N,4]."""
    own = rows[rows[:, 0] == frame]
    return own[:, 1].astype(np.int64), np.concatenate((own[:, 2:4], own[:, 2:4] + own[:, 4:6]), axis=1)


def _partners(
    objects: Ints, xyxy: Floats, found: Ints, boxes: Floats, before: Mapping[int, int], least_iou: float
) -> Ints:
    """For each object [N] the place among the tracks found in the frame, or MISSED."""
    if not len(objects) or not len(found):
        return np.full(len(objects), MISSED)
    overlaps = iou(xyxy, boxes)
    goes_on = found[None] == np.array([before.get(int(k), MISSED) for k in objects])[:, None]
    value = np.where(overlaps >= least_iou - 1e-9, overlaps + GOES_ON * goes_on, 0.0)
    _, columns, _ = lap.lapjv(-value, extend_cost=True)
    matched = (columns >= 0) & (value[np.arange(len(objects)), columns] > 0)
    return np.where(matched, columns, MISSED).astype(np.int64)
