"""The evidence process with a real broker: pictures for alerts, whatever is thrown at it or killed."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from archive.evidence import paths
from bus.admin import create_topics
from bus.reader import Reader
from bus.settings import Aside, settings
from contracts import topics
from contracts.codec import decode, encode
from contracts.messages import Alert, DeadLetter, Evidence, Frame, FrameRef
from tests.builders import jpeg_of
from tests.kafka_tools import Writer
from vedette.broker import Broker, BrokerConfig

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

CONFIG = """
site: {name: SITE}
cameras:
  gate:
    friendly_name: Gate
    inputs: [{url: clip.mp4}]
"""


class Site:
    """A site of its own on the broker, with its frames, alerts and evidence folder."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.name = f"ev-{uuid.uuid4().hex[:8]}"
        self.bootstrap = bootstrap
        self.state = folder
        self.root = folder / "evidence"
        self.config = folder / "vedette.yaml"
        self.config.write_text(CONFIG.replace("SITE", self.name))
        create_topics(bootstrap, topics.specs(self.name, 1, keep_forever=True))
        self.now_ms = time.time_ns() // 1_000_000
        self.writer = Writer(bootstrap)

    def frame(self, number: int, size: tuple[int, int] = (90, 160)) -> tuple[Frame, FrameRef]:
        """Put a picture of noise in the log; returns it and where it lies."""
        picture = np.random.default_rng(number).integers(0, 255, (*size, 3), np.uint8)
        jpeg = jpeg_of(picture)
        frame = Frame(
            site=self.name,
            camera="gate",
            session=1,
            index=number,
            captured_at_ms=self.now_ms + number,
            width=1280,
            height=720,
            detail=True,
            motion=0.5,
            sha256=hashlib.sha256(jpeg).hexdigest(),
            jpeg=jpeg,
        )
        topic = topics.frames(self.name)
        return frame, FrameRef(topic, *self.writer.put(topic, encode(frame), "gate"))

    def alert(self, frame: Frame, ref: FrameRef, revision: int = 1, **changes: Any) -> Alert:
        """Put an alert about a frame in the log."""
        values: dict[str, Any] = {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}/{frame.index}")),
            "revision": revision,
            "state": "new" if revision == 1 else "update",
            "site": self.name,
            "camera": "gate",
            "rule": "yard",
            "rule_version": 1,
            "kind": "zone_entry",
            "severity": "high",
            "started_at_ms": frame.captured_at_ms,
            "at_ms": frame.captured_at_ms + revision,
            "evidence": Evidence(
                ref=ref,
                captured_at_ms=frame.captured_at_ms,
                width=1280,
                height=720,
                xyxy=(100.0, 100.0, 300.0, 500.0),
                confidence=0.8,
                detail=True,
            ),
        }
        alert = Alert(**(values | changes))
        self.raw(encode(alert))
        return alert

    def raw(self, value: bytes) -> None:
        """Put anything on `alerts`."""
        self.writer.put(topics.ALERTS, value, "gate")

    def has(self, alert: Alert, *names: str) -> bool:
        """Whether the alert's folder holds exactly these files and its revision."""
        folder = paths.alert_folder(self.root, alert)
        if not (folder / paths.ALERT).exists() or {path.name for path in folder.iterdir()} != set(names):
            return False
        return decode((folder / paths.ALERT).read_bytes(), Alert).revision == alert.revision

    def letters(self) -> list[DeadLetter]:
        """All dead letters so far."""
        with Reader(self.bootstrap, topics.DEAD_LETTERS) as reader:
            return [decode(record.value or b"", DeadLetter) for record in reader.held()]

    @contextmanager
    def process(self) -> Iterator[subprocess.Popen[bytes]]:
        """The evidence process, ended at the latest when the block is."""
        command = [sys.executable, "-W", "ignore", "-m", "archive.evidence", "--config", str(self.config)]
        started = subprocess.Popen([*command, "--bootstrap", self.bootstrap, "--state", str(self.state)])
        try:
            yield started
        finally:
            if started.poll() is None:
                started.kill()
            started.wait()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this file's own, as one of the tests stops it."""
    with Broker(BrokerConfig(tmp_path_factory.mktemp("broker"), heap_mb=256)) as started:
        yield started


@pytest.fixture
def site(broker: Broker, tmp_path: Path) -> Site:
    return Site(broker.bootstrap, tmp_path)


PICTURES = (paths.FRAME, paths.SNAPSHOT, paths.SEEN, paths.ALERT)


def until(true: Callable[[], bool], timeout_s: float = 40) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)


def ended_in_s(process: subprocess.Popen[bytes]) -> float:
    """Send SIGTERM; returns how long the end took."""
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    return time.monotonic() - start


def test_good_alerts_get_pictures_and_the_rest_is_accounted_for(site: Site) -> None:
    gone_frame, gone_ref = site.frame(0)
    first, first_ref = site.frame(1)
    large, large_ref = site.frame(2, (1080, 1920))  # 2.6 MB: more than Kafka's own 1 MB
    admin = AdminClient(settings(site.bootstrap, Aside()))
    (deleted,) = admin.delete_records([TopicPartition(gone_ref.topic, 0, 1)]).values()
    deleted.result(10)

    gone = site.alert(gone_frame, gone_ref)
    bad = os.urandom(100)
    site.raw(bad)
    good = site.alert(first, first_ref)
    outside = encode(good).replace(b'"camera":"gate"', b'"camera":"../../../x"')
    site.raw(outside)
    not_yet = site.alert(large, FrameRef(large_ref.topic, 0, 999))
    other = site.alert(large, first_ref, id="other")
    wide = site.alert(large, large_ref, id="wide")
    with site.process() as process:
        until(lambda: site.has(wide, *PICTURES))
        assert site.has(good, *PICTURES)
        for missed in (gone, not_yet, other):
            assert site.has(missed, paths.ALERT, paths.MISSED)
        assert ended_in_s(process) < 3
        assert process.returncode == 0
    folder = paths.alert_folder(site.root, good)
    assert (folder / paths.FRAME).read_bytes() == first.jpeg
    assert cv2.imread(str(folder / paths.SNAPSHOT)).shape[1] == 160
    reasons = [
        re.search(rb'"reason": "(\w+)"', (paths.alert_folder(site.root, a) / paths.MISSED).read_bytes())
        for a in (gone, not_yet, other)
    ]
    assert [found and found[1] for found in reasons] == [b"retention", b"no_frame", b"other_frame"]
    letters = {letter.payload: letter.reason for letter in site.letters() if letter.source == "evidence"}
    assert letters[bad].startswith("no Alert")
    assert "camera" in letters[outside]
    assert not list(site.state.parent.rglob("x/*"))


def test_an_update_comes_to_the_folder_of_its_alert(site: Site) -> None:
    frame, ref = site.frame(1)
    with site.process() as process:
        first = site.alert(frame, ref)
        until(lambda: site.has(first, *PICTURES))
        ended = site.alert(frame, ref, revision=2, state="end", end_reason="left")
        until(lambda: site.has(ended, *PICTURES))
        assert ended_in_s(process) < 3


def test_killed_in_the_middle_it_goes_on_and_nothing_is_missing(site: Site) -> None:
    frames = [site.frame(number) for number in range(150)]
    alerts = [site.alert(*one) for one in frames]
    for share in (0.2, 0.6):
        with site.process() as process:
            until(lambda share=share: len(list(site.root.rglob(paths.ALERT))) > share * len(alerts))
            process.kill()
    with site.process() as process:
        until(lambda: all(site.has(alert, *PICTURES) for alert in alerts))
        assert ended_in_s(process) < 3
    for (frame, _), alert in zip(frames, alerts, strict=True):
        assert (paths.alert_folder(site.root, alert) / paths.FRAME).read_bytes() == frame.jpeg


def test_it_ends_and_it_waits_while_the_broker_is_away(broker: Broker, site: Site) -> None:
    frame, ref = site.frame(1)
    with site.process() as process:
        first = site.alert(frame, ref)
        until(lambda: site.has(first, *PICTURES))
        broker.stop()
        try:
            time.sleep(2)
            assert process.poll() is None
            with site.process() as other:
                time.sleep(2)
                assert other.poll() is None
                assert ended_in_s(other) < 3
        finally:
            broker.start()
        later = site.alert(*site.frame(2))
        until(lambda: site.has(later, *PICTURES))
        broker.stop()
        try:
            assert ended_in_s(process) < 3
        finally:
            broker.start()


def test_a_wrong_config_ends_with_code_2_and_its_path(tmp_path: Path) -> None:
    config = tmp_path / "vedette.yaml"
    config.write_text("cameras: {gate: {inputs: []}}")
    command = [sys.executable, "-W", "ignore", "-m", "archive.evidence", "--bootstrap", "127.0.0.1:1"]
    done = subprocess.run(
        [*command, "--config", str(config), "--state", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("cameras.gate.inputs: ")
