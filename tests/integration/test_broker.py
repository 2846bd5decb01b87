"""The real broker: its data outlive stops and crashes, nothing is left behind, topics become what their specs say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError

from contracts.topics import MAX_MESSAGE_BYTES, TopicSpec, specs
from vedette.broker import Broker, BrokerConfig, BrokerError, create_topics

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

OWNER = """
import sys
from pathlib import Path
from vedette.broker import Broker, BrokerConfig
broker = Broker(BrokerConfig(Path(sys.argv[1]), heap_mb=256))
broker.start()
print(broker.pid, flush=True)
sys.stdin.read()
"""


def state_dir(broker: Broker) -> Path:
    return broker.log_file.parent.parent


def send(broker: Broker, topic: str, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, max_request_size=MAX_MESSAGE_BYTES, acks="all")
    for value in values:
        producer.send(topic, value)
    producer.flush()
    producer.close()


def receive(broker: Broker, topic: str) -> list[bytes]:
    """Every value of the topic's only partition."""
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, consumer_timeout_ms=10_000)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    values = []
    while consumer.position(partition) < end:
        values.append(next(consumer).value)
    consumer.close()
    return values


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

    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        assert {spec.name for spec in wanted} <= set(admin.list_topics())
        (frames,) = admin.describe_topics([changed.name])
        assert len(frames["partitions"]) == 3
        config = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, changed.name)])
        assert "1234567" in json.dumps(config, default=str)


def test_no_topic_makes_itself(broker: Broker) -> None:
    with (
        closing(KafkaProducer(bootstrap_servers=broker.bootstrap, max_block_ms=2_000)) as producer,
        pytest.raises(KafkaError),
    ):
        producer.send("misspelt", b"x").get(timeout=5)
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        assert "misspelt" not in admin.list_topics()


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
