"""Jobs as Flink's application mode starts them: `python -m stream.jobs.cluster --config FILE --bootstrap ADDRESS ...`.

The cluster has its own configuration (parallelism, memory, checkpoints, high availability, where to go on from) and its
own JVM, which waits for this program. The graph is the same as that of the mini cluster on one machine.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from bus.presence import wait_for_topics
from contracts.config import bootstrap_of
from contracts.config_file import load
from contracts.face_models import manifest_path
from stream.jobs import JOBS
from stream.jobs.classifiers import classifiers_in_service
from stream.jobs.environment import FlinkSettings, environment
from stream.jobs.exits import exit_code
from stream.jobs.face_process import faces_in_service
from stream.jobs.going_on import go_on
from stream.jobs.kafka import KafkaEnds
from stream.jobs.model_source import ModelSource
from stream.jobs.run import build, topics_of


def main(arguments: list[str] | None = None) -> int:
    """Build the wanted jobs and run them until the cluster ends them; 1 for a fault, 2 for a wrong config."""
    options = _parser().parse_args(arguments)
    return exit_code(options.config, lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    config = load(options.config)
    manifest = options.manifest or manifest_path(config, options.config)
    ModelSource(config.models).starting(manifest)
    jobs, ends = (
        tuple(options.jobs),
        KafkaEnds(bootstrap_of(config, options.bootstrap), new_partitions_s=options.new_partitions_s),
    )
    settings = FlinkSettings(None, config.stream.checkpoint_interval_s)
    env = environment(settings)
    if options.go_on:
        go_on(env)
    faces, classifiers = faces_in_service(config, options.config), classifiers_in_service(config, options.config)
    build(env, ends, config, manifest, jobs, watch=True, faces=faces, classifiers=classifiers)
    wait_for_topics(ends.bootstrap, topics_of(config, jobs), threading.Event())
    env.execute(f"vedette {config.site.name} {' '.join(jobs)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stream.jobs.cluster", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--bootstrap", default="", metavar="ADDRESS", help="the broker, instead of the config's kafka")
    parser.add_argument("--manifest", type=Path, help="the detector's, instead of the config's or the bundled one")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, required=True)
    parser.add_argument(
        "--go-on",
        action="store_true",
        help="from the newest checkpoint or savepoint: for clusters without high availability",
    )
    parser.add_argument(
        "--new-partitions-s",
        type=int,
        default=60,
        metavar="SECONDS",
        help="how often the topics' partitions are looked at",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
