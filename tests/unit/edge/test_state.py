"""The small things that are kept or measured: session number, acknowledgements, clock offset, logs, counters."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from contracts.metrics import Metrics
from edge import logs
from edge.acks import Acks
from edge.clock import ClockOffset
from edge.metrics import Meters
from edge.sessions import Sessions

DAY_MS = 86_400_000


def started(state: Path) -> Sessions:
    """The sessions of an agent's next start."""
    sessions = Sessions(state / "sessions.json")
    sessions.load()
    return sessions


def test_a_camera_s_session_begins_with_the_clock_and_each_start_adds_one(tmp_path: Path) -> None:
    assert [started(tmp_path).of("gate", DAY_MS + later_ms) for later_ms in (0, 5_000, -60_000)] == [
        DAY_MS, DAY_MS + 1, DAY_MS + 2,
    ]  # fmt: skip
    one = started(tmp_path)
    assert one.of("gate", DAY_MS) == one.of("gate", 2 * DAY_MS) == DAY_MS + 3  # one start is one session
    assert one.of("hall", 2 * DAY_MS) == 2 * DAY_MS


def test_who_gets_a_camera_is_ahead_of_who_had_it_however_often_that_one_starts(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for state in (before, after, tmp_path / "lost"):
        state.mkdir()
    started(before).of("gate", 0)
    got = started(after).of("gate", DAY_MS)
    assert [started(before).of("gate", 2 * DAY_MS) < got for _ in range(100)] == [True] * 100
    told = started(before)
    told.give_up("gate")
    assert started(before).of("gate", 3 * DAY_MS) == 3 * DAY_MS  # given back
    assert started(tmp_path / "lost").of("gate", 4 * DAY_MS) == 4 * DAY_MS  # and one whose disk was lost


def test_a_camera_that_was_another_s_at_a_start_begins_with_the_clock_when_it_comes_back(tmp_path: Path) -> None:
    first = started(tmp_path)
    assert (first.of("gate", 0), first.of("hall", 0)) == (1, 1)
    started(tmp_path).give_up_others({"hall"})
    back = started(tmp_path)
    assert (back.of("gate", DAY_MS), back.of("hall", DAY_MS)) == (DAY_MS, 2)


def test_the_console_s_word_raises_a_session_once(tmp_path: Path) -> None:
    sessions = started(tmp_path)
    sessions.of("gate", DAY_MS)
    assert sessions.raise_to("gate", 2 * DAY_MS)
    assert not sessions.raise_to("gate", 2 * DAY_MS)  # the topic is read from its beginning each time
    assert sessions.of("gate", 3 * DAY_MS) == 2 * DAY_MS
    assert not started(tmp_path).raise_to("gate", 2 * DAY_MS)
    assert started(tmp_path).of("gate", 3 * DAY_MS) == 2 * DAY_MS + 1


def test_a_clock_that_was_a_year_ahead_is_forgotten_with_its_session(tmp_path: Path) -> None:
    started(tmp_path).of("gate", 366 * DAY_MS)
    assert started(tmp_path).of("gate", DAY_MS) == DAY_MS


@pytest.mark.parametrize("content", ["", "seven", '{"gate": -'])
def test_sessions_that_can_t_be_read_are_begun_by_the_clock(tmp_path: Path, content: str) -> None:
    (tmp_path / "sessions.json").write_text(content)
    assert started(tmp_path).of("gate", DAY_MS) == DAY_MS


def test_a_replay_s_sessions_are_as_it_was_told(tmp_path: Path) -> None:
    assert Sessions(tmp_path / "sessions.json", 7).of("gate", DAY_MS) == 7
    assert not list(tmp_path.iterdir())


def test_acknowledgements_are_kept_a_lane(tmp_path: Path) -> None:
    acks = Acks(tmp_path / "acks.json")
    acks.advance("gate", "live", (1, 5))
    acks.advance("gate", "live", (1, 4))  # it doesn't go back
    acks.save()
    again = Acks(tmp_path / "acks.json")
    again.load()
    for each in (acks, again):
        assert each.covers("gate", "live", (1, 5))
        assert not each.covers("gate", "live", (2, 0))
        assert not each.covers("gate", "late", (1, 5))
        assert not each.covers("hall", "live", (0, 0))


@pytest.mark.parametrize("content", [b"", b"{", b'{"live": 3}', b"\xff"])
def test_torn_acknowledgements_count_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "acks.json").write_bytes(content)
    acks = Acks(tmp_path / "acks.json")
    acks.load()
    assert not acks.covers("gate", "live", (0, 0))


@pytest.mark.parametrize(
    ("trips", "offset_ms", "wrong"),
    [
        ([], None, False),  # not known yet
        ([(1000, 1010, 1005)], 0, False),  # right
        ([(1000, 1010, 1005), (2000, 2900, 2050)], 0, False),  # a slow trip says less than a quick one
        ([(0, 30_000, 29_999)], None, False),  # a status that waited for the broker says nothing
        ([(100_000, 100_010, 30_005)], 70_000, True),  # ahead
        ([(100_000, 100_010, 170_005)], -70_000, True),  # behind
        ([(100_000, 100_010, 30_005), (40_000, 40_100, 40_050)], 0, False),  # was put right: counts at once
    ],
)
def test_clock_offset(trips: list[tuple[int, int, int]], offset_ms: int | None, wrong: bool) -> None:
    clock = ClockOffset()
    for trip in trips:
        clock.add(*trip)
    assert clock.offset_ms == offset_ms
    assert clock.wrong is wrong


def test_logs_are_json_without_passwords() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logs.JsonFormatter())
    log = logging.Logger("edge.test")
    log.addHandler(handler)
    log.warning("no %s", "picture", extra={"camera": "gate", "url": "rtsp://a:geheim@host", "path": Path("x")})
    try:
        raise ValueError("rtsp://a:geheim@host")
    except ValueError:
        log.exception("failed", extra={"camera": "gate"})
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["message"], first["camera"], first["level"], first["path"]) == ("no picture", "gate", "warning", "x")
    assert "ValueError" in second["traceback"]
    assert "geheim" not in out.getvalue()


def test_counters_agree_with_prometheus() -> None:
    registry = CollectorRegistry()
    meter = Meters(Metrics(registry)).of("gate")
    for _ in range(5):
        meter.captured()
    meter.gated()
    meter.sent("live", 0.02)
    meter.sent("late", 900.0)
    meter.spooled()
    meter.dropped("spool_full")
    meter.up(True)
    counters = meter.counters()
    assert (counters.captured, counters.gated, counters.sent, counters.spooled) == (5, 1, 2, 1)
    assert counters.dropped == {"spool_full": 1}

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"vedette_{name}", {"camera": "gate", **labels})

    assert value("frames_captured_total") == 5
    assert value("frames_sent_total", lane="late") == 1
    assert value("frames_dropped_total", reason="spool_full") == 1
    assert value("capture_to_broker_seconds_count") == 1  # of the live lane only
    assert value("camera_up") == 1
