"""An agent ends when a camera can't be brought back otherwise, and reads the cameras that are its own by now."""

from __future__ import annotations

import itertools
import json
import threading
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from contracts.config import Config, Input
from contracts.config_file import load, parse
from contracts.slots import slots
from edge import agent as module
from edge import watched
from edge.agent import Agent, AgentError, Options
from edge.config_watch import ConfigWatch
from edge.reader import Reader
from tests.edge_broker import Broker
from tests.edge_tools import write_clip
from tests.waiting import wait_until

CONFIG = {"cameras": {"gate": {"inputs": [{"url": "rtsp://host/x"}]}}, "edge": {"metrics_port": 0}}


def test_it_ends_with_the_camera_s_name_when_too_many_reads_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, reading = threading.Event(), threading.Event()

    def hang(source: Input, url: str) -> None:
        reading.set()
        release.wait(30)

    monkeypatch.setattr(module, "OpenCvCapture", hang)
    monkeypatch.setattr(module, "CONNECT_S", 0.1)
    monkeypatch.setattr(watched, "MAX_HANGING", 1)
    monkeypatch.setattr(Reader, "hung", property(lambda reader: reading.is_set()))  # its time-outs are 35 s
    options = Options(
        bootstrap="127.0.0.1:9", state=tmp_path, name="a", secrets={}, now_ms=lambda: 1_700_000_000_000, metrics_port=0
    )
    agent = Agent(parse(json.dumps(CONFIG)), options, CollectorRegistry())
    stop = threading.Event()
    timer = threading.Timer(20, stop.set)
    timer.start()
    try:
        with pytest.raises(AgentError, match=r"camera gate: 2 reads hang, .*; the agent ends to be started again"):
            agent.run(stop)
    finally:
        timer.cancel()
        release.set()


SHARED = """
edge: {{metrics_port: 0}}
cameras:
  gate: {{inputs: [{{url: {clip}, loop: true}}], agent: {gate}}}
  hall: {{inputs: [{{url: {clip}, loop: true}}], agent: bridge}}
"""


def test_a_camera_goes_to_another_agent_as_the_file_says_while_both_run(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", 50)
    file = tmp_path / "site.yaml"
    file.write_text(SHARED.format(clip=clip, gate="box"))
    stop, threads, read = threading.Event(), [], {}
    for name in ("box", "bridge"):
        config, read[name] = load(file), CollectorRegistry()
        options = Options(
            bootstrap="127.0.0.1:9", state=tmp_path / name, name=name, secrets={}, metrics_port=0,
            now_ms=lambda: time.time_ns() // 1_000_000, news=ConfigWatch(file, config).news,
        )  # fmt: skip
        threads.append(threading.Thread(target=Agent(config, options, read[name]).run, args=(stop,)))

    def reading(name: str) -> set[str]:
        cameras = ("gate", "hall")
        return {one for one in cameras if read[name].get_sample_value("vedette_camera_up", {"camera": one}) == 1}

    def session(name: str) -> int:
        kept = json.loads((tmp_path / name / "sessions.json").read_bytes())
        return int(kept["gate"]["session"])

    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: (reading("box"), reading("bridge")) == ({"gate"}, {"hall"}), 20, "each reads its own")
        file.write_text("cameras: {gate: {inputs: [{url: x}], agent: [}}")  # somebody's editor
        file.write_text(SHARED.format(clip=clip, gate="bridge"))
        wait_until(lambda: (reading("box"), reading("bridge")) == (set(), {"gate", "hall"}), 20, "one reads both")
        assert session("bridge") > session("box")
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


def test_a_camera_that_comes_moves_none_of_those_that_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, stop, broker = write_clip(tmp_path / "clip.avi", 50), threading.Event(), Broker()
    broker.clock_ms = time.time_ns() // 1_000_000
    monkeypatch.setattr(module, "KafkaLink", lambda bootstrap: broker.connect())

    def site(*names: str) -> Config:
        cameras = {name: {"inputs": [{"url": str(clip), "loop": True}]} for name in names}
        return parse(json.dumps({"edge": {"metrics_port": 0}, "cameras": cameras}))

    def sent() -> list[tuple[str, int]]:
        topics = [list(broker.topics.get(name, ())) for name in ("frames.site", "frames-late.site")]
        return [(camera, partition) for camera, partition, *_ in itertools.chain(*topics)]

    def partitions() -> dict[str, set[int]]:
        return {name: {partition for camera, partition in sent() if camera == name} for name, _ in sent()}

    few, more = site("gate", "hall", "yard"), site("gate", "hall", "yard", "quay")
    assert slots(few)["yard"] % 2 != slots(more)["yard"] % 2  # else this test could not fail
    news = [more]
    options = Options(
        bootstrap="127.0.0.1:9", state=tmp_path / "state", name="a", secrets={}, metrics_port=0,
        now_ms=lambda: time.time_ns() // 1_000_000,
        news=lambda: news.pop() if news and len(partitions()) == 3 else None,
    )  # fmt: skip
    thread = threading.Thread(target=Agent(few, options, CollectorRegistry()).run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: "quay" in partitions(), 40, "the new one is read")
        seen = len(sent())
        wait_until(lambda: len(sent()) > seen + 40, 40, "all go on")
    finally:
        stop.set()
        thread.join(10)
    assert {name: len(found) for name, found in partitions().items()} == dict.fromkeys(more.cameras, 1)


def test_a_camera_that_was_moved_and_moved_back_between_starts_is_ahead_of_who_had_it_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_S", 0.1)
    clip, stop = write_clip(tmp_path / "clip.avi", 2), threading.Event()
    stop.set()

    def session(name: str, owner: str, at_ms: int) -> int:
        options = Options(
            bootstrap="127.0.0.1:9", state=tmp_path / name, name=name, secrets={}, now_ms=lambda: at_ms, metrics_port=0
        )
        Agent(parse(SHARED.format(clip=clip, gate=owner)), options, CollectorRegistry()).run(stop)
        return int(json.loads((tmp_path / name / "sessions.json").read_bytes())["gate"]["session"])

    session("box", "box", 1_000)
    session("box", "bridge", 2_000)
    assert session("bridge", "bridge", 2_000) == 2_000
    assert session("box", "box", 3_000) == 3_000
