"""What the processes of the archive have in common: their arguments, signals, log and metrics."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server

from contracts.config import Config, bootstrap_of
from contracts.config_file import load
from contracts.errors import ConfigError
from contracts.metrics import Metrics, watch_disk


@dataclass(frozen=True)
class Process:
    """What a process was started with; `stop` is set by SIGTERM and SIGINT. Paths in the config begin at its file."""

    config: Config
    config_file: Path
    bootstrap: str
    state: Path
    metrics: Metrics
    stop: threading.Event


def begin(module: str, about: str, state_help: str, arguments: list[str] | None) -> Process | None:
    """Read arguments and config, and set log, signals and metrics up; None for a wrong config, which is said."""
    given = _parser(module, about, state_help).parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        config = load(given.config)
        bootstrap = bootstrap_of(config, given.bootstrap)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201  for the person who started it
        return None
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    given.state.mkdir(parents=True, exist_ok=True)
    watch_disk(metrics, "archive", given.state)
    if given.metrics_port:
        start_http_server(given.metrics_port, given.metrics_host, registry)
    return Process(config, given.config, bootstrap, given.state, metrics, stop)


def now_ms() -> int:
    """The time, in ms since the epoch."""
    return time.time_ns() // 1_000_000


def _parser(module: str, about: str, state_help: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site's config")
    parser.add_argument("--bootstrap", default="", metavar="ADDRESS", help="the broker, instead of the config's kafka")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help=state_help)
    parser.add_argument(
        "--metrics-port", type=int, default=0, metavar="PORT", help="serve Prometheus metrics there (default: not)"
    )
    parser.add_argument("--metrics-host", default="0.0.0.0", metavar="HOST", help="to whom (default: to all)")  # noqa: S104
    return parser
