"""A real Kafka broker, one KRaft node on this machine, as a child process with all it keeps in one folder."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

import psutil

from bus.admin import answers
from contracts.lock_file import HeldError, hold
from contracts.topics import MAX_MESSAGE_BYTES
from vedette.class_archive import ClassArchive
from vedette.errors import SetupError
from vedette.files import MEGABYTE
from vedette.jars import kafka_classpath
from vedette.java import Java, find_java

HOST = "127.0.0.1"
LOG4J = Path(__file__).with_name("broker-log4j2.properties")
COLLECTOR = ("-XX:+UseG1GC",)
POLL_S = 0.1
ANSWER_S = 0.5


class BrokerError(SetupError):
    """The broker can't be started, or ended by itself."""


@dataclass(frozen=True)
class BrokerConfig:
    """`state_dir` holds everything; no `port` means a free one, kept for as long as the `Broker` object lives.

    `record_classes` is for an owner that makes the class archive of what is written down then. `protocol` is spoken
    with clients and `more` are Kafka's own properties, over ours: for a broker with TLS and access lists.
    """

    state_dir: Path
    port: int | None = None
    heap_mb: int = 512
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 6.0
    record_classes: bool = False
    protocol: str = "PLAINTEXT"
    more: Mapping[str, str] = field(default_factory=dict)


class Ports(NamedTuple):
    """Where clients and where the controller is listened for."""

    clients: int
    controller: int


class Broker:
    """Starts and stops the broker; the data outlive both.

    While it runs it holds a lock on `state_dir`, so that two can't share one. A broker that outlived a killed owner is
    ended by the next start.
    """

    def __init__(self, config: BrokerConfig) -> None:
        self._config = config
        self._port = config.port
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self.archive: ClassArchive | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients; known once started."""
        if self._port is None:
            raise BrokerError("The broker has no port before its first start", "")
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def log_file(self) -> Path:
        """Where the broker writes what it does."""
        return self._config.state_dir / "logs" / "broker.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Return once the broker answers; does nothing while it runs. Raises SetupError with the log's last lines."""
        if self.pid is None:
            self.begin()
            self.wait()

    def begin(self) -> None:
        """Start the broker without waiting for it; `bootstrap` is known then. Raises SetupError."""
        self.stop()
        java, classpath = find_java(), kafka_classpath()
        state_dir = self._config.state_dir.absolute()
        (state_dir / "logs").mkdir(parents=True, exist_ok=True)
        self._lock = _lock(state_dir)
        try:
            _end_orphan(state_dir, self._config.stop_timeout_s)
            self._port = _check_free(self._port) if self._port else _free_port()
            controller_port = _free_port()
            properties = state_dir / "server.properties"
            data = state_dir / "data"
            if not data.exists():
                _format(java, classpath, self._config, Ports(self._port, controller_port))
            properties.write_text(_properties(data, self._config, Ports(self._port, controller_port)))
            self.archive = ClassArchive("broker", java, os.pathsep.join(map(str, classpath)), COLLECTOR)
            options = self.archive.options(record=self._config.record_classes)
            self._process = self._spawn(_command(java, classpath, state_dir, self._config.heap_mb, options), properties)
        except BaseException:
            self.stop()
            raise

    def wait(self) -> None:
        """Return once the broker that was begun answers. Raises BrokerError with the log's last lines."""
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def stop(self, timeout_s: float | None = None) -> None:
        """End the broker: asked first, killed after `timeout_s` (its own `stop_timeout_s`). Safe to call any time."""
        if self._process is not None:
            if self._process.poll() is None:
                _end(psutil.Process(self._process.pid), timeout_s or self._config.stop_timeout_s)
            self._process.wait()
            self._process = None
            _pid_file(self._config.state_dir).unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """End the broker at once, as a crash would; `start` brings it back with its data."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _spawn(self, command: list[str], properties: Path) -> subprocess.Popen[bytes]:
        """In a session of its own, so that Ctrl-C in the terminal does not reach it before those that write to it."""
        with (self._config.state_dir / "logs" / "broker.out").open("wb") as out:
            process = subprocess.Popen(
                [*command, "kafka.Kafka", str(properties)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        born = psutil.Process(process.pid).create_time()
        _pid_file(self._config.state_dir).write_text(json.dumps({"pid": process.pid, "created": born}))
        return process

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._config.start_timeout_s
        while not answers(self.bootstrap, ANSWER_S):
            if (code := self._process.poll()) is not None:
                raise BrokerError(f"The broker ended with code {code}:\n{self._last_lines()}", "")
            if time.monotonic() > deadline:
                timeout_s = self._config.start_timeout_s
                raise BrokerError(f"The broker did not answer within {timeout_s:g} s:\n{self._last_lines()}", "")
            time.sleep(POLL_S)

    def _last_lines(self, count: int = 15) -> str:
        lines: deque[str] = deque(maxlen=count)
        for path in (self.log_file, self.log_file.with_name("broker.out")):
            if path.is_file():
                lines.extend(path.read_text(errors="replace").splitlines())
        return "\n".join([*lines, f"(in {self.log_file})"])


def _properties(data: Path, config: BrokerConfig, ports: Ports) -> str:
    """The broker's settings where they differ from Kafka's own."""
    listeners = f"{config.protocol}://{HOST}:{ports.clients},CONTROLLER://{HOST}:{ports.controller}"
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": f"{config.protocol}:{config.protocol},CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": config.protocol,
        "controller.listener.names": "CONTROLLER",
        # The old, static way of naming the voters: the dynamic one keeps the controller's port in the data, and the
        # port is another at every start.
        "controller.quorum.voters": f"1@{HOST}:{ports.controller}",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "message.max.bytes": MAX_MESSAGE_BYTES,
        # One node: there is nowhere to put a second copy. 4 partitions instead of 50: each costs open files and mmaps.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "group.initial.rebalance.delay.ms": 0,
        # Retention works by whole segments: 64 MB of frames are about a minute of two cameras.
        "log.segment.bytes": 64 * MEGABYTE,
        "log.retention.check.interval.ms": 30_000,
        # 8 MiB hold the keys of 350,000 records (24 bytes each); the default of 128 MiB would be a quarter of the heap.
        "log.cleaner.dedupe.buffer.size": 8 * 1024**2,
        # After a crash the broker waits for its own old registration to lapse: 5 s instead of 9.
        "broker.session.timeout.ms": 5_000,
        "broker.heartbeat.interval.ms": 1_000,
        "num.network.threads": 2,
        "num.io.threads": 4,
        **config.more,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _command(
    java: Java, classpath: tuple[Path, ...], state_dir: Path, heap_mb: int, options: tuple[str, ...] = ()
) -> list[str]:
    """The JVM with Kafka's own choice of collector, its heap bounded."""
    return [
        str(java.executable),
        *options,
        "-Xms64m",
        f"-Xmx{heap_mb}m",
        # Without the optimising compiler a start costs 6 CPU seconds instead of 10; what follows is little work.
        "-XX:TieredStopAtLevel=1",
        *COLLECTOR,
        "-XX:MaxGCPauseMillis=20",
        "-XX:InitiatingHeapOccupancyPercent=35",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        f"-Dkafka.logs.dir={state_dir / 'logs'}",
        f"-Dlog4j2.configurationFile={LOG4J}",
        "-cp",
        os.pathsep.join(map(str, classpath)),
    ]


def _format(java: Java, classpath: tuple[Path, ...], config: BrokerConfig, ports: Ports) -> None:
    """Make the data folder, in one move: what a killed start left half done is made anew."""
    state_dir = config.state_dir.absolute()
    unfinished = state_dir / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    properties = state_dir / "format.properties"
    properties.write_text(_properties(unfinished, config, ports))
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    done = subprocess.run(
        [
            *_command(java, classpath, state_dir, 128),
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster_id}",
            f"--config={properties}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    properties.unlink()
    if done.returncode != 0:
        raise BrokerError(f"The broker's storage can't be formatted:\n{done.stdout}{done.stderr}", "")
    unfinished.rename(state_dir / "data")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _check_free(port: int) -> int:
    with socket.socket() as probe:
        # As Java's server sockets do: what earlier connections left in TIME_WAIT does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise BrokerError(
                f"Port {port} is taken ({error.strerror})",
                "End what uses it, or name another as `kafka.port` in the config.",
            ) from None
    return port


def _pid_file(state_dir: Path) -> Path:
    return state_dir / "broker.pid"


def _lock(state_dir: Path) -> IO[str]:
    """The state folder for ourselves."""
    try:
        return hold(state_dir / "broker.lock")
    except HeldError as error:
        raise BrokerError(
            f"{state_dir} is in use by process {error.owner}", "Stop that one, or use another folder."
        ) from None


def _end_orphan(state_dir: Path, timeout_s: float) -> None:
    """End the broker that a killed owner left behind. Called with the lock held, so no living owner can have one."""
    path = _pid_file(state_dir)
    try:
        left = json.loads(path.read_text())
        process = psutil.Process(left["pid"])
        ours = process.create_time() == left["created"]
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError, psutil.NoSuchProcess):
        ours = False
    if ours:
        _end(process, timeout_s)
    path.unlink(missing_ok=True)


def _end(process: psutil.Process, timeout_s: float) -> None:
    """SIGTERM, then SIGKILL; psutil makes sure that the pid is still the same process."""
    try:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout_s)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(timeout_s)
    except psutil.NoSuchProcess:
        return
