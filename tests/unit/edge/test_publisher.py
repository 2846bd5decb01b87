"""Every accepted frame arrives in its lane, in order, whatever the broker does; drops are counted with their reason."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from bus.errors import BusError, RefusedError, WrongClockError
from bus.producer import Acked
from contracts.codec import decode
from contracts.messages import EdgeStatus, Frame
from contracts.metrics import Metrics
from edge import publisher as module
from edge.acks import Acks
from edge.lanes import Disk
from edge.metrics import Meters
from edge.publisher import Publisher, PublishError
from edge.spool import Spool
from tests.edge_tools import as_decide_takes_them, wait_until

NOW_MS = 1_700_000_000_000
LIVE, LATE = "frames.yard", "frames-late.yard"


class Broker:
    """What stands in its topics; `away` refuses connections and keeps what was sent unacknowledged."""

    def __init__(self) -> None:
        self.topics: dict[str, list[tuple[str, int, int, bytes]]] = {}
        self.away = False
        self.links: list[Link] = []
        self.refuse: Callable[[str, Frame], Exception | None] = lambda topic, frame: None
        self.clock_ms = NOW_MS

    def connect(self) -> Link:
        if self.away:
            raise BusError("no broker")
        self.links.append(Link(self))
        return self.links[-1]

    def come_back(self) -> None:
        self.away = False
        for link in self.links:
            link.flush()

    def frames(self, topic: str, camera: str = "gate") -> list[Frame]:
        return [decode(value, Frame) for key, _, _, value in self.topics.get(topic, []) if key == camera]


class Link:
    """A connection of the fake broker: acknowledges at once while it is there, on a thread of its own."""

    def __init__(self, broker: Broker) -> None:
        self.broker, self.open, self.closed = broker, [], False  # type: ignore[var-annotated]

    def partitions(self, topic: str) -> int:
        return 2

    def send(self, topic, key, value, *, partition, timestamp_ms, acked, failed) -> None:  # type: ignore[no-untyped-def]
        self.open.append((topic, key, value, partition, timestamp_ms, acked, failed))
        if not self.broker.away:
            self.flush()

    def flush(self) -> None:
        waiting, self.open = self.open, []
        if self.closed or not waiting:
            return
        thread = threading.Thread(target=lambda: [self._write(*item) for item in waiting])
        thread.start()
        thread.join()

    def fail(self, error: Exception) -> None:
        waiting, self.open = self.open, []
        for *_, failed in waiting:
            failed(error)

    def close(self, timeout_s: float) -> None:
        self.closed = True

    def _write(self, topic, key, value, partition, timestamp_ms, acked, failed) -> None:  # type: ignore[no-untyped-def]
        error = self.broker.refuse(topic, decode(value, Frame)) if topic.startswith("frames") else None
        if error is not None:
            failed(error)
            return
        written = self.broker.topics.setdefault(topic, [])
        written.append((key, partition, timestamp_ms, value))
        acked(Acked(partition, len(written) - 1, self.broker.clock_ms))


def frame(index: int, camera: str = "gate", session: int = 1, size: int = 1000) -> Frame:
    return Frame(
        site="yard", camera=camera, session=session, index=index, captured_at_ms=NOW_MS + index, width=4, height=3,
        detail=False, motion=0.1, sha256="", jpeg=b"x" * size,
    )  # fmt: skip


def status(camera: str = "gate") -> EdgeStatus:
    return EdgeStatus(site="yard", camera=camera, agent="a", session=1, at_ms=NOW_MS, state="up")


class Setup:
    """A publisher over the fake broker, with its disk in `folder`."""

    def __init__(self, broker: Broker, folder: Path, *, late_fps: float = 1000, max_mb: float = 100) -> None:
        self.broker, self.now_ms = broker, NOW_MS
        self.meters = Meters(Metrics(CollectorRegistry()))
        disk = Disk(Spool(folder / "spool", round(max_mb * 1024 * 1024)), Acks(folder / "acks.json"), late_fps)
        self.publisher = Publisher(
            site="yard", slots={"gate": 0, "hall": 3}, connect=broker.connect, now_ms=lambda: self.now_ms,
            meters=self.meters, disk=disk,
        )  # fmt: skip

    def __enter__(self) -> Setup:
        self.publisher.start()
        if not self.broker.away:
            assert self.publisher.wait_connected(5)
        return self

    def __exit__(self, *_: object) -> None:
        self.publisher.close(0.0)

    def publish(self, *indices: int, camera: str = "gate", session: int = 1) -> None:
        for index in indices:
            self.publisher.publish(frame(index, camera, session), "motion")

    def arrived(self, topic: str, count: int, camera: str = "gate") -> list[int]:
        wait_until(lambda: len(self.broker.frames(topic, camera)) >= count, 10, f"{count} frames on {topic}")
        time.sleep(0.05)
        return [f.index for f in self.broker.frames(topic, camera)]


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
        setup.publisher._failure = BusError("gone")
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
