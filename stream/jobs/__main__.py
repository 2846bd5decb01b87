"""Runs a site's jobs in one mini cluster: `python -m stream.jobs --config FILE --bootstrap HOST:PORT ...`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from contracts.config import Config
from contracts.config_file import load
from contracts.errors import VedetteError
from contracts.face_models import FaceManifests
from stream.jobs import JOBS
from stream.jobs.classifiers import Classifiers, classifiers_in_service
from stream.jobs.exits import EXIT_FAILED, exit_code
from stream.jobs.face_process import faces_in_service
from stream.jobs.gateway import Jvm
from stream.jobs.model_source import ModelSource
from stream.jobs.ports import is_free


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; 1 when the jobs fail for good, 2 for a wrong config, 3 for a loop of restarts."""
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return exit_code(options.config, lambda: _checked(options, stop))


def _checked(options: argparse.Namespace, stop: threading.Event) -> int:
    """What is wrong is said before the JVM starts."""
    config = load(options.config)
    ModelSource(config.models).starting(options.manifest)
    host, port = config.stream.metrics_host, config.stream.metrics_port
    if port and not is_free(port, host):
        raise VedetteError(f"stream.metrics_port: {host}:{port} is taken, or no address of this machine")
    models = faces_in_service(config, options.config), classifiers_in_service(config, options.config)
    return _run(config, options, stop, *models)


def _run(
    config: Config,
    options: argparse.Namespace,
    stop: threading.Event,
    faces: FaceManifests | None,
    classifiers: Classifiers,
) -> int:
    jvm = Jvm(options.connector_jar)
    code = EXIT_FAILED
    try:
        # Only now: these imports take as long as the JVM's start, which goes on beside them.
        from stream.jobs.run import RunOptions, run

        jvm.connect()
        chosen = RunOptions(
            bootstrap=options.bootstrap,
            state=options.state,
            manifest=options.manifest,
            prefix=options.prefix,
            jobs=tuple(options.jobs),
            drain=options.drain,
            most_restarts=options.most_restarts,
            faces=faces,
            classifiers=classifiers,
        )
        code = run(config, chosen, stop)
        return code
    finally:
        if code:
            jvm.kill()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stream.jobs", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--bootstrap", required=True, help="the broker, host:port")
    parser.add_argument("--state", type=Path, required=True, help="where checkpoints are kept")
    parser.add_argument("--manifest", type=Path, required=True, help="the detector's manifest")
    parser.add_argument("--connector-jar", type=Path, required=True)
    parser.add_argument("--prefix", default="", help="of every topic's name")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--drain", action="store_true", help="on SIGTERM finish what is in the pipelines first")
    parser.add_argument(
        "--most-restarts", type=int, default=10, help="so many within five minutes are a loop, and given up"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
