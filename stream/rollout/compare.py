"""What two models saw otherwise in the same frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.manifest import ModelManifest
from contracts.messages import Detection
from stream.geometry import iou

SAME_IOU = 0.5
"""From this overlap on two boxes of a label are of one thing, as in AP50."""


@dataclass(frozen=True)
class Difference:
    """Boxes by label: all of the first model, those that only the second has, and those that it lacks.

    `shifts` has for each box of both the second model's confidence less the first one's.
    """

    boxes: Counter[str]
    gained: Counter[str]
    lost: Counter[str]
    shifts: tuple[float, ...]


def certain(detections: Iterable[Detection], manifest: ModelManifest) -> tuple[Detection, ...]:
    """The detections that count fully, by the manifest's own thresholds."""
    default = manifest.thresholds.get("default", manifest.low_threshold)
    return tuple(one for one in detections if one.confidence >= manifest.thresholds.get(one.label, default))


def compare(first: Sequence[Detection], second: Sequence[Detection]) -> Difference:
    """Each box of `first` finds the box of its label in `second` that overlaps it most, the most confident ones first.

    Both are sorted by confidence, as detectors give them.
    """
    overlaps = iou([one.xyxy for one in first], [one.xyxy for one in second])
    free = set(range(len(second)))
    lost: Counter[str] = Counter()
    shifts: list[float] = []
    for number, one in enumerate(first):
        alike = [other for other in free if second[other].label == one.label and overlaps[number, other] >= SAME_IOU]
        if not alike:
            lost[one.label] += 1
            continue
        best = max(alike, key=lambda other: (overlaps[number, other], -other))
        free.remove(best)
        shifts.append(second[best].confidence - one.confidence)
    gained = Counter(second[other].label for other in free)
    return Difference(Counter(one.label for one in first), gained, lost, tuple(shifts))
