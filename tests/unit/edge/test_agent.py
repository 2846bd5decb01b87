"""The agent ends when a camera can't be brought back otherwise, so that it is started again."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from contracts.config import Input
from contracts.config_file import parse
from edge import agent as module
from edge import watched
from edge.agent import Agent, AgentError, Options
from edge.reader import Reader

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
