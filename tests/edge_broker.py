"""For the publisher's tests: a broker that goes away and comes back, and a publisher over it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry

from bus.errors import BusError
from bus.producer import Acked
from contracts.codec import decode
from contracts.edge_messages import EdgeStatus
from contracts.messages import Frame
from contracts.metrics import Metrics
from contracts.trace import Span
from edge.acks import Acks
from edge.lanes import Disk
from edge.metrics import Meters
from edge.publisher import Publisher
from edge.spool import Spool
from telemetry import Tracer
from tests.waiting import wait_until

NOW_MS = 1_700_000_000_000
LIVE, LATE = "frames.yard", "frames-late.yard"


class Broker:
    """What stands in its topics; `away` refuses connections and keeps what was sent unacknowledged."""

    def __init__(self) -> None:
        self.topics: dict[str, list[tuple[str, int, int, bytes]]] = {}
        self.away = False
        self.vain_s, self.tried = 0.0, 0  # where a connection is refused after so long, how often it was tried
        self.links: list[Link] = []
        self.refuse: Callable[[str, Frame], Exception | None] = lambda topic, frame: None
        self.clock_ms = NOW_MS

    def connect(self) -> Link:
        if self.away:
            raise BusError("no broker")
        if self.vain_s:
            self.tried += 1
            time.sleep(self.vain_s)
            raise BusError("handshake failed")
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
        self.spans: list[Span] = []
        self.meters = Meters(Metrics(CollectorRegistry()))
        disk = Disk(Spool(folder / "spool", round(max_mb * 1024 * 1024)), Acks(folder / "acks.json"), late_fps)
        self.publisher = Publisher(
            site="yard", slots={"gate": 0, "hall": 3}, connect=broker.connect, now_ms=lambda: self.now_ms,
            meters=self.meters, disk=disk, tracer=Tracer(self.spans.append),
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
