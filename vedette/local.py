"""The whole system on one machine, with real parts: broker, agent, the jobs in one mini cluster, archive, console."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO

import psutil

from bus.admin import create_topics
from contracts import topics
from contracts.assignment import cameras_of, machine_name
from contracts.config import Config, broker_address
from contracts.errors import VedetteError
from contracts.face_models import identifying, manifest_path
from vault import MasterKey, master_key
from vedette.alone import alone
from vedette.broker import Broker, BrokerConfig
from vedette.class_archive import ArchiveMaker, ClassArchive
from vedette.console_news import ConsoleNews
from vedette.jars import flink_connector_jar
from vedette.java import child_environment, find_java
from vedette.log_news import LogNews
from vedette.master_file import key_for
from vedette.processes import Child, Children

BUNDLED = Path(__file__).resolve().parents[1] / "models" / "detector.json"
FLINK_LOG4J = Path(__file__).with_name("flink-log4j2.properties")
RUN_FILE = Path("run") / "system.json"


KEYS_LOGGER = "console.people.days"
"""Says when the master key is another than that of this state folder."""
ARCHIVE_AFTER_S = 25.0
"""By then a start has loaded its classes, and what is made of them disturbs nobody."""
# The serial collector has no threads of its own that would compete with the model for two cores.
JOBS_COLLECTOR = ("-XX:+UseSerialGC",)
PARTS = ("jobs", "evidence", "history", "console", "agent")
STOP_S = 9.0
"""A service manager, and a person, give it 10 s."""
STOPS = ((("agent",), 3.0), (("jobs",), 5.5), (("evidence", "history", "console"), 7.0))
"""Who is ended after whom, and until when: what is together in a line doesn't depend on each other."""


@dataclass(frozen=True)
class LocalOptions:
    """What a run may change: the `parts` beside the broker, what is said to jobs and agent in addition, and what is to
    be done when the topics are there, before the agent's first frame (`ready`)."""

    parts: tuple[str, ...] = PARTS
    keep_forever: bool = False
    jobs_arguments: tuple[str, ...] = ()
    agent_arguments: tuple[str, ...] = ()
    ready: Callable[[LocalSystem], None] = lambda system: None


@dataclass
class LocalSystem:
    """One site's system. `config_file` is what the children read, `say` gets a line for each step."""

    config: Config
    config_file: Path
    state_dir: Path
    options: LocalOptions = LocalOptions()
    say: Callable[[str], None] = lambda line: None
    bootstrap: str = ""
    _broker: Broker | None = None
    _lock: IO[str] | None = None
    _children: Children = field(init=False)
    _archives: list[ClassArchive] = field(default_factory=list)
    _maker: ArchiveMaker | None = None
    _news: dict[str, LogNews] = field(init=False)
    _key: dict[str, str] = field(default_factory=dict)
    console: ConsoleNews = field(init=False)

    def __post_init__(self) -> None:
        self._children = Children(self.state_dir)
        loggers = {"jobs": "vedette.jobs", "console": KEYS_LOGGER}
        logs = self.state_dir / "logs"
        self._news = {part: LogNews(logs / f"{part}.log", logger) for part, logger in loggers.items()}
        self.console = ConsoleNews(self.state_dir / "console")

    def start(self) -> None:
        """Start the parts; returns once the broker answers. Raises SetupError or BrokerError: nothing is left then."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        # Two systems on one folder would end each other's children: the second is refused before it touches any.
        other = f"A system already runs on {self.state_dir}"
        self._lock = alone(self.state_dir / "system.lock", other, "End it first, or give another folder with --state")
        try:
            self._children.end_orphans()
            needed = bool(identifying(self.config))
            say = self.say if "console" in self.options.parts else _nothing  # a replay's own key goes with it
            self._key = key_for(self.state_dir, os.environ, say, needed=needed)
            self._begin_broker()
            if "jobs" in self.options.parts:
                # They build their graph while the broker starts, and wait for its topics.
                self.say("starting Flink: detect, decide, analytics")
                self._start_jobs()
            if self._broker is not None:
                self._broker.wait()
            self.say("creating topics")
            create_topics(self.bootstrap, topics.specs_of(self.config, keep_forever=self.options.keep_forever))
            self.options.ready(self)
            if "agent" in self.options.parts:
                self.say(f"starting the agent: {self._read_here()}")
                self._start("agent", "edge", *self.options.agent_arguments)
            # After the agent: every second of pictures counts, and these read what is kept.
            if "evidence" in self.options.parts:
                self._start("evidence", "archive.evidence", *_metrics(self.config.evidence.metrics_port))
            if "history" in self.options.parts and self.config.history.enabled:
                self._start("history", "archive.history", *_metrics(self.config.history.metrics_port))
            if "console" in self.options.parts and self.config.console.enabled:
                self.console.forget()
                self._start("console", "console")
            run_file = self.state_dir / RUN_FILE
            run_file.parent.mkdir(exist_ok=True)
            run_file.write_text(json.dumps({"bootstrap": self.bootstrap, "config": str(self.config_file.resolve())}))
            self._maker = ArchiveMaker(self._archives, due_s=time.monotonic() + ARCHIVE_AFTER_S)
        except BaseException:
            self.stop()
            raise

    def _read_here(self) -> str:
        """The cameras that the agent of this machine reads: with several agents not all. A replay's reads all."""
        if "console" not in self.options.parts:
            return ", ".join(self.config.cameras)
        return ", ".join(cameras_of(self.config, machine_name())) or f"no camera is that of {machine_name()}"

    @property
    def master(self) -> MasterKey | None:
        """What its processes open keys with, once it has started."""
        return master_key({**os.environ, **self._key})

    def check(self) -> None:
        """Start again what died, and say what the jobs say; call it a few times a second."""
        for part, news in self._news.items():
            for line in news.new():
                self.say(f"{part}: {line}")
        for line in self.console.new():
            self.say(line)
        if self._broker is not None and self._broker.pid is None:
            self.say("the broker died; starting it again")
            self._broker.start()
        self._children.check()
        if self._maker is not None:
            self._maker.check(time.monotonic())

    def child(self, name: str) -> Child:
        """The child `agent`, `jobs`, `evidence`, `history` or `console`."""
        return self._children.children[name]

    def stop_child(self, name: str, timeout_s: float) -> int | None:
        """End one child; returns its exit code."""
        return self._children.stop(name, timeout_s)

    def stop(self) -> None:
        """End all in STOP_S: the agent first (it hands over what it holds), the broker last.

        Each has until its own moment, so that what one doesn't take the later ones have.
        """
        began_s = time.monotonic()
        (self.state_dir / RUN_FILE).unlink(missing_ok=True)
        if self._maker is not None:
            self._maker.stop()
            self._maker = None
        for names, until_s in STOPS:
            self._children.stop_all(names, began_s + until_s)
        if self._broker is not None:
            self._broker.stop(max(0.5, began_s + STOP_S - time.monotonic()))
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _begin_broker(self) -> None:
        if (named := broker_address(self.config.kafka)) is not None:
            self.bootstrap = str(named)
            return
        self.say("starting Kafka")
        kafka = self.config.kafka
        settings = BrokerConfig(
            self.state_dir / "kafka", kafka.port, kafka.heap_mb, stop_timeout_s=2.5, record_classes=True
        )
        self._broker = Broker(settings)
        self._broker.begin()
        if self._broker.archive is not None:
            self._archives.append(self._broker.archive)
        self.bootstrap = self._broker.bootstrap

    def _start_jobs(self) -> None:
        # Imported here, as Flink comes with it: where models are trained there is none.
        from stream.jobs.gateway import classpath

        connector = flink_connector_jar()
        self._archives.append(ClassArchive("jobs", find_java(), classpath(connector), JOBS_COLLECTOR))
        jvm = (
            *self._archives[-1].options(record=True),
            *JOBS_COLLECTOR,
            f"-Xms64m -Xmx{self.config.stream.heap_mb}m -XX:MaxMetaspaceSize=256m",
            # The work is done in Python and native code: the optimising compiler costs more than it gives
            # (measured at saturation: 0.89 of the bare loop's frames/s with it, 0.93 without).
            "-XX:TieredStopAtLevel=1",
        )
        arguments = ("--manifest", str(manifest_of(self.config, self.config_file)), "--connector-jar", str(connector))
        environment = {
            "FLINK_LOG_DIR": str(self.state_dir / "logs"),
            "LOG4J_PROPERTIES": str(FLINK_LOG4J),
            "JVM_ARGS": " ".join(jvm),
        }
        self._start("jobs", "stream.jobs", *arguments, *self.options.jobs_arguments, environment=environment)

    def _start(
        self, name: str, module: str, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        command = [
            *(sys.executable, "-m", module, "--config", str(self.config_file.resolve())),
            *("--bootstrap", self.bootstrap, "--state", str((self.state_dir / module.split(".")[0]).resolve())),
            *arguments,
        ]
        ends = name == "agent" and bool(self.options.agent_arguments)
        # The agent has no need of the key of what is known about people.
        key = {} if name == "agent" else self._key
        surroundings = {**child_environment(find_java()), "PYTHONUNBUFFERED": "1", **key, **environment}
        self._children.start(Child(name, command, surroundings, ends))


def _metrics(port: int) -> tuple[str, ...]:
    """Where a part of the archive serves its metrics, for this machine only."""
    return (f"--metrics-port={port}", "--metrics-host=127.0.0.1") if port else ()


def _nothing(line: str) -> None:
    """Is said of what is no news."""


def manifest_of(config: Config, config_file: Path) -> Path:
    """The detector's manifest; raises VedetteError where there is none."""
    path = manifest_path(config, config_file)
    if not path.is_file():
        raise VedetteError(f"there is no model manifest {path}")
    return path


def running_bootstrap(state_dir: Path) -> str | None:
    """The broker of the system that runs on this state folder, if one does."""
    try:
        return str(json.loads((state_dir / RUN_FILE).read_text())["bootstrap"])
    except (OSError, ValueError, KeyError):
        return None


def running_config(state_dir: Path) -> Path | None:
    """The config's file of the system that runs on this state folder, if one does."""
    try:
        return Path(json.loads((state_dir / RUN_FILE).read_text())["config"])
    except (OSError, ValueError, KeyError):
        return None


def own_ports(state_dir: Path) -> frozenset[int]:
    """The ports that the system which runs on this state folder listens on, by what its processes say."""
    known: list[tuple[int, float]] = []
    try:
        broker = json.loads((state_dir / "kafka" / "broker.pid").read_text())
        known = [(broker["pid"], broker["created"]), *json.loads((state_dir / "run" / "children.json").read_text())]
    except (OSError, ValueError, KeyError):
        return frozenset()
    ports: set[int] = set()
    for pid, born in known:
        try:
            process = psutil.Process(pid)
            family = [process, *process.children(recursive=True)] if process.create_time() == born else []
            listening = [one for member in family for one in member.net_connections("tcp") if one.status == "LISTEN"]
        except psutil.Error:
            continue
        ports |= {one.laddr.port for one in listening}
    return frozenset(ports)


def run_until(system: LocalSystem, stopped: Callable[[], bool], every: Callable[[], None] = lambda: None) -> None:
    """Look after the system until `stopped`; `every` is called a few times a second."""
    while not stopped():
        system.check()
        every()
        time.sleep(0.2)
