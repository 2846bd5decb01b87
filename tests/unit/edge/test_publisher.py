"""Every accepted frame arrives in its lane, in order, whatever the broker does; drops are counted with their reason."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from bus.errors import BusError, RefusedError
from contracts.metrics import Metrics
from contracts.trace import first
from edge import publisher as module
from edge.metrics import Meters
from edge.publisher import Publisher, PublishError
from tests.edge_broker import LATE, LIVE, NOW_MS, Broker, Setup, frame
from tests.edge_tools import as_decide_takes_them
from tests.waiting import wait_until


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)


@contextmanager
def killed(setup: Setup) -> Iterator[None]:
    """Run the publisher and leave it as kill -9 does: nothing more is written, only the kernel closes the files."""
    setup.publisher.start()
    if not setup.broker.away:
        assert setup.publisher.wait_connected(5)
    yield
    setup.publisher._stopping = True
    setup.publisher._wake.set()
    setup.publisher._thread.join()
    assert setup.publisher._lanes._disk is not None
    for file in setup.publisher._lanes._disk.spool._open.values():
        file.close()


def test_a_traced_frame_is_followed_until_the_broker_has_it(broker: Broker, tmp_path: Path) -> None:
    begin = first("yard", "gate", 1, 5, NOW_MS + 5)
    with Setup(broker, tmp_path) as setup:
        setup.publish(4)
        setup.now_ms += 20
        setup.publisher.publish(replace(frame(5), traceparent=begin), "motion")
        assert setup.publisher.drain(5)
    capture, publish = setup.spans
    assert (capture.stage, capture.traceparent, capture.parent) == ("capture", begin, "")
    assert (capture.begun_ms, capture.ended_ms) == (NOW_MS + 5, NOW_MS + 20)
    assert (publish.stage, publish.parent, publish.begun_ms) == ("publish", begin, NOW_MS + 20)
    assert [one.traceparent for one in broker.frames(LIVE, "gate")] == ["", begin]


def test_frames_go_live_by_camera_and_slot(broker: Broker, tmp_path: Path) -> None:
    with Setup(broker, tmp_path) as setup:
        setup.publish(0, 1, 2)
        setup.publish(7, camera="hall")
        assert setup.publisher.drain(5)
    assert [(key, partition, at) for key, partition, at, _ in broker.topics[LIVE]] == [
        ("gate", 0, NOW_MS),
        ("gate", 0, NOW_MS + 1),
        ("gate", 0, NOW_MS + 2),
        ("hall", 1, NOW_MS + 7),
    ]
    assert LATE not in broker.topics
    assert setup.meters.of("gate").counters().sent == 3
    assert list(tmp_path.rglob("*.seg")) == []


def test_without_a_broker_frames_wait_on_disk_and_go_late(broker: Broker, tmp_path: Path) -> None:
    broker.away = True
    with Setup(broker, tmp_path) as setup:
        setup.publish(*range(20))
        setup.publish(*range(5), camera="hall")
        assert setup.meters.of("gate").counters().spooled == 20
        assert setup.publisher.spool_bytes > 25_000
        broker.come_back()
        assert setup.arrived(LATE, 20) == list(range(20))
        assert setup.arrived(LATE, 5, "hall") == list(range(5))
        setup.publish(20)
        assert setup.arrived(LIVE, 1) == [20]
        assert setup.publisher.spool_bytes == 0


def test_what_was_under_way_stays_live_and_the_rest_goes_late(broker: Broker, tmp_path: Path, patience: None) -> None:
    with Setup(broker, tmp_path) as setup:
        setup.publish(0, 1)
        assert setup.publisher.drain(5)
        broker.away = True
        setup.publish(2, 3)  # handed over, not acknowledged
        time.sleep(0.3)
        setup.publish(4, 5)  # the oldest has waited too long
        broker.come_back()
        assert setup.arrived(LIVE, 4) == [0, 1, 2, 3]
        assert setup.arrived(LATE, 2) == [4, 5]
        setup.publish(6)
        assert setup.arrived(LIVE, 5) == [0, 1, 2, 3, 6]


def test_the_window_is_bounded(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW_BYTES", 5000)
    with Setup(broker, tmp_path) as setup:
        broker.away = True
        setup.publish(*range(10))
        assert setup.meters.of("gate").counters().spooled == 5
        broker.come_back()
        assert setup.arrived(LIVE, 5) == [0, 1, 2, 3, 4]
        assert setup.arrived(LATE, 5) == [5, 6, 7, 8, 9]


def test_another_connection_takes_over_while_frames_go_on(broker: Broker, tmp_path: Path) -> None:
    """The agent's certificate was renewed: what is under way comes over both, and no frame waits or goes late."""
    with Setup(broker, tmp_path) as setup:
        setup.publish(0)
        assert setup.publisher.drain(5)
        broker.away = True
        setup.publisher.reconnect()  # the new one is not to be had yet: the old one serves on
        time.sleep(0.3)
        setup.publish(1)
        broker.come_back()
        wait_until(lambda: len(broker.links) == 2, 5, "a second connection")
        setup.publish(2)
        assert as_decide_takes_them(broker.frames(LIVE)) == [(1, 0), (1, 1), (1, 2)]
        assert [link.closed for link in broker.links] == [True, False]
        assert LATE not in broker.topics


def test_the_late_lane_goes_on_while_another_connection_is_refused(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker does not take the renewed certificate (yet), and says so only after a while."""
    monkeypatch.setattr(module, "TICK_S", 0.02)
    broker.away = True
    with Setup(broker, tmp_path, late_fps=200) as setup:
        setup.publish(*range(200))
        broker.away = False
        assert setup.publisher.wait_connected(5)
        broker.vain_s, begun = 0.1, time.monotonic()
        setup.publisher.reconnect()
        assert setup.arrived(LATE, 200) == list(range(200))
        assert 1 <= broker.tried <= 1 + (time.monotonic() - begun) / (5 * broker.vain_s)
        broker.vain_s = 0.0
        wait_until(lambda: len(broker.links) == 2, 5, "a second connection")


def test_a_failed_producer_is_replaced_and_all_is_sent_again_in_order(broker: Broker, tmp_path: Path) -> None:
    with Setup(broker, tmp_path) as setup:
        setup.publish(0)
        assert setup.publisher.drain(5)
        broker.away = True
        setup.publish(1, 2, 3)
        broker.away = False
        broker.links[0].fail(BusError("fenced"))
        assert setup.arrived(LIVE, 4) == [0, 1, 2, 3]
        assert len(broker.links) == 2
        assert broker.links[0].closed


@pytest.mark.parametrize("acks_lost", [False, True], ids=["acks kept", "acks lost"])
def test_a_killed_agent_s_frames_arrive_in_their_lanes(
    broker: Broker, tmp_path: Path, patience: None, acks_lost: bool
) -> None:
    first = Setup(broker, tmp_path)
    with killed(first):
        first.publish(0, 1, 2)
        assert first.publisher.drain(5)
        time.sleep(0.3)
        broker.away = True
        first.publish(3, 4)
        time.sleep(0.3)
        first.publish(5, 6)
    if acks_lost:
        (tmp_path / "acks.json").unlink()
    with Setup(broker, tmp_path) as second:
        second.publish(0, session=2)
        broker.away = False  # what the dead producer held is gone with it
        second.arrived(LATE, 3)
        second.publish(1, session=2)
        second.arrived(LIVE, 6)
        assert second.publisher.drain(5)
    assert as_decide_takes_them(broker.frames(LIVE)) == [(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (2, 1)]
    assert as_decide_takes_them(broker.frames(LATE)) == [(1, 5), (1, 6), (2, 0)]
    if not acks_lost:
        assert len(broker.frames(LIVE)) == 6  # nothing was sent twice


def test_the_late_lane_is_limited_and_live_does_not_wait_for_it(broker: Broker, tmp_path: Path) -> None:
    broker.away = True
    with Setup(broker, tmp_path, late_fps=20) as setup:
        setup.publish(*range(100))
        broker.away = False
        assert setup.publisher.wait_connected(5)
        begun = time.monotonic()
        setup.publish(100)
        assert setup.arrived(LIVE, 1) == [100]
        assert time.monotonic() - begun < 0.5
        time.sleep(max(begun + 1.5 - time.monotonic(), 0))
        late = len(broker.frames(LATE))
        assert 20 <= late <= 45
        assert [f.index for f in broker.frames(LATE)] == list(range(late))


def test_a_full_spool_drops_the_least_and_counts_it(broker: Broker, tmp_path: Path) -> None:
    broker.away = True
    with Setup(broker, tmp_path, max_mb=1) as setup:
        for index in range(3000):
            setup.publisher.publish(frame(index), "detail" if index % 2 else "heartbeat")
        counters = setup.meters.of("gate").counters()
        broker.away = False
        setup.arrived(LATE, 1)
        wait_until(lambda: setup.publisher.spool_bytes == 0, 10, "the spool runs empty")
        kept = [f.index for f in broker.frames(LATE)]
    assert set(counters.dropped) == {"spool_full"}
    assert len(kept) + counters.dropped["spool_full"] == 3000
    assert sum(index % 2 == 0 for index in kept) < 0.1 * len(kept)  # a step of room may be left for some
    assert kept == sorted(kept)


class TestWithoutDisk:
    """A replay: nothing is late, `publish` waits."""

    @pytest.fixture
    def publisher(self, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
        monkeypatch.setattr(module, "WINDOW_BYTES", 5000)
        made = Publisher(
            site="yard", slots={"gate": 0}, connect=broker.connect, now_ms=lambda: NOW_MS + 10**9,
            meters=Meters(Metrics(CollectorRegistry())), disk=None,
        )  # fmt: skip
        made.start()
        assert made.wait_connected(5)
        yield made
        made.close(0.0)

    def test_it_waits_for_room(self, broker: Broker, publisher: Publisher) -> None:
        broker.away = True
        sender = threading.Thread(
            target=lambda: [publisher.publish(frame(i), "motion") for i in range(20)], daemon=True
        )
        sender.start()
        sender.join(0.5)
        assert sender.is_alive()
        broker.come_back()
        sender.join(5)
        assert not sender.is_alive()
        assert publisher.drain(5)
        assert [f.index for f in broker.frames(LIVE)] == list(range(20))
        assert [at for _, _, at, _ in broker.topics[LIVE]] == [NOW_MS + i for i in range(20)]

    def test_a_refused_frame_ends_it(self, broker: Broker, publisher: Publisher) -> None:
        broker.refuse = lambda topic, f: RefusedError("too large")
        publisher.publish(frame(0), "motion")
        with pytest.raises(PublishError, match="refused a frame of gate"):
            publisher.drain(5)
        with pytest.raises(PublishError):
            publisher.publish(frame(1), "motion")
