"""Windows: any order within the lateness is the batch, beyond it is counted, and state stays small."""

from __future__ import annotations

import functools
import random
from collections import defaultdict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.config import Camera, Input, Objects, Zone
from contracts.messages import FrameRef, FrameTracks, TrackedObject, WindowStats
from stream.windows.windows import WHOLE, WindowConfig, Windows, WindowState, add, cells_of

MINUTE = 60_000
CONFIG = WindowConfig(window_ms=MINUTE, lateness_ms=10_000)
REF = FrameRef("frames.s", 0, 0)


def thing(
    track_id: int = 1,
    label: str = "person",
    *,
    zones: tuple[str, ...] = (),
    entered: tuple[str, ...] = (),
    left: tuple[str, ...] = (),
    dwell_ms: tuple[int, ...] = (),
) -> TrackedObject:
    return TrackedObject(
        track_id=track_id,
        xyxy=(0.0, 0.0, 1.0, 1.0),
        confidence=0.9,
        label=label,
        first_seen_at_ms=0,
        zones=zones,
        entered=entered,
        left=left,
        dwell_ms=dwell_ms,
    )


def frame(at_ms: int, *things: TrackedObject, index: int | None = None, interval_ms: int = 100) -> FrameTracks:
    return FrameTracks(
        site="s",
        camera="gate",
        lane="live",
        session=1,
        index=at_ms if index is None else index,
        captured_at_ms=at_ms,
        interval_ms=interval_ms,
        width=640,
        height=480,
        ref=REF,
        model="m@1",
        tracks=things,
    )


def run(frames: list[FrameTracks], config: WindowConfig = CONFIG) -> tuple[WindowState, list[WindowStats]]:
    windows, state, rows = Windows(config), WindowState(), []
    for one in frames:
        state, out = windows.step(state, one)
        rows.extend(out)
    return state, rows


def row(rows: list[WindowStats], zone: str, label: str, start_ms: int = 0) -> WindowStats:
    (found,) = [r for r in rows if (r.zone, r.label, r.start_ms) == (zone, label, start_ms)]
    return found


def batch(frames: list[FrameTracks], config: WindowConfig) -> dict[tuple[str, str, int], tuple[int, ...]]:
    """The same sums, written as one would over a table of all records."""
    sums: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for one in frames:
        start = one.captured_at_ms - one.captured_at_ms % config.window_ms
        interval = min(one.interval_ms, config.interval_cap_ms)
        for zone, label in {(z, t.label) for t in one.tracks for z in ("", *t.zones)} | (
            {WHOLE} if one.tracks else set()
        ):
            there = [t for t in one.tracks if label in ("", t.label) and (not zone or zone in t.zones)]
            cell = sums[zone, label, start]
            cell[0] += len(there) * interval
            cell[1] = max(cell[1], len(there))
        for t in one.tracks:
            for zone in t.entered:
                sums[zone, t.label, start][2] += 1
            for zone, stayed in zip(t.left, t.dwell_ms, strict=True):
                sums[zone, t.label, start][3] += 1
                sums[zone, t.label, start][4] += stayed
    return {key: tuple(cell) for key, cell in sums.items()}


def values(stats: WindowStats) -> tuple[int, ...]:
    return stats.occupancy_ms, stats.occupancy_max, stats.entered, stats.left, stats.dwell_ms


def test_one_window_by_hand() -> None:
    state, rows = run(
        [
            frame(0, thing(zones=("yard",), entered=("yard",)), interval_ms=0),
            frame(1_000, thing(zones=("yard",)), thing(2, "car"), interval_ms=1_000),
            frame(3_000, thing(left=("yard",), dwell_ms=(3_000,)), thing(2, "car"), interval_ms=2_000),
            frame(MINUTE + 10_000, interval_ms=5_000),
        ]
    )
    whole = row(rows, *WHOLE)
    assert (whole.frames, whole.observed_ms, whole.final, whole.part) == (3, 3_000, True, 0)
    assert (whole.start_ms, whole.end_ms) == (0, MINUTE)
    assert values(whole) == (6_000, 2, 0, 0, 0)
    assert values(row(rows, "", "person")) == (3_000, 1, 0, 0, 0)
    assert values(row(rows, "", "car")) == (3_000, 1, 0, 0, 0)
    assert values(row(rows, "yard", "person")) == (1_000, 1, 1, 1, 3_000)
    assert len(rows) == 4
    assert [window.start_ms for window in state.windows] == [MINUTE]


@pytest.mark.parametrize(
    ("interval_ms", "observed_ms"),
    [
        (0, 0),  # the lane's first frame
        (100, 100),
        (5_000, 5_000),  # a heartbeat
        (3_600_000, 10_000),  # the camera was away for an hour: not observed
        (-20, 0),  # a clock that was set back
    ],
)
def test_an_interval_counts_up_to_the_cap(interval_ms: int, observed_ms: int) -> None:
    _, rows = run([frame(0, thing(), interval_ms=interval_ms), frame(70_000)])
    assert row(rows, *WHOLE).observed_ms == observed_ms
    assert row(rows, "", "person").occupancy_ms == observed_ms


def test_a_window_closes_exactly_when_the_clock_reaches_end_and_lateness() -> None:
    assert run([frame(0), frame(69_999)])[1] == []
    assert len(run([frame(0), frame(70_000)])[1]) == 1


def test_a_record_beyond_the_lateness_is_counted_and_said_with_the_next_window() -> None:
    state, rows = run([frame(0, thing()), frame(70_000), frame(59_999, thing()), frame(1, thing())])
    assert (state.late_total, state.late_unsaid) == (2, 2)
    assert row(rows, *WHOLE).late_records == 0
    state, more = Windows(CONFIG).step(state, frame(2 * MINUTE + 10_000))
    assert {(r.zone, r.label): r.late_records for r in more} == {WHOLE: 2, ("", "person"): 0}
    assert (state.late_total, state.late_unsaid) == (2, 0)


def test_a_replayed_record_counts_once() -> None:
    one = frame(100, thing(entered=("yard",), zones=("yard",)), index=63)
    other = frame(200, thing(zones=("yard",)), index=64)
    _, rows = run([one, other, one, other, frame(70_000)])
    assert row(rows, *WHOLE).frames == 2
    assert row(rows, "yard", "person").entered == 1


def test_emptiness_is_said_of_known_and_configured_cells_until_forgotten() -> None:
    config = WindowConfig(always=(("yard", "car"),), forget_ms=3 * MINUTE)
    _, rows = run([frame(0, thing()), *(frame(i * MINUTE) for i in range(1, 7))], config)
    has = {start: {(r.zone, r.label) for r in rows if r.start_ms == start * MINUTE} for start in range(5)}
    assert has[0] == has[1] == has[2] == {WHOLE, ("", "person"), ("yard", "car")}
    assert has[3] == has[4] == {WHOLE, ("yard", "car")}


def test_flush_gives_early_parts_that_add_up_with_the_final_one() -> None:
    windows = Windows(CONFIG)
    frames = [frame(at, thing(zones=("yard",))) for at in range(0, 30_000, 100)]
    state, rows = run(frames[:200])
    assert rows == []
    state, early = windows.flush(state)
    assert {(r.part, r.final) for r in early} == {(0, False)}
    assert windows.flush(state) == (state, ())
    for one in [*frames[150:], frame(70_000)]:
        state, out = windows.step(state, one)
        rows.extend(out)
    assert {(r.part, r.final) for r in rows} == {(1, True)}
    _, undisturbed = run([*frames, frame(70_000)])
    for expected in undisturbed:
        whole = add(row(list(early), expected.zone, expected.label), row(rows, expected.zone, expected.label))
        assert msgspec.structs.replace(whole, part=0) == expected


@st.composite
def recordings(draw: st.DrawFn) -> list[FrameTracks]:
    frames = []
    at = draw(st.integers(0, MINUTE))
    for index in range(draw(st.integers(1, 40))):
        interval = draw(st.integers(1, 30_000))
        at += interval
        zones = st.lists(st.sampled_from(["yard", "gate"]), unique=True).map(tuple)
        things = []
        for track_id in range(draw(st.integers(0, 3))):
            left = draw(zones)
            stayed = tuple(draw(st.integers(0, 9_999)) for _ in left)
            label = draw(st.sampled_from(["person", "car"]))
            things.append(thing(track_id, label, zones=draw(zones), entered=draw(zones), left=left, dwell_ms=stayed))
        frames.append(frame(at, *things, index=index, interval_ms=interval))
    return frames


@settings(max_examples=60, deadline=None)
@given(recordings(), st.randoms(use_true_random=False), st.sampled_from([0, 10_000, 90_000]))
def test_any_order_within_the_lateness_is_the_batch(
    frames: list[FrameTracks], rng: random.Random, lateness_ms: int
) -> None:
    config = WindowConfig(lateness_ms=lateness_ms)
    # Each record is delayed by at most the lateness: then the clock is at most that far ahead of it.
    delayed = sorted(frames, key=lambda one: one.captured_at_ms + rng.randint(0, lateness_ms))
    end = frame(frames[-1].captured_at_ms + 2 * MINUTE + lateness_ms, index=10**6)
    state, rows = run([*delayed, end], config)
    in_order = run([*frames, end], config)[1]
    assert rows == in_order
    assert state.late_total == 0
    expected = batch(frames, config)
    got = {(r.zone, r.label, r.start_ms): values(r) for r in rows if any(values(r))}
    # The row of all labels has the occupancy of the whole picture; entries to zones are in the zones' own rows.
    assert got == {key: cell for key, cell in expected.items() if any(cell)}
    assert sum(r.frames for r in rows if (r.zone, r.label) == WHOLE) == len(frames)


@settings(max_examples=40, deadline=None)
@given(recordings(), st.randoms(use_true_random=False))
def test_beyond_the_lateness_everything_is_either_in_a_window_or_counted(
    frames: list[FrameTracks], rng: random.Random
) -> None:
    shuffled = list(frames)
    rng.shuffle(shuffled)
    last = max(one.captured_at_ms for one in frames)
    state, rows = run([*shuffled, frame(last + 3 * MINUTE, index=10**6), frame(last + 6 * MINUTE, index=10**6 + 1)])
    whole = [r for r in rows if (r.zone, r.label) == WHOLE and r.start_ms <= last]
    assert sum(r.frames for r in whole) + state.late_total == len(frames)
    assert sum(r.late_records for r in rows) == state.late_total


@settings(max_examples=30, deadline=None)
@given(recordings())
def test_state_is_the_same_after_msgpack(frames: list[FrameTracks]) -> None:
    windows, kept, packed = Windows(CONFIG), WindowState(), WindowState()
    for one in frames:
        kept, out = windows.step(kept, one)
        packed, out2 = windows.step(packed, one)
        packed = msgspec.msgpack.decode(msgspec.msgpack.encode(packed), type=WindowState)
        assert (kept, out) == (packed, out2)


def test_state_stays_small_and_is_not_changed_in_place() -> None:
    windows, state, sizes = Windows(CONFIG), WindowState(), []
    for i in range(5 * 600):
        before = msgspec.msgpack.encode(state)
        after, _ = windows.step(state, frame(i * 100, thing(i, zones=("yard",)), index=3 * i))
        assert msgspec.msgpack.encode(state) == before
        state = after
        sizes.append(len(before))
    assert max(sizes[1800:]) <= max(sizes[:1800]) + 64
    assert max(sizes) < 2_000
    assert len(state.windows) == 1


def test_parts_of_different_windows_do_not_add() -> None:
    _, rows = run([frame(0), frame(70_000), frame(140_000)])
    with pytest.raises(ValueError, match="start_ms 0 and 60000"):
        add(rows[0], rows[1])


def test_live_and_late_lane_add_up() -> None:
    _, rows = run([frame(0, thing()), frame(70_000)])
    late = [msgspec.structs.replace(r, lane="late") for r in rows]
    both = functools.reduce(add, [row(rows, "", "person"), row(late, "", "person")])
    assert (both.lane, both.frames, both.occupancy_ms, both.occupancy_max) == ("live", 2, 200, 1)


def test_cells_of_a_camera() -> None:
    camera = Camera(
        inputs=(Input(url="x"),),
        objects=Objects(track=("person", "car")),
        zones={
            "yard": Zone(coordinates=((0, 0), (1, 0), (1, 1))),
            "lot": Zone(coordinates=((0, 0), (1, 0), (1, 1)), objects=("car",)),
        },
    )
    assert cells_of(camera) == (("", "person"), ("", "car"), ("yard", "person"), ("yard", "car"), ("lot", "car"))


@pytest.mark.parametrize("wrong", [{"window_ms": 0}, {"lateness_ms": -1}, {"interval_cap_ms": 0}])
def test_nonsense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Windows(WindowConfig(**wrong))  # type: ignore[arg-type]


def test_a_thing_that_is_gone_left_but_does_not_occupy() -> None:
    here = thing(zones=("yard",), entered=("yard",))
    gone = msgspec.structs.replace(thing(left=("yard",), dwell_ms=(2_000,)), confidence=0.0)
    state, _ = run([frame(1_000, here), frame(2_000, gone)])
    _, rows = Windows(CONFIG).flush(state)
    yard, whole = row(rows, "yard", "person"), row(rows, "", "person")
    assert (yard.entered, yard.left, yard.dwell_ms, yard.occupancy_ms) == (1, 1, 2_000, 100)
    assert whole.occupancy_ms == 100
