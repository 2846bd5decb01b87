"""What is refused, a wrong clock and a disk that fails hold nothing up and are counted."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import pytest

from bus.errors import BusError, RefusedError, WrongClockError
from tests.edge_broker import LATE, LIVE, NOW_MS, Broker, Setup, status
from tests.edge_tools import as_decide_takes_them
from tests.waiting import wait_until


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.mark.parametrize(
    ("error", "dropped", "late"),
    [
        (RefusedError("too large"), {"refused": 1}, []),  # it never will be taken
        (WrongClockError("an hour ahead"), {}, [1]),  # it will when the clock is right
    ],
)
def test_a_refused_frame_holds_nothing_up(
    broker: Broker, tmp_path: Path, error: Exception, dropped: dict[str, int], late: list[int]
) -> None:
    broker.refuse = lambda topic, f: error if topic == LIVE and f.index == 1 else None
    with Setup(broker, tmp_path) as setup:
        setup.publish(0, 1, 2)
        assert setup.arrived(LIVE, 2) == [0, 2]
        assert setup.arrived(LATE, len(late)) == late
        assert setup.meters.of("gate").counters().dropped == dropped
        assert len(broker.links) == 1


@pytest.mark.parametrize(("offset_s", "topic"), [(50, LIVE), (-50, LIVE), (70, LATE), (-70, LATE)])
def test_a_wrong_clock_is_reported_and_waited_for(broker: Broker, tmp_path: Path, offset_s: int, topic: str) -> None:
    broker.clock_ms = NOW_MS - offset_s * 1000
    with Setup(broker, tmp_path) as setup:
        setup.publisher.send_status(status())
        wait_until(lambda: setup.publisher.clock_offset_ms is not None, 5, "the offset is known")
        assert setup.publisher.clock_offset_ms == offset_s * 1000
        setup.publish(0)
        if topic == LATE:
            time.sleep(0.6)
            assert LATE not in broker.topics
            broker.clock_ms = NOW_MS  # the clock is put right
            setup.publisher.send_status(status())
        assert setup.arrived(topic, 1) == [0]


def test_what_waited_long_carries_the_broker_s_time(broker: Broker, tmp_path: Path) -> None:
    broker.away, broker.clock_ms = True, NOW_MS + 7_200_000 - 5000
    with Setup(broker, tmp_path) as setup:
        setup.publish(0)
        setup.now_ms = NOW_MS + 7_200_000
        broker.away = False
        setup.arrived(LATE, 1)
    # The clock's offset was not known yet, so it is the agent's time.
    assert broker.topics[LATE][0][2] == NOW_MS + 7_200_000
    assert broker.frames(LATE)[0].captured_at_ms == NOW_MS


def test_one_status_a_camera_is_under_way(broker: Broker, tmp_path: Path) -> None:
    with Setup(broker, tmp_path) as setup:
        broker.away = True
        for _ in range(5):
            setup.publisher.send_status(status())
            setup.publisher.send_status(status("hall"))
        broker.come_back()
        assert [key for key, *_ in broker.topics["edge-status"]] == ["gate", "hall"]
        setup.publisher.send_status(status())
        assert len(broker.topics["edge-status"]) == 3


def test_a_disk_that_fails_is_counted_and_live_goes_on(broker: Broker, tmp_path: Path) -> None:
    with Setup(broker, tmp_path) as setup:
        for worth in ("heartbeat", "motion", "detail"):
            (tmp_path / "spool" / worth).rmdir()
        setup.publish(0)
        assert setup.arrived(LIVE, 1) == [0]
        broker.away = True
        broker.links[0].fail(BusError("gone"))
        setup.publisher._out.failure = BusError("gone")
        setup.publish(1)
        assert setup.meters.of("gate").counters().dropped == {"spool_error": 1}


def test_a_segment_that_can_not_be_deleted_stops_nothing(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broker.away = True
    with Setup(broker, tmp_path) as setup:
        setup.publish(*range(5))

        def refuse(path: Path, missing_ok: bool = False) -> None:
            raise OSError(errno.EROFS, "read-only", str(path))

        monkeypatch.setattr(Path, "unlink", refuse)
        broker.away = False
        assert setup.arrived(LATE, 5) == list(range(5))
        # The segment that is written to is deleted when the spool closes; this one by its last acknowledgement.
        for worth in ("heartbeat", "motion", "detail"):
            setup.publisher._lanes._disk.spool._close(worth)  # type: ignore[union-attr,arg-type]
        setup.publish(5)
        assert setup.arrived(LIVE, 1) == [5]
        assert setup.publisher.drain(5)
        assert setup.meters.of("gate").counters().dropped == {}
    assert "can't be deleted" in caplog.text


@pytest.mark.parametrize("where", ["acknowledged", "next_late", "save"])
def test_whatever_fails_in_the_publisher_it_goes_on(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    broker.away = True
    with Setup(broker, tmp_path) as setup:
        setup.publish(0, 1)
        lanes, right, failed = setup.publisher._lanes, getattr(setup.publisher._lanes, where), []

        def fails(*arguments: object) -> object:
            if len(failed) < 2:
                failed.append(where)
                raise RuntimeError("on purpose")
            return right(*arguments)

        def all_through() -> bool:
            return setup.publisher.drain(1) and setup.publisher.spool_bytes == 0 and not lanes.late

        monkeypatch.setattr(lanes, where, fails)
        broker.away = False
        wait_until(all_through, 10, "the late frames are through")
        setup.publish(2, 3)
        wait_until(lambda: len(failed) == 2 and all_through(), 10, "it failed, and all is through")
        setup.publish(4)
        wait_until(all_through, 10, "the last frame is through")
        assert setup.publisher._thread.is_alive()
    taken = [as_decide_takes_them(broker.frames(topic)) for topic in (LATE, LIVE)]
    assert sorted(taken[0] + taken[1]) == [(1, index) for index in range(5)]
    assert "on purpose" in caplog.text
    assert setup.meters.of("gate").counters().dropped == {}
