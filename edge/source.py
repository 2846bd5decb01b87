"""The pictures of one opened input in order, each with its time: live, from a file at its own pace, or as replay."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

from contracts.config import Input
from contracts.errors import CameraError
from edge.capture import Capture, is_file
from edge.motion import Image


@dataclass(frozen=True)
class Shot:
    """One picture: when it was taken, where it stands in a recording of what length, and whether it is its last.

    `picture` gives its pixels; call it at most once, and before the next shot.
    """

    captured_at_ms: int
    position_ms: float
    duration_ms: float
    last: bool
    picture: Callable[[], Image]


@dataclass(frozen=True)
class Timing:
    """What time it is: the wall clock, or for a replay the time of a recording's first picture."""

    now_ms: Callable[[], int]
    replay_start_ms: int | None = None

    def of_recording_ms(self, position_ms: float) -> int:
        """When the recording's picture at `position_ms` was taken: now, or in a replay by its own time."""
        return self.now_ms() if self.replay_start_ms is None else self.replay_start_ms + round(position_ms)


def shots(
    source: Input, url: str, open_capture: Callable[[Input, str], Capture], timing: Timing, stop: threading.Event
) -> Generator[Shot, None, None]:
    """Open the input and give its pictures until `stop` is set or a recording that doesn't loop is over.

    Raises CameraError when it can't be opened, when it ends that shouldn't, or when nothing came within its time-out.
    """
    if not is_file(url):
        yield from _live(source, url, open_capture, timing, stop)
    elif source.loop and timing.replay_start_ms is None:
        while not stop.is_set():
            yield from _recording(source, url, open_capture, timing, stop, looped=True)
    else:
        yield from _recording(source, url, open_capture, timing, stop, looped=False)


def _live(
    source: Input, url: str, open_capture: Callable[[Input, str], Capture], timing: Timing, stop: threading.Event
) -> Generator[Shot, None, None]:
    capture = open_capture(source, url)
    try:
        while not stop.is_set():
            if not capture.grab():
                raise CameraError("the stream ended or nothing came within the read time-out")
            yield Shot(timing.now_ms(), 0.0, 0.0, False, capture.retrieve)
    finally:
        capture.close()


def _recording(
    source: Input,
    url: str,
    open_capture: Callable[[Input, str], Capture],
    timing: Timing,
    stop: threading.Event,
    *,
    looped: bool,
) -> Generator[Shot, None, None]:
    """One pass through a file. Looks one picture ahead, to know the last one when it comes."""
    capture = open_capture(source, url)
    real_time = source.pace == "real_time" and timing.replay_start_ms is None
    try:
        if not capture.grab():
            raise CameraError("there is no picture in it")
        started_s = time.monotonic()
        duration_ms = capture.frame_count * _interval_ms(capture)
        position_ms = _position_ms(capture, 0, -1.0)
        number, more = 0, True
        while more and not stop.is_set():
            # A recording that loops has no last picture, so nothing is converted that isn't asked for.
            image = None if looped else capture.retrieve()
            if real_time and stop.wait(max(started_s + position_ms / 1000 - time.monotonic(), 0.0)):
                return
            captured_at_ms = timing.of_recording_ms(position_ms)
            if image is None:
                yield Shot(captured_at_ms, position_ms, duration_ms, False, capture.retrieve)
                more = capture.grab()
            else:
                more, this_ms = capture.grab(), position_ms
                yield Shot(captured_at_ms, this_ms, duration_ms, not more, lambda image=image: image)  # type: ignore[misc]
            number += 1
            position_ms = _position_ms(capture, number, position_ms)
        if looped and real_time:
            # The last picture stands as long as the others did.
            stop.wait(max(started_s + position_ms / 1000 - time.monotonic(), 0.0))
    finally:
        capture.close()


def _position_ms(capture: Capture, number: int, before_ms: float) -> float:
    """The grabbed picture's place in the recording; by its number where the container's times don't grow."""
    position_ms = capture.position_ms()
    if position_ms > before_ms or number == 0:
        return max(position_ms, 0.0)
    return before_ms + _interval_ms(capture)


def _interval_ms(capture: Capture) -> float:
    return 1000 / (capture.fps if 0 < capture.fps <= 1000 else 25.0)
