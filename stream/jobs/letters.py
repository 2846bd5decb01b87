"""Bad records of topics that a thread follows, until an operator writes them down as dead letters."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator

from bus.consuming import Record

log = logging.getLogger(__name__)

MOST = 1000
"""So many wait for an operator, which empties this with each of its records."""


class Letters:
    """Filled by threads that follow topics, emptied by one operator."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Record, str]] = deque(maxlen=MOST)

    def put(self, record: Record, reason: str) -> None:
        """This record could not be handled, and why."""
        log.error("%s %d/%d: %s", record.topic, record.partition, record.offset, reason)
        self._waiting.append((record, reason))

    def taken(self) -> Iterator[tuple[Record, str]]:
        """All that wait, each once."""
        while self._waiting:
            yield self._waiting.popleft()
