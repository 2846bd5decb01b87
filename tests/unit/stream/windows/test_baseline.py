"""The baseline: finds what is planted, is quiet on normal traffic, knows hours and time zones, and forgets slowly."""

from __future__ import annotations

import functools

import msgspec
import numpy as np
import pytest

from contracts.messages import Event, WindowStats
from stream.windows.baseline import Baseline, BaselineConfig, BaselineState

MONDAY_MS = 1_767_571_200_000  # 2026-01-05, 00:00 UTC
WEEK = 7 * 1440
CONFIG = BaselineConfig(time_zone="UTC")


def row(minute: int, occupancy: float, entered: int = 0, observed_ms: int = 60_000, lane: str = "live") -> WindowStats:
    return WindowStats(
        site="s",
        camera="gate",
        lane=lane,  # type: ignore[arg-type]
        zone="yard",
        label="person",
        start_ms=MONDAY_MS + minute * 60_000,
        end_ms=MONDAY_MS + (minute + 1) * 60_000,
        part=0,
        frames=10,
        observed_ms=observed_ms,
        occupancy_ms=round(occupancy * observed_ms),
        occupancy_max=1,
        entered=entered,
        left=entered,
        dwell_ms=0,
    )


@functools.cache
def traffic(weeks: int, peak: float, dwell_s: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(occupancy, entered) a minute: Poisson arrivals with a morning and an evening peak, quiet nights and weekends."""
    rng = np.random.default_rng(seed)
    minute = np.arange(weeks * WEEK)
    hour, day = minute / 60 % 24, minute // 1440 % 7
    rate = peak * (0.02 + np.exp(-(((hour - 9) / 2) ** 2)) + 0.8 * np.exp(-(((hour - 17) / 3) ** 2)))
    entered = rng.poisson(rate * np.where(day >= 5, 0.3, 1))
    start = np.repeat(minute, entered) + rng.uniform(size=entered.sum())
    end = start + rng.exponential(dwell_s / 60, size=len(start))
    occupancy = np.zeros(len(minute) + 1)
    for k in range(60):  # nobody stays for an hour: exp(-30) at 2 minutes
        part = np.clip(np.minimum(end, np.floor(start) + k + 1) - np.maximum(start, np.floor(start) + k), 0, 1)
        inside = np.floor(start).astype(int) + k
        np.add.at(occupancy, np.minimum(inside, len(minute)), part)
    return occupancy[:-1], entered


def run(
    occupancy: np.ndarray, entered: np.ndarray, config: BaselineConfig = CONFIG
) -> tuple[BaselineState, dict[int, Event]]:
    """The state at the end, and each event by its minute."""
    baseline, state, events = Baseline(config), BaselineState(), {}
    for minute, (there, came) in enumerate(zip(occupancy, entered, strict=True)):
        state, event = baseline.step(state, row(minute, float(there), int(came)))
        if event is not None:
            events[minute] = event
    return state, events


@pytest.mark.parametrize(
    ("peak", "dwell_s"),
    [
        (0.05, 20),  # hardly anybody
        (0.5, 20),
        (0.5, 120),  # people stand about for longer than a window
        (5, 20),
        (5, 120),
        (40, 30),  # a station
    ],
)
def test_normal_traffic_is_quiet_after_the_first_week(peak: float, dwell_s: float) -> None:
    _, events = run(*traffic(4, peak, dwell_s, 7))
    alarms = [minute for minute, event in events.items() if not event.ended and minute >= WEEK]
    # The rate that baseline.py states is 5 of a week's 10,080 windows; 3 weeks.
    assert len(alarms) <= 3 * 5


def test_planted_anomalies_are_found() -> None:
    occupancy, entered = (values.copy() for values in traffic(4, 5, 20, 3))
    rng = np.random.default_rng(5)
    planted = set()
    for minute in range(WEEK, 4 * WEEK, 89):
        hour = minute // 60 % 24
        kind = rng.integers(3)
        usual = occupancy[minute % WEEK :: WEEK].mean()
        if kind == 0:  # a crowd
            occupancy[minute] = 3 * usual + 6
        elif kind == 1:  # a rush of people who walk through
            entered[minute] = 3 * entered[minute] + 25
            occupancy[minute] += 2
        elif 7 <= hour <= 10 and minute // 1440 % 7 < 5:  # nobody for a minute at the busiest hour isn't strange here
            continue
        else:  # they stay
            occupancy[minute] += 8
        planted.add(minute)
    _, events = run(occupancy, entered)
    found = {minute for minute, event in events.items() if not event.ended and minute >= WEEK}
    hits = len(found & planted)
    precision, recall = hits / len(found), hits / len(planted)
    f1 = 2 * precision * recall / (precision + recall)
    assert len(planted) > 250
    assert f1 >= 0.99, f"precision {precision:.4f}, recall {recall:.4f}"


def test_a_busy_place_that_falls_empty_is_abnormal() -> None:
    occupancy, entered = (values.copy() for values in traffic(3, 40, 30, 1))
    minute = 2 * WEEK + 9 * 60 + 5
    occupancy[minute] = entered[minute] = 0
    event = run(occupancy, entered)[1][minute]
    assert event.score > 4
    assert "-" in next(c for c in event.trace if c.name == "entered").got


def test_the_event_says_what_was_usual_and_a_replay_gives_the_same() -> None:
    occupancy, entered = (values.copy() for values in traffic(3, 5, 20, 2))
    minute = 2 * WEEK + 3 * 1440 + 9 * 60 + 30
    occupancy[minute] = 30
    _, events = run(occupancy, entered)
    event, after = events[minute], events[minute + 1]
    assert (event.kind, event.zone, event.label, event.at_ms) == (
        "anomaly",
        "yard",
        "person",
        MONDAY_MS + (minute + 1) * 60_000,
    )
    names = {condition.name: condition for condition in event.trace}
    assert names["baseline"].got.endswith(" windows of this hour of the week")
    low, high = (float(x) for x in names["occupancy"].wanted.split(" to "))
    assert 0 <= low < high < 30
    assert names["occupancy"].got.startswith("30.00 (+")
    assert names["occupancy"].met
    assert not names["entered"].met
    assert (after.ended, after.id != event.id) == (True, True)
    assert run(occupancy, entered)[1] == events


@pytest.mark.parametrize(
    ("days", "level"),
    [
        (0.9, None),  # all hours have not been seen once
        (1.5, "this hour of the day"),  # yesterday had this hour
        (8.5, "this hour of the week"),
    ],
)
def test_levels_by_how_much_has_been_seen(days: float, level: str | None) -> None:
    minutes = int(days * 1440)
    occupancy, entered = traffic(2, 5, 20, 4)
    occupancy, entered = occupancy[: minutes + 1].copy(), entered[: minutes + 1]
    occupancy[minutes] = 50
    event = run(occupancy, entered)[1].get(minutes)
    assert (event.trace[-1].got.partition(" windows of ")[2] if event else None) == level


def test_all_hours_serve_where_this_hour_was_never_seen() -> None:
    baseline, state = Baseline(CONFIG), BaselineState()
    for minute in range(2 * 1440):
        if minute // 60 % 24 != 5:
            state, _ = baseline.step(state, row(minute, 1.0, 1))
    state, event = baseline.step(state, row(2 * 1440 + 5 * 60, 40.0, 1))
    assert event is not None
    assert event.trace[-1].got.endswith(" windows of all hours")


@pytest.mark.parametrize(
    "left_out",
    [
        row(WEEK, 50.0, lane="late"),  # spooled frames
        row(WEEK, 50.0, observed_ms=29_999),  # less than half of it was seen
        msgspec.structs.replace(row(WEEK, 50.0), label=""),  # all labels together
        row(WEEK, 0.0, observed_ms=0),  # nothing was seen
    ],
)
def test_what_says_too_little_changes_nothing(left_out: WindowStats) -> None:
    state, _ = run(*(values[:WEEK] for values in traffic(2, 5, 20, 4)))
    assert Baseline(CONFIG).step(state, left_out) == (state, None)


def test_half_a_window_is_scaled_up() -> None:
    state, _ = run(np.full(WEEK, 1.0), np.full(WEEK, 40))
    _, event = Baseline(CONFIG).step(state, row(WEEK, 1.0, 20, observed_ms=30_000))
    assert event is None
    assert Baseline(CONFIG).step(state, row(WEEK, 1.0, 5, observed_ms=30_000))[1] is not None


def test_an_empty_zone_does_not_explode() -> None:
    state, _ = run(np.zeros(WEEK), np.zeros(WEEK))
    baseline = Baseline(CONFIG)
    assert baseline.step(state, row(WEEK, 1.0, 1))[1] is None
    event = baseline.step(state, row(WEEK, 4.0, 4))[1]
    assert event is not None
    assert event.score < 10


def test_an_anomaly_teaches_less_than_a_normal_window_but_a_lasting_change_is_learned() -> None:
    usual, _ = run(np.full(2 * WEEK, 2.0), np.full(2 * WEEK, 2))
    baseline = Baseline(CONFIG)

    def mean(state: BaselineState) -> float:
        return state.buckets[192].mean[0]

    a_bit, strange = (baseline.step(usual, row(2 * WEEK, value, 2))[0] for value in (3.0, 300.0))
    assert mean(strange) - mean(usual) < mean(a_bit) - mean(usual)
    state, events = usual, []
    for minute in range(2 * WEEK, 6 * WEEK):
        state, event = baseline.step(state, row(minute, 20.0, 20))
        events.append(event is not None and not event.ended)
    assert events[0]
    assert not any(events[-WEEK:])


def test_hours_are_the_sites_own_and_follow_summer_time() -> None:
    baseline = Baseline(BaselineConfig(time_zone="Europe/Berlin"))
    in_winter, _ = baseline.step(BaselineState(), row(0, 1.0))  # Monday 01:00
    assert set(in_winter.buckets) == {1, 169, 192}
    in_summer, _ = baseline.step(BaselineState(), row(13 * WEEK, 1.0))  # 2026-04-06, Monday 02:00
    assert set(in_summer.buckets) == {2, 170, 192}


def test_state_is_bounded_and_the_same_after_msgpack() -> None:
    state, _ = run(*traffic(2, 5, 20, 4))
    packed = msgspec.msgpack.encode(state)
    assert len(packed) < 16_000
    again = msgspec.msgpack.decode(packed, type=BaselineState)
    assert again == state
    strange = row(2 * WEEK, 99.0)
    assert Baseline(CONFIG).step(again, strange) == Baseline(CONFIG).step(state, strange)
