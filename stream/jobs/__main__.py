"""Runs a site's jobs in one mini cluster: `python -m stream.jobs --config FILE --bootstrap HOST:PORT ...`."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
import threading
from pathlib import Path

from pyflink.common import JobStatus
from pyflink.common.job_client import JobClient
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from contracts import topics
from contracts.config import Config
from contracts.config_file import load
from contracts.errors import ConfigError
from stream.jobs import analytics, decide, detect
from stream.jobs.environment import FlinkSettings, environment
from stream.jobs.kafka import KafkaEnds
from stream.jobs.process import ProcessSettings

JOBS = ("detect", "decide", "analytics")
log = logging.getLogger("vedette.jobs")


def build(
    env: StreamExecutionEnvironment,
    ends: KafkaEnds,
    config: Config,
    manifest: Path,
    jobs: tuple[str, ...],
    *,
    watch: bool,
) -> None:
    """All wanted jobs as disconnected pipelines of one graph: a failure restarts only its own.

    `watch` is whether agents that never speak are missed.
    """
    plain = ProcessSettings(metrics_port=config.stream.metrics_port)
    if "detect" in jobs:
        settings = ProcessSettings(
            metrics_port=config.stream.metrics_port,
            manifest=str(manifest),
            batch_max=config.stream.batch_max,
            batch_wait_ms=config.stream.batch_wait_ms,
            controls_topic=ends.prefix + topics.CONTROLS,
            bootstrap=ends.bootstrap,
        )
        detect.build(env, ends, detect.DetectConfig(config.site.name, settings, ends.prefix))
    if "decide" in jobs:
        decide.build(env, ends, decide.DecideConfig(config, plain, ends.prefix, watch))
    if "analytics" in jobs:
        analytics.build(env, ends, analytics.AnalyticsConfig(config, plain, ends.prefix))


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; 1 when the job fails for good, 2 for a wrong config."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        config = load(options.config)
    except ConfigError as error:
        log.error("%s", error)
        return 2
    if (port := config.stream.metrics_port) and not _is_free(port):
        log.error("the port %d of stream.metrics_port is taken", port)
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    env = environment(
        FlinkSettings(
            connector_jar=options.connector_jar,
            parallelism=config.stream.parallelism,
            checkpoint_interval_s=config.stream.checkpoint_interval_s,
            state_dir=options.state,
        )
    )
    ends = KafkaEnds(options.bootstrap, options.prefix)
    # What is drained at its end is a replay: its agent sends no status.
    build(env, ends, config, options.manifest, tuple(options.jobs), watch=not options.drain)
    client = env.execute_async(f"vedette {config.site.name}")
    log.info("jobs %s submitted", ", ".join(options.jobs))
    return _supervise(client, stop, options.state / "savepoints" if options.drain else None)


def _is_free(port: int) -> bool:
    """Whether the port can be listened on: in an operator its failure would be a restart without end."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _supervise(client: JobClient, stop: threading.Event, drain_to: Path | None) -> int:
    while not stop.wait(0.3):
        status = client.get_job_status().result()
        if status in (JobStatus.FAILED, JobStatus.CANCELED, JobStatus.FINISHED):
            log.error("the job is %s", status.name)
            return 1
    if drain_to is not None:
        drain_to.mkdir(parents=True, exist_ok=True)
        _drain(client, drain_to)
    else:
        client.cancel().result()
    return 0


def _drain(client: JobClient, folder: Path) -> None:
    """Let everything in the pipelines and sinks through, then end.

    PyFlink 2.3's own `stop_with_savepoint` calls a Java method that is no more: the format became an argument.
    """
    formats = get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType
    client._j_job_client.stopWithSavepoint(True, folder.as_uri(), formats.CANONICAL).get()


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
    return parser


if __name__ == "__main__":
    sys.exit(main())
