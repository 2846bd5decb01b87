"""An agent of a site, wired: cameras publish, controls change them, and once a second each says how it is."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import prometheus_client
from prometheus_client import CollectorRegistry

from bus.producer import KafkaLink
from contracts.config import Config, Input
from contracts.controls import Budget, EdgeChange, ProbeCamera, RunCamera, StopCamera
from contracts.errors import ConfigError, VedetteError
from contracts.lock_file import HeldError, hold
from contracts.metrics import Metrics, watch_disk
from contracts.slots import NOBODY
from edge.acks import Acks
from edge.camera import Camera
from edge.capture import OpenCvCapture, is_file
from edge.controls import ControlFollower
from edge.identity import Identity, console_at
from edge.lanes import Disk
from edge.metrics import Meters
from edge.pipeline import Pipeline
from edge.probe import ProbeEnds, Prober
from edge.publisher import Publisher
from edge.reader import Ends
from edge.roster import Roster
from edge.rotation import Rotation
from edge.sessions import Sessions
from edge.settings import input_of, settings_of
from edge.source import Timing
from edge.spool import Spool
from edge.version import VERSION
from telemetry import Tracer

log = logging.getLogger(__name__)

STATUS_S = 1.0
CONTROLS_S = 2.0
"""A broker that is there has told by then who reads which camera: one that was away may have lost some of its own."""
CONNECT_S = 2.0
"""Cameras wait so long for a broker that is there, so that the first frames needn't take the late lane."""
STOP_CAMERAS_S = 1.5
STOP_PUBLISHER_S = 2.0
STOP_ONE_S = 1.0
"""A camera that is read anew waits so long for its old thread, that its pictures keep their order."""
"""Together less than the five seconds in which an agent has to be gone."""


class AgentError(VedetteError):
    """The agent can't run, or a replay can't be finished."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run. `replay_start_ms` makes it a replay: files only, as fast as the broker takes them, no spool, no
    status, and captured_at_ms counts from there by the recording's own time. `every_frame` sends all pictures.
    `session` overrides the persisted numbers. `identity` is that of an agent that has enrolled: it is renewed. `news`
    is asked once a second what the config file says now (None: the same as before).
    """

    bootstrap: str
    state: Path
    name: str
    secrets: Mapping[str, str]
    now_ms: Callable[[], int]
    replay_start_ms: int | None = None
    every_frame: bool = False
    session: int | None = None
    metrics_port: int | None = None
    identity: Identity | None = None
    tracer: Tracer = field(default_factory=Tracer)
    news: Callable[[], Config | None] = lambda: None


class Agent:
    """Its own cameras of a config."""

    def __init__(self, config: Config, options: Options, registry: CollectorRegistry) -> None:
        self._options = options
        self._replay = options.replay_start_ms is not None
        kept, reader = (None, None) if self._replay else (options.state / "cameras", options.name)
        self._roster = Roster(config, kept, reader)
        self._sessions = Sessions(options.state / "sessions.json", options.session)
        self._slots: dict[str, int] = {}
        self._meters = Meters(Metrics(registry))
        self._publisher = Publisher(
            site=config.site.name,
            slots=self._slots,
            connect=lambda: KafkaLink(options.bootstrap),
            now_ms=options.now_ms,
            meters=self._meters,
            disk=None if self._replay else self._disk(),
            tracer=options.tracer,
        )
        self._controls = ControlFollower(
            site=config.site.name,
            bootstrap=options.bootstrap,
            apply=self.change,
            dead_letter=self._publisher.send_dead_letter,
            now_ms=options.now_ms,
            made=self._meters.metrics,
        )
        self._prober = Prober(
            ProbeEnds(
                site=config.site.name,
                agent=options.name,
                open_capture=OpenCvCapture,
                secrets=options.secrets,
                now_ms=options.now_ms,
                answer=self._publisher.send_probe,
            )
        )
        self._rotation = self._rotates(options)
        # Never changed in place: the main thread goes through it while a control makes another.
        self._cameras: dict[str, Camera] = {}
        self._next_index: dict[str, int] = {}
        self._reading = False
        # Controls come on their own thread, the file's changes on the main one.
        self._changing = threading.RLock()

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set, or until all recordings of a replay are delivered.

        Raises AgentError (also for a camera that only a new start brings back), ConfigError (a replay of what is no
        file) or OSError (the state folder, a port).
        """
        self._options.state.mkdir(parents=True, exist_ok=True)
        watch_disk(self._meters.metrics, "spool", self._options.state)
        with self._alone():
            self._sessions.load()
            self._roster.load()
            self._place()
            self._sessions.give_up_others(self._roster.own())
            self._cameras = {name: self._camera(name) for name in self._roster.own()}
            port = self._config.edge.metrics_port if self._options.metrics_port is None else self._options.metrics_port
            host, registry = self._config.edge.metrics_host, self._meters.metrics.registry
            server = prometheus_client.start_http_server(port, host, registry) if port else None
            try:
                self._publisher.start()
                if self._replay:
                    self._run_replay(stop)
                else:
                    self._run_live(stop)
            finally:
                self._end()
                if server is not None:
                    server[0].shutdown()
                    server[0].server_close()

    def _alone(self) -> IO[str]:
        """The state folder for ourselves."""
        try:
            return hold(self._options.state / "lock")
        except HeldError as error:
            raise AgentError(f"another agent uses {self._options.state} (process {error.owner})") from error

    @property
    def _config(self) -> Config:
        return self._roster.config

    def change(self, change: EdgeChange) -> None:
        """Apply a control; raises ValueError for one that makes no sense."""
        match change:
            case ProbeCamera():
                if change.agent not in ("", self._options.name):
                    return
                # The topic keeps the last question for ever; nobody waits for the answer to an old one.
                if self._options.now_ms() - (self._publisher.clock_offset_ms or 0) < change.until_ms:
                    self._prober.ask(change)
                return
            case RunCamera() | StopCamera():
                with self._changing:
                    if not self._take(change):
                        return
            case Budget():
                camera = self._cameras.get(change.camera)
                if camera is None and change.camera in self._config.cameras:
                    return  # another agent's, or switched off
                if camera is None:
                    raise ValueError(f"there is no camera `{change.camera}`")
                camera.change(change)
        log.info("changed", extra={"camera": change.camera, "change": type(change).__name__.lower()})

    def take_file(self, config: Config) -> None:
        """The file says something else; raises OSError. What controls said of a camera stays in force."""
        with self._changing:
            before = self._roster.own()
            self._roster.take_file(config)
            self._place()
            for name in before.keys() | self._roster.own():
                self._run_anew(name)
        log.info("the config file's cameras are taken over", extra={"own": len(self._cameras)})

    def _take(self, change: RunCamera | StopCamera) -> bool:
        """Whether the control changed anything: the topic is read from its beginning each time."""
        before = self._roster.own().keys()
        changed = self._roster.take(change)
        own = self._roster.own().keys()
        if isinstance(change, RunCamera) and change.camera in own:
            changed = self._sessions.raise_to(change.camera, change.session) or changed
        if changed:
            self._place()
            # Whose the others are may follow: who is named first is the only one until another is.
            for name in {change.camera} | (before ^ own):
                self._run_anew(name)
        return changed

    def _place(self) -> None:
        """Find where each camera's frames go; once they are read, one that comes or goes moves none of the others."""
        self._slots.update(self._roster.slots(self._slots if self._reading else NOBODY))

    def _run_anew(self, name: str) -> None:
        """Read the camera as the roster has it now: with new settings only, from new inputs, or not at all."""
        old = self._cameras.get(name)
        others = {other: camera for other, camera in self._cameras.items() if other != name}
        if name not in self._roster.own():
            self._cameras = others
            self._let_go(old)
            self._sessions.give_up(name)
            if old is not None:
                self._meters.of(name).gone()
        elif old is not None and old.inputs == self._inputs(name):
            old.take_over(settings_of(self._config, name), self._session(name))
        else:
            self._let_go(old)
            self._start(name, others)

    def _session(self, name: str) -> int:
        """The camera's session. Replays begin with 1: they are the same each time."""
        return self._sessions.of(name, 0 if self._replay else self._options.now_ms())

    def _begin(self) -> None:
        """Read all that is this agent's by now."""
        with self._changing:
            self._reading = True
            if not self._cameras:
                log.warning("no camera of the site is this agent's", extra={"agent": self._options.name})
            for camera in self._cameras.values():
                camera.start()

    def _start(self, name: str, others: dict[str, Camera]) -> None:
        camera = self._camera(name)
        self._cameras = others | {name: camera}
        if self._reading:
            camera.start()

    def _let_go(self, camera: Camera | None) -> None:
        if camera is None or not self._reading:
            return
        camera.stop()
        if not camera.join(STOP_ONE_S):
            log.warning("its read hangs; it is left behind", extra={"camera": camera.name})
        self._next_index[camera.name] = camera.next_index

    def _run_live(self, stop: threading.Event) -> None:
        connected = self._publisher.wait_connected(CONNECT_S)
        self._controls.start()
        if connected:
            self._controls.wait_told(CONTROLS_S)
        if self._rotation is not None:
            self._rotation.start()
        self._begin()
        next_s = time.monotonic()
        while not stop.wait(max(next_s - time.monotonic(), 0.0)):
            next_s = max(next_s + STATUS_S, time.monotonic())
            if (config := self._options.news()) is not None:
                self.take_file(config)
            self._report()
            for camera in self._cameras.values():
                # It was said in the status; what started the agent (`vedette up`, a service) starts it again.
                if camera.stuck:
                    raise AgentError(f"camera {camera.name}: {camera.error}; the agent ends to be started again")
                camera.watch()

    def _run_replay(self, stop: threading.Event) -> None:
        self._begin()
        while not all(camera.ended for camera in self._cameras.values()):
            if stop.wait(0.2):
                return
            for camera in self._cameras.values():
                if camera.error:
                    raise AgentError(f"camera {camera.name}: {camera.error}")
                at_ms, of_ms = camera.progress_ms
                log.info("progress", extra={"camera": camera.name, "at_ms": round(at_ms), "of_ms": round(of_ms)})
        while not self._publisher.drain(0.2):
            if stop.is_set():
                return
        log.info("delivered", extra={"cameras": len(self._cameras)})

    def _report(self) -> None:
        for camera in self._cameras.values():
            self._publisher.send_status(
                camera.status(
                    agent=self._options.name,
                    at_ms=self._options.now_ms(),
                    spool_bytes=self._publisher.spool_bytes,
                    clock_offset_ms=self._publisher.clock_offset_ms,
                )
            )

    def _end(self) -> None:
        self._controls.stop()
        if self._rotation is not None:
            self._rotation.stop()
        until_s = time.monotonic() + STOP_CAMERAS_S
        begun = self._cameras.values() if self._reading else ()
        for camera in begun:
            camera.stop()
        for camera in begun:
            if not camera.join(max(until_s - time.monotonic(), 0.0)):
                log.warning("its read hangs", extra={"camera": camera.name})
        if not self._publisher.close(STOP_PUBLISHER_S):
            log.warning("unacknowledged frames stay on disk for the next start")

    def _rotates(self, options: Options) -> Rotation | None:
        """What renews the certificate of an agent that has enrolled."""
        enrolment = options.identity.enrolment if options.identity is not None else None
        if options.identity is None or enrolment is None:
            return None
        return Rotation(
            options.identity,
            enrolment,
            console_at(enrolment.console, enrolment.console_ca),
            version=VERSION,
            now_ms=options.now_ms,
            renewed=self._connect_anew,
            made=self._meters.metrics,
        )

    def _connect_anew(self) -> None:
        self._publisher.reconnect()
        self._controls.reconnect()

    def _inputs(self, name: str) -> tuple[Input, Input | None]:
        """The input that drives the camera, and the one for the full size where that is another."""
        detect, detail = input_of(self._config, name, "detect"), input_of(self._config, name, "detail")
        assert detect is not None, "the config's check says so"
        # A replay has one input for both roles: two recordings wouldn't come out the same twice.
        return detect, detail if detail is not detect and not self._replay else None

    def _camera(self, name: str) -> Camera:
        settings, inputs, session = settings_of(self._config, name), self._inputs(name), self._session(name)
        if self._replay and not is_file(inputs[0].url):
            raise ConfigError(f"cameras.{name}.inputs", "only files can be replayed")
        ends = Ends(
            open_capture=OpenCvCapture,
            secrets=self._options.secrets,
            timing=Timing(self._options.now_ms, self._options.replay_start_ms),
            chance=random.Random(f"{name}/{session}"),  # noqa: S311  jitter, no secret
        )
        pipeline = Pipeline(
            session, settings, every_frame=self._options.every_frame, first_index=self._next_index.get(name, 0)
        )
        return Camera(settings, inputs, ends, pipeline, self._publisher.publish, self._meters.of(name))

    def _disk(self) -> Disk:
        state, settings = self._options.state, self._config.edge.spool
        spool = Spool(state / "spool", settings.max_mb * 1024 * 1024)
        return Disk(spool, Acks(state / "acks.json"), settings.late_fps)
