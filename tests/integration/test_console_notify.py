"""Notifications of a console that is killed while alerts flow: each alert is told, at least once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from confluent_kafka import Producer

from bus.admin import create_topics
from console.notify.signing import verify
from contracts import topics
from contracts.codec import encode
from tests.console_process import CONFIG, ConsoleProcess
from tests.console_tools import alert_of
from tests.receivers import http_receiver
from tests.waiting import wait_until
from vedette.broker import Broker, BrokerConfig

pytestmark = pytest.mark.broker
KILLS, ALERTS = 4, 25
SECRET = "hook-secret-of-the-test"
CHANNELS = """
console:
  notifications:
    channels:
      hook: {kind: webhook, url: "URL/hook", secret: "{HOOK}", max_per_minute: 10000}
      away: {kind: webhook, url: "http://127.0.0.1:9/{HOOK}", secret: "{HOOK}"}
    routes:
      - {channels: [away, hook], group_s: 0, cooldown_s: 0}
"""


def test_killed_while_alerts_flow_every_alert_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", SECRET)
    with Broker(BrokerConfig(tmp_path / "kafka", heap_mb=256)) as broker, http_receiver() as receiver:
        create_topics(broker.bootstrap, topics.specs("home", 2))
        console = ConsoleProcess(tmp_path, broker.bootstrap, CONFIG + CHANNELS.replace("URL", receiver.url))
        console.start()
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        for number in range(KILLS * ALERTS):
            now_ms = time.time_ns() // 1_000_000
            producer.produce(topics.ALERTS, encode(alert_of(number, started_at_ms=now_ms)), "gate")
            producer.poll(0)
            time.sleep(0.02)
            if number % ALERTS == ALERTS // 2:
                console.kill()
                console.start()
        producer.flush(10)
        wanted = {f"alert-{number}" for number in range(KILLS * ALERTS)}
        got = receiver.got
        wait_until(lambda: {one["id"] for each in list(got) for one in each.json()["data"]["alerts"]} == wanted, 60)
        assert console.stop() == 0, console.log
        now_ms = time.time_ns() // 1_000_000
        assert all(verify(SECRET, one.headers, one.body, now_ms) for one in got)
        # Again is only what was on its way at a kill, and then with the id that it had.
        assert len({one.headers["webhook-id"] for one in got}) == len(wanted)
        assert len(got) <= len(wanted) + KILLS
        assert "channel away" in console.log
        assert SECRET not in Path(tmp_path / "console.log").read_text()
