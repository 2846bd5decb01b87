"""The tracks of a frame are found whenever they were decided: only where there are none a picture is hidden whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from archive.evidence import kafka_boxes
from archive.evidence.kafka_boxes import KafkaBoxes
from bus.consuming import Record
from bus.errors import NoTopicError
from bus.span import Start
from contracts.codec import encode
from contracts.fields import Lane
from contracts.messages import Frame, FrameRef, FrameTracks

T0_MS = 1_767_225_600_000
STEP_MS = 500


class Log:
    """The topic as Span reads it, with how often each partition was read."""

    def __init__(self, *partitions: list[Record]) -> None:
        self.partitions, self.reads = partitions, 0

    def start(self, topic: str, partition: int, since_ms: int) -> Start:
        if partition >= len(self.partitions):
            raise NoTopicError(f"there is no {topic}[{partition}]")
        records = self.partitions[partition]
        first = next((n for n, one in enumerate(records) if one.timestamp_ms >= since_ms), len(records))
        return Start(first, len(records), False)

    def records(
        self, _topic: str, partition: int, start: Start, _timeout_s: float, _stopped: object
    ) -> Iterator[Record]:
        self.reads += 1
        yield from self.partitions[partition][start.offset : start.end]


def decided(
    camera: str, count: int, lag_ms: int, from_ms: int = T0_MS, lane: Lane = "live", first: int = 0
) -> list[Record]:
    """Tracks of so many frames, each decided so long after it was captured."""
    records = []
    for index in range(count):
        at_ms = from_ms + index * STEP_MS
        tracks = FrameTracks(
            site="site",
            camera=camera,
            lane=lane,
            session=1,
            index=first + index,
            captured_at_ms=at_ms,
            interval_ms=STEP_MS,
            width=640,
            height=480,
            ref=FrameRef("frames.site", 0, index),
            model="m@1",
            tracks=(),
        )
        records.append(Record("tracks", 0, index, at_ms + lag_ms, camera.encode(), encode(tracks)))
    return records


def frame(index: int) -> Frame:
    at_ms = T0_MS + index * STEP_MS
    return Frame(
        site="site",
        camera="gate",
        session=1,
        index=index,
        captured_at_ms=at_ms,
        width=640,
        height=480,
        detail=True,
        motion=0.1,
        sha256="",
        jpeg=b"",
    )


def boxes(log: Log, now_ms: int, monkeypatch: pytest.MonkeyPatch) -> KafkaBoxes:
    monkeypatch.setattr(kafka_boxes, "WAIT_S", 0.0)
    made = KafkaBoxes("127.0.0.1:1", len(log.partitions) + 1, lambda: now_ms, threading.Event())
    monkeypatch.setattr(made, "_span", log)
    return made


@pytest.mark.parametrize("lag_ms", [100, 30_000, 600_000, 10**10], ids=["calm", "lag", "long lag", "replay"])
def test_tracks_are_found_however_late_they_were_decided(lag_ms: int, monkeypatch: pytest.MonkeyPatch) -> None:
    others = decided("yard", 900, 50, T0_MS - 1000)
    for log in (
        Log(others, decided("gate", 200, lag_ms)),
        Log(decided("yard", 20, lag_ms) + decided("gate", 200, lag_ms)),
    ):
        known = boxes(log, T0_MS + 200 * STEP_MS + lag_ms, monkeypatch)
        found = [known.of(frame(index)) for index in range(150)]
        assert [one.index if one else None for one in found] == list(range(150))
        assert log.reads <= 2 * 5  # 20 s at once, not frame by frame


def test_what_was_not_decided_when_it_was_looked_for_is_found_later(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = decided("gate", 200, 30_000)
    log = Log(everything[:70])
    known = boxes(log, T0_MS + 65_000, monkeypatch)
    assert known.of(frame(10)) is not None
    assert known.of(frame(75)) is None
    log.partitions[0].extend(everything[70:])
    assert known.of(frame(75)) is not None
    assert known.of(frame(500)) is None


def test_frames_that_waited_in_a_spool_are_found_among_live_ones_of_later_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An hour of outage: what was captured in it is decided in a burst, while live frames go on."""
    hour_ms = 3_600_000
    live = decided("gate", 400, 100, T0_MS + hour_ms, first=1000)
    late = decided("gate", 200, hour_ms + 60_000, lane="late")
    log = Log(sorted((*live, *late), key=lambda one: one.timestamp_ms))
    known = boxes(log, T0_MS + hour_ms + 200_000, monkeypatch)
    found = [known.of(frame(index)) for index in range(200)]
    assert [(one.index, one.lane) if one else None for one in found] == [(index, "late") for index in range(200)]


def test_after_an_outage_of_seconds_late_frames_are_found_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are still young when live tracks of later times have been there for a while."""
    live = decided("gate", 50, 100, T0_MS + 30_000, first=1000)
    late = decided("gate", 50, 32_000, lane="late")
    log = Log(sorted((*live, *late), key=lambda one: one.timestamp_ms))
    known = boxes(log, T0_MS + 59_000, monkeypatch)
    found = [known.of(frame(index)) for index in range(50)]
    assert [(one.index, one.lane) if one else None for one in found] == [(index, "late") for index in range(50)]


def test_a_long_topic_is_not_read_for_each_frame_that_nobody_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading takes three seconds here, and a clip asks for hundreds of frames."""
    hour_ms = 3_600_000
    log = Log(decided("gate", 400, 100, T0_MS + hour_ms, first=1000))
    known, now_ms = boxes(log, 0, monkeypatch), T0_MS + hour_ms + 200_000
    monkeypatch.setattr(known, "_clock", lambda: now_ms + 3000 * log.reads)
    assert [known.of(frame(index)) for index in range(100)] == [None] * 100
    assert log.reads <= 2 * 5  # a look at their own time each 20 s, and one at what was decided lately
