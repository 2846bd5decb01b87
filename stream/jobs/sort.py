"""The first step behind a source of the keyed jobs: good messages go on with their key, bad ones aside."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

from pyflink.common import Row, Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import ProcessFunction

from contracts import topics
from contracts.codec import decode
from contracts.controls import Control
from contracts.edge_messages import EdgeStatus
from contracts.errors import ContractError
from contracts.messages import Alert, Feedback, FrameDetections, FrameTracks, Message
from contracts.model_reports import ModelReport
from contracts.people import PeopleCommand, Sighting
from stream.jobs.guard import Guard
from stream.jobs.kafka import OFFSET, PARTITION, TOPIC, VALUE, bytes_type
from stream.jobs.process import ProcessSettings, opened

KINDS: dict[str, type[Message]] = {
    topics.DETECTIONS: FrameDetections,
    topics.EDGE_STATUS: EdgeStatus,
    topics.CONTROLS: Control,
    topics.TRACKS: FrameTracks,
    topics.MODEL_REPORTS: ModelReport,
    topics.ALERTS: Alert,
    topics.FEEDBACK: Feedback,
    topics.SIGHTINGS: Sighting,
    topics.PEOPLE_COMMANDS: PeopleCommand,
}


def sorted_type() -> TypeInformation:
    """Row(key "camera|lane" or the site, value, topic, partition, offset)."""
    return Types.ROW([Types.STRING(), bytes_type(), Types.STRING(), Types.INT(), Types.LONG()])


class Sort(ProcessFunction):
    """Decodes each record as what its topic carries, and gives it the key by which state is kept.

    A bad record of the topics `theirs` is passed over: another part reads them too and makes the dead letter.
    """

    def __init__(self, source: str, prefix: str, settings: ProcessSettings, *, theirs: Collection[str] = ()) -> None:
        self._source = source
        self._prefix = prefix
        self._settings = settings
        self._theirs = frozenset(theirs)

    def open(self, context: Any) -> None:
        self._guard = Guard(self._source, opened(self._settings, context, self._source).metrics)

    def process_element(self, value: Row, _context: Any) -> Iterator[Any]:
        topic = value[TOPIC].removeprefix(self._prefix)
        return self._guard.handle(value, self._sort_good if topic in self._theirs else self._sort)

    def _sort(self, record: Row) -> Iterator[Row]:
        topic = record[TOPIC].removeprefix(self._prefix)
        if record[VALUE] is None:
            raise ContractError("no value: removals are messages of their own")
        message = decode(record[VALUE], KINDS[topic])
        yield Row(_key(message), record[VALUE], topic, record[PARTITION], record[OFFSET])

    def _sort_good(self, record: Row) -> Iterator[Row]:
        with contextlib.suppress(ContractError):
            yield from self._sort(record)


def _key(message: Message) -> str:
    match message:
        case FrameDetections() | FrameTracks():
            return f"{message.camera}|{message.lane}"
        case EdgeStatus():
            return f"{message.camera}|live"
        case Sighting() | PeopleCommand() | ModelReport() | Alert() | Feedback():
            return message.site
        case _:
            return ""
