"""Which frames are kept: those that say something, no more than there is room for."""

from __future__ import annotations

from typing import Any

import pytest

from archive.collection.sampler import BURST, Sampler, SamplerState, why
from contracts.messages import FrameRef, FrameTracks, TrackedObject
from tests.evidence_tools import AT_MS


def track(**changes: Any) -> TrackedObject:
    values: dict[str, Any] = {"track_id": 1, "xyxy": (0.0, 0.0, 9.0, 9.0), "confidence": 0.9, "label": "person"}
    return TrackedObject(**(values | {"first_seen_at_ms": AT_MS} | changes))


def frame(*tracks: TrackedObject, at_ms: int = AT_MS, index: int = 1) -> FrameTracks:
    return FrameTracks(
        site="home",
        camera="gate",
        lane="live",
        session=1,
        index=index,
        captured_at_ms=at_ms,
        interval_ms=100,
        width=640,
        height=360,
        ref=FrameRef("frames.home", 0, index),
        model="m@1",
        tracks=tracks,
    )


@pytest.mark.parametrize(
    ("tracks", "firsts", "reasons"),
    [
        ([], set(), ()),
        ([track()], set(), ()),
        ([track()], {"person"}, ("first person of this part of the day",)),
        ([track(observed=False)], set(), ("a track that was not seen",)),
        ([track(confidence=0.5)], set(), ("a track that was seen unsurely",)),
        ([track(confidence=0.0)], set(), ()),
    ],
    ids=["nothing", "sure", "first", "predicted only", "unsure", "gone"],
)
def test_why_a_frame_is_kept(tracks: list[TrackedObject], firsts: set[str], reasons: tuple[str, ...]) -> None:
    assert why(frame(*tracks), firsts) == reasons


def test_some_are_kept_without_a_reason() -> None:
    drawn = [index for index in range(1000) if why(frame(track(), index=index), set())]
    assert 60 < len(drawn) < 140


def test_no_more_are_kept_than_there_is_room_for() -> None:
    state, kept = SamplerState(), []
    for second in range(3600):
        state, taken = Sampler(60).step(state, frame(track(confidence=0.5), at_ms=AT_MS + second * 1000))
        kept += [second] if taken else []
    assert len(kept) == 60
    late = frame(track(confidence=0.5), at_ms=AT_MS + 7_200_000)
    assert Sampler(60).step(state, late)[0].room == BURST - 1
    assert Sampler(60).step(state, frame(at_ms=AT_MS))[1] == ()
