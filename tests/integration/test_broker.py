"""The real broker: its data outlive stops and crashes, nothing is left behind, topics become what their specs say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from bus.admin import create_topics, topic_names
from bus.producer import BY_KEY, KafkaLink
from bus.reader import Reader
from bus.settings import Aside, settings
from contracts.topics import MAX_MESSAGE_BYTES, TopicSpec, specs
from tests.kafka_tools import Writer
from vedette.broker import Broker, BrokerConfig, BrokerError

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

OWNER = """
import sys
from pathlib import Path
from tests.kafka_tools import Writer
from vedette.broker import Broker, BrokerConfig
broker = Broker(BrokerConfig(Path(sys.argv[1]), heap_mb=256))
broker.start()
print(broker.pid, flush=True)
sys.stdin.read()
"""


def state_dir(broker: Broker) -> Path:
    return broker.log_file.parent.parent


def send(broker: Broker, topic: str, *values: bytes) -> None:
    with Writer(broker.bootstrap) as writer:
        for value in values:
            writer.send(topic, value)


def receive(broker: Broker, topic: str) -> list[bytes | None]:
    """Every value of the topic's only partition."""
    with Reader(broker.bootstrap, topic) as reader:
        return [record.value for record in reader.held()]


def test_data_outlive_a_stop_and_a_crash(broker: Broker) -> None:
    """On the same port, so that clients find it again; with the largest picture that a topic takes."""
    name = "outlive"
    create_topics(broker.bootstrap, [TopicSpec(name, 1, {"max.message.bytes": str(MAX_MESSAGE_BYTES)})])
    picture = os.urandom(MAX_MESSAGE_BYTES - 1024)
    bootstrap = broker.bootstrap
    send(broker, name, b"first", picture)

    began = time.monotonic()
    broker.stop()
    assert time.monotonic() - began < 10
    assert broker.pid is None
    broker.start()
    assert broker.bootstrap == bootstrap
    send(broker, name, b"after the stop")

    broker.kill()
    assert broker.pid is None
    broker.start()
    assert broker.bootstrap == bootstrap
    assert receive(broker, name) == [b"first", picture, b"after the stop"]


def test_topics_become_what_their_specs_say(broker: Broker) -> None:
    wanted = specs("topics-test", 2)
    assert create_topics(broker.bootstrap, wanted)
    assert create_topics(broker.bootstrap, wanted) == ()
    changed = TopicSpec("frames.topics-test", 3, {"retention.ms": "1234567"})
    assert create_topics(broker.bootstrap, [changed]) == ()

    assert {spec.name for spec in wanted} <= topic_names(broker.bootstrap)
    admin = AdminClient(settings(broker.bootstrap, Aside()))
    assert len(admin.list_topics(changed.name, timeout=5).topics[changed.name].partitions) == 3
    (config,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, changed.name)]).values()
    assert config.result(5)["retention.ms"].value == "1234567"
    assert config.result(5)["max.message.bytes"].value == str(MAX_MESSAGE_BYTES)  # what a spec doesn't name stays


def test_no_topic_makes_itself(broker: Broker) -> None:
    link, failed = KafkaLink(broker.bootstrap), []
    link.send("misspelt", "k", b"x", partition=BY_KEY, timestamp_ms=1, acked=print, failed=failed.append)
    link.close(1.0)
    link._thread.join(10)
    assert len(failed) == 1
    assert "misspelt" not in topic_names(broker.bootstrap)


def test_it_listens_on_this_machine_only(broker: Broker) -> None:
    listening = [
        connection.laddr.ip.removeprefix("::ffff:")
        for connection in psutil.Process(broker.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 2
    assert set(listening) == {"127.0.0.1"}


def test_a_second_owner_is_refused(broker: Broker) -> None:
    with pytest.raises(BrokerError, match="in use by process"):
        Broker(BrokerConfig(state_dir(broker))).start()
    assert broker.pid is not None


def test_one_that_hangs_is_killed_and_one_that_can_not_start_says_why(broker: Broker) -> None:
    """Here its data are damaged; then, mended, the same folder starts."""
    assert broker.pid is not None
    pid, began = broker.pid, time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    broker.stop()
    assert time.monotonic() - began < 10
    assert not psutil.pid_exists(pid)

    meta = state_dir(broker) / "data" / "meta.properties"
    right = meta.read_text()
    meta.write_text(right.replace("node.id=1", "node.id=7"))
    with pytest.raises(BrokerError, match=r"ended with code 1[\s\S]*node"):
        broker.start()
    assert broker.pid is None
    meta.write_text(right)
    broker.start()
    assert broker.pid is not None


def test_the_broker_of_a_killed_owner_is_replaced(tmp_path: Path) -> None:
    """The owner's first start had been cut short while it formatted: that is done again."""
    folder = tmp_path / "kafka"
    (folder / "data.unfinished").mkdir(parents=True)
    (folder / "data.unfinished" / "meta.properties").write_text("half")
    command = [sys.executable, "-c", OWNER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        orphan = int(owner.stdout.readline())
        owner.kill()
    assert not (folder / "data.unfinished").exists()
    assert psutil.pid_exists(orphan)
    with Broker(BrokerConfig(folder, heap_mb=256)) as broker:
        assert not psutil.pid_exists(orphan)
        assert broker.pid is not None
