"""`python -m edge`: runs an agent of a site until SIGTERM or Ctrl-C, or replays recordings through the broker."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

import cv2
from prometheus_client import CollectorRegistry

from contracts import config_file
from contracts.assignment import machine_name
from contracts.config import Config, bootstrap_of
from contracts.errors import ConfigError, VedetteError
from edge import logs
from edge.agent import Agent, Options
from edge.config_watch import ConfigWatch
from edge.identity import FOLDER, Identity
from telemetry import Tracer, open_tracer

EXIT_FAILED = 1
EXIT_CONFIG = 2


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit code: 0 done, 1 failed, 2 the config is wrong."""
    given = _parser().parse_args(arguments)
    logs.set_up()
    set_up_opencv()
    stop = threading.Event()
    tracer = open_tracer("agent")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        config = config_file.load(given.config)
        agent = Agent(config, _options(given, config, tracer), CollectorRegistry())
        agent.run(stop)
    except ConfigError as error:
        print(f"{given.config}: {error}", file=sys.stderr)
        return EXIT_CONFIG
    except (VedetteError, OSError) as error:
        logging.getLogger("edge").error("the agent failed", extra={"error": str(error)})
        return EXIT_FAILED
    finally:
        tracer.close()
    return 0


def _options(given: argparse.Namespace, config: Config, tracer: Tracer) -> Options:
    """An agent that has enrolled knows its broker from there; `--bootstrap` has the first word all the same."""
    identity = Identity(given.state / FOLDER)
    enrolled = identity.enrolment
    enrolment = None if given.bootstrap else enrolled
    if enrolment is not None and enrolment.site != config.site.name:
        raise ConfigError("site.name", f"{given.state} enrolled for the site {enrolment.site}")
    return Options(
        bootstrap=bootstrap_of(config, given.bootstrap) if enrolment is None else str(identity.address(enrolment)),
        identity=identity if enrolment is not None else None,
        state=given.state,
        name=given.name or (enrolled.agent if enrolled is not None else machine_name()),
        secrets=os.environ,
        now_ms=lambda: time.time_ns() // 1_000_000,
        replay_start_ms=given.replay_start_ms,
        every_frame=given.every_frame,
        session=given.session,
        metrics_port=given.metrics_port,
        tracer=tracer,
        news=ConfigWatch(given.config, config).news,
    )


def set_up_opencv() -> None:
    """How every process opens cameras: RTSP over TCP, and no address in any message."""
    # The agent's parallelism is its cameras; OpenCV's own threads would only contend with them.
    cv2.setNumThreads(1)
    # OpenCV's and FFmpeg's own messages may hold the address with its password; ours say what they would.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m edge",
        description="Read the cameras of a config, and publish what is worth it on frames.SITE.",
        epilog="Secrets in the cameras' addresses, {NAME}, are taken from the environment.",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site's YAML file")
    parser.add_argument("--bootstrap", default="", metavar="ADDRESS", help="the broker, instead of the config's kafka")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="spool, session number, lock")
    parser.add_argument("--name", default="", help="what the agent is called: as it enrolled, else as the machine")
    parser.add_argument("--metrics-port", type=int, metavar="N", help="instead of edge.metrics_port; 0 = none")
    replay = parser.add_argument_group("replay", "files only, as fast as the broker takes them; ends when all is there")
    replay.add_argument("--replay-start-ms", type=int, metavar="MS", help="the time of each file's first picture")
    replay.add_argument("--every-frame", action="store_true", help="send every picture, without motion gate")
    replay.add_argument("--session", type=int, metavar="N", help="instead of the number of this start")
    return parser


if __name__ == "__main__":
    sys.exit(main())
