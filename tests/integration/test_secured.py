"""TLS and access lists: agent and jobs work, each with the least rights; a stolen agent's key opens little."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml
from confluent_kafka import KafkaError, Producer

from bus.admin import answers, create_topics
from bus.errors import BusError
from bus.reader import Reader
from bus.settings import Aside, settings
from contracts import topics
from contracts.access import agent_user
from contracts.broker import BrokerAddress
from contracts.controls import Budget, EdgeControl
from contracts.messages import Alert, Frame
from tests.builders import DATA, manifest_of, solid
from tests.edge_tools import RunningAgent, records_of, write_clip
from tests.enrolment_site import ADA, LIFE_S, enrolment_site
from tests.jobs.world import CELL_H, CELL_W, CONFIG, HEIGHT, LABELS, RED, WIDTH
from tests.secure_broker import SecureBroker
from tests.waiting import wait_until
from vedette.jars import flink_connector_jar
from vedette.java import child_environment, find_java

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(600)]

SITE, AGENT = "site", "agent-site"
FRAMES, FRAMES_LATE = topics.frames(SITE), topics.frames_late(SITE)
JOBS = ("detect", "decide", "analytics")


def _visitor(index: int) -> np.ndarray:
    """Somebody stands in the left zone for two of every four seconds."""
    picture = solid(WIDTH, HEIGHT)
    if index % 40 < 20:
        picture[CELL_H : 2 * CELL_H, :CELL_W] = RED
    return picture


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    with SecureBroker(tmp_path_factory.mktemp("secured")) as broker:
        create_topics(broker.bootstrap, (*topics.specs(SITE, 2), *topics.specs("other", 2)[:2]))
        broker.allow(SITE, ["north"])
        yield broker


def _config(folder: Path) -> tuple[Path, Path]:
    """The site's config with one camera on a generated clip, and the detector's manifest."""
    clip = write_clip(folder / "visitor.avi", 40, picture=_visitor)
    manifest = manifest_of(DATA / "bright_boxes.onnx", label_map=LABELS)
    (folder / manifest.file).write_bytes((DATA / manifest.file).read_bytes())
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    camera = {**CONFIG["cameras"]["gate"], "inputs": [{"url": str(clip), "loop": True}]}  # type: ignore[index]
    config = {**CONFIG, "cameras": {"gate": camera}, "edge": {"metrics_port": 0}}
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    return file, folder / "manifest.json"


@contextlib.contextmanager
def _job(name: str, config: Path, manifest: Path, bootstrap: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        *(sys.executable, "-m", "stream.jobs", f"--config={config}", f"--bootstrap={bootstrap}"),
        *(f"--state={config.parent / name}", f"--manifest={manifest}"),
        *(f"--connector-jar={flink_connector_jar()}", "--jobs", name),
    ]
    log = config.parent / f"{name}.log"
    surroundings = {**child_environment(find_java()), "FLINK_LOG_DIR": str(config.parent / f"{name}-logs")}
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=surroundings, stdout=out, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def test_agent_and_jobs_work_each_with_its_own_certificate(broker: SecureBroker, tmp_path: Path) -> None:
    config, manifest = _config(tmp_path)
    with contextlib.ExitStack() as running:
        running.enter_context(RunningAgent(config, broker.address(AGENT), tmp_path / "edge"))
        for job in JOBS:
            running.enter_context(_job(job, config, manifest, broker.address(job)))
        wait_until(lambda: records_of(broker.bootstrap, topics.ALERTS, Alert), 240, _logs(tmp_path))
        wait_until(lambda: _count(broker, topics.ANALYTICS), 120, _logs(tmp_path))
    (_, first), *_ = records_of(broker.bootstrap, topics.ALERTS, Alert)
    assert (first.rule, first.camera) == ("entry", "gate")
    (_, rate), *_ = records_of(broker.bootstrap, topics.EDGE_CONTROLS, EdgeControl)
    assert rate.change == Budget(camera="gate", share=1.0)
    assert _count(broker, topics.DEAD_LETTERS) == 0


def _count(broker: SecureBroker, topic: str) -> int:
    with Reader(broker.bootstrap, topic) as reader:
        return len(list(reader.held()))


def _logs(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace")[-1500:] for path in folder.glob("*.log"))


@pytest.mark.parametrize(
    "topic",
    [topics.frames(SITE), topics.frames("other"), topics.DETECTIONS, topics.ALERTS, topics.CONTROLS, topics.GALLERY],
)
def test_an_agents_key_reads_nothing_but_its_controls(broker: SecureBroker, topic: str) -> None:
    with pytest.raises(BusError), Reader(broker.address(AGENT), topic) as reader:
        list(reader.held())


def test_an_agents_key_reads_its_controls(broker: SecureBroker) -> None:
    there = records_of(broker.bootstrap, topics.EDGE_CONTROLS, EdgeControl)
    assert records_of(broker.address(AGENT), topics.EDGE_CONTROLS, EdgeControl) == there


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        (AGENT, topics.frames("other")),
        (AGENT, topics.DETECTIONS),
        (AGENT, topics.ALERTS),
        (AGENT, topics.EDGE_CONTROLS),
        ("detect", topics.ALERTS),
        ("detect", topics.frames(SITE)),
        ("decide", topics.CONTROLS),
        ("decide", topics.GALLERY),
        ("analytics", topics.TRACKS),
        ("stranger", topics.EDGE_STATUS),
    ],
)
def test_nobody_writes_what_is_not_theirs(broker: SecureBroker, user: str, topic: str) -> None:
    assert _written(broker.address(user), topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_an_agent_writes_its_own_frames(broker: SecureBroker) -> None:
    assert _written(broker.address(AGENT), topics.frames_late(SITE)) is None


def _written(bootstrap: str, topic: str) -> int | None:
    """What the broker says to one record: None when it took it, else the error's code."""
    told: list[KafkaError | None] = []
    producer = Producer({**settings(bootstrap, Aside()), "message.timeout.ms": 20_000})
    producer.produce(topic, b"x", b"gate", on_delivery=lambda error, _message: told.append(error))
    producer.flush(30)
    (error,) = told
    return None if error is None else int(error.code())


def test_without_a_certificate_nobody_is_answered(broker: SecureBroker) -> None:
    address = BrokerAddress.parse(broker.bootstrap)
    assert not answers(str(BrokerAddress(address.servers, address.ca)), 3)
    assert not answers(address.servers, 3)
    assert answers(broker.bootstrap, 10)


def test_an_agent_enrols_renews_while_it_publishes_and_is_out_when_it_is_taken_out(
    broker: SecureBroker, tmp_path: Path
) -> None:
    """One-time token, key of its own, a certificate of seconds; what it sent meanwhile is there, each frame, live."""
    _config(tmp_path)
    clip = str(tmp_path / "visitor.avi")
    camera = {**CONFIG["cameras"]["gate"], "inputs": [{"url": clip, "loop": True}]}  # type: ignore[index]
    with enrolment_site(tmp_path, broker, {**CONFIG, "cameras": {"gate": camera}}) as site:
        before = {lane: _count(broker, lane) for lane in (FRAMES, FRAMES_LATE)}
        enrolment = site.enrol()
        first = site.identity.certificate
        assert first.name == agent_user(SITE, "north")
        with RunningAgent(site.config, "", site.state, "--every-frame") as agent:
            wait_until(lambda: site.identity.certificate.serial != first.serial, 60, "a renewed certificate")
            at_ms = _now_ms()
            wait_until(lambda: _sent_since(broker, at_ms) > 20, 60, "frames over the new connection")
            site.parts.agents.revoke(ADA, "north")
            last = site.identity.certificate
            wait_until(lambda: "the certificate was not renewed" in agent.log(), 60, "a refusal")
            agent.end()
        assert agent.log().count("connected") >= 2
        sent = [frame.index for _, frame in records_of(broker.bootstrap, FRAMES, Frame)][before[FRAMES] :]
        assert sorted(set(sent)) == list(range(max(sent) + 1))
        assert _count(broker, FRAMES_LATE) == before[FRAMES_LATE]
        assert site.identity.certificate.serial == last.serial
        address = str(site.identity.address(enrolment))
        wait_until(lambda: _now_ms() > last.expires_at_ms, LIFE_S + 1, "the certificate's end")
        assert not answers(address, 3)
        site.enrol()
        assert _written(address, FRAMES_LATE) is None
        assert _written(address, topics.frames("other")) == KafkaError.TOPIC_AUTHORIZATION_FAILED
        broker.forbid(agent_user(SITE, "north"))
        assert _written(address, FRAMES_LATE) == KafkaError.TOPIC_AUTHORIZATION_FAILED


def _sent_since(broker: SecureBroker, at_ms: int) -> int:
    return sum(frame.captured_at_ms > at_ms for _, frame in records_of(broker.bootstrap, FRAMES, Frame))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
