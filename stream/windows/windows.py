"""Adds up tracks in event-time windows: occupancy, entries, exits and dwell by zone and label.

Every contribution is a sum, a maximum or a set union, so any order of the records within the lateness gives
what a batch computation gives. What comes later than that is counted, never lost without a trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from contracts.config import Camera
from contracts.fields import Lane
from contracts.messages import FrameTracks, WindowStats

STATE_VERSION = 1

CellKey = tuple[str, str]
"""(zone, label). ("", label) is the whole picture; ("", "") all labels of it: that row stands in every window."""

WHOLE: CellKey = ("", "")


class WindowConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How windows are cut.

    `interval_cap_ms` bounds what one frame says about the time before it. A still scene sends a heartbeat every
    5 s, so twice that is still one look at an unchanged picture; more is a camera that was away, and the time that
    it was away was not observed. `always` are cells that get a row even while nothing was ever seen in them, so
    that a baseline learns their emptiness; `forget_ms` after its last contribution any other cell's rows end.
    """

    window_ms: int = 60_000
    lateness_ms: int = 10_000
    interval_cap_ms: int = 10_000
    always: tuple[CellKey, ...] = ()
    forget_ms: int = 28 * 86_400_000


class Cell(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The sums of one zone and label in one window."""

    occupancy_ms: int = 0
    occupancy_max: int = 0
    entered: int = 0
    left: int = 0
    dwell_ms: int = 0


class Window(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One open window. `seen` has one bit a frame, 64 to a block: a replayed record must not count twice."""

    start_ms: int
    part: int = 0
    frames: int = 0
    observed_ms: int = 0
    cells: dict[CellKey, Cell] = {}
    seen: dict[tuple[int, int], int] = {}


class WindowState(msgspec.Struct, frozen=True, kw_only=True):
    """What one (camera, lane) carries from record to record.

    `windows` are the open ones by start: at most lateness / window + 2, since the clock closes the others.
    `known` has the cells that rows are due for, with the start of the last window that they were in.
    `late_total` counts all records that came too late (its growth is the metric), `late_unsaid` those that no
    emitted window has carried yet.
    """

    v: int = STATE_VERSION
    site: str = ""
    camera: str = ""
    lane: Lane = "live"
    clock_ms: int = -(2**62)
    windows: tuple[Window, ...] = ()
    known: dict[CellKey, int] = {}
    late_total: int = 0
    late_unsaid: int = 0


class Windows:
    """Windows of one (camera, lane); the clock is the greatest `captured_at_ms` that the key has shown."""

    def __init__(self, config: WindowConfig) -> None:
        if config.window_ms <= 0 or config.lateness_ms < 0 or config.interval_cap_ms <= 0:
            raise ValueError(f"window and cap must be positive, lateness not negative: {config}")
        self.config = config

    def step(self, state: WindowState, tracks: FrameTracks) -> tuple[WindowState, tuple[WindowStats, ...]]:
        """Take one record in; returns the rows of the windows that it closes.

        A record whose window has closed adds one to `late_total` and changes nothing else. A record that an open
        window has already taken (same session and index) changes nothing.
        """
        start_ms = tracks.captured_at_ms // self.config.window_ms * self.config.window_ms
        if self._closed(start_ms, state.clock_ms):
            return msgspec.structs.replace(
                state, late_total=state.late_total + 1, late_unsaid=state.late_unsaid + 1
            ), ()
        windows = {window.start_ms: window for window in state.windows}
        windows[start_ms] = self._added(windows.get(start_ms, Window(start_ms)), tracks)
        state = msgspec.structs.replace(
            state,
            site=tracks.site,
            camera=tracks.camera,
            lane=tracks.lane,
            clock_ms=max(state.clock_ms, tracks.captured_at_ms),
            windows=tuple(windows[key] for key in sorted(windows)),
        )
        return self._close(state)

    def flush(self, state: WindowState) -> tuple[WindowState, tuple[WindowStats, ...]]:
        """Give what open windows hold as early parts (`final` false); they stay open for what may still come."""
        rows: list[WindowStats] = []
        kept: list[Window] = []
        for window in state.windows:
            if not window.frames:
                kept.append(window)
                continue
            rows.extend(self._rows(state, window, window.cells, final=False))
            state = msgspec.structs.replace(state, late_unsaid=0)
            empty = dict.fromkeys(window.cells, Cell())
            kept.append(msgspec.structs.replace(window, part=window.part + 1, frames=0, observed_ms=0, cells=empty))
        return msgspec.structs.replace(state, windows=tuple(kept)), tuple(rows)

    def _closed(self, start_ms: int, clock_ms: int) -> bool:
        return clock_ms >= start_ms + self.config.window_ms + self.config.lateness_ms

    def _close(self, state: WindowState) -> tuple[WindowState, tuple[WindowStats, ...]]:
        """Emit and drop every window that the clock has passed, in order of time."""
        rows: list[WindowStats] = []
        while state.windows and self._closed(state.windows[0].start_ms, state.clock_ms):
            window = state.windows[0]
            known = {
                key: last_ms
                for key, last_ms in {**state.known, **dict.fromkeys(window.cells, window.start_ms)}.items()
                if last_ms > window.start_ms - self.config.forget_ms
            }
            rows.extend(self._rows(state, window, (*self.config.always, *known), final=True))
            state = msgspec.structs.replace(state, windows=state.windows[1:], known=known, late_unsaid=0)
        return state, tuple(rows)

    def _added(self, window: Window, tracks: FrameTracks) -> Window:
        block, bit = (tracks.session, tracks.index // 64), 1 << (tracks.index % 64)
        taken = window.seen.get(block, 0)
        if taken & bit:
            return window
        interval_ms = min(max(tracks.interval_ms, 0), self.config.interval_cap_ms)
        cells = dict(window.cells)
        for key, more in _contributions(tracks, interval_ms).items():
            cells[key] = _sum(cells.get(key, Cell()), more)
        return msgspec.structs.replace(
            window,
            frames=window.frames + 1,
            observed_ms=window.observed_ms + interval_ms,
            cells=cells,
            seen={**window.seen, block: taken | bit},
        )

    def _rows(self, state: WindowState, window: Window, keys: Iterable[CellKey], *, final: bool) -> list[WindowStats]:
        rows = []
        for key in sorted({WHOLE, *keys}):
            cell = window.cells.get(key, Cell())
            rows.append(
                WindowStats(
                    site=state.site,
                    camera=state.camera,
                    lane=state.lane,
                    zone=key[0],
                    label=key[1],
                    start_ms=window.start_ms,
                    end_ms=window.start_ms + self.config.window_ms,
                    part=window.part,
                    frames=window.frames,
                    observed_ms=window.observed_ms,
                    occupancy_ms=cell.occupancy_ms,
                    occupancy_max=cell.occupancy_max,
                    entered=cell.entered,
                    left=cell.left,
                    dwell_ms=cell.dwell_ms,
                    late_records=state.late_unsaid if key == WHOLE else 0,
                    final=final,
                )
            )
        return rows


def cells_of(camera: Camera) -> tuple[CellKey, ...]:
    """The cells that a camera's config speaks of, for `WindowConfig.always`: its labels, whole and by zone."""
    whole = [("", label) for label in camera.objects.track]
    zones = [(name, label) for name, zone in camera.zones.items() for label in zone.objects or camera.objects.track]
    return (*whole, *zones)


def add(a: WindowStats, b: WindowStats) -> WindowStats:
    """Two parts of one window as one: of the same lane, or of the live and the late lane (the sum is then `live`).

    Raises ValueError when they are not of the same window, camera, zone and label.
    """
    for name in ("site", "camera", "zone", "label", "start_ms", "end_ms"):
        if getattr(a, name) != getattr(b, name):
            raise ValueError(f"parts of different windows: {name} {getattr(a, name)!r} and {getattr(b, name)!r}")
    return msgspec.structs.replace(
        a,
        lane=a.lane if a.lane == b.lane else "live",
        part=max(a.part, b.part),
        frames=a.frames + b.frames,
        observed_ms=a.observed_ms + b.observed_ms,
        occupancy_ms=a.occupancy_ms + b.occupancy_ms,
        occupancy_max=max(a.occupancy_max, b.occupancy_max),
        entered=a.entered + b.entered,
        left=a.left + b.left,
        dwell_ms=a.dwell_ms + b.dwell_ms,
        late_records=a.late_records + b.late_records,
        final=a.final or b.final,
    )


def _contributions(tracks: FrameTracks, interval_ms: int) -> dict[CellKey, Cell]:
    """What one frame adds. Tracks that are only predicted count: a thing behind a pillar is still there."""
    present: Counter[CellKey] = Counter()
    entered: Counter[CellKey] = Counter()
    left: Counter[CellKey] = Counter()
    dwell_ms: Counter[CellKey] = Counter()
    for track in tracks.tracks:
        if not track.gone:
            present.update(_keys("", track.label))
            present.update((zone, track.label) for zone in track.zones if zone)
        for zone in track.entered:
            entered.update(_keys(zone, track.label))
        for zone, stayed_ms in zip(track.left, track.dwell_ms, strict=False):
            dwell_ms.update(dict.fromkeys(_keys(zone, track.label), stayed_ms))
        for zone in track.left:
            left.update(_keys(zone, track.label))
    return {
        key: Cell(present[key] * interval_ms, present[key], entered[key], left[key], dwell_ms[key])
        for key in {*present, *entered, *left}
    }


def _keys(zone: str, label: str) -> tuple[CellKey, ...]:
    return ((zone, label),) if zone else (("", label), WHOLE)


def _sum(a: Cell, b: Cell) -> Cell:
    return Cell(
        a.occupancy_ms + b.occupancy_ms,
        max(a.occupancy_max, b.occupancy_max),
        a.entered + b.entered,
        a.left + b.left,
        a.dwell_ms + b.dwell_ms,
    )
