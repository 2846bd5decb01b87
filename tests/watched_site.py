"""A site as on a cluster, small enough for one machine: a broker with TLS, a standalone Flink, all other parts."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import yaml
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from bus.admin import create_topics
from contracts import topics
from contracts.codec import encode
from contracts.config_file import parse
from contracts.controls import Control, SetModel, key
from contracts.face_models import BUNDLED
from contracts.manifest import load_manifest
from contracts.metrics import Metrics
from edge.agent import Agent, Options
from edge.identity import Enrolment, EnrolmentError, Identity
from edge.rotation import Rotation
from stream.jobs.ports import free_port
from tests.builders import DATA, jpeg_of, manifest_of, solid
from tests.console_process import ConsoleProcess
from tests.edge_tools import write_clip
from tests.face_tools import Enrolling, seen
from tests.jobs.face_world import with_face
from tests.jobs.world import CELL_H, CELL_W, CONFIG, HEIGHT, LABELS, RED, WIDTH, frame, frame_of
from tests.kafka_tools import Writer
from tests.secure_broker import SecureBroker
from tests.standalone import CLUSTER_S, Standalone
from tests.waiting import wait_until
from vault import master_key
from vault.master import VARIABLE

SITE = "site"
JOBS = ("detect", "decide", "analytics", "site")
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
LEARNT = 8
"""Blocks of two tracks in the drift's reference: the fewest against which one that differs wins at all."""


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class WatchedSite:
    """Cameras of which only `gate` delivers by itself, at an agent whose clock is off and whose disk is small.

    What it starts it ends. `more` is of the config.
    """

    def __init__(self, folder: Path, more: Mapping[str, Any], clock_off_ms: int, master: str) -> None:
        self.folder = folder
        self.master = master
        self.ports = {part: free_port() for part in ("agent", "stream", "evidence", "history")}
        self.disk_is_small = False
        self._clock_off_ms = clock_off_ms
        self._running = contextlib.ExitStack()
        self._agent_ends = threading.Event()
        self._config = folder / "site.yaml"
        self._write_files(more)
        self.broker = SecureBroker(folder / "secured")

    def __enter__(self) -> WatchedSite:
        """Returns once the broker has its topics and access lists; the parts are started by `start`."""
        with contextlib.ExitStack() as running:
            running.enter_context(self.broker)
            create_topics(self.broker.bootstrap, topics.specs(SITE, 2))
            self.broker.allow(SITE)
            self.writer = Writer(self.broker.bootstrap)
            self._running = running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start(self) -> None:
        """Start all parts, each with its certificate (the jobs are one application: with the administrator's)."""
        self._start_console()
        arguments = [
            *(f"--config={self._config}", f"--bootstrap={self.broker.bootstrap}"),
            *(f"--manifest={self.folder / 'manifest.json'}", "--jobs", *JOBS),
        ]
        self.cluster = self._running.enter_context(
            Standalone(self.folder / "cluster", "stream.jobs.cluster", arguments)
        )
        self.cluster.start(workers=2)
        self.evidence, self.history = self._start_archive("evidence"), self._start_archive("history")
        self.disk_is_small = self._running.enter_context(small_disk(self.folder / "edge"))
        self._running.enter_context(self._agent())

    def targets(self) -> dict[str, list[int]]:
        """The ports of all metrics by the part's name, as rules and dashboards know it."""
        ports = {part: [port] for part, port in self.ports.items()}
        ports["stream"] += self.cluster.metrics_ports
        return ports | {"console": [int(self.console.address.rpartition(":")[2])]}

    def promote(self, model: str, folder: Path = DATA, **changes: Any) -> None:
        """Tell the stream of a model's version 2 (a stem of the tests' tiny ones), for frames of the last minute on."""
        manifest = manifest_of(DATA / f"{model}.onnx", version="2", label_map=LABELS)
        change = SetModel(manifest=manifest, folder=str(folder), **changes)
        control = Control(
            site=SITE,
            origin="console",
            version=now_ms(),
            effective_from_ms=now_ms() - MINUTE_MS,
            change=change,
        )
        self.writer.put(topics.CONTROLS, encode(control), key(change))

    def send_backlog(self, camera: str, count: int) -> None:
        """Frames (250 KB) of a camera that the agent hasn't got, a minute old; the last one is an hour older still.

        The same places each time: what is sent again counts no more.
        """
        noise = np.random.default_rng(0).integers(0, 100, (HEIGHT, WIDTH, 3), np.uint8)
        picture = frame_of(camera, 0, jpeg_of(noise), WIDTH, HEIGHT, detail=False)
        begun_ms = now_ms() - MINUTE_MS
        for index in range(count):
            at_ms = begun_ms + 10 * index - (60 * MINUTE_MS if index == count - 1 else 0)
            value = encode(replace(picture, index=index, captured_at_ms=at_ms))
            self.writer.send(topics.frames(SITE), value, camera, at_ms=now_ms())
        self.writer.flush()

    def send_visitors(self, camera: str, reds: Sequence[int]) -> None:
        """Frames in which two people come for a second, again and again, as surely seen as their red is bright."""
        begun_ms, gone = now_ms() - MINUTE_MS, jpeg_of(_two_people(0))
        for visit, red in enumerate(reds):
            there = jpeg_of(_two_people(red))
            # Once they are away for longer than a track is waited for (3 s), it has ended.
            for number, at_ms in enumerate((0, 200, 400, 600, 800, 4200)):
                index, captured_at_ms = 6 * visit + number, begun_ms + 4400 * visit + at_ms
                jpeg = gone if at_ms > 1000 else there
                made = frame_of(camera, index, jpeg, WIDTH, HEIGHT, captured_at_ms=captured_at_ms)
                self.writer.send(topics.frames(SITE), encode(made), camera, at_ms=now_ms())
        self.writer.flush()

    def send_faces(self, camera: str, first: int, ago_ms: int) -> None:
        """Ten frames of full size in which somebody with the drawn face stands, and one after the track has ended."""
        begun_ms = now_ms() - ago_ms
        for number in range(11):
            made = with_face(camera, first) if number < 10 else frame(camera, first)
            at_ms = begun_ms + (100 * number if number < 10 else 5_000)
            value = encode(replace(made, index=first + number, captured_at_ms=at_ms, detail=True))
            self.writer.send(topics.frames(SITE), value, camera, at_ms=now_ms())
        self.writer.flush()

    def enrol(self, person: str) -> None:
        """Somebody else than who is seen, as the console would tell it."""
        master = master_key({VARIABLE: self.master})
        assert master is not None
        record = Enrolling(SITE, load_manifest(BUNDLED / "face-embedder.json").id, master).person(person, [seen(1)])
        self.writer.put(record.topic, record.value, record.key)

    def fill_disk(self, megabytes: int = 1) -> None:
        """Others write to the agent's disk."""
        (self.folder / "edge" / "of-others-too").write_bytes(bytes(megabytes * 1024 * 1024))

    def answer(self, alert: str, **answer: Any) -> None:
        """Give an operator's answer."""
        self.ada.post(f"/api/alerts/{alert}/answers", json={"answer": answer}).raise_for_status()

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that the console has."""
        return list(self.ada.get("/api/alerts").raise_for_status().json()["alerts"])

    def end_agent(self) -> None:
        """As SIGTERM does."""
        self._agent_ends.set()

    def wait(self, what: str, true: Callable[[], bool]) -> None:
        """Fail with the logs when it doesn't come true."""
        wait_until(true, CLUSTER_S, what, log=self.log, look_s=0.3)

    def log(self) -> str:
        """The ends of all logs."""
        files = [*self.folder.glob("*.log"), *self.folder.glob("cluster/*.log")]
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-1500:]}" for file in files)

    def _write_files(self, more: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True)
        manifest = manifest_of(DATA / "bright_boxes.onnx", label_map=LABELS)
        (self.folder / manifest.file).write_bytes((DATA / manifest.file).read_bytes())
        (self.folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
        clip = write_clip(self.folder / "visitor.avi", 40, picture=_visitor)
        common = CONFIG["cameras"]["gate"]  # type: ignore[index]
        inputs = {
            "gate": {"url": str(clip), "loop": True},
            "yard": {"url": "http://127.0.0.1:9/"},
            "annex": {"url": "http://127.0.0.1:9/"},
            "hall": {"url": "http://127.0.0.1:9/"},
            "door": {"url": "http://127.0.0.1:9/"},
        }
        cameras = {name: {**common, "inputs": [one]} for name, one in inputs.items()}
        cameras["door"]["faces"] = {"identify": True, "purpose": "watch-list"}
        config = {
            **CONFIG,
            **more,
            "stream": {
                "checkpoint_interval_s": 0.5,
                "metrics_port": self.ports["stream"],
                "drift": {"tracks": 2, "apart_s": 0, "blocks": LEARNT, "odds": 1.3},
            },
            "cameras": cameras,
            "motion": {"enabled": False},  # every frame is sent: the spool is to grow
            "edge": {"metrics_port": self.ports["agent"], "spool": {"max_mb": 1}, "traced_share": 0.2},
        }
        self._config.write_text(yaml.safe_dump(config))

    def _start_console(self) -> None:
        self.console = ConsoleProcess(self.folder, self.broker.address("console"), self._config.read_text())
        self._running.callback(self._kill_console)
        self.console.start()
        self.ada = self.console.administrator()
        self._running.callback(self.ada.close)
        self.ada.timeout = httpx.Timeout(30)
        token = self.ada.post("/api/tokens", json={"title": "prometheus", "scopes": ["read"]}).raise_for_status()
        self.token: str = token.json()["secret"]

    def _kill_console(self) -> None:
        with contextlib.suppress(AssertionError):  # it never started
            self.console.kill()

    @contextlib.contextmanager
    def _agent(self) -> Iterator[None]:
        """In this process, as its clock is to be wrong."""
        options = Options(
            bootstrap=self.broker.address(f"agent-{SITE}"),
            state=self.folder / "edge",
            name="agent",
            secrets={},
            now_ms=lambda: now_ms() - self._clock_off_ms,
        )
        registry = CollectorRegistry()
        agent, rotation = Agent(parse(self._config.read_text()), options, registry), self._rotation(registry)
        thread = threading.Thread(target=agent.run, args=(self._agent_ends,), name="agent", daemon=True)
        thread.start()
        rotation.start()
        try:
            yield
        finally:
            rotation.stop()
            self._agent_ends.set()
            thread.join(10)

    def _rotation(self, registry: CollectorRegistry) -> Rotation:
        """What renews a certificate, of which a day is left of two; the console gives none."""

        def refused(_path: str, _body: bytes) -> bytes:
            raise EnrolmentError("the console is away")

        folder = self.folder / "identity"
        folder.mkdir()
        shutil.copy(self.broker.authority.issue("remote").both, folder / "agent.pem")
        enrolment = Enrolment(console="", console_ca="", site=SITE, agent="remote", bootstrap_servers=())
        made = Metrics(registry)
        return Rotation(
            Identity(folder), enrolment, refused, version="1", now_ms=now_ms, renewed=lambda: None, made=made
        )

    def _start_archive(self, part: str) -> subprocess.Popen[bytes]:
        command = [
            *(sys.executable, "-m", f"archive.{part}", f"--config={self._config}"),
            *(f"--bootstrap={self.broker.address(part)}", f"--state={self.folder / 'archive'}"),
            f"--metrics-port={self.ports[part]}",
        ]
        with (self.folder / f"{part}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self._running.callback(process.wait)
        self._running.callback(process.kill)
        return process


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int = 32) -> Iterator[bool]:
    """Make `folder` a disk of its own, nine tenths full; gives False where that takes more rights than we have."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        yield False
        return
    try:
        (folder / "of-others").write_bytes(bytes(round(megabytes * 0.91 * 1024 * 1024)))
        yield True
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _two_people(red: int) -> np.ndarray:
    """Outside of the left zone, so that no rule minds them; at 0 nobody is there."""
    picture = solid(WIDTH, HEIGHT)
    for row in (0, 2):
        picture[row * CELL_H : (row + 1) * CELL_H, 2 * CELL_W : 3 * CELL_W] = (0, 0, red) if red else picture[0, 0]
    return picture


def _visitor(index: int) -> np.ndarray:
    """Somebody stands in the left zone for two of every four seconds."""
    picture = solid(WIDTH, HEIGHT)
    if index % 40 < 20:
        picture[CELL_H : 2 * CELL_H, :CELL_W] = RED
    return picture
