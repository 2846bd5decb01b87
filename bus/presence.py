"""Waits until the broker is there and has the topics that are read."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from bus.settings import CONNECT_S, Aside, settings

log = logging.getLogger(__name__)

ASK_S = 0.1
SAY_S = 10.0
"""How often it says what it waits for."""


def wait_for_topics(bootstrap: str, topics: Collection[str], stop: threading.Event) -> bool:
    """Return True once the broker has all of them, False when `stop` was set before."""
    admin = AdminClient(settings(bootstrap, aside := Aside()))
    say_s = time.monotonic() + SAY_S
    while not stop.is_set():
        try:
            missing = set(topics) - set(admin.list_topics(timeout=CONNECT_S).topics)
            why = f"the topics {', '.join(sorted(missing))}"
        except KafkaException:
            admin.poll(0)  # what it has to say aside
            missing, why = set(topics), f"the broker {bootstrap}: {aside.text}"
        if not missing:
            return True
        if time.monotonic() >= say_s:
            say_s += SAY_S
            log.warning("waits for %s", why)
        stop.wait(ASK_S)
    return False
