"""A console process on a real broker, with the alerts, evidence and pictures that a test puts there."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import uuid
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import psutil
from confluent_kafka import Consumer, Producer
from prometheus_client import CollectorRegistry

from archive.evidence.chain import Chain
from archive.evidence.files import KEY_FILE, Folder
from archive.evidence.frames import FrameMissed
from archive.evidence.privacy import as_sent
from archive.evidence.writer import EvidenceWriter
from bus.admin import create_topics
from contracts import codec, topics
from contracts.fields import Point, Xyxy
from contracts.identity import TrackIdentity
from contracts.messages import (
    Alert,
    Condition,
    EdgeStatus,
    Evidence,
    Frame,
    FrameRef,
    FrameTracks,
    Message,
    TrackedObject,
)
from contracts.metrics import Metrics
from tests.builders import jpeg_of
from tests.oidc_provider import SECRET, provider
from tests.receivers import http_receiver
from vault import master_key
from vault.master import VARIABLE
from vault.signing import signing_key

PASSWORD = "a vedette keeps watch"
CLIP = Path(__file__).parents[2] / "shared" / "data" / "videos" / "vtest_480x360.mp4"
TRUTH = CLIP.parents[1] / "tracking" / "MOT15" / "PETS09-S2L1" / "gt" / "gt.txt"
CONFIG = """
site: {name: harbour, friendly_name: Harbour office, time_zone: Europe/Berlin}
detect: {heartbeat_s: 1}
cameras:
  forecourt:
    friendly_name: Forecourt
    position: [0.3, 0.62]
    inputs: [{url: forecourt.mp4}]
    zones:
      lawn: {coordinates: [[0.62, 0.2], [0.98, 0.25], [0.98, 0.6], [0.62, 0.55]], loitering_time: 4}
      crossing: {coordinates: [[0.25, 0.45], [0.62, 0.38], [0.78, 0.62], [0.35, 0.8]]}
    lines:
      path: {coordinates: [[0.45, 0.2], [0.45, 0.95]]}
  hall:
    friendly_name: Entrance hall
    position: [0.64, 0.34]
    inputs: [{url: hall.mp4}]
    zones:
      floor: {coordinates: [[0.2, 0.3], [0.8, 0.3], [0.9, 1.0], [0.1, 1.0]]}
CAMERAS
rules:
  nobody-on-the-lawn: {kind: zone_entry, zone: lawn, cameras: [forecourt], severity: high,
    instructions: "Look whether it is staff. If not, call the guard on 4711."}
  loitering-at-the-crossing: {kind: loitering, zone: crossing, cameras: [forecourt], after_s: 5}
  path-in: {kind: line_crossing, line: path, cameras: [forecourt], severity: low}
  hall-closed: {kind: zone_entry, zone: floor, cameras: [hall], severity: critical}
  camera-down: {kind: camera_down}
models: {folder: "REGISTRY"}
console:
  budget: {rules: {path-in: 0.6}}
  oidc: {issuer: "ISSUER", client_id: vedette, client_secret: "{OIDC_SECRET}", title: Harbour ID,
    roles: [{group: guards, role: operator}]}
  notifications:
    channels:
      office: {kind: webhook, url: "RECEIVER/office", secret: "{HOOK_SECRET}"}
      pager: {kind: alertmanager, url: "http://127.0.0.1:9"}
    routes:
      - {channels: [pager], severities: [critical], continue: true}
      - {channels: [office], severities: [critical, high], group_s: 60, cooldown_s: 0,
        quiet_hours: [{from: 02:00, until: 02:01, days: [sun]}]}
"""
HOOK_SECRET = "hook-secret-of-the-site"
MORE_CAMERAS = 40
FRAMES = 700
"""Of the clip's pictures so many are used."""

AREAS = {
    "lawn": ((0.62, 0.2), (0.98, 0.25), (0.98, 0.6), (0.62, 0.55)),
    "crossing": ((0.25, 0.45), (0.62, 0.38), (0.78, 0.62), (0.35, 0.8)),
    "path": ((0.45, 0.2), (0.45, 0.95)),
    "floor": ((0.2, 0.3), (0.8, 0.3), (0.9, 1.0), (0.1, 1.0)),
}


def now_ms() -> int:
    """The time."""
    return time.time_ns() // 1_000_000


@functools.cache
def person_at(number: int) -> tuple[Xyxy, tuple[Point, ...]]:
    """A person's box in frame `number` and the way they came, from the clip's ground truth where it is there."""
    if not (CLIP.is_file() and TRUTH.is_file()):
        left = 288.0 + number % 40
        return (left, 140.0, left + 26, 212.0), tuple((left - 70 + 12 * step, 205.0) for step in range(7))
    rows = [[float(one) for one in line.split(",")] for line in TRUTH.read_text().splitlines()]
    boxes: dict[int, dict[int, Xyxy]] = {}
    for frame, track, x, y, wide, high, *_ in rows:  # of 768x576: 0.625 of it is the clip
        box = (x * 0.625, y * 0.625, (x + wide) * 0.625, (y + high) * 0.625)
        boxes.setdefault(int(track), {})[int(frame) - 1] = box
    here = [track for track in boxes.values() if number in track and number - 12 in track]
    here = here or [track for track in boxes.values() if number in track]
    track = max(here, key=lambda one: one[number][3])
    way = [track[frame] for frame in range(number - 60, number + 1, 4) if frame in track]
    return track[number], tuple(((x1 + x2) / 2, y2) for x1, _, x2, y2 in way)


def scene(number: int) -> np.ndarray:
    """A picture of 480x360 (BGR) for frame `number`: of the recorded clip where it is, else drawn."""
    if CLIP.is_file():
        video = cv2.VideoCapture(str(CLIP))
        video.set(cv2.CAP_PROP_POS_FRAMES, number % FRAMES)
        found, picture = video.read()
        video.release()
        assert found
        return picture
    picture = np.full((360, 480, 3), (70, 110, 80), np.uint8)
    cv2.rectangle(picture, (0, 0), (480, 90), (140, 120, 110), -1)
    cv2.circle(picture, (300 + number % 40, 150), 9, (60, 80, 200), -1)
    cv2.rectangle(picture, (290 + number % 40, 160), (312 + number % 40, 210), (40, 40, 160), -1)
    return picture


class _Frames:
    """Frames for the evidence writer, by the place that the test gave them."""

    def __init__(self) -> None:
        self.frames: dict[FrameRef, Frame] = {}

    def fetch(self, ref: FrameRef) -> Frame:
        if ref not in self.frames:
            raise FrameMissed("retention", "not in the test")
        return self.frames[ref]


class ConsoleSite:
    """The process, its broker's topics and its evidence folder; use it in a `with`."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.folder = folder
        self.bootstrap = bootstrap
        self.state = folder / "state" / "console"
        self.address = ""
        self.first_link = ""
        self._secret = base64.b64encode(os.urandom(32)).decode()
        master = master_key({VARIABLE: self._secret})
        assert master is not None
        self.master = master
        self._process: subprocess.Popen[bytes] | None = None
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
        self._cookies: dict[str, dict[str, Any]] = {}
        self._beside = contextlib.ExitStack()
        self._frames = _Frames()
        archive = folder / "state" / "archive"
        self.chain = Chain(Folder(archive / "evidence"), signing_key({}, archive / KEY_FILE), now_ms)
        self._evidence = EvidenceWriter(
            self.chain,
            self._frames,
            Metrics(CollectorRegistry()),
            names={"forecourt": "Forecourt"},
            time_zone="UTC",
            redact=as_sent,
        )

    def __enter__(self) -> ConsoleSite:
        create_topics(self.bootstrap, topics.specs("harbour", 2))
        self.state.mkdir(parents=True)
        more = "\n".join(f"  gate-{n:02d}: {{inputs: [{{url: gate.mp4}}]}}" for n in range(MORE_CAMERAS))
        self.receiver = self._beside.enter_context(http_receiver())
        self.provider = self._beside.enter_context(provider())
        text = CONFIG.replace("CAMERAS", more).replace("RECEIVER", self.receiver.url)
        text = text.replace("REGISTRY", str(self.folder / "registry"))
        (self.folder / "site.yaml").write_text(text.replace("ISSUER", self.provider.url))
        self.start()
        self.first_link = (self.state / "first-link").read_text()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._beside.close()

    def start(self) -> None:
        """Start the process and wait until it answers."""
        (self.state / "address").unlink(missing_ok=True)
        command = [sys.executable, "-m", "console", "--config", str(self.folder / "site.yaml"), "--port", "0"]
        command += ["--bootstrap", self.bootstrap, "--state", str(self.state)]
        environment = os.environ | {"NICEGUI_STORAGE_PATH": str(self.folder / "nicegui"), VARIABLE: self._secret}
        environment |= {"HOOK_SECRET": HOOK_SECRET, "OIDC_SECRET": SECRET}
        root = Path(__file__).parents[1]
        with (self.folder / "console.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=root)
        until = time.monotonic() + 120
        while time.monotonic() < until:
            assert self._process.poll() is None, (self.folder / "console.log").read_text()
            try:
                self.address = (self.state / "address").read_text()
                urllib.request.urlopen(self.address + "/login", timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        raise AssertionError("the console did not start: " + (self.folder / "console.log").read_text())

    def cpu_s(self) -> float:
        """CPU seconds that the console has used since its start."""
        assert self._process is not None
        used = psutil.Process(self._process.pid).cpu_times()
        return float(used.user + used.system)

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def cookie(self, who: str, role: str = "operator", cameras: list[str] | None = None) -> dict[str, Any]:
        """A session's cookie for a browser; the first of all makes the administrator, who invites the others."""
        if who not in self._cookies:
            link = self.first_link if who == "maria" else self.address + self.invite(who, role, cameras)
            self._cookies[who] = self._enter(link, who)
        return self._cookies[who]

    def invite(self, name: str, role: str = "operator", cameras: list[str] | None = None) -> str:
        """A one-time link's path, made by the administrator through the API."""
        session = self.api("GET", "/api/session")
        body = {"name": name, "role": role, "cameras": cameras}
        made = self.api("POST", "/api/accounts", body, csrf=session["csrf"])
        return str(urllib.parse.urlsplit(made["link"]).path)

    def api(self, method: str, path: str, body: Any = None, csrf: str = "", who: str = "maria") -> Any:
        """Ask the API as somebody."""
        cookie = self.cookie(who)
        headers = {"Cookie": f"{cookie['name']}={cookie['value']}", "Content-Type": "application/json"}
        if csrf:
            headers["X-CSRF-Token"] = csrf
        data = msgspec.json.encode(body) if body is not None else None
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
        return msgspec.json.decode(text) if text else None

    def _enter(self, link: str, name: str) -> dict[str, Any]:
        jar = CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        form = urllib.parse.urlencode({"name": name, "password": PASSWORD, "again": PASSWORD}).encode()
        opener.open(link, form, timeout=30).close()
        found = next(iter(jar))
        return {"name": found.name, "value": str(found.value), "url": self.address}

    def send(self, topic: str, message: Message, key: str = "forecourt") -> None:
        """Put a message onto a topic, and wait for the broker's word."""
        self.put(topic, codec.encode(message), key)
        self._producer.flush(10)

    def put(self, topic: str, value: bytes, key: str) -> None:
        """Hand a record to the producer, which sends it at once; don't wait."""
        self._producer.produce(topic, value, key.encode())
        self._producer.poll(0)

    def alert(self, *, picture: bool = True, late_s: float = 0.0, **changes: Any) -> Alert:
        """Put an alert onto the topic, with its evidence in the folder as the evidence service would have it.

        With `late_s` the picture comes so long after the alert, as it does from the service.
        """
        alert = alert_now(**changes)
        if not picture:
            alert = msgspec.structs.replace(alert, evidence=None)
        if late_s:
            self.send(topics.ALERTS, alert, alert.camera)
            time.sleep(late_s)
        if alert.evidence is not None:
            number = alert.evidence.ref.offset % FRAMES
            self._frames.frames[alert.evidence.ref] = frame_of(alert.camera, number, alert.evidence.captured_at_ms)
            self._evidence.write(alert)
        if not late_s:
            self.send(topics.ALERTS, alert, alert.camera)
        return alert

    def read(self, topic: str, kind: type[Any], wanted: int, timeout_s: float = 20.0) -> list[Any]:
        """The messages of a topic, as soon as there are `wanted` of them."""
        group = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest", "enable.auto.commit": False}
        consumer = Consumer({"bootstrap.servers": self.bootstrap} | group)
        consumer.subscribe([topic])
        found: list[Any] = []
        until = time.monotonic() + timeout_s
        while len(found) < wanted and time.monotonic() < until:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append(codec.decode(message.value(), kind))
        consumer.close()
        return found


def frame_of(camera: str, number: int, captured_at_ms: int) -> Frame:
    """A frame of the scene."""
    jpeg = jpeg_of(scene(number), 85)
    return Frame(
        site="harbour",
        camera=camera,
        session=1,
        index=number,
        captured_at_ms=captured_at_ms,
        width=480,
        height=360,
        detail=True,
        motion=0.1,
        sha256=hashlib.sha256(jpeg).hexdigest(),
        jpeg=jpeg,
    )


def tracks_of(frame: Frame) -> FrameTracks:
    """Two tracks on a frame."""
    boxes = {"person": person_at(frame.index % FRAMES)[0], "car": (390.0, 40.0, 440.0, 85.0)}
    things = tuple(
        TrackedObject(
            track_id=7 + number,
            xyxy=xyxy,
            confidence=0.9,
            label=label,
            first_seen_at_ms=1,
            identity=TrackIdentity(decision="unknown") if label == "person" else None,
        )
        for number, (label, xyxy) in enumerate(boxes.items())
    )
    return FrameTracks(
        site=frame.site,
        camera=frame.camera,
        lane="live",
        session=frame.session,
        index=frame.index,
        captured_at_ms=frame.captured_at_ms,
        interval_ms=200,
        width=frame.width,
        height=frame.height,
        ref=FrameRef("frames.harbour", 0, frame.index),
        model="detector@1",
        tracks=things,
    )


def status_of(camera: str, state: str = "up", **changes: Any) -> EdgeStatus:
    """An agent's word."""
    values: dict[str, Any] = {
        "site": "harbour",
        "camera": camera,
        "agent": "edge-1",
        "session": 1,
        "at_ms": now_ms(),
        "state": state,
        "last_frame_at_ms": now_ms(),
        "width": 480,
        "height": 360,
        "captured_fps": 10.0,
        "sent_fps": 5.0,
        "clock_offset_ms": 0,
    }
    return EdgeStatus(**(values | changes))


def alert_now(**changes: Any) -> Alert:
    """An alert that began just now; every one is another."""
    at_ms = changes.get("started_at_ms") or now_ms()
    offset = random.randrange(2**40)
    xyxy, trail = person_at(offset % FRAMES)
    zone = changes.get("zone", "lawn")
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "revision": 0,
        "state": "new",
        "site": "harbour",
        "camera": "forecourt",
        "rule": "nobody-on-the-lawn",
        "rule_version": 7,
        "kind": "zone_entry",
        "severity": "high",
        "started_at_ms": at_ms,
        "at_ms": at_ms,
        "label": "person",
        "zone": zone,
        "track_ids": (7,),
        "score": 0.87,
        "why": "person entered lawn",
        "instructions": "Look whether it is staff. If not, call the guard on 4711.",
        "trace": (Condition("zone", zone, "inside"), Condition("confidence", ">= 0.50", "0.87")),
        "area": AREAS.get(zone, ()),
        "trail": trail,
        "model": "detector@1",
        "config_version": "ddeb1ae6e2bd",
        "decided_at_ms": at_ms + 42,
        "evidence": Evidence(
            ref=FrameRef("frames.harbour", 0, offset),
            captured_at_ms=at_ms,
            width=480,
            height=360,
            xyxy=xyxy,
            confidence=0.87,
            detail=True,
        ),
    }
    return Alert(**(values | changes))
