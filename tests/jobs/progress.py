"""How far the jobs have come, for the message of a test that waited in vain: who read what, and what was refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from bus.reader import Reader
from bus.settings import Aside, settings
from contracts import topics
from contracts.codec import decode
from contracts.errors import ContractError, VedetteError
from contracts.messages import DeadLetter

ANSWER_S = 10.0
TELLING = (
    "Restoring state for",
    "Discovered new partitions",
    "Assigning splits to readers",
    "Adding split(s) to reader",
    "Starting split fetcher",
    "are passed over",
)
"""What Flink's log says of a source's partitions (found, given to readers, restored), and of what is not used."""


def progress(bootstrap: str, flink_log: Path) -> str:
    """Lines of text; where the broker doesn't answer, that it doesn't."""
    try:
        told = [*_read(bootstrap), *_refused(bootstrap)]
    except (KafkaException, VedetteError) as error:
        told = [f"the broker doesn't answer: {error}"]
    return "\n".join([*told, *_logged(flink_log)])


def _read(bootstrap: str) -> Iterator[str]:
    """Of each partition that holds something its end, and up to where each group has committed it."""
    admin = AdminClient(settings(bootstrap, Aside()))
    held = [
        TopicPartition(topic.topic, number)
        for topic in admin.list_topics(timeout=ANSWER_S).topics.values()
        for number in topic.partitions
        if not topic.topic.startswith("__")
    ]
    asked = admin.list_offsets({place: OffsetSpec.latest() for place in held})
    ends = {(place.topic, place.partition): answer.result(ANSWER_S).offset for place, answer in asked.items()}
    committed = dict(_committed(admin))
    for (topic, number), end in sorted(ends.items()):
        if end:
            by = {group: places[topic, number] for group, places in committed.items() if (topic, number) in places}
            yield f"{topic}[{number}] ends at {end}, read by " + (
                ", ".join(f"{group} to {offset}" for group, offset in sorted(by.items())) or "no job"
            )


def _committed(admin: AdminClient) -> Iterator[tuple[str, dict[tuple[str, int], int]]]:
    """Of each group the places that Flink commits with each checkpoint."""
    for group in admin.list_consumer_groups(request_timeout=ANSWER_S).result(ANSWER_S).valid:
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group.group_id)])
        places = asked[group.group_id].result(ANSWER_S).topic_partitions or ()
        yield group.group_id, {(place.topic, place.partition): place.offset for place in places}


def _refused(bootstrap: str) -> Iterator[str]:
    with Reader(bootstrap, topics.DEAD_LETTERS) as reader:
        for record in reader.held():
            with contextlib.suppress(ContractError):
                letter = decode(record.value or b"", DeadLetter)
                yield f"refused by {letter.source}: {letter.topic}[{letter.partition}] {letter.offset}: {letter.reason}"


def _logged(flink_log: Path) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError):
        for line in flink_log.read_text(errors="replace").splitlines():
            if any(words in line for words in TELLING):
                yield line[:1000]
