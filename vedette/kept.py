"""The frames that a running system still has, for a replay of its last hour or so: no clip needed, with their times."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

import msgspec

from bus.errors import BusError
from bus.producer import BY_KEY, Acked, KafkaLink
from bus.reader import Reader
from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import ContractError, VedetteError
from contracts.messages import Frame

UNDER_WAY = 100
"""So many frames wait for their acknowledgement at once: 10 MB."""
ACKNOWLEDGED_S = 30.0


@dataclass
class Camera:
    """What is kept of one camera: how many frames, how large in all, from when to when."""

    frames: int = 0
    bytes: int = 0
    first_ms: int = 0
    last_ms: int = 0


@dataclass(frozen=True)
class KeptFrames:
    """Frames of a site on its broker, from `since_ms` to before `until_ms`; `cameras` are those that have some."""

    bootstrap: str
    site: str
    since_ms: int
    until_ms: int
    cameras: dict[str, Camera] = field(default_factory=dict)

    def looked_for(self, cameras: Collection[str]) -> KeptFrames:
        """The same with what there is of these cameras; raises VedetteError where there is nothing of any."""
        found: dict[str, Camera] = {}
        for frame in self._frames(cameras):
            one = found.setdefault(frame.camera, Camera(first_ms=frame.captured_at_ms))
            one.frames += 1
            one.bytes += len(frame.jpeg)
            one.last_ms = frame.captured_at_ms
        if not found:
            raise VedetteError(f"{topics.frames(self.site)} has no frames of {', '.join(sorted(cameras))} of that time")
        return replace(self, cameras=found)

    def send(self, bootstrap: str, site: str) -> None:
        """Send them to another broker, as frames of `site`, each camera's last one as such; raises BusError."""
        sender = _Sender(bootstrap, topics.frames(site))
        held: dict[str, Frame] = {}
        try:
            for frame in self._frames(self.cameras):
                if frame.camera in held:
                    sender.send(held[frame.camera])
                held[frame.camera] = msgspec.structs.replace(frame, site=site, last=False)
            for frame in held.values():
                sender.send(msgspec.structs.replace(frame, last=True))
        finally:
            sender.close()

    def _frames(self, cameras: Collection[str]) -> Iterator[Frame]:
        """Each frame once, a camera's in the order of their places: what an agent sent again is left out."""
        places: dict[str, tuple[int, int]] = {}
        with Reader(self.bootstrap, topics.frames(self.site), self.since_ms) as reader:
            for record in reader.held():
                try:
                    frame = decode(record.value or b"", Frame)
                except ContractError:
                    continue  # the running system made a dead letter of it
                place = (frame.session, frame.index)
                wanted = frame.camera in cameras and self.since_ms <= frame.captured_at_ms < self.until_ms
                if wanted and place > places.get(frame.camera, (-1, -1)):
                    places[frame.camera] = place
                    yield frame


class _Sender:
    """Sends in order, with so much under way that neither memory nor time is wasted."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._link, self._topic = KafkaLink(bootstrap), topic
        self._room = threading.Semaphore(UNDER_WAY)
        self._failed: BusError | None = None

    def send(self, frame: Frame) -> None:
        """Hand one over; raises BusError, also where an earlier one failed."""
        if not self._room.acquire(timeout=ACKNOWLEDGED_S):
            raise BusError(f"{self._topic}: nothing was acknowledged within {ACKNOWLEDGED_S:g} s")
        if self._failed is not None:
            raise self._failed
        self._link.send(
            self._topic,
            frame.camera,
            encode(frame),
            partition=BY_KEY,
            timestamp_ms=frame.captured_at_ms,
            acked=self._acked,
            failed=self._fail,
        )

    def close(self) -> None:
        """Wait for what is under way; raises BusError where some of it failed."""
        self._link.close(ACKNOWLEDGED_S)
        if self._failed is not None:
            raise self._failed

    def _acked(self, _: Acked) -> None:
        self._room.release()

    def _fail(self, error: BusError) -> None:
        self._failed = error
        self._room.release()
