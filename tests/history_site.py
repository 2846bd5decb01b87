"""The demo clip in the history: its people followed by the real tracker and rules, several times a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
from msgspec.structs import replace

from archive.history import catalog
from archive.history.gather import Gatherer, GatherState
from archive.history.mirror import Mirror
from archive.history.parquet import ParquetWriter
from archive.history.rows import EventRow, Row, TrackRow, WindowRow
from contracts.config import Config
from contracts.fields import Xyxy
from contracts.messages import Detection, FrameDetections, FrameRef
from stream.jobs.decider import Decider, LaneState
from stream.vision import colours
from stream.windows.windows import WindowConfig, Windows, WindowState
from tests.console_scene import CLIP, TRUTH
from tests.history_tools import AT_MS, event_row, track_row, window_row

TIMES = 8
APART_MS = 2 * 3_600_000 + 40 * 60_000
DETAIL = 5
"""Every fifth frame is looked at for colours."""


def keep_clip(root: Path, config: Config, until_ms: int) -> list[TrackRow]:
    """Put the clip TIMES times into the history of camera forecourt, the last time just before `until_ms`."""
    once = _seen_once(config)
    starts_ms = [until_ms - AT_MS - 200_000 - time * APART_MS for time in range(TIMES)]
    rows = [_later(row, by_ms) for by_ms in starts_ms for row in once]
    catalog.commit(Mirror(root), catalog.Catalogue(files=ParquetWriter(Mirror(root)).write(rows)), GatherState())
    return [row for row in rows if isinstance(row, TrackRow)]


def _seen_once(config: Config) -> tuple[Row, ...]:
    """The rows of one run of the clip, from AT_MS on."""
    if not (CLIP.is_file() and TRUTH.is_file()):
        made = [track_row(n, camera="forecourt", zones=("lawn", "crossing"), label="person") for n in range(60)]
        rows = [replace(one, site="harbour") for one in made]
        windows = [window_row(n, camera="forecourt", zone="lawn", site="harbour") for n in range(2)]
        return (*rows, *windows, event_row(1, camera="forecourt", rule="nobody-on-the-lawn", site="harbour"))
    decider, state = Decider(config), LaneState()
    windows, window_state = Windows(WindowConfig(window_ms=20_000)), WindowState()
    gatherer = Gatherer(GatherState())
    found: list[Row] = []
    for frame in _frames():
        state, decision = decider.frame(state, frame)
        assert decision.tracks is not None
        window_state, stats = windows.step(window_state, decision.tracks)
        for message in (*decision.events, decision.tracks, *stats):
            found += gatherer.take(message, AT_MS)
    return tuple(found)


def _frames() -> Iterator[FrameDetections]:
    """The clip's frames with the boxes of its ground truth, ten a second."""
    boxes: dict[int, list[Xyxy]] = defaultdict(list)
    for line in TRUTH.read_text().splitlines():
        number, _, x, y, wide, high, *_ = (float(one) for one in line.split(","))
        boxes[int(number) - 1].append((x * 0.625, y * 0.625, (x + wide) * 0.625, (y + high) * 0.625))
    video = cv2.VideoCapture(str(CLIP))
    last = max(boxes)
    for number in range(last + 1):
        there, picture = video.read()
        detail = there and number % DETAIL == 0
        yield FrameDetections(
            site="harbour",
            camera="forecourt",
            lane="live",
            session=1,
            index=number,
            captured_at_ms=AT_MS + 100 * number,
            detected_at_ms=AT_MS,
            width=480,
            height=360,
            detail=detail,
            motion=0.1,
            ref=FrameRef("frames.harbour", 0, number),
            model="detector@1",
            detections=tuple(
                Detection(
                    xyxy=xyxy,
                    confidence=0.9,
                    label="person",
                    looks=colours.looks(picture, xyxy, "person") if detail else (),
                )
                for xyxy in boxes[number]
            ),
            last=number == last,
        )
    video.release()


def _later(row: Row, by_ms: int) -> Row:
    """The same, later."""
    match row:
        case TrackRow():
            first_ms = row.first_ms + by_ms
            entered = tuple(one + by_ms for one in row.entered_ms)
            unique = f"{row.camera}.{row.lane}.{row.track_id}.{first_ms}"
            return replace(row, id=unique, first_ms=first_ms, last_ms=row.last_ms + by_ms, entered_ms=entered)
        case EventRow():
            return replace(row, id=f"{row.id}-{by_ms}", at_ms=row.at_ms + by_ms)
        case WindowRow():
            start_ms, end_ms = row.start_ms + by_ms, row.end_ms + by_ms
            return replace(row, id=f"{row.id}-{by_ms}", start_ms=start_ms, end_ms=end_ms)
