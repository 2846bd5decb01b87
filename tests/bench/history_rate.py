"""What a frame costs the history where frames come in hundreds, as those of a large site do, out of a real broker."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from confluent_kafka import Producer
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from archive.history.keeper import Keeper
from archive.history.mirror import mirror_of
from archive.history.service import Service
from archive.letters import Letters
from bus.admin import create_topics
from bus.settings import Aside, settings
from contracts import topics
from contracts.codec import encode
from contracts.config import History
from contracts.metrics import Metrics
from tests.history_tools import AT_MS, thing, tracks
from vedette.broker import Broker, BrokerConfig

CAMERAS, FRAMES, OBJECTS = 1000, 40, 3
TRACK_FRAMES = 15
"""A track lasts so long: with three objects a frame, a row comes of five frames."""
PATIENCE_S = 120.0


def history_frame_s(folder: Path) -> float:
    """CPU seconds a frame, from topic to Parquet, of one process: its own and librdkafka's threads."""
    with Broker(BrokerConfig(folder / "broker")) as broker:
        create_topics(broker.bootstrap, topics.specs("home", 4))
        _fill(broker.bootstrap)
        measured, stop = Metrics(CollectorRegistry()), threading.Event()
        keeper = Keeper(mirror_of(History(), folder), measured, keep_days=30)
        letters = Letters(broker.bootstrap, "bench", measured, _now_ms)
        service = Service(broker.bootstrap, keeper, letters, write_every_s=2.0, clock=_now_ms, stop=stop)
        thread, began_s, used_s = threading.Thread(target=service.run), time.monotonic(), time.process_time()
        thread.start()
        while _read(keeper) < CAMERAS * FRAMES and time.monotonic() - began_s < PATIENCE_S:
            time.sleep(0.05)
        stop.set()
        thread.join()
        used_s = time.process_time() - used_s
        letters.close()
        keeper.close()
        return used_s / _read(keeper)


def _fill(bootstrap: str) -> None:
    producer, at_ms = Producer({**settings(bootstrap, Aside()), "linger.ms": 50}), _now_ms()
    for index in range(FRAMES):
        things = [
            replace(
                thing(10 * number + index // TRACK_FRAMES, x=20.0 + index + 40 * number, colours=("black", "blue")),
                first_seen_at_ms=AT_MS + 1000 * index,
            )
            for number in range(OBJECTS)
        ]
        for camera in range(CAMERAS):
            name = f"camera-{camera}"
            producer.produce(topics.TRACKS, encode(tracks(index, *things, camera=name, captured_at_ms=at_ms)), name)
            producer.poll(0)
    assert producer.flush(60) == 0


def _read(keeper: Keeper) -> int:
    return sum(offset for (topic, _), offset in keeper.places().items() if topic == topics.TRACKS)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
