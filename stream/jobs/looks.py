"""What the detect job adds to a full-size frame: looks at its people's faces, each vector sealed as it is made."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from contracts import metrics as names
from contracts.messages import Detection, Frame, Look
from contracts.metrics import Metrics
from stream.jobs.gallery_watch import VECTOR
from stream.jobs.recognition import FACE
from stream.tracking import distinct
from vault import DayKeys, VaultError, day_of

if TYPE_CHECKING:
    from stream.vision.faces import FaceLook, FaceLooker

log = logging.getLogger(__name__)

TURN_MS = 500
"""Frames of full size come twice a second: about so often others of a crowd are looked at."""

LEAST_CONFIDENCE = 0.3
"""What is less certainly a person is not worth the 4 ms of a face."""

PEOPLE = ("person",)


class FaceLooks:
    """Threads may share it."""

    def __init__(self, looker: FaceLooker, keys: DayKeys, metrics: Metrics) -> None:
        self._looker = looker
        self._keys = keys
        self._metrics = metrics
        self._seconds = metrics.histogram(names.FACES)
        self._told_day = -1

    def at(self, frame: Frame, detections: tuple[Detection, ...]) -> tuple[Detection, ...]:
        """The detections of a full-size frame with a look on each whose face was found.

        Raises ContractError for a JPEG that can't be decoded.
        """
        places = places_of(detections, PEOPLE)
        if not places:
            return detections
        with self._seconds.time():
            people = np.array([detections[place].xyxy for place in places], np.float32)
            turn = frame.captured_at_ms // TURN_MS  # of the frame alone: a replay looks at the same people
            found = self._looker.look_in(frame.jpeg, (frame.width, frame.height), people, turn)
        self._metrics.counter(names.FACES_SEEN, frame.camera).inc(len(found))
        looked = list(detections)
        for number, face in found.items():
            look = self._look(frame, face)
            box = looked[places[number]]
            looked[places[number]] = replace(box, looks=(*box.looks, look))
        return tuple(looked)

    def _look(self, frame: Frame, found: FaceLook) -> Look:
        return Look(
            kind=FACE,
            model=self._looker.model,
            quality=min(max(found.quality, 0.0), 1.0),
            xyxy=found.face.xyxy,
            vector=self._sealed(frame.captured_at_ms, found),
            values={"confidence": found.face.confidence},
        )

    def _sealed(self, at_ms: int, found: FaceLook) -> bytes:
        """The vector as it may leave this process; nothing where the day has no key."""
        try:
            return self._keys.seal(at_ms, found.vector.astype(VECTOR).tobytes())
        except VaultError as error:
            self._metrics.counter(names.FACES_DROPPED, "key").inc()
            if self._told_day != day_of(at_ms):
                self._told_day = day_of(at_ms)
                log.warning("faces of this day are not kept: %s", error)
            return b""


def places_of(detections: Sequence[Detection], labels: Collection[str]) -> list[int]:
    """Places of the boxes of these labels that may be worth a look, each thing once, as the tracker will see it."""
    places = [
        place for place, one in enumerate(detections) if one.label in labels and one.confidence >= LEAST_CONFIDENCE
    ]
    xyxy = np.array([detections[place].xyxy for place in places], np.float64).reshape(-1, 4)
    confidence = np.array([detections[place].confidence for place in places], np.float64)
    return [places[number] for number in distinct(xyxy, confidence, [detections[place].label for place in places])]
