"""A Flink cluster out of the wheel, as processes on this machine: a job manager with its application, task managers."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pyflink
import yaml

from stream.jobs.ports import free_port, is_free
from vedette.jars import flink_connector_jar
from vedette.java import child_environment, find_java

FLINK = Path(pyflink.__file__).parent
CLUSTER_S = 240.0
"""For so long a test waits for what a cluster does: its JVMs and their Python start, and others want the cores."""
PYTHON_DRIVER = "org.apache.flink.client.python.PythonDriver"
REPORTER = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"


class Standalone:
    """One application (`python -m MODULE ARGUMENTS`) in application mode. What it starts it ends.

    A task manager has as many slots as the job has parallelism.
    """

    def __init__(self, folder: Path, module: str, arguments: Sequence[str], parallelism: int = 1) -> None:
        self.folder = folder
        self._parallelism = parallelism
        self._application = (
            *("--job-classname", PYTHON_DRIVER, "-pyclientexec", sys.executable, "-pyexec", sys.executable),
            *("-pym", module, *arguments),
        )
        self.port = _lasting_port()
        self.metrics_ports: list[int] = []
        """Where Flink's own reporter listens in each process that was started, the job manager's first."""
        self.manager: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self._prepare()

    def __enter__(self) -> Standalone:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes():
            _end(process)

    def start(self, workers: int, savepoint: str = "") -> None:
        """Start the job manager (the application begins from `savepoint`) and so many task managers."""
        begin = ("--fromSavepoint", savepoint) if savepoint else ()
        self.manager = self._spawn("standalone-job.sh", *begin, *self._application)
        self.workers = [self._spawn("taskmanager.sh") for _ in range(workers)]

    def restart_manager(self) -> None:
        """kill -9 of the job manager, and the same once more: as a container that is started again."""
        assert self.manager is not None
        self.manager.kill()
        self.manager.wait()
        self.manager = self._spawn("standalone-job.sh", *self._application)

    def went_on_from(self) -> str:
        """Where the application of the last job manager says that it goes on from (`--go-on`); empty: nowhere."""
        logs = self.folder.glob("standalone-job.sh-*.log")
        newest = max(logs, key=lambda path: int(path.stem.rpartition("-")[2]))
        found = re.search(r"vedette\.jobs goes on from (\S+)", newest.read_text(errors="replace"))
        return found[1] if found else ""

    def add_worker(self) -> None:
        """One more task manager."""
        self.workers.append(self._spawn("taskmanager.sh"))

    def job(self) -> dict[str, Any]:
        """What the cluster says of its one job; {} before there is one."""
        try:
            (job,) = self._get("/jobs/overview")["jobs"]
        except (OSError, ValueError):
            return {}
        return dict(job)

    def runs(self) -> bool:
        """Whether every task runs."""
        job = self.job()
        return bool(job) and job["state"] == "RUNNING" and job["tasks"]["running"] == job["tasks"]["total"]

    def parallelism(self) -> set[int]:
        """How many tasks the job's parts have."""
        return {vertex["parallelism"] for vertex in self._vertices()}

    def kill_busy_worker(self) -> None:
        """kill -9 of the task manager in which the job's tasks are."""
        vertices = self._vertices()
        tasks = self._get(f"/jobs/{self.job()['jid']}/vertices/{vertices[0]['id']}")["subtasks"]
        managers = {one["id"]: one for one in self._get("/taskmanagers")["taskmanagers"]}
        port = int(managers[tasks[0]["taskmanager-id"]]["path"].rsplit(":", 1)[1].split("/")[0])
        victim = next(one for one in self.workers if port in _listens_on(one.pid))
        victim.kill()
        victim.wait()
        self.workers.remove(victim)

    def stop_with_savepoint(self, wait: Callable[[str, Callable[[], bool]], None]) -> str:
        """End the application with a savepoint; returns where that is."""
        job = self.job()["jid"]
        body = json.dumps({"targetDirectory": (self.folder / "savepoints").as_uri(), "drain": False}).encode()
        request = urllib.request.Request(f"{self._url}/jobs/{job}/stop", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()
        # Its metadata is written last, and then the tasks end: without their workers before that, the job would fail.
        # The cluster ends with its job, so nobody may be left to ask.
        wait("the savepoint", lambda: bool(list(self._savepoints())))
        wait("the end of the job", lambda: self.job().get("state", "FINISHED") == "FINISHED")
        for process in self._processes():
            _end(process)
        self.workers, self.manager = [], None
        return next(self._savepoints()).parent.as_uri()

    def _savepoints(self) -> Iterator[Path]:
        return (self.folder / "savepoints").glob("*/_metadata")

    def log(self) -> str:
        """Who has ended by itself, what the tasks do, threads that are in Python, and the ends of all logs."""
        ended = [f"process {one.pid} has ended with {one.poll()}" for one in self._processes() if one.poll()]
        for one in self.workers:
            if one.poll() is None:
                one.send_signal(signal.SIGQUIT)  # Java writes what its threads do into its log
        time.sleep(1)
        return "\n".join([*ended, *self._states(), *map(_told, sorted(self.folder.glob("*.sh-*.log")))])

    def _processes(self) -> list[subprocess.Popen[bytes]]:
        return [*self.workers, *([self.manager] if self.manager else [])]

    def _states(self) -> list[str]:
        """Of each part of the job that doesn't run as a whole, what its tasks do; [] where nobody answers."""
        try:
            states = {vertex["name"][:120]: vertex["tasks"] for vertex in self._vertices()}
        except (OSError, ValueError, KeyError):
            return []
        return [
            f"{name}: {found}"
            for name, tasks in states.items()
            if (found := {state.lower(): count for state, count in tasks.items() if count}).keys() != {"running"}
        ]

    def _vertices(self) -> list[dict[str, Any]]:
        return list(self._get(f"/jobs/{self.job()['jid']}")["vertices"])

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self._url + path, timeout=10) as answer:
            return json.load(answer)

    def _prepare(self) -> None:
        """Jars and configuration of the cluster's own: what an image has in its folders."""
        for name in ("lib", "conf", "scratch"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        jars = [*(FLINK / "lib").glob("*.jar"), *(FLINK / "opt").glob("flink-python-*.jar"), flink_connector_jar()]
        for jar in jars:
            link = self.folder / "lib" / jar.name
            if not link.exists():
                link.symlink_to(jar)
        settings = {
            "jobmanager.rpc.address": "127.0.0.1",
            "jobmanager.rpc.port": _lasting_port(),
            "jobmanager.bind-host": "127.0.0.1",
            "jobmanager.memory.process.size": "1000m",
            "taskmanager.bind-host": "127.0.0.1",
            "taskmanager.host": "127.0.0.1",
            "taskmanager.memory.process.size": "1200m",
            "taskmanager.memory.managed.size": "0m",
            "taskmanager.numberOfTaskSlots": self._parallelism,
            "parallelism.default": self._parallelism,
            "rest.port": self.port,
            "rest.address": "127.0.0.1",
            "pekko.startup-timeout": "2 min",  # ten seconds are not enough on a machine that others want too
            "heartbeat.interval": "1 s",
            "heartbeat.timeout": "10 s",
            "io.tmp.dirs": str(self.folder / "scratch"),
            "execution.checkpointing.dir": (self.folder / "checkpoints").as_uri(),
            "metrics.reporters": "prometheus",
            "metrics.reporter.prometheus.factory.class": REPORTER,
        }
        # What Flink's JVMs must open to it on Java 17 stands in its own configuration.
        own = yaml.safe_load((FLINK / "conf" / "config.yaml").read_text())
        (self.folder / "conf" / "config.yaml").write_text(yaml.safe_dump({"env": own["env"], **settings}))
        (self.folder / "conf" / "log4j-console.properties").write_text(
            (FLINK / "conf" / "log4j-console.properties").read_text()
        )

    def _spawn(self, script: str, *arguments: str) -> subprocess.Popen[bytes]:
        number = len(list(self.folder.glob("*.log")))
        surroundings = {
            **child_environment(find_java()),
            "FLINK_CONF_DIR": str(self.folder / "conf"),
            "FLINK_LIB_DIR": str(self.folder / "lib"),
            "FLINK_LOG_DIR": str(self.folder),
            "FLINK_PLUGINS_DIR": str(FLINK / "plugins"),
            "PYTHONPATH": os.getcwd(),
        }
        self.metrics_ports.append(free_port())
        port = f"metrics.reporter.prometheus.port={self.metrics_ports[-1]}"
        with (self.folder / f"{script}-{number}.log").open("wb") as out:
            command = [str(FLINK / "bin" / script), "start-foreground", "-D", port, *arguments]
            return subprocess.Popen(command, env=surroundings, stdout=out, stderr=subprocess.STDOUT)


def _lasting_port() -> int:
    """A free port that no connection is given meanwhile (Linux takes those from 32768 on), also after a restart."""
    return next(port for port in iter(lambda: random.randrange(20_000, 32_000), 0) if is_free(port))


def _told(log: Path) -> str:
    """What a JVM said as it died, the threads in Python when it was asked for a dump, and the end of its log."""
    text = log.read_text(errors="replace")
    died = [line for line in text.splitlines() if line.startswith("# ")]
    said, _, dump = text.partition("Full thread dump")
    python = [thread[:1000] for thread in dump.split("\n\n") if "pemja" in thread]
    return "\n".join([f"--- {log.name}", *died, *python, said[-2500:]])


def _listens_on(pid: int) -> set[int]:
    connections = psutil.Process(pid).net_connections("tcp")
    return {one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN}


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
