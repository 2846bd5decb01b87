"""What the detect job adds to a frame: whose faces are looked at, and that no vector leaves the process readable."""

from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from contracts import metrics as names
from contracts.messages import Detection, Frame, Look
from contracts.metrics import Metrics
from stream.jobs.looks import FaceLooks
from stream.vision.faces import Face, FaceLook
from tests.face_tools import MODEL, day_keys, half, seen
from vault import DayKeys

T0_MS = 1_767_225_600_000
VECTOR = seen(1)


class Looker:
    """In the place of the models: finds the same face in everybody it is shown."""

    model = MODEL

    def __init__(self) -> None:
        self.shown: list[list[float]] = []

    def look_in(self, _jpeg: bytes, picture: tuple[int, int], people: np.ndarray, _turn: int) -> dict[int, FaceLook]:
        assert picture == (640, 480)
        self.shown += people.tolist()
        face = Face((1.0, 2.0, 30.0, 40.0), 0.9, np.zeros((5, 2)))
        return {place: FaceLook(face, VECTOR, 0.7) for place in range(len(people))}


def frame() -> Frame:
    return Frame(
        site="site",
        camera="gate",
        session=1,
        index=0,
        captured_at_ms=T0_MS,
        width=640,
        height=480,
        detail=True,
        motion=0.1,
        sha256="",
        jpeg=b"",
    )


def box(x: float, confidence: float = 0.9, label: str = "person", looks: tuple[Look, ...] = ()) -> Detection:
    return Detection(xyxy=(x, 10.0, x + 50, 210.0), confidence=confidence, label=label, looks=looks)


def looked(keys: DayKeys, *boxes: Detection) -> tuple[tuple[Detection, ...], Looker, CollectorRegistry]:
    looker, metrics = Looker(), Metrics(CollectorRegistry())
    return FaceLooks(looker, keys, metrics).at(frame(), boxes), looker, metrics.registry  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("boxes", "faces"),
    [
        ((), []),
        ((box(0),), [0]),
        ((box(0), box(100, label="car"), box(200)), [0, 2]),
        ((box(0, confidence=0.2),), []),  # hardly a person
        ((box(0, confidence=0.5), box(5, confidence=0.9)), [1]),  # one person twice: the tracker takes the second
    ],
)
def test_whose_face_is_looked_at(boxes: tuple[Detection, ...], faces: list[int]) -> None:
    found, looker, registry = looked(day_keys(T0_MS), *boxes)
    assert [place for place, one in enumerate(found) if one.looks] == faces
    assert looker.shown == [list(boxes[place].xyxy) for place in faces]
    assert (registry.get_sample_value(names.FACES_SEEN.name, {"camera": "gate"}) or 0) == len(faces)


def test_a_look_is_sealed_under_the_key_of_the_frames_day() -> None:
    keys = day_keys(T0_MS)
    colour = Look(kind="colour_upper", model="colours@1", quality=0.8, values={"red": 0.8})
    ((found,), _, _) = looked(keys, box(0, looks=(colour,)))
    assert found.looks[0] == colour
    face = found.looks[1]
    assert (face.kind, face.model, face.quality, face.xyxy) == ("face", MODEL, 0.7, (1.0, 2.0, 30.0, 40.0))
    assert keys.open(face.vector) == half(VECTOR)
    assert half(VECTOR)[:8] not in face.vector


def test_without_a_key_the_box_and_its_quality_stay_and_the_vector_does_not(caplog: pytest.LogCaptureFixture) -> None:
    found, _, registry = looked(DayKeys("site"), box(0), box(200))
    assert [(one.looks[0].vector, one.looks[0].quality) for one in found] == [(b"", 0.7), (b"", 0.7)]
    assert registry.get_sample_value(names.FACES_DROPPED.name, {"reason": "key"}) == 2
    assert len([one for one in caplog.records if "not kept" in one.message]) == 1
