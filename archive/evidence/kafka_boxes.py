"""The tracks of frames, out of the topic `tracks`: read by their time, some seconds at once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from archive.evidence.frames import Stopped
from bus.errors import BusError
from bus.span import Span
from contracts import topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.fields import Lane
from contracts.messages import Frame, FrameTracks

BEFORE_MS = 1_000
"""Clocks of agents and broker may be off by so much."""
AHEAD_MS = 20_000
"""A clip asks for one frame after the other: so much is read at once."""
RECENT_MS = 60_000
"""What is decided of a frame so young may still be on its way."""
WAIT_S = 3.0
AGAIN_S = 0.2
TIMEOUT_S = 5.0
LATE_MS = 600_000
"""Frames that waited in a spool are decided among live ones of much later times, so long before evidence asks for them
at most."""
LATE_AGAIN_MS = 2_000
MOST = 5000
"""Frames whose tracks are remembered, some 2 KB each."""

Place = tuple[str, int, int]


class KafkaBoxes:
    """See Boxes. Connects at the first frame; threads wait for each other."""

    def __init__(self, bootstrap: str, partitions: int, clock: Callable[[], int], stop: threading.Event) -> None:
        self._span = Span(bootstrap)
        self._partitions = partitions
        self._clock = clock
        self._stop = stop
        self._known: OrderedDict[Place, FrameTracks] = OrderedDict()
        self._read: dict[str, tuple[int, int]] = {}
        self._late_read_ms: dict[str, int] = {}
        self._lock = threading.Lock()

    def of(self, frame: Frame) -> FrameTracks | None:
        """See Boxes; raises Stopped."""
        place = (frame.camera, frame.session, frame.index)
        until_s = time.monotonic() + WAIT_S
        with self._lock:
            while True:
                if place not in self._known and not self._has_read(frame):
                    self._look(frame)
                if place in self._known:
                    return self._known[place]
                recent = self._clock() - frame.captured_at_ms < RECENT_MS
                if not recent or self._has_read(frame):  # passed by: a broker that was away for some seconds does that
                    self._look_late(frame.camera)
                if place in self._known or not recent:
                    return self._known.get(place)
                if time.monotonic() >= until_s:
                    return None
                if self._stop.wait(AGAIN_S):
                    raise Stopped("while waiting for a frame's tracks")

    def close(self) -> None:
        """Give the connection up."""
        self._span.close()

    def _has_read(self, frame: Frame) -> bool:
        from_ms, until_ms = self._read.get(frame.camera, (0, -1))
        return from_ms <= frame.captured_at_ms < until_ms

    def _look(self, frame: Frame) -> None:
        """Read on from the frame's time; a broker that is away knows nothing, and the picture is hidden whole."""
        from_ms, last_ms = frame.captured_at_ms, frame.captured_at_ms + AHEAD_MS
        for partition in range(self._partitions):
            try:
                if self._look_in(partition, frame.camera, from_ms, last_ms):
                    # Only a time that lies behind what was read is known for sure: else it is looked at again.
                    self._read[frame.camera] = (from_ms, last_ms)
            except BusError:  # NoTopicError too: the topic may have fewer partitions
                continue

    def _look_late(self, camera: str) -> None:
        """Read what was decided lately of the camera's frames that waited in a spool."""
        now_ms = self._clock()
        if now_ms - self._late_read_ms.get(camera, -LATE_AGAIN_MS) < LATE_AGAIN_MS:
            return
        for partition in range(self._partitions):
            try:
                start = self._span.start(topics.TRACKS, partition, now_ms - LATE_MS)
                for record in self._span.records(topics.TRACKS, partition, start, TIMEOUT_S, self._stop.is_set):
                    if record.key == camera.encode():
                        self._take(record.value, lane="late")
            except BusError:
                continue
        # From the end of the reading on: it may take longer than that, and a clip asks for one frame after the other.
        self._late_read_ms[camera] = self._clock()

    def _look_in(self, partition: int, camera: str, from_ms: int, last_ms: int) -> bool:
        """Take in a partition's tracks of the camera; returns whether all of these times were there.

        A record has the time of the decision, which comes long after the frame's where jobs lag, and in a replay years:
        how far the camera is only its own tracks say. All of a camera are in one partition.
        """
        start = self._span.start(topics.TRACKS, partition, from_ms - BEFORE_MS)
        met, first_ms = False, 0
        for record in self._span.records(topics.TRACKS, partition, start, TIMEOUT_S, self._stop.is_set):
            first_ms = first_ms or record.timestamp_ms
            if record.key == camera.encode():
                met = True
                if self._take(record.value) > last_ms:
                    return True
            elif not met and record.timestamp_ms > first_ms + BEFORE_MS + AHEAD_MS + RECENT_MS:
                break
        return False

    def _take(self, value: bytes | None, lane: Lane | None = None) -> int:
        """Remember the tracks (of that lane only); returns when their frame was captured, 0 for what is none."""
        try:
            tracks = decode(value or b"", FrameTracks)
        except ContractError:
            return 0  # the analytics job reads the same record and writes the dead letter
        if lane not in (None, tracks.lane):
            return 0
        self._known[tracks.camera, tracks.session, tracks.index] = tracks
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return tracks.captured_at_ms
