"""Starts what runs in a built image: read-only, without rights or network, beside a broker, until its probe answers."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import yaml

from bus.admin import create_topics
from contracts import topics
from contracts.config_file import load
from tests.edge_tools import write_clip
from tests.images.build import Image
from tests.images.dockerfile import Stage
from tests.images.root import Run
from tests.manifests.overlays import built, containers, site_of
from vedette.broker import Broker, BrokerConfig

OVERLAY = "dev"
SITE_FILE, WRONG_FILE = "/etc/vedette/site.yaml", "/etc/vedette/wrong.yaml"
CLIPS = "/clips"
CLONE_NEWNET = 0x40000000
PATIENCE_S, END_S = 120.0, 30.0
FLINK = "/opt/flink/bin"
HALTED, HALTED_AFTER_S = 239, 5.0
"""Flink's JvmShutdownSafeguard: a JVM that is not done with ending after five seconds halts. It takes one or two, and
longer on a busy machine. Sooner the same code is FatalExitExceptionHandler's, at an error that nobody caught."""
MORE = {
    "console": ("import archive.preview.__main__", "import console.signer.__main__"),
    "edge": ("import edge.enrol",),
    "training": ("import training.__main__, vedette.learn",),
    "stream-cuda": ("import onnxruntime as o; assert 'CUDAExecutionProvider' in o.get_available_providers()",),
}
"""What an image's programs start themselves, or what needs another machine to be started for real."""
Words = tuple[str, ...]


class StartError(Exception):
    """A program did not come up, or did not end; the text has the end of its log."""


@dataclass(frozen=True)
class Program:
    """What is started together, the folders that it may write to, and the probe that it then answers.

    Without a probe it ends by itself, with `code`.
    """

    name: str
    processes: tuple[Words, ...]
    writes: tuple[str, ...] = ()
    probe: Words | None = None
    code: int = 0


def without_network() -> None:
    """From here on this process and what it starts have a loopback of their own, nothing else: ports are free."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "a network namespace needs root")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def programs(image: str, stage: Stage) -> Iterator[Program]:
    """The file's own entry point, then every container of the manifests that has this image."""
    if (entry := stage.last("ENTRYPOINT")) and (command := stage.last("CMD")):
        words = entry.words() + command.words()
        yield Program("the image's own", (words,), ("/var/lib/vedette",), _probe_of(stage))
        if any(SITE_FILE in word for word in words):
            wrong = tuple(word.replace(SITE_FILE, WRONG_FILE) for word in words)
            yield Program("its word on a wrong config", (wrong,), code=2)
    for words in MORE.get(image, ()):
        yield Program(words, (("python", "-c", words),))
    for one in built(OVERLAY):
        if one["kind"] == "FlinkDeployment" and one["spec"]["image"].startswith(f"vedette/{image}:"):
            yield _job(one, stage)
        for container in containers(one):
            if container.get("image", "").startswith(f"vedette/{image}:"):
                yield _container(one, container)


def _probe_of(stage: Stage) -> Words | None:
    health = stage.last("HEALTHCHECK")
    return tuple(yaml.safe_load(health.text.removeprefix("CMD "))) if health else None


def _container(one: dict[str, Any], container: dict[str, Any]) -> Program:
    words = tuple(word.replace("$(POD)", "pod-0") for word in [*container["command"], *container["args"]])
    writes = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    probe = None
    if "readinessProbe" in container:
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        asked = container["readinessProbe"]["httpGet"]
        address = f"http://127.0.0.1:{ports[asked['port']]}{asked['path']}"
        probe = ("python", "-c", f"import urllib.request as r; r.urlopen('{address}', timeout=4)")
    name = f"{one['kind']} {one['metadata']['name']}"
    return Program(name, (words,), tuple(place for place in writes if place not in ("/tmp", CLIPS)), probe)


def _job(one: dict[str, Any], stage: Stage) -> Program:
    """As the operator does: a job manager with the application, a task manager; here both as processes."""
    job = one["spec"]["job"]
    application = (f"{FLINK}/standalone-job.sh", "start-foreground", "--job-classname", job["entryClass"], *job["args"])
    worker = (f"{FLINK}/taskmanager.sh", "start-foreground")
    return Program(f"job {one['metadata']['name']}", (application, worker), ("/opt/flink/log",), _probe_of(stage))


class Site:
    """The dev overlay's site beside a broker of its own: config, clip and topics."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._broker = Broker(BrokerConfig(folder / "broker"))

    def __enter__(self) -> Site:
        self._broker.start()
        config = yaml.safe_load(site_of(OVERLAY).read_text())
        config["kafka"] = {"bootstrap_servers": [self._broker.bootstrap]}
        self.config.write_text(yaml.safe_dump(config))
        self._wrong.write_text("cameraz: {}\n")
        self._hosts.write_text(f"127.0.0.1 localhost {platform.node()}\n")
        (self._folder / "clips").mkdir(exist_ok=True)
        write_clip(self._folder / "clips" / "vtest.avi", 100)
        create_topics(self._broker.bootstrap, topics.specs_of(load(self.config)))
        return self

    def __exit__(self, *_: object) -> None:
        self._broker.stop()

    @property
    def config(self) -> Path:
        """The config's file."""
        return self._folder / "site.yaml"

    @property
    def _hosts(self) -> Path:
        return self._folder / "hosts"

    @property
    def _wrong(self) -> Path:
        return self._folder / "wrong.yaml"

    def binds(self, program: Program, user: str) -> dict[Path, str]:
        """Config and clips, and folders of the program's own that it may write to."""
        files = {self.config: SITE_FILE, self._wrong: WRONG_FILE, self._hosts: "/etc/hosts"}
        binds = {**files, self._folder / "clips": CLIPS}
        for place in program.writes:
            folder = self._folder / "volumes" / program.name.replace(" ", "-") / place.strip("/").replace("/", "-")
            folder.mkdir(parents=True, exist_ok=True)
            os.chown(folder, int(user), int(user))
            binds[folder] = place
        return binds

    def log_of(self, program: Program, number: int) -> Path:
        """Where a process writes."""
        return self._folder / f"{program.name.replace(' ', '-').replace('/', '-')}-{number}.log"


def came_up_s(image: Image, program: Program, site: Site) -> float:
    """Start, wait for the probe, end by SIGTERM; the seconds until the probe answered. Raises StartError."""
    began_s = time.monotonic()
    logs = [site.log_of(program, number) for number in range(len(program.processes))]
    with ExitStack() as opened:
        running = []
        for words, log in zip(program.processes, logs, strict=True):
            out = opened.enter_context(log.open("wb"))
            running.append(image.root.start(_run(image, words, site.binds(program, image.user)), out.fileno()))
            opened.callback(running[-1].wait)
            opened.callback(running[-1].kill)
        try:
            _wait(image, program, running)
            took_s = time.monotonic() - began_s
            if program.probe is not None:
                for process in running:
                    _end(process)
        except (StartError, subprocess.TimeoutExpired) as error:
            ends = "\n".join(_told(log) for log in logs)
            raise StartError(f"{program.name}: {error}\n{ends}") from error
    return took_s


def _told(log: Path) -> str:
    """What it calls an error, with the line after it, and its last words."""
    lines = log.read_text(errors="replace").splitlines()
    errors = [line for before, line in pairwise(("", *lines)) if re.search("ERROR|FATAL", before + line)]
    return "\n".join((*errors[:20], "...", *lines[-15:]))


def _wait(image: Image, program: Program, running: list[subprocess.Popen[bytes]]) -> None:
    if program.probe is None:
        if (code := running[0].wait(PATIENCE_S)) != program.code:
            raise StartError(f"ended with code {code}")
        return
    until = time.monotonic() + PATIENCE_S
    while _asked(image, program.probe) != 0:
        for process in running:
            if process.poll() is not None:
                raise StartError(f"ended with code {process.returncode}")
        if time.monotonic() > until:
            raise StartError(f"its probe did not answer within {PATIENCE_S:g} s")
        time.sleep(0.5)


def _asked(image: Image, probe: Words) -> int:
    return image.root.start(_run(image, probe, {}), subprocess.DEVNULL).wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the program itself, which is the first of its process namespace, as in a container."""
    (program,) = psutil.Process(process.pid).children()
    began_s = time.monotonic()
    program.terminate()
    code = process.wait(END_S)
    if code == HALTED and time.monotonic() - began_s >= HALTED_AFTER_S:
        return
    if code not in (0, 143):
        raise StartError(f"ended with code {code} after SIGTERM")


def _run(image: Image, words: Words, binds: dict[Path, str]) -> Run:
    return Run(words, image.user, image.folder, {**image.env, "HOME": "/tmp"}, binds)
