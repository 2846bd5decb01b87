"""Bad messages are a stream: what can't be decoded or handled becomes a dead letter, and the job goes on."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pyflink.common import Row
from pyflink.datastream import OutputTag

from contracts import metrics as names
from contracts import topics
from contracts.codec import encode
from contracts.errors import ContractError
from contracts.messages import DeadLetter
from contracts.metrics import Metrics
from stream.jobs.clock import Clock, now_ms
from stream.jobs.kafka import OFFSET, PARTITION, TOPIC, VALUE, keyed, keyed_type
from stream.jobs.letters import Letters

MAX_PAYLOAD = 64 * 1024

_failed: set[tuple[str, int, int]] = set()
"""Places of the log whose record raised an unexpected error in this process. A first failure may be the moment's
(memory, a GPU): Flink restarts, and the record comes again. A second one is the record's own: a crash loop."""


def dead_letters_tag() -> OutputTag:
    """The side output of dead letters; made anew for each use, as its type can be pickled only once."""
    return OutputTag("dead-letters", keyed_type())


class Guard:
    """Runs the handling of one record and turns its failure into a dead letter."""

    def __init__(self, source: str, metrics: Metrics, clock: Clock = now_ms) -> None:
        self._source = source
        self._letters = metrics.counter(names.DEAD_LETTERS, source)
        self._clock = clock
        self._tag = dead_letters_tag()

    def handle(self, record: Row, work: Callable[[Row], Iterable[Any]]) -> Iterator[Any]:
        """Yield what `work` gives for the record, or a dead letter on the side output."""
        try:
            yield from list(work(record))
        except ContractError as error:
            yield self._tag, self._letter(record, error.reason)
        except Exception:
            place = (record[TOPIC], record[PARTITION], record[OFFSET])
            if place not in _failed:
                _failed.add(place)
                raise
            _failed.discard(place)
            yield self._tag, self._letter(record, "failed twice: " + traceback.format_exc(limit=-8))

    def followed(self, letters: Letters) -> Iterator[Any]:
        """Dead letters of what threads of this process could not handle."""
        for record, reason in letters.taken():
            row = Row(record.key, record.value, record.topic, record.partition, record.offset)
            yield self._tag, self._letter(row, reason)

    def _letter(self, record: Row, reason: str) -> Row:
        self._letters.inc()
        value = record[VALUE] or b""
        letter = DeadLetter(
            topic=record[TOPIC],
            partition=record[PARTITION],
            offset=record[OFFSET],
            source=self._source,
            reason=reason[:4000],
            sha256=hashlib.sha256(value).hexdigest(),
            size=len(value),
            payload=b"" if topics.has_pictures(record[TOPIC]) else value[:MAX_PAYLOAD],
            at_ms=self._clock(),
        )
        return keyed(record[TOPIC], encode(letter))
