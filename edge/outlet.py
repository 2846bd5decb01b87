"""The connection in use: where on it each record goes, with which time, and how far the agent's clock is off by it.

Not thread-safe: the publisher holds a lock. What was sent is reported on the connection's own thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from bus.errors import BusError, RefusedError
from bus.producer import BY_KEY, Acked, Link
from contracts import topics
from contracts.codec import encode
from contracts.edge_messages import CameraProbe, EdgeStatus
from contracts.fields import Lane
from contracts.messages import DeadLetter
from edge.clock import ClockOffset
from edge.spool import Record

log = logging.getLogger(__name__)

OLD_MS = 60_000
"""A frame that old, or that far ahead (a clock was wrong), carries the time of sending as its record's timestamp:
retention would delete it unread, or the broker refuse it."""


class Outlet:
    """Sends records of `site` over the link that it has; `broken` is called when that takes none any more.

    `slots` are cameras' partitions, before the modulo. With `as_captured` frames keep their time however old it is.
    """

    def __init__(
        self,
        *,
        site: str,
        slots: Mapping[str, int],
        now_ms: Callable[[], int],
        broken: Callable[[], None],
        as_captured: bool,
    ) -> None:
        self._topic_of: dict[Lane, str] = {"live": topics.frames(site), "late": topics.frames_late(site)}
        self._slots, self._now_ms, self._broken, self._as_captured = slots, now_ms, broken, as_captured
        self._partitions: dict[str, int] = {}
        self._status_open: set[str] = set()
        self.link: Link | None = None
        self.failure: BusError | None = None
        self.clock = ClockOffset()

    @property
    def ready(self) -> bool:
        """Whether there is a connection that takes records."""
        return self.link is not None and self.failure is None

    def partitions_of(self, link: Link) -> dict[str, int]:
        """The number of partitions of every topic that is written; raises BusError."""
        names = (*self._topic_of.values(), topics.EDGE_STATUS, topics.DEAD_LETTERS)
        return {name: link.partitions(name) for name in names}

    def take(self, link: Link, partitions: dict[str, int]) -> Link | None:
        """Send over this link from now on; returns the one before, which is still open."""
        old, self.link = self.link, link
        self._partitions, self.failure = partitions, None
        self._status_open.clear()
        return old

    def leave(self) -> Link | None:
        """Have no link; returns the one before, which is still open."""
        old, self.link = self.link, None
        return old

    def send_frame(
        self, record: Record, payload: bytes, acked: Callable[[Acked], None], failed: Callable[[BusError], None]
    ) -> None:
        """Send a frame in its lane."""
        at_ms = self._timestamp_ms(record)
        self._send(self._topic_of[record.lane], record.camera, payload, at_ms, acked, failed)

    def send_status(self, status: EdgeStatus) -> None:
        """Send a camera's status, unless the one before is still under way: an old status is worth nothing."""
        if not self.ready or status.camera in self._status_open:
            return
        self._status_open.add(status.camera)
        sent_at_ms = self._now_ms()

        def acked(at: Acked) -> None:
            self.clock.add(sent_at_ms, self._now_ms(), at.timestamp_ms)
            self._status_open.discard(status.camera)

        def failed(error: BusError) -> None:
            log.warning("a status was not taken", extra={"camera": status.camera, "error": str(error)})
            self._status_open.discard(status.camera)

        self._send(topics.EDGE_STATUS, status.camera, encode(status), status.at_ms, acked, failed)

    def send_dead_letter(self, letter: DeadLetter) -> None:
        """Send a dead letter if there is a connection; its original stays in its own topic anyway."""
        if self.ready:
            self._send(topics.DEAD_LETTERS, letter.topic, encode(letter), letter.at_ms, _ignore_ack, _log_failure)

    def send_probe(self, probe: CameraProbe) -> None:
        """Send what a probe saw, if there is a connection: without one nobody could have asked."""
        if self.ready:
            self._send(topics.CAMERA_PROBES, probe.site, encode(probe), probe.at_ms, _ignore_ack, _log_failure)

    def _send(
        self,
        topic: str,
        key: str,
        value: bytes,
        timestamp_ms: int,
        acked: Callable[[Acked], None],
        failed: Callable[[BusError], None],
    ) -> None:
        assert self.link is not None
        count = self._partitions.get(topic)
        partition = BY_KEY if count is None else self._slots.get(key, 0) % count
        try:
            self.link.send(
                topic, key, value, partition=partition, timestamp_ms=timestamp_ms, acked=acked, failed=failed
            )
        except RefusedError as error:
            failed(error)
        except BusError as error:
            self.failure = error
            self._broken()

    def _timestamp_ms(self, record: Record) -> int:
        if self._as_captured or abs(self._now_ms() - record.captured_at_ms) < OLD_MS:
            return record.captured_at_ms
        return self._now_ms() - (self.clock.offset_ms or 0)


def _ignore_ack(at: Acked) -> None:
    """Nothing waits for it."""


def _log_failure(error: BusError) -> None:
    log.warning("a dead letter or a probe was not taken", extra={"error": str(error)})
