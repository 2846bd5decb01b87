"""Brings accepted frames to the broker: live ones at once, the others from disk beside them, none lost, none twice.

How that holds, whatever dies when:

*A frame's lane is decided once, when it is accepted, and written to disk before the frame is handed over.* It is
`live` while the broker acknowledges, `late` when it doesn't (no connection, the window of unacknowledged frames is
full or its oldest too old, the clock is wrong). From then on it goes into that lane, as often as it takes.

*Each lane of a camera is sent in order of place (session, index).* Within one connection Kafka's idempotent producer
keeps the order and drops its own repeats. When a connection is given up (its producer failed, or the agent died), the
next one begins by sending *every* unacknowledged live frame again, in order, before any new one; the late lane goes
on at its first unacknowledged frame. So what a lane's reader sees is in order, except that it may jump back once a
connection and then repeat what it had.

*decide drops what is not above its lane's last place*, so a repeat never reaches the rules: exactly the frames that
had not arrived do. A frame is never in both lanes, except one that the broker refused for good in the live lane
(not written there) and that is then moved.

So frames wait in three places: `_live` (handed over or to be handed over again, in memory and on disk, bounded by
WINDOW_BYTES), `_waiting` (late, on disk only), `_late` (late, handed over). Acknowledgements come on the producer's
thread and are only queued there; one thread of ours settles them, connects and sends the late lane, so a lock is never
held against the producer. Without a spool (replay) `publish` waits for room and nothing is ever late.
"""

from __future__ import annotations

import bisect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts import metrics, topics
from contracts.codec import encode
from contracts.messages import DeadLetter, EdgeStatus, Frame, Lane
from edge.acks import Acks
from edge.broker import REFUSED, Acked, BrokerError, Link
from edge.clock import ClockOffset
from edge.metrics import Meters
from edge.sampler import Worth
from edge.spool import DamagedRecord, Record, Spool

log = logging.getLogger(__name__)

WINDOW_BYTES = 8 * 1024 * 1024
"""Unacknowledged live frames: ten seconds of two cameras, far more than a healthy broker leaves open."""

PATIENCE_S = 3.0
"""A healthy broker acknowledges in milliseconds and comes back from a pause within a second."""

STUCK_S = 60.0
"""A producer that has been connected and silent for so long is replaced; repeats are harmless."""

TICK_S = 0.25


@dataclass(frozen=True)
class Disk:
    """Where frames wait, how far the lanes are, and how many frames a second leave the disk."""

    spool: Spool
    acks: Acks
    late_fps: float


class PublishError(Exception):
    """Without a spool: the broker refused a frame, which can't be mended by waiting."""


class Publisher:
    """The way out of the agent for `site`. `connect` blocks until connected or raises BrokerError."""

    def __init__(
        self,
        *,
        site: str,
        slots: Mapping[str, int],
        connect: Callable[[], Link],
        now_ms: Callable[[], int],
        meters: Meters,
        disk: Disk | None,
    ) -> None:
        self._topic_of: dict[Lane, str] = {"live": topics.frames(site), "late": topics.frames_late(site)}
        self._slots, self._connect, self._now_ms, self._meters, self._disk = slots, connect, now_ms, meters, disk
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        self._wake = threading.Event()
        self._stopping = False
        self._link: Link | None = None
        self._partitions: dict[str, int] = {}
        self._failure: Exception | None = None
        self._refused: PublishError | None = None
        self._live: dict[Record, float] = {}
        self._live_bytes = 0
        self._late: dict[Record, float] = {}
        self._waiting: dict[str, list[Record]] = {}
        self._waiting_bytes = 0
        self._late_next_s = 0.0
        self._progress_s = 0.0
        self._results: deque[tuple[Link, Record, int | Exception]] = deque()
        self._status_open: set[str] = set()
        self._clock = ClockOffset()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Take up what an earlier start left, then connect and send from a thread; raises OSError."""
        if self._disk is not None:
            self._disk.acks.load()
            for record in self._disk.spool.open():
                self._recover(record, self._disk)
            self._report_damage(self._disk.spool)
        self._thread.start()

    def publish(self, frame: Frame, worth: Worth) -> None:
        """Accept a frame: from here on it arrives, or is counted as dropped.

        Without a spool it waits for room, and raises PublishError once the broker refused a frame.
        """
        payload = encode(frame)
        record = Record(
            frame.camera, "live", worth, frame.session, frame.index, frame.captured_at_ms, len(payload), payload=payload
        )
        with self._lock:
            if self._disk is None:
                self._room.wait_for(lambda: self._stopping or self._refused is not None or self._has_room())
                if self._refused is not None:
                    raise self._refused
            elif not self._live_open():
                record.lane = "late"
            self._store(record, payload)
            if record.lane == "live":
                self._live[record] = time.monotonic()
                self._live_bytes += record.size
                self._hand_over(record, payload)
            elif not record.done:
                self._wait_in_line(record)
                self._meters.of(record.camera).spooled()

    def send_status(self, status: EdgeStatus) -> None:
        """Send a camera's status, unless the one before is still under way: an old status is worth nothing."""
        with self._lock:
            if self._link is None or self._failure is not None or status.camera in self._status_open:
                return
            self._status_open.add(status.camera)
            sent_at_ms = self._now_ms()

            def acked(at: Acked) -> None:
                self._clock.add(sent_at_ms, self._now_ms(), at.timestamp_ms)
                self._status_open.discard(status.camera)

            def failed(error: Exception) -> None:
                log.warning("a status was not taken", extra={"camera": status.camera, "error": str(error)})
                self._status_open.discard(status.camera)

            self._send(topics.EDGE_STATUS, status.camera, encode(status), status.at_ms, acked, failed)

    def send_dead_letter(self, letter: DeadLetter) -> None:
        """Send a dead letter if there is a connection; its original stays in its own topic anyway."""
        with self._lock:
            if self._link is not None and self._failure is None:
                self._send(topics.DEAD_LETTERS, letter.topic, encode(letter), letter.at_ms, _ignore_ack, _log_failure)

    @property
    def clock_offset_ms(self) -> int | None:
        """Agent minus broker; None until known."""
        return self._clock.offset_ms

    @property
    def spool_bytes(self) -> int:
        """Bytes of frames that wait for the late lane."""
        return self._waiting_bytes

    def wait_connected(self, timeout_s: float) -> bool:
        """Whether the broker is there, waiting for it at most so long."""
        with self._lock:
            return self._room.wait_for(lambda: self._link is not None, timeout_s)

    def drain(self, timeout_s: float | None = None) -> bool:
        """Wait until every live frame is acknowledged; False when time ran out. Raises PublishError as `publish`."""
        with self._lock:
            drained = self._room.wait_for(lambda: self._refused is not None or not self._live, timeout_s)
            if self._refused is not None:
                raise self._refused
            return drained

    def close(self, timeout_s: float) -> bool:
        """Wait for acknowledgements at most so long and end; False when frames stay on disk for the next start."""
        drained = self._refused is None and self.drain(timeout_s)
        self._stopping = True
        with self._lock:
            self._room.notify_all()
        self._wake.set()
        self._thread.join(5.0)
        if self._disk is not None:
            with self._lock:
                self._disk.acks.save()
                self._disk.spool.close()
        return drained

    # The publisher's own thread

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._pause_s())
            self._wake.clear()
            self._settle()
            if self._link is None or self._failure is not None or self._stuck():
                self._reconnect()
            self._send_late()
            self._save()
        if self._link is not None:
            self._link.close(0.2)
            self._settle()

    def _pause_s(self) -> float:
        if self._disk is None or self._link is None or not self._waiting:
            return TICK_S
        return min(max(self._late_next_s - time.monotonic(), 0.001), TICK_S)

    def _reconnect(self) -> None:
        """Give the connection up, make a new one and hand all unacknowledged live frames over again, in order."""
        old, failure = self._link, self._failure
        if old is not None:
            log.warning("the producer is replaced", extra={"error": str(failure or "no acknowledgement")})
            with self._lock:
                self._link = None
            old.close(0.0)
            self._settle()
        try:
            link = self._connect()
            names = (*self._topic_of.values(), topics.EDGE_STATUS, topics.DEAD_LETTERS)
            partitions = {name: link.partitions(name) for name in names}
        except BrokerError as error:
            log.info("no broker", extra={"error": str(error)})
            self._wake.wait(TICK_S)
            return
        with self._lock:
            self._link, self._partitions, self._failure = link, partitions, None
            self._status_open.clear()
            self._progress_s = time.monotonic()
            for record in list(self._late):
                del self._late[record]
                self._wait_in_line(record)
            for record in list(self._live):
                payload = self._payload(record)
                if payload is not None:
                    self._live[record] = time.monotonic()
                    self._hand_over(record, payload)
            self._room.notify_all()
        log.info("connected")

    def _stuck(self) -> bool:
        with self._lock:
            waits = bool(self._live or self._late)
            if not waits:
                self._progress_s = time.monotonic()
            return waits and time.monotonic() - self._progress_s > STUCK_S

    def _settle(self) -> None:
        """Take note of what the producer's thread reported."""
        while self._results:
            link, record, result = self._results.popleft()
            with self._lock:
                if record.done:
                    continue
                if isinstance(result, int):
                    self._acknowledged(record, result)
                elif isinstance(result, REFUSED):
                    self._refuse(record, result)
                elif link is self._link:
                    self._failure = result
                self._room.notify_all()

    def _acknowledged(self, record: Record, at_ms: int) -> None:
        self._progress_s = time.monotonic()
        if self._disk is not None:
            self._disk.acks.advance(record.camera, record.lane, record.place)
        self._meters.of(record.camera).sent(record.lane, (at_ms - record.captured_at_ms) / 1000)
        self._forget(record)

    def _refuse(self, record: Record, error: Exception) -> None:
        """The broker will never take this record as it is. A wrong clock can be waited for; nothing else can."""
        log.error("a frame was refused", extra={"camera": record.camera, "error": str(error)})
        if self._disk is None:
            self._refused = PublishError(f"the broker refused a frame of {record.camera}: {error}")
            return
        payload = self._payload(record) if record.lane == "live" and "Timestamp" in type(error).__name__ else None
        if payload is None:
            self._drop(record, "refused")
            return
        self._forget(record)
        moved = Record(
            record.camera, "late", record.worth, record.session, record.index, record.captured_at_ms, len(payload)
        )
        self._store(moved, payload)
        if not moved.done:
            self._wait_in_line(moved)
            self._meters.of(moved.camera).spooled()

    def _send_late(self) -> None:
        """Send what is due of the late lane, a camera after the other, each in order of place."""
        if self._disk is None:
            return
        with self._lock:
            pause_s = 1 / self._disk.late_fps
            self._late_next_s = max(self._late_next_s, time.monotonic() - TICK_S)
            while self._late_open() and self._waiting and time.monotonic() >= self._late_next_s:
                camera, line = next(iter(self._waiting.items()))
                record = line.pop(0)
                del self._waiting[camera]
                if line:
                    self._waiting[camera] = line  # to the end: the next camera's turn
                if record.done:
                    continue
                record.waiting = False
                self._waiting_bytes -= record.size
                self._late[record] = time.monotonic()
                payload = self._payload(record)
                if payload is not None:
                    self._late_next_s += pause_s
                    self._hand_over(record, payload)
            self._meters.metrics.gauge(metrics.SPOOL_BYTES).set(self._waiting_bytes)

    def _late_open(self) -> bool:
        under_way = sum(record.size for record in self._late)
        return self._link is not None and self._failure is None and not self._clock.wrong and under_way < WINDOW_BYTES

    def _save(self) -> None:
        if self._disk is None:
            return
        offset_ms = self._clock.offset_ms
        if offset_ms is not None:
            self._meters.metrics.gauge(metrics.CLOCK_OFFSET).set(offset_ms / 1000)
        try:
            with self._lock:
                self._disk.acks.save()
        except OSError as error:
            log.error("the acknowledgements can't be kept", extra={"error": str(error)})

    # Records, under the lock

    def _live_open(self) -> bool:
        if self._link is None or self._failure is not None or self._clock.wrong or not self._has_room():
            return False
        oldest_s = next(iter(self._live.values()), None)
        return oldest_s is None or time.monotonic() - oldest_s < PATIENCE_S

    def _has_room(self) -> bool:
        return self._live_bytes < WINDOW_BYTES

    def _hand_over(self, record: Record, payload: bytes) -> None:
        link = self._link
        if link is None or self._failure is not None:
            return  # it is in `_live` or `_late`, and the next connection begins with those
        self._send(
            self._topic_of[record.lane],
            record.camera,
            payload,
            self._timestamp_ms(record),
            lambda at: self._report(link, record, self._now_ms()),
            lambda error: self._report(link, record, error),
        )

    def _send(
        self,
        topic: str,
        camera: str,
        value: bytes,
        timestamp_ms: int,
        acked: Callable[[Acked], None],
        failed: Callable[[Exception], None],
    ) -> None:
        assert self._link is not None
        partition = self._slots.get(camera, 0) % self._partitions[topic]
        try:
            self._link.send(
                topic, camera, value, partition=partition, timestamp_ms=timestamp_ms, acked=acked, failed=failed
            )
        except REFUSED as error:
            failed(error)
        except BrokerError as error:
            self._failure = error
            self._wake.set()

    def _report(self, link: Link, record: Record, result: int | Exception) -> None:
        self._results.append((link, record, result))
        self._wake.set()

    def _timestamp_ms(self, record: Record) -> int:
        """Capture time; for what waited long the broker's now, since retention would delete an old record unread."""
        if self._disk is None or self._now_ms() - record.captured_at_ms < 60_000:
            return record.captured_at_ms
        return self._now_ms() - (self._clock.offset_ms or 0)

    def _store(self, record: Record, payload: bytes) -> None:
        """Write the record to disk if that can be done; a live one goes its way without."""
        if self._disk is None:
            return
        try:
            lost = self._disk.spool.append(record, payload)
        except OSError as error:
            log.error("the spool can't be written", extra={"camera": record.camera, "error": str(error)})
            if record.lane == "late":
                self._drop(record, "spool_error")
            return
        for gone in lost:
            if gone.lane == "late" and gone not in self._late:
                self._drop(gone, "spool_full")

    def _wait_in_line(self, record: Record) -> None:
        record.waiting = True
        record.payload = None if record.segment is not None else record.payload
        bisect.insort(self._waiting.setdefault(record.camera, []), record, key=lambda waiting: waiting.place)
        self._waiting_bytes += record.size

    def _payload(self, record: Record) -> bytes | None:
        """What to send; None when the record is lost, which is then counted."""
        if record.payload is not None:
            return record.payload
        assert self._disk is not None
        try:
            return self._disk.spool.read(record)
        except DamagedRecord as error:
            log.error("a spooled frame is lost", extra={"camera": record.camera, "error": str(error)})
            self._drop(record, "spool_full" if record.segment is None else "spool_damaged")
        except OSError as error:
            log.error("a spooled frame can't be read", extra={"camera": record.camera, "error": str(error)})
            self._drop(record, "spool_error")
        return None

    def _drop(self, record: Record, reason: str) -> None:
        if record.waiting:  # it stays in its line, and is passed over there
            record.waiting = False
            self._waiting_bytes -= record.size
        self._meters.of(record.camera).dropped(reason)
        self._forget(record)

    def _forget(self, record: Record) -> None:
        if self._live.pop(record, None) is not None:
            self._live_bytes -= record.size
        self._late.pop(record, None)
        record.payload = None
        if self._disk is not None:
            self._disk.spool.done(record)
        record.done = True

    def _recover(self, record: Record, disk: Disk) -> None:
        """A record of an earlier start: acknowledged, live (to be sent again first) or waiting."""
        if disk.acks.covers(record.camera, record.lane, record.place):
            disk.spool.done(record)
        elif record.lane == "live":
            self._live[record] = time.monotonic()
            self._live_bytes += record.size
        else:
            self._wait_in_line(record)

    def _report_damage(self, spool: Spool) -> None:
        if spool.torn_records or spool.damaged_records:
            log.warning("the spool was damaged", extra={"torn": spool.torn_records, "damaged": spool.damaged_records})
        for _ in range(spool.damaged_records):
            self._meters.of("").dropped("spool_damaged")


def _ignore_ack(at: Acked) -> None:
    """Nothing waits for it."""


def _log_failure(error: Exception) -> None:
    log.warning("a dead letter was not taken", extra={"error": str(error)})
