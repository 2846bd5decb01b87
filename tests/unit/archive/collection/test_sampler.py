"""Which frames are kept: those that say something, no more than there is room for."""

from __future__ import annotations

import pytest

from archive.collection.sampler import BURST, Sampler, SamplerState, why
from contracts.messages import Detection, FrameDetections, FrameRef
from tests.evidence_tools import AT_MS

UNSURE, SURE = (
    Detection(xyxy=(0, 0, 9, 9), confidence=0.3, label="dog"),
    Detection(xyxy=(0, 0, 9, 9), confidence=0.9, label="person"),
)


def frame(*boxes: Detection, at_ms: int = AT_MS, index: int = 1) -> FrameDetections:
    return FrameDetections(
        site="home",
        camera="gate",
        lane="live",
        session=1,
        index=index,
        captured_at_ms=at_ms,
        detected_at_ms=at_ms,
        width=640,
        height=360,
        detail=False,
        motion=0.1,
        ref=FrameRef("frames.home", 0, index),
        model="m@1",
        detections=boxes,
    )


@pytest.mark.parametrize(
    ("boxes", "firsts", "reasons"),
    [
        ([], set(), ()),
        ([SURE], set(), ()),
        ([SURE], {"person"}, ("first person of this part of the day",)),
        ([SURE, UNSURE], set(), ("seen unsurely",)),
        ([Detection(xyxy=(0, 0, 9, 9), confidence=0.1, label="dog")], set(), ()),
    ],
    ids=["nothing", "sure", "first", "unsure", "noise"],
)
def test_why_a_frame_is_kept(boxes: list[Detection], firsts: set[str], reasons: tuple[str, ...]) -> None:
    assert why(frame(*boxes), firsts) == reasons


def test_some_are_kept_without_a_reason() -> None:
    drawn = [index for index in range(1000) if why(frame(SURE, index=index), set())]
    assert 60 < len(drawn) < 140


def test_no_more_are_kept_than_there_is_room_for() -> None:
    state, kept = SamplerState(), []
    for second in range(3600):
        state, taken = Sampler(60).step(state, frame(UNSURE, at_ms=AT_MS + second * 1000))
        kept += [second] if taken else []
    assert len(kept) == 60
    late = frame(UNSURE, at_ms=AT_MS + 7_200_000)
    assert Sampler(60).step(state, late)[0].room == BURST - 1
    assert Sampler(60).step(state, frame(at_ms=AT_MS))[1] == ()
