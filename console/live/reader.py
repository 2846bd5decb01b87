"""Reads live pictures, tracks and the agents' words from the end of their topics, in one thread.

No consumer group and no offsets: what was missed is not live any more. Pictures are read only while somebody watches.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from confluent_kafka import OFFSET_END, Consumer, KafkaException, Message, TopicPartition

from bus.follower import Follower
from bus.settings import Aside, settings
from console.live.fleet import Fleet
from console.live.wall import Wall
from console.worker import Worker
from contracts import codec, topics
from contracts.edge_messages import EdgeStatus
from contracts.errors import ContractError
from contracts.messages import Frame, FrameRef, FrameTracks

log = logging.getLogger(__name__)

POLL_S = 0.05
RETRY_S = 1.0
ENDS_WITHIN_S = 2.0
LINGER_S = 10.0
"""How long pictures go on being read when the last watcher went: changing pages is no reason to begin anew."""


class LiveReader(Worker):
    """The thread; `start` and `stop` it, and with it `beside`. `watch` counts who looks at pictures."""

    def __init__(
        self,
        bootstrap: str,
        site: str,
        wall: Wall,
        fleet: Fleet,
        clock_ms: Callable[[], int],
        beside: Follower | None = None,
    ) -> None:
        super().__init__("live", ENDS_WITHIN_S)
        self._bootstrap, self._site = bootstrap, site
        self._wall, self._fleet = wall, fleet
        self._clock_ms = clock_ms
        self._beside = beside
        self._kinds: dict[str, type[Frame] | type[FrameTracks] | type[EdgeStatus]] = {
            topics.frames(site): Frame,
            topics.TRACKS: FrameTracks,
            topics.EDGE_STATUS: EdgeStatus,
        }
        self._watchers = 0
        self._left_at_ms = 0
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to read."""
        super().start()
        if self._beside is not None:
            self._beside.begin()

    def stop(self) -> None:
        """End within seconds."""
        super().stop()
        if self._beside is not None:
            self._beside.stop()

    def watch(self) -> None:
        """Somebody looks at pictures from now on; `leave` when they no longer do."""
        with self._lock:
            self._watchers += 1

    def leave(self) -> None:
        """One fewer looks."""
        with self._lock:
            self._watchers -= 1
            self._left_at_ms = self._clock_ms()

    def _wanted(self) -> frozenset[str]:
        with self._lock:
            lingering = self._clock_ms() - self._left_at_ms < LINGER_S * 1000
            watched = self._watchers > 0 or lingering
        return frozenset(self._kinds) if watched else frozenset({topics.EDGE_STATUS})

    def _run(self) -> None:
        aside = Aside()
        group = {"group.id": "vedette-live", "enable.auto.commit": False, "fetch.wait.max.ms": 20}
        consumer = Consumer(settings(self._bootstrap, aside) | group)
        reading: frozenset[str] = frozenset()
        try:
            while not self._stop.is_set():
                try:
                    wanted = self._wanted()
                    if wanted != reading:
                        consumer.assign(_ends(consumer, wanted))
                        reading = wanted
                    message = consumer.poll(POLL_S)
                except KafkaException as error:
                    log.debug("live pictures wait for the broker: %s", aside.text or error)
                    reading = frozenset()
                    self._stop.wait(RETRY_S)
                    continue
                if message is not None and message.error() is None:
                    self._take(message)
        finally:
            consumer.close()

    def _take(self, message: Message) -> None:
        topic, value = message.topic(), message.value()
        if topic is None or value is None:
            return
        try:
            decoded = codec.decode(value, self._kinds[topic])
        except ContractError:
            return  # the jobs make a dead letter of it; a wall has nothing to show for it
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        if decoded.site != self._site:
            return  # one topic has the words and tracks of all sites
        if isinstance(decoded, EdgeStatus):
            self._fleet.take(decoded, self._clock_ms())
        self._wall.take(decoded, self._clock_ms(), FrameRef(topic, partition, offset))


def _ends(consumer: Consumer, names: frozenset[str]) -> list[TopicPartition]:
    known = consumer.list_topics(timeout=5.0).topics
    return [
        TopicPartition(name, partition, OFFSET_END)
        for name in sorted(names)
        if name in known
        for partition in known[name].partitions
    ]
