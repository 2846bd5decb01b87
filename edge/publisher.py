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

Acknowledgements come on the producer's thread and are only queued there; one thread of ours settles them, connects and
sends the late lane, so a lock is never held against the producer. Without a disk (replay) `publish` waits for room, and
nothing is ever late.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from bus.errors import BusError, RefusedError
from bus.producer import Link
from contracts import metrics
from contracts.codec import encode
from contracts.edge_messages import CameraProbe, EdgeStatus
from contracts.fields import Lane
from contracts.messages import DeadLetter, Frame
from edge.lanes import Disk, Lanes
from edge.metrics import Meters
from edge.outlet import Outlet
from edge.sampler import Worth
from edge.spool import Record
from edge.tracing import capture_span, publish_span
from telemetry import Tracer

log = logging.getLogger(__name__)

WINDOW_BYTES = 8 * 1024 * 1024
"""Unacknowledged live frames: ten seconds of two cameras, far more than a healthy broker leaves open."""

PATIENCE_S = 3.0
"""A healthy broker acknowledges in milliseconds and comes back from a pause within a second."""

STUCK_S = 60.0
"""A producer that has been connected and silent for so long is replaced; repeats are harmless."""

REST = 4
"""Another connection that is refused is tried again after so many times as long as the try took (3 s, where no broker
answers): the late lane waits for tries, on the same thread, and so loses a fifth of its time at most."""

TICK_S = 0.25
FAILED_S = 1.0
CLOSE_S = 0.3


class PublishError(Exception):
    """Without a disk: the broker refused a frame, which can't be mended by waiting."""


class Publisher:
    """The way out of the agent for `site`. `connect` blocks until connected or raises BusError."""

    def __init__(
        self,
        *,
        site: str,
        slots: Mapping[str, int],
        connect: Callable[[], Link],
        now_ms: Callable[[], int],
        meters: Meters,
        disk: Disk | None,
        tracer: Tracer | None = None,
    ) -> None:
        self._connect, self._now_ms, self._meters = connect, now_ms, meters
        self._tracer = tracer or Tracer()
        self._blocks = disk is None
        self._late_pause_s = 0.0 if disk is None else 1 / disk.late_fps
        self._lanes = Lanes(disk, meters)
        # As it is when somebody asks: the thread of ours may be busy with a broker that is away.
        meters.metrics.gauge(metrics.SPOOL_BYTES).set_function(lambda: self._lanes.waiting_bytes)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._wake = threading.Event()
        self._out = Outlet(site=site, slots=slots, now_ms=now_ms, broken=self._wake.set, as_captured=self._blocks)
        self._stopping = False
        self._refused: PublishError | None = None
        self._away = False
        self._again = False
        self._again_next_s = 0.0
        self._waited_for = disk is None
        self._late_next_s = 0.0
        self._keep_next_s = 0.0
        self._progress_s = 0.0
        self._results: deque[tuple[Link, Record, int | BusError]] = deque()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Take up what an earlier start left, then connect and send from a thread; raises OSError."""
        self._lanes.recover()
        self._thread.start()

    def publish(self, frame: Frame, worth: Worth) -> None:
        """Accept a frame: from here on it arrives, or is counted as dropped.

        Without a disk it waits for room, and raises PublishError once the broker refused a frame.
        """
        payload = encode(frame)
        with self._lock:
            if self._blocks:
                self._changed.wait_for(lambda: self._stopping or self._refused is not None or self._has_room())
                if self._refused is not None:
                    raise self._refused
            self._settle()
            lane: Lane = "live" if self._blocks or self._live_open() else "late"
            record = self._lanes.accept(frame, payload, worth, lane)
            if frame.traceparent:
                record.accepted_at_ms = self._now_ms()
                self._tracer.record(capture_span(frame, record))
            if lane == "live":
                self._hand_over(record, payload)

    def send_status(self, status: EdgeStatus) -> None:
        """See Outlet."""
        with self._lock:
            self._out.send_status(status)

    def send_dead_letter(self, letter: DeadLetter) -> None:
        """See Outlet."""
        with self._lock:
            self._out.send_dead_letter(letter)

    def send_probe(self, probe: CameraProbe) -> None:
        """See Outlet."""
        with self._lock:
            self._out.send_probe(probe)

    def reconnect(self) -> None:
        """Let another connection take over, with the credentials of now; the one that is there serves until then."""
        self._again, self._again_next_s = True, 0.0
        self._wake.set()

    @property
    def clock_offset_ms(self) -> int | None:
        """Agent minus broker; None until known."""
        return self._out.clock.offset_ms

    @property
    def spool_bytes(self) -> int:
        """Bytes of frames that wait for the late lane."""
        return self._lanes.waiting_bytes

    def wait_connected(self, timeout_s: float) -> bool:
        """Whether the broker is there, waiting for it at most so long."""
        with self._lock:
            return self._changed.wait_for(lambda: self._out.link is not None, timeout_s)

    def drain(self, timeout_s: float | None = None) -> bool:
        """Wait until every live frame is acknowledged; False when time ran out. Raises PublishError as `publish`."""
        with self._lock:
            self._waited_for = True
            self._wake.set()
            drained = self._changed.wait_for(lambda: self._refused is not None or not self._lanes.live, timeout_s)
            self._waited_for = self._blocks
            if self._refused is not None:
                raise self._refused
            return drained

    def close(self, timeout_s: float) -> bool:
        """Wait for acknowledgements at most so long and end; False when frames stay on disk for the next start."""
        drained = self._refused is None and self.drain(timeout_s)
        with self._lock:
            self._stopping = True
            self._changed.notify_all()
        self._wake.set()
        self._thread.join(timeout_s + CLOSE_S)
        with self._lock:
            self._lanes.close()
        return drained

    # What runs on the publisher's own thread

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._pause_s())
            self._wake.clear()
            try:
                self._turn()
            except Exception as error:
                log.exception("the publisher failed; it goes on with a new connection")
                self._fail(error)
                time.sleep(FAILED_S)
        if self._out.link is not None:
            self._out.link.close(CLOSE_S)
            self._settle()

    def _turn(self) -> None:
        self._settle()
        if not self._out.ready or self._stuck():
            self._disconnect()
            self._connect_anew()
        elif self._again and time.monotonic() >= self._again_next_s:
            self._connect_anew()
        self._send_late()
        self._keep()

    def _pause_s(self) -> float:
        if self._out.link is None or not self._lanes.waiting:
            return TICK_S
        return min(max(self._late_next_s - time.monotonic(), 0.001), TICK_S)

    def _connect_anew(self) -> None:
        """Make a connection and hand all unacknowledged live frames over to it, in order.

        One that is there serves until then: no frame has to wait, and what is under way twice is a repeat.
        """
        begun_s = time.monotonic()
        try:
            link, partitions = self._connected()
        except BusError as error:
            ended_s = time.monotonic()
            self._again_next_s = ended_s + REST * (ended_s - begun_s)
            if not self._away:
                log.warning("no broker; frames go to disk, or the way they went", extra={"error": str(error)})
            self._away = True
            return
        with self._lock:
            old = self._out.take(link, partitions)
            self._away, self._again = False, False
            self._progress_s = time.monotonic()
            self._lanes.late_again()
            for record, payload in self._lanes.live_again():
                self._hand_over(record, payload)
            self._changed.notify_all()
        log.info("connected")
        if old is not None:
            old.close(0.0)
            self._settle()

    def _connected(self) -> tuple[Link, dict[str, int]]:
        """A new connection and the number of partitions of every topic that is written."""
        link = self._connect()
        try:
            return link, self._out.partitions_of(link)
        except BusError:
            link.close(0.0)
            raise

    def _disconnect(self) -> None:
        with self._lock:
            link = self._out.leave()
        if link is not None:
            log.warning("the producer is replaced", extra={"error": str(self._out.failure or "no acknowledgement")})
            link.close(0.0)
            self._settle()

    def _stuck(self) -> bool:
        with self._lock:
            if not (self._lanes.live or self._lanes.late):
                self._progress_s = time.monotonic()
            return time.monotonic() - self._progress_s > STUCK_S

    def _settle(self) -> None:
        """Take note of what the producer's thread reported."""
        while True:
            try:
                link, record, result = self._results.popleft()
            except IndexError:  # the other thread that settles was faster
                return
            with self._lock:
                if record.done:
                    continue
                try:
                    self._note(link, record, result)
                except Exception as error:
                    # Whatever it is, it is not the camera's fault that happened to look.
                    log.exception("an acknowledgement was not taken; all is sent again")
                    self._fail(error)
                self._changed.notify_all()

    def _note(self, link: Link, record: Record, result: int | BusError) -> None:
        if isinstance(result, int):
            self._progress_s = time.monotonic()
            self._lanes.acknowledged(record, result)
            if record.traceparent:
                self._tracer.record(publish_span(record, result))
        elif isinstance(result, RefusedError) and self._blocks:
            self._refused = PublishError(f"the broker refused a frame of {record.camera}: {result}")
        elif isinstance(result, RefusedError):
            self._lanes.refused(record, result)
        elif link is self._out.link:
            self._out.failure = result

    def _fail(self, error: Exception) -> None:
        self._out.failure = self._out.failure or BusError(f"{type(error).__name__}: {error}")
        self._wake.set()

    def _send_late(self) -> None:
        """Send what is due of the late lane."""
        with self._lock:
            now_s = time.monotonic()
            self._late_next_s = max(self._late_next_s, now_s - TICK_S)
            while self._late_open() and now_s >= self._late_next_s and (late := self._lanes.next_late()) is not None:
                self._late_next_s += self._late_pause_s
                self._hand_over(*late)

    def _keep(self) -> None:
        """Write down how far the lanes are, and show how things stand, a few times a second."""
        now_s = time.monotonic()
        if now_s < self._keep_next_s:
            return
        self._keep_next_s = now_s + TICK_S
        offset_ms = self._out.clock.offset_ms
        if offset_ms is not None:
            self._meters.metrics.gauge(metrics.CLOCK_OFFSET).set(offset_ms / 1000)
        try:
            with self._lock:
                self._lanes.save()
        except OSError as error:
            log.error("the acknowledgements can't be kept", extra={"error": str(error)})

    # Under the lock

    def _live_open(self) -> bool:
        if not self._out.ready or self._out.clock.wrong or not self._has_room():
            return False
        oldest_s = next(iter(self._lanes.live.values()), None)
        return oldest_s is None or time.monotonic() - oldest_s < PATIENCE_S

    def _late_open(self) -> bool:
        return self._out.ready and not self._out.clock.wrong and self._lanes.late_bytes < WINDOW_BYTES

    def _has_room(self) -> bool:
        return self._lanes.live_bytes < WINDOW_BYTES

    def _hand_over(self, record: Record, payload: bytes) -> None:
        link = self._out.link
        if link is None or self._out.failure is not None:
            return  # it is among the live or late ones, and the next connection begins with those
        self._out.send_frame(
            record,
            payload,
            lambda at: self._report(link, record, self._now_ms()),
            lambda error: self._report(link, record, error),
        )

    def _report(self, link: Link, record: Record, result: int | BusError) -> None:
        self._results.append((link, record, result))
        # Acknowledgements are settled with the next frame or tick; only who waits for them, or a failure, is worth a
        # switch of threads.
        if self._waited_for or not isinstance(result, int):
            self._wake.set()
