"""The system under measurement: a site's config on a recorded clip, `vedette up` as a child, and what it shows."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import psutil
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bus.reader import Reader
from contracts.codec import decode
from contracts.manifest import load_manifest
from contracts.messages import Message
from contracts.metrics import Metric
from vedette.clip import demo_clip
from vedette.local import running_bootstrap

M = TypeVar("M", bound=Message)

CLIP = Path("data") / "videos" / "vtest_480x360.mp4"
"""795 pictures at 10 a second in which four to nine people walk."""
PATIENCE_S = 240.0
"""For a start on a machine that does much else; a calm one takes a tenth."""


def recorded_clip(shared: Path) -> Path:
    """What the cameras show: the recorded data's clip, or where there is none the same scene as `make demo` gets it.

    Raises SetupError when that can't be had either.
    """
    recorded = shared / CLIP
    return (recorded if recorded.is_file() else demo_clip()).resolve()


def model_name(manifest: Path) -> str:
    """Which model was measured."""
    return load_manifest(manifest).id


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def busy_config(clip: Path, manifest: Path) -> dict[str, Any]:
    """Two cameras that loop `clip`, with zones and lines all over the picture: an alert or two a second."""
    columns = {f"column{n}": [[n / 6, 0.0], [(n + 1) / 6, 0.0], [(n + 1) / 6, 1.0], [n / 6, 1.0]] for n in range(6)}
    lines = {f"line{n}": [[(2 * n + 1) / 12, 0.0], [(2 * n + 1) / 12, 1.0]] for n in range(6)}
    entries = {f"in-{zone}": {"kind": "zone_entry", "zone": zone, "cooldown_s": 1} for zone in columns}
    crossings = {f"over-{line}": {"kind": "line_crossing", "line": line, "cooldown_s": 1} for line in lines}
    camera = {
        "inputs": [{"url": str(clip), "loop": True}],
        "zones": {name: {"coordinates": corners, "inertia_s": 0.2} for name, corners in columns.items()},
        "lines": {name: {"coordinates": ends} for name, ends in lines.items()},
        "objects": {"track": ["person"]},
    }
    return {
        "site": {"name": "bench"},
        "kafka": {"port": None},
        "edge": {"metrics_port": free_port()},
        "stream": {"model": str(manifest), "metrics_port": free_port()},
        "cameras": {"gate": camera, "yard": camera},
        "rules": entries | crossings,
    }


def demo_config(clip: Path, manifest: Path) -> dict[str, Any]:
    """What `make demo` runs, on this clip and on ports of its own."""
    template = Path(__file__).parents[2] / "vedette" / "demo.yaml"
    config: dict[str, Any] = yaml.safe_load(template.read_text().replace("{clip}", str(clip)))
    config["kafka"] = {"port": None}
    config["edge"] = {"metrics_port": free_port()}
    config["stream"] = {"model": str(manifest), "metrics_port": free_port()}
    return config


@dataclass(frozen=True)
class Line:
    """A line that the system said, and how many seconds after its start."""

    at_s: float
    text: str


class Up:
    """`vedette up` as a child, with its lines as they come."""

    def __init__(self, config: dict[str, Any], folder: Path, more: Mapping[str, str] = MappingProxyType({})) -> None:
        """`more` comes to its environment."""
        folder.mkdir(parents=True, exist_ok=True)
        self.config, self.state = config, folder / "state"
        file = folder / "config.yaml"
        file.write_text(yaml.safe_dump(config))
        command = [sys.executable, "-m", "vedette", "up", "--config", str(file), "--state", str(self.state)]
        self.started_ms = time.time_ns() // 1_000_000
        self._started_s = time.monotonic()
        # A second start has byte code to read, wherever the bench itself may not write any.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | more
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self._lines: queue.Queue[Line] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Up:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGINT)
            self.process.wait(timeout=60)

    def lines_until(self, *wanted: str) -> list[Line]:
        """Its lines up to one that holds one of `wanted`."""
        lines: list[Line] = []
        deadline = time.monotonic() + PATIENCE_S
        while not lines or not any(word in lines[-1].text for word in wanted):
            try:
                lines.append(self._lines.get(timeout=1.0))
            except queue.Empty:
                heard = "\n".join(line.text for line in lines)
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"none of {wanted} within {PATIENCE_S:g} s\n{heard}\n{self.log('jobs')}") from None
        return lines

    def log(self, child: str, size: int = 3000) -> str:
        """The end of a child's log."""
        file = self.state / "logs" / f"{child}.log"
        return file.read_text(errors="replace")[-size:] if file.exists() else ""

    @property
    def bootstrap(self) -> str:
        """The broker, once everything was started."""
        found = running_bootstrap(self.state)
        assert found is not None, "the system is not up yet"
        return found

    def scrape(self, part: str) -> Scrape:
        """The metrics of `edge` or `stream` as they are now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.config[part]['metrics_port']}/metrics") as answer:
            return Scrape(answer.read().decode())

    def _read(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            self._lines.put(Line(time.monotonic() - self._started_s, text.rstrip()))


class Scrape:
    """Prometheus text, read for its counters and histograms (cumulative counts by upper bound), all labels added up."""

    def __init__(self, text: str) -> None:
        self._buckets: dict[str, dict[float, float]] = {}
        self._totals: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._totals[sample.name] = self._totals.get(sample.name, 0.0) + sample.value
                if sample.name.endswith("_bucket"):
                    buckets = self._buckets.setdefault(family.name, {})
                    bound = float(sample.labels["le"])
                    buckets[bound] = buckets.get(bound, 0.0) + sample.value

    def total(self, sample: str) -> float:
        """A sample's value over all labels; 0 before there is one."""
        return self._totals.get(sample, 0.0)

    def quantiles(self, metric: Metric, shares: Sequence[float], since: Scrape) -> tuple[int, list[float]]:
        """How many observations came after `since`, and their quantiles, linear within a bucket as Prometheus does."""
        before = since._buckets.get(metric.name, {})
        counts = {bound: count - before.get(bound, 0.0) for bound, count in self._buckets.get(metric.name, {}).items()}
        total = max(counts.values(), default=0.0)
        return int(total), [_quantile(counts, share * total) for share in shares]


def _quantile(cumulative: dict[float, float], rank: float) -> float:
    low, below = 0.0, 0.0
    for bound, count in sorted(cumulative.items()):
        if count >= rank and count > below:
            return low if bound == float("inf") else low + (bound - low) * (rank - below) / (count - below)
        low, below = bound, count
    return float("nan")


def messages(bootstrap: str, topic: str, kind: type[M]) -> list[M]:
    """All that a topic holds now."""
    with Reader(bootstrap, topic) as reader:
        return [decode(record.value or b"", kind) for record in reader.held()]


def part_of(process: psutil.Process) -> str:
    """What a process of the system is."""
    line = " ".join(process.cmdline())
    for word, part in (
        ("kafka.Kafka", "broker"),
        ("PythonGatewayServer", "jobs, JVM"),
        ("stream.jobs", "jobs, driver"),
        ("archive.evidence", "evidence"),
        ("archive.history", "history"),
        ("-m edge", "agent"),
        ("-m console", "console"),
    ):
        if word in line:
            return part
    return "command"


def pss_mib(root: int) -> dict[str, float]:
    """Proportional memory of a process and all its descendants, MiB by part."""
    family = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    parts: dict[str, float] = {}
    for process in family:
        part = part_of(process)
        parts[part] = parts.get(part, 0.0) + process.memory_full_info().pss / 2**20
    return parts
