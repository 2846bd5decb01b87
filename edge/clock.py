"""The agent's clock against the broker's, from the append times of its own status messages."""

from __future__ import annotations

from collections import deque

MAX_OFFSET_MS = 60_000
"""Beyond that frames wait on disk: their times would be wrong in every window and alert, and the broker refuses
those an hour ahead."""

MAX_ROUND_TRIP_MS = 2000
"""The offset is known to half the round trip; a status that waited for a broker says nothing."""

REMEMBERED = 8


class ClockOffset:
    """Agent minus broker in ms, taken from the quickest of the last round trips (as NTP does)."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)

    def add(self, sent_at_ms: int, acked_at_ms: int, appended_at_ms: int) -> None:
        """A status left and was acknowledged by the agent's clock; the broker wrote it at `appended_at_ms`."""
        round_trip_ms = acked_at_ms - sent_at_ms
        if 0 <= round_trip_ms <= MAX_ROUND_TRIP_MS:
            self._seen.append((round_trip_ms, (sent_at_ms + acked_at_ms) // 2 - appended_at_ms))

    @property
    def offset_ms(self) -> int | None:
        """None until known. A clock that was just set shows at once: only round trips of like value are compared."""
        if not self._seen:
            return None
        latest = self._seen[-1][1]
        alike = [seen for seen in self._seen if abs(seen[1] - latest) <= MAX_ROUND_TRIP_MS]
        return min(alike)[1]

    @property
    def wrong(self) -> bool:
        """Whether frames have to wait until the clock is right."""
        offset_ms = self.offset_ms
        return offset_ms is not None and abs(offset_ms) > MAX_OFFSET_MS
