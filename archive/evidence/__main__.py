"""`python -m archive.evidence`: keeps the pictures of alerts until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server

from archive.evidence.kafka_frames import KafkaFrames
from archive.evidence.paths import evidence_root
from archive.evidence.service import Letters, Service
from archive.evidence.writer import EvidenceWriter
from contracts.config_file import load
from contracts.errors import ConfigError
from contracts.metrics import Metrics


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal comes; returns the exit code, 2 for a wrong config."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        config = load(given.config)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201  for the person who started it
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    registry = CollectorRegistry()
    measured = Metrics(registry)
    if given.metrics_port:
        start_http_server(given.metrics_port, registry=registry)
    bootstrap = given.bootstrap
    frames = KafkaFrames(bootstrap, stop)
    letters = Letters(bootstrap, measured, _now_ms)
    writer = EvidenceWriter(
        evidence_root(config, given.state),
        frames,
        measured,
        names={name: camera.friendly_name for name, camera in config.cameras.items()},
        time_zone=config.site.time_zone,
    )
    try:
        Service(bootstrap, writer, letters, keep_days=config.evidence.keep_days, clock=_now_ms, stop=stop).run()
    finally:
        frames.close()
        letters.close()
    return 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _servers(text: str) -> str:
    for server in text.split(","):
        if not server.rpartition(":")[0] or not server.rpartition(":")[2].isdecimal():
            raise argparse.ArgumentTypeError(f"`{server}` is not HOST:PORT")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m archive.evidence",
        description="Keep the pictures of alerts: for each one a folder with the frame as it was sent, the drawn "
        "snapshot, what was seen in it and the alert itself. Reads `alerts` as the group vedette-evidence.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site's config")
    parser.add_argument(
        "--bootstrap", type=_servers, required=True, metavar="HOST:PORT", help="the broker, or several by commas"
    )
    parser.add_argument(
        "--state", type=Path, required=True, metavar="DIR", help="pictures go to DIR/evidence unless the config says so"
    )
    parser.add_argument(
        "--metrics-port", type=int, default=0, metavar="PORT", help="serve Prometheus metrics there (default: not)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
