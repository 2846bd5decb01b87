"""The broker's topics, made what their specs say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from bus.errors import BusError, bus_error
from bus.settings import ANSWER_S, Aside, settings
from contracts.topics import TopicSpec

POLL_S = 0.1


def answers(bootstrap: str, timeout_s: float) -> bool:
    """Whether a client gets the cluster's metadata within that time."""
    try:
        return bool(AdminClient(settings(bootstrap, Aside())).list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return False


def topic_names(bootstrap: str) -> set[str]:
    """The topics that the broker has; raises BusError."""
    return set(_existing(AdminClient(settings(bootstrap, Aside()))))


def create_topics(bootstrap: str, specs: Iterable[TopicSpec]) -> tuple[str, ...]:
    """Make the broker's topics what `specs` say, and return the names of those that were new.

    An existing topic gets the spec's config and, where it has fewer, its partitions (Kafka can't take any away).
    Raises BusError.
    """
    wanted = {spec.name: spec for spec in specs}
    admin = AdminClient(settings(bootstrap, Aside()))
    existing = _existing(admin)
    new = [spec for spec in wanted.values() if spec.name not in existing]
    grown = [spec for spec in wanted.values() if existing.get(spec.name, spec.partitions) < spec.partitions]
    kept = [spec for spec in wanted.values() if spec.name in existing and spec.config]
    _do(admin.create_topics, [NewTopic(spec.name, spec.partitions, 1, config=spec.config) for spec in new])
    _do(admin.create_partitions, [NewPartitions(spec.name, spec.partitions) for spec in grown])
    _do(admin.incremental_alter_configs, [_config(spec) for spec in kept])
    _wait_for(admin, [*new, *grown])
    return tuple(spec.name for spec in new)


def _existing(admin: AdminClient) -> dict[str, int]:
    """The number of partitions of every topic."""
    try:
        topics = admin.list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        raise bus_error(error) from error
    return {name: len(topic.partitions) for name, topic in topics.items()}


def _do(what: Callable[[Any], dict[Any, Future[Any]]], things: Sequence[Any]) -> None:
    if not things:
        return
    for future in what(things).values():
        try:
            future.result(ANSWER_S)
        except KafkaException as error:
            raise bus_error(error) from error


def _config(spec: TopicSpec) -> ConfigResource:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in spec.config.items()
    ]
    return ConfigResource(ResourceType.TOPIC, spec.name, incremental_configs=entries)


def _wait_for(admin: AdminClient, specs: Sequence[TopicSpec]) -> None:
    """The controller answers before the broker has the new partitions: who asks at once would not see them."""
    deadline = time.monotonic() + ANSWER_S
    while True:
        there = _existing(admin)
        missing = [spec.name for spec in specs if there.get(spec.name, 0) < spec.partitions]
        if not missing:
            return
        if time.monotonic() > deadline:
            raise BusError(f"the broker did not make the partitions of {', '.join(missing)} within {ANSWER_S:g} s")
        time.sleep(POLL_S)
