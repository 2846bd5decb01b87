"""A console process on a real broker, with the alerts, evidence and pictures that a test puts there."""

from __future__ import annotations

import base64
import contextlib
import os
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

import msgspec
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
from contracts.messages import (
    Alert,
    Frame,
    FrameRef,
    Message,
)
from contracts.metrics import Metrics
from tests.certificates import Authority
from tests.console_scene import FRAMES, alert_now, frame_of, now_ms
from tests.oidc_provider import SECRET, provider
from tests.receivers import http_receiver
from vault import master_key
from vault.master import VARIABLE
from vault.signing import signing_key

PASSWORD = "a vedette keeps watch"
CONFIG = """
site: {name: harbour, friendly_name: Harbour office, time_zone: Europe/Berlin}
detect: {heartbeat_s: 1}
cameras:
  forecourt:
    friendly_name: Forecourt
    position: [0.3, 0.62]
    agent: gatehouse
    inputs: [{url: forecourt.mp4}]
    zones:
      lawn: {coordinates: [[0.62, 0.2], [0.98, 0.25], [0.98, 0.6], [0.62, 0.55]], loitering_time: 4}
      crossing: {coordinates: [[0.25, 0.45], [0.62, 0.38], [0.78, 0.62], [0.35, 0.8]]}
    lines:
      path: {coordinates: [[0.45, 0.2], [0.45, 0.95]]}
  hall:
    friendly_name: Entrance hall
    position: [0.64, 0.34]
    agent: quay
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
edge: {agents: [gatehouse, quay]}
console:
  agents: {signer: "SIGNER", bootstrap_servers: ["kafka.example.net:9094"], broker_ca: "CA"}
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
        more = "\n".join(f"  gate-{n:02d}: {{agent: quay, inputs: [{{url: gate.mp4}}]}}" for n in range(MORE_CAMERAS))
        self.receiver = self._beside.enter_context(http_receiver())
        self.provider = self._beside.enter_context(provider())
        text = CONFIG.replace("CAMERAS", more).replace("RECEIVER", self.receiver.url)
        text = text.replace("REGISTRY", str(self.folder / "registry"))
        self.authority = Authority(self.folder / "authority")
        text = text.replace("SIGNER", str(self.signer)).replace('"CA"', f'"{self.authority.ca}"')
        (self.folder / "site.yaml").write_text(text.replace("ISSUER", self.provider.url))
        self.start()
        self.first_link = (self.state / "first-link").read_text()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._beside.close()

    @property
    def signer(self) -> Path:
        """Where the console asks for agents' certificates; a test that has them signed serves there."""
        return self.folder / "signer"

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
