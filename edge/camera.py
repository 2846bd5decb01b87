"""One camera of the agent: its reader, its pipeline, its state, and the change of its settings while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from contracts.config import Input
from contracts.controls import Budget
from contracts.edge_messages import EdgeStatus
from contracts.messages import Frame
from edge.detail import DetailReader
from edge.metrics import CameraMeter
from edge.pipeline import Pipeline
from edge.reader import Ends
from edge.sampler import Worth
from edge.settings import CameraSettings, changed
from edge.source import Shot
from edge.version import VERSION
from edge.watched import WatchedReader

DOWN_AFTER_S = 8.0
"""Without a picture for so long a camera is down: said within 10 s, with the second between two statuses."""

State = Literal["starting", "up", "down", "ended"]


def state_of(now_s: float, started_s: float, picture_s: float | None, *, ended: bool) -> State:
    """The state of a camera from the times (monotonic) of its start and its newest picture."""
    if ended:
        return "ended"
    if picture_s is not None:
        return "up" if now_s - picture_s < DOWN_AFTER_S else "down"
    return "starting" if now_s - started_s < DOWN_AFTER_S else "down"


class Camera:
    """Reads a camera and publishes what is worth it."""

    def __init__(
        self,
        settings: CameraSettings,
        inputs: tuple[Input, Input | None],
        ends: Ends,
        pipeline: Pipeline,
        publish: Callable[[Frame, Worth], None],
        meter: CameraMeter,
    ) -> None:
        """`inputs` are the one that drives and, where it is another one, the one that gives the full size."""
        self._base = self._settings = settings
        self._budget: Budget | None = None
        self.inputs = inputs
        source, detail_input = inputs
        self._pipeline, self._publish, self._meter = pipeline, publish, meter
        self._detail = None if detail_input is None else DetailReader(settings.camera, detail_input, ends)
        self._started_s = time.monotonic()
        self._picture_s: float | None = None
        self._captured_at_ms = 0
        self._progress_ms = (0.0, 0.0)
        self._rates = Rates()
        self._reader = WatchedReader(settings.camera, source, ends, self._take, meter.reconnected)

    @property
    def name(self) -> str:
        """The camera's name in the config."""
        return self._settings.camera

    def start(self) -> None:
        """Begin to read, on threads of its own."""
        self._started_s = time.monotonic()
        if self._detail is not None:
            self._detail.start()
        self._reader.start()

    def stop(self) -> None:
        """Ask the threads to end."""
        self._reader.stop()
        if self._detail is not None:
            self._detail.stop()

    def join(self, timeout_s: float) -> bool:
        """Whether they ended within that time; one that hangs in a call is left to the process's end."""
        until_s = time.monotonic() + timeout_s
        ended = self._reader.join(timeout_s)
        return (self._detail is None or self._detail.join(max(until_s - time.monotonic(), 0.0))) and ended

    @property
    def ended(self) -> bool:
        """Whether its recording is over."""
        return self._reader.ended

    @property
    def progress_ms(self) -> tuple[float, float]:
        """How far the recording is, and how long it is; zeros for live sources."""
        return self._progress_ms

    @property
    def error(self) -> str:
        """Why it doesn't deliver; empty while it does."""
        return self._reader.error

    def change(self, budget: Budget) -> None:
        """Apply new rates and thresholds with the next picture; raises ValueError."""
        self._settings = changed(self._base, budget)
        self._budget = budget

    def take_over(self, base: CameraSettings, session: int) -> None:
        """From the next picture on the camera is meant as `base` says, in that session; a budget goes on."""
        self._base, self._pipeline.session = base, session
        self._settings = base if self._budget is None else changed(base, self._budget)

    @property
    def next_index(self) -> int:
        """The index of the picture after the last."""
        return self._pipeline.next_index

    @property
    def stuck(self) -> bool:
        """Whether only a new start of the agent can bring its pictures back."""
        return self._reader.stuck

    def watch(self) -> None:
        """Replace what hangs of its readers; call it once a second."""
        self._reader.watch()
        if self._detail is not None:
            self._detail.watch()

    def status(self, *, agent: str, at_ms: int, spool_bytes: int, clock_offset_ms: int | None) -> EdgeStatus:
        """The camera's state now; call it once a second."""
        now_s = time.monotonic()
        state = state_of(now_s, self._started_s, self._picture_s, ended=self.ended)
        self._meter.up(state == "up")
        counters = self._meter.counters()
        captured_fps, sent_fps = self._rates.step(now_s, counters.captured, counters.sent)
        width, height = self._pipeline.detail_size or self._pipeline.size
        return EdgeStatus(
            site=self._settings.site,
            camera=self.name,
            agent=agent,
            session=self._pipeline.session,
            at_ms=at_ms,
            state=state,
            reason=self._reason(state),
            tamper=self._pipeline.tamper if state == "up" else (),
            last_frame_at_ms=self._captured_at_ms,
            width=width,
            height=height,
            captured_fps=captured_fps,
            sent_fps=sent_fps,
            counters=counters,
            spool_bytes=spool_bytes,
            clock_offset_ms=clock_offset_ms,
            version=VERSION,
        )

    def _reason(self, state: State) -> str:
        if state == "down":
            return self.error or f"no picture for {DOWN_AFTER_S:g} s"
        return self.error if self._detail is None else self.error or self._detail.error

    def _take(self, shot: Shot) -> None:
        self._picture_s, self._captured_at_ms = time.monotonic(), shot.captured_at_ms
        self._progress_ms = (shot.position_ms, shot.duration_ms)
        self._meter.captured()
        if self._detail is not None and self._pipeline.detail_size is None:
            self._pipeline.detail_size = self._detail.size
        made = self._pipeline.take(shot, self._settings, self._detail.next if self._detail is not None else None)
        if made is None:
            self._meter.gated()
        else:
            self._publish(*made)


class Rates:
    """Pictures a second, read and sent, over the last seconds."""

    SPAN_S = 5.0

    def __init__(self) -> None:
        self._seen: list[tuple[float, int, int]] = []

    def step(self, now_s: float, captured: int, sent: int) -> tuple[float, float]:
        """The rates, given the counts until now."""
        self._seen = [seen for seen in self._seen if now_s - seen[0] <= self.SPAN_S]
        self._seen.append((now_s, captured, sent))
        then_s, captured_then, sent_then = self._seen[0]
        passed_s = now_s - then_s
        if passed_s <= 0:
            return 0.0, 0.0
        return round((captured - captured_then) / passed_s, 2), round((sent - sent_then) / passed_s, 2)
