"""Which pictures are sent: rates hold on average, spacing is even, the gate opens, lingers and closes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from edge.sampler import Decision, Sampler, SamplerConfig, SamplerState

CONFIG = SamplerConfig(fps=10, detail_fps=2, heartbeat_s=5, linger_s=3, motion_area=0.001)
START_MS = 1_700_000_000_000
STILL, MOVING = 0.0, 0.01


def times(fps: float, seconds: float, jitter_ms: float = 0.0) -> list[int]:
    chance = random.Random(7)
    return [
        START_MS + round(1000 * i / fps + chance.uniform(-jitter_ms, jitter_ms)) for i in range(round(fps * seconds))
    ]


def run(
    config: SamplerConfig, at_ms: Iterable[int], motion: Callable[[int], float] = lambda at: MOVING
) -> list[tuple[int, Decision]]:
    """What is sent, with its time from the start in ms."""
    sampler, state, sent = Sampler(config), SamplerState(), []
    for at in at_ms:
        state, due = sampler.observe(state, at)
        if not due:
            continue
        state, decision = sampler.step(state, at, motion(at - START_MS))
        if decision.send:
            sent.append((at - START_MS, decision))
    return sent


def gaps(sent: list[tuple[int, Decision]]) -> list[int]:
    return [b - a for (a, _), (b, _) in itertools.pairwise(sent)]


@pytest.mark.parametrize(
    ("source_fps", "jitter_ms", "rate", "longest_ms"),
    [
        (10, 0, 10, 100),  # the wanted rate: every picture
        (10, 20, 10, 140),  # with jitter: still every picture, none doubled or skipped
        (25, 0, 10, 120),  # two and a half times: 80 and 120 in turn
        (30, 0, 10, 100),  # a multiple: every third
        (30, 8, 10, 135),  # a multiple with jitter
        (12.5, 0, 10, 160),  # a little faster: one in five is left out
        (7, 0, 7, 143),  # slower than wanted: every picture
        (60, 3, 10, 120),  # much faster
    ],
)
def test_a_fast_source_is_thinned_out_evenly(source_fps: float, jitter_ms: float, rate: float, longest_ms: int) -> None:
    sent = run(CONFIG, times(source_fps, 60, jitter_ms))
    assert len(sent) == pytest.approx(60 * rate, rel=0.01, abs=2)
    steady = gaps(sent)[20:]
    assert max(steady) <= longest_ms
    assert min(steady) >= 0.5 * 1000 / CONFIG.fps


def test_a_still_scene_gives_heartbeats_only() -> None:
    sent = run(CONFIG, times(10, 60), lambda at: STILL)
    assert [at for at, _ in sent] == list(range(0, 60_000, 5000))
    assert {decision.worth for _, decision in sent} == {"heartbeat"}


def test_the_gate_opens_with_motion_and_lingers() -> None:
    sent = run(CONFIG, times(10, 30), lambda at: MOVING if 12_000 <= at < 14_000 else STILL)
    moving = [at for at, decision in sent if decision.worth != "heartbeat"]
    assert moving == list(range(12_000, 17_000 - 100, 100))  # last motion at 13.9 s, three seconds more
    assert sent[[at for at, _ in sent].index(12_000)][1].detail  # the first frame after the gate opened


def test_motion_below_the_area_opens_nothing() -> None:
    assert len(run(CONFIG, times(10, 10), lambda at: 0.0009)) == 2


def test_without_a_gate_everything_is_sent() -> None:
    sent = run(replace(CONFIG, gate=False), times(10, 10), lambda at: STILL)
    assert len(sent) == 100
    assert {decision.worth for _, decision in sent} == {"motion", "detail"}


@pytest.mark.parametrize(
    ("detail_fps", "source_fps", "jitter_ms", "longest_ms"),
    [
        (2, 10, 0, 500),  # every fifth
        (2, 10, 20, 620),  # with jitter
        (2, 25, 0, 600),  # on the frames that are sent
        (3, 10, 0, 400),  # no multiple: 300 or 400
        (20, 10, 0, 100),  # more than there are: all of them
    ],
)
def test_details_are_spaced_evenly(detail_fps: float, source_fps: float, jitter_ms: float, longest_ms: int) -> None:
    sent = run(replace(CONFIG, detail_fps=detail_fps), times(source_fps, 60, jitter_ms))
    details = [(at, decision) for at, decision in sent if decision.detail]
    assert len(details) <= 60 * detail_fps + 1
    assert len(details) >= min(60 * detail_fps, len(sent)) * 0.98
    assert max(gaps(details)) <= longest_ms
    assert {decision.worth for _, decision in details} == {"detail"}


def test_no_details_when_there_shall_be_none() -> None:
    assert not any(d.detail for _, d in run(replace(CONFIG, detail_fps=0), times(10, 10)))


def test_every_frame_is_sent_in_a_replay() -> None:
    sent = run(replace(CONFIG, every_frame=True), times(25, 10), lambda at: STILL)
    assert len(sent) == 250
    assert sum(decision.detail for _, decision in sent) == 20


def test_a_clock_that_is_set_back_or_forward_stops_nothing() -> None:
    before, after = times(10, 5), [at - 3_600_000 for at in times(10, 10)]
    assert len(run(CONFIG, before + after)) == pytest.approx(150, abs=2)
    later = [at + 3_600_000 for at in times(10, 10)]
    assert len(run(CONFIG, before + later)) == pytest.approx(150, abs=2)
    # Motion that was an hour "ahead" doesn't hold the gate open.
    assert len(run(CONFIG, before + after, lambda at: MOVING if at >= 0 else STILL)) < 60


def test_a_changed_rate_counts_from_the_next_picture() -> None:
    sampler, state = Sampler(CONFIG), SamplerState()
    for at in times(10, 5):
        state, _ = sampler.observe(state, at)
    slow, due_at = Sampler(replace(CONFIG, fps=1)), []
    for at in times(10, 10)[50:]:
        state, due = slow.observe(state, at)
        if due:
            due_at.append(at)
    assert len(due_at) == 5
