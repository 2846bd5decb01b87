"""What the detect job adds to a full-size frame: what second-stage classifiers say of its boxes, at bounded cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from contracts import metrics as names
from contracts.attributes import KIND
from contracts.manifest import ModelManifest
from contracts.messages import Detection, Frame, Look
from contracts.metrics import Metrics
from stream.jobs.looks import TURN_MS, places_of

if TYPE_CHECKING:
    from stream.vision.classifier import Classifier, Seen


class AttributeLooks:
    """One classifier's looks. Threads may share it."""

    def __init__(self, classifier: Classifier, most: int, metrics: Metrics) -> None:
        self._classifier = classifier
        self._most = most
        self._metrics = metrics
        self._seconds = metrics.histogram(names.CLASSIFIED)

    @property
    def manifest(self) -> ModelManifest:
        """The classifier's."""
        return self._classifier.manifest

    @property
    def provider(self) -> str:
        """What it runs on."""
        return self._classifier.provider

    def at(self, frame: Frame, detections: tuple[Detection, ...]) -> tuple[Detection, ...]:
        """The detections of a full-size frame with a look on each box that was worth one, the same in every replay.

        Raises ContractError for a JPEG that can't be decoded.
        """
        places = self._places(detections, frame.captured_at_ms // TURN_MS)
        if not places:
            return detections
        with self._seconds.time():
            boxes = np.array([detections[place].xyxy for place in places], np.float32)
            found = self._classifier.look_in(frame.jpeg, (frame.width, frame.height), boxes)
        self._metrics.counter(names.CLASSIFIED_BOXES, frame.camera, self._classifier.attribute.name).inc(len(found))
        looked = list(detections)
        for place, seen in zip(places, found, strict=True):
            looked[place] = replace(looked[place], looks=(*looked[place].looks, self._look(seen)))
        return tuple(looked)

    def _places(self, detections: Sequence[Detection], turn: int) -> list[int]:
        """Places of the boxes to look at: the tracker's, large enough, at most `most`, the rest by turns."""
        single = places_of(detections, self._classifier.attribute.boxes)
        boxes = np.array([detections[place].xyxy for place in single], np.float32).reshape(-1, 4)
        return [single[number] for number in self._classifier.worth(boxes, self._most, turn)]

    def _look(self, seen: Seen) -> Look:
        """A box of fewer pixels than the model takes shows so much less."""
        size = min(1.0, seen.side / self._classifier.manifest.input.width)
        return Look(
            kind=KIND + self._classifier.attribute.name,
            model=self._classifier.manifest.id,
            quality=round(size, 3),
            xyxy=seen.xyxy,
            values={label: round(value, 4) for label, value in seen.probabilities.items()},
            thresholds=self._classifier.manifest.thresholds,
        )
