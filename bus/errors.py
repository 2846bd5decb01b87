"""What can go wrong with the broker.

BusError (a VedetteError)    the broker is away, or said no
├── NoTopicError             it has no such topic or partition
├── GoneError                the record was deleted
└── RefusedError             about one record: it was not written and never will be as it is
    └── WrongClockError      its timestamp is too far from the broker's time
"""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from contracts.errors import VedetteError


class BusError(VedetteError):
    """The broker can't be reached or doesn't do what it is asked."""


class NoTopicError(BusError):
    """The broker has no such topic, or the topic no such partition."""


class GoneError(BusError):
    """The record is not in the log any more, or not yet."""


class RefusedError(BusError):
    """The broker will never take this record as it is; the connection is well."""


class WrongClockError(RefusedError):
    """The record's timestamp is not one that the broker takes now."""


_KINDS: dict[int, type[BusError]] = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: NoTopicError,
    KafkaError.OFFSET_OUT_OF_RANGE: GoneError,
    KafkaError._AUTO_OFFSET_RESET: GoneError,
    KafkaError.MSG_SIZE_TOO_LARGE: RefusedError,
    KafkaError.RECORD_LIST_TOO_LARGE: RefusedError,
    KafkaError.INVALID_TIMESTAMP: WrongClockError,
    # How librdkafka reports that only some records of a batch have a wrong timestamp (no other of the broker's checks
    # can fail for what we write): these ones, and the others, which were not written either.
    KafkaError.INVALID_RECORD: WrongClockError,
    KafkaError._INVALID_DIFFERENT_RECORD: WrongClockError,
}


def bus_error(error: object, *, reason: str = "") -> BusError:
    """An error of the library as ours; `reason` is what it said aside."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    if not isinstance(cause, KafkaError):
        return BusError(str(cause))
    text = f"{cause.str()}: {reason}" if reason else cause.str()
    return _KINDS.get(cause.code(), BusError)(text)
