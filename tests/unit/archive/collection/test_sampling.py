"""Hard frames on their way into the collection: scaled, hidden where they must be, and gone ones left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archive.collection.sampling import Sampling
from archive.collection.store import Collection
from archive.evidence.files import Folder
from archive.evidence.frames import FrameMissed
from archive.evidence.privacy import Picture, Redact, as_sent
from contracts.messages import Frame, FrameRef, FrameTracks, TrackedObject
from tests.evidence_tools import AT_MS, frame
from tests.unit.archive.collection.test_sampler import SURE, UNSURE
from tests.unit.archive.collection.test_sampler import frame as seen


class Log:
    """A broker's frames: all the same one, or none any more."""

    def __init__(self, there: bool = True) -> None:
        self._there = there

    def fetch(self, ref: FrameRef) -> Frame:
        if not self._there:
            raise FrameMissed("retention", "gone")
        return frame()


class Tracks:
    """Two tracks in every frame, of which one is only predicted."""

    def of(self, sent: Frame) -> FrameTracks:
        return FrameTracks(
            **{name: getattr(sent, name) for name in ("site", "camera", "session", "index", "captured_at_ms")},
            **{"lane": "live", "interval_ms": 100, "width": 640, "height": 360, "model": "m@1"},
            ref=FrameRef("frames.home", 0, 1),
            tracks=tuple(
                TrackedObject(
                    track_id=number,
                    xyxy=(100.0, 100.0, 200.0, 300.0),
                    confidence=0.5,
                    label="person",
                    first_seen_at_ms=AT_MS,
                    observed=number == 1,
                )
                for number in (1, 2)
            ),
        )


def darker(picture: Picture, _: Frame) -> Picture:
    return np.asarray(picture // 2, np.uint8)


@pytest.mark.parametrize(("redact", "hidden"), [(as_sent, False), (darker, True)], ids=["as sent", "hidden"])
def test_a_frame_is_kept_as_it_may_be(tmp_path: Path, redact: Redact, hidden: bool) -> None:
    collection = Collection(Folder(tmp_path))
    assert Sampling(collection, Log(), Tracks(), redact, 60).take(seen(UNSURE))
    (sample,) = collection.samples()
    assert (sample.hidden, sample.item.width, sample.item.camera) == (hidden, 160, "gate")
    assert {number: box.xyxy for number, box in sample.tracks.items()} == {1: (25.0, 25.0, 50.0, 75.0)}
    assert collection.picture(sample.item.sha256) is not None
    assert (collection.picture(sample.item.sha256) == frame().jpeg) is not hidden


def test_what_is_gone_or_says_nothing_is_left(tmp_path: Path) -> None:
    collection = Collection(Folder(tmp_path))
    assert not Sampling(collection, Log(there=False), Tracks(), as_sent, 60).take(seen(UNSURE))
    sampling = Sampling(collection, Log(), Tracks(), as_sent, 60)
    assert sampling.take(seen(SURE))
    assert not sampling.take(seen(SURE, at_ms=AT_MS + 100, index=3))
    assert len(collection.samples()) == 1
