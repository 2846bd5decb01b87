"""The jobs of a site in one mini cluster: built while the broker still starts, submitted once its topics are there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyflink.common.job_client import JobClient
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from bus.presence import wait_for_topics
from contracts import topics
from contracts.access import of_parts
from contracts.config import Config
from contracts.face_models import FaceManifests, identifying
from stream.jobs import JOBS, analytics, decide, detect, rollout, site
from stream.jobs.classifier_process import ClassifierSettings
from stream.jobs.classifiers import Classifiers
from stream.jobs.clock import now_ms
from stream.jobs.environment import FlinkSettings, environment
from stream.jobs.face_process import FaceSettings
from stream.jobs.kafka import KafkaEnds
from stream.jobs.model_news import ModelNews
from stream.jobs.model_source import ModelSource
from stream.jobs.ports import free_port
from stream.jobs.process import ProcessSettings
from stream.jobs.supervise import Flink, Limits, supervise

log = logging.getLogger("vedette.jobs")


@dataclass(frozen=True)
class RunOptions:
    """What the command line says. `drain` lets what is in the pipelines through at the end: a replay.

    `faces` are the face models, None where nobody can be identified; `classifiers`
    the second stages.
    """

    bootstrap: str
    state: Path
    manifest: Path
    prefix: str = ""
    jobs: tuple[str, ...] = JOBS
    drain: bool = False
    most_restarts: int = 10
    faces: FaceManifests | None = None
    classifiers: Classifiers = field(default_factory=Classifiers)


def build(
    env: StreamExecutionEnvironment,
    ends: KafkaEnds,
    config: Config,
    manifest: Path,
    jobs: tuple[str, ...],
    *,
    watch: bool,
    faces: FaceManifests | None,
    classifiers: Classifiers,
) -> None:
    """All wanted jobs as disconnected pipelines of one graph: a failure restarts only its own.

    `watch` is whether agents that never speak are missed, and candidates taken back that do badly: not in a replay.
    `faces` are the face models, None where nobody can be identified.
    """
    plain = ProcessSettings(config.stream.metrics_host, config.stream.metrics_port)
    people = _face_settings(config, ends, faces) if faces is not None else None
    if "detect" in jobs:
        settings = ProcessSettings(
            metrics_host=config.stream.metrics_host,
            metrics_port=config.stream.metrics_port,
            manifest=str(manifest),
            batch_max=config.stream.batch_max,
            batch_wait_ms=config.stream.batch_wait_ms,
            controls_topic=ends.prefix + topics.CONTROLS,
            bootstrap=ends.bootstrap,
            models=ModelSource(config.models),
            faces=people,
            classifiers=_classifier_settings(config, ends, classifiers),
        )
        detect.build(env, ends, detect.DetectConfig(config.site.name, settings, ends.prefix, identifying(config)))
    if "decide" in jobs:
        settings = replace(plain, faces=people)
        decide.build(env, ends, decide.DecideConfig(config, settings, ends.prefix, watch, classifiers.votes))
    if "analytics" in jobs:
        analytics.build(env, ends, analytics.AnalyticsConfig(config, plain, ends.prefix))
        if watch:
            bounds = config.stream.rollout
            rollout.build(env, ends, rollout.RolloutConfig(config.site.name, bounds, plain, ends.prefix))
    if "site" in jobs and faces is not None:
        settings = replace(plain, faces=people)
        site.build(env, ends, site.SiteConfig(config, settings, str(faces.embedder), ends.prefix))


def _classifier_settings(config: Config, ends: KafkaEnds, classifiers: Classifiers) -> ClassifierSettings | None:
    if not classifiers.setups:
        return None
    return ClassifierSettings(config.site.name, classifiers.setups, ends.bootstrap, ends.prefix + topics.CONTROLS)


def _face_settings(config: Config, ends: KafkaEnds, manifests: FaceManifests) -> FaceSettings:
    return FaceSettings(
        site=config.site.name,
        localiser=str(manifests.localiser),
        embedder=str(manifests.embedder),
        bootstrap=ends.bootstrap,
        keys_topic=ends.prefix + topics.FACE_KEYS,
        gallery_topic=ends.prefix + topics.GALLERY,
        controls_topic=ends.prefix + topics.CONTROLS,
        most=config.faces.most,
        wanted_rate=config.faces.wanted_rate,
    )


def topics_of(config: Config, jobs: Iterable[str]) -> set[str]:
    """The topics that these jobs read and write."""
    parts = of_parts(config.site.name)
    return {topic for job in jobs for topic in parts[job].topics}


def run(config: Config, options: RunOptions, stop: threading.Event) -> int:
    """Run until `stop` is set; the exit code. The JVM is there already (stream.jobs.gateway)."""
    rest_port = free_port()
    settings = FlinkSettings(
        parallelism=config.stream.parallelism,
        checkpoint_interval_s=config.stream.checkpoint_interval_s,
        state_dir=options.state,
        rest_port=rest_port,
    )
    env = environment(settings)
    ends = KafkaEnds(options.bootstrap, options.prefix)
    # What is drained at its end is a replay: its agent sends no status.
    build(
        env,
        ends,
        config,
        options.manifest,
        options.jobs,
        watch=not options.drain,
        faces=options.faces,
        classifiers=options.classifiers,
    )
    log.info("jobs %s are built", ", ".join(options.jobs))
    wanted = {options.prefix + topic for topic in topics_of(config, options.jobs)}
    if not wait_for_topics(options.bootstrap, wanted, stop):
        return 0
    client = env.execute_async(f"vedette {config.site.name}")
    log.info("jobs %s submitted", ", ".join(options.jobs))
    if not options.drain:
        ModelNews(now_ms()).start(ends)
    limits = Limits(restarts=options.most_restarts)
    code = supervise(client, Flink(rest_port, str(client.get_job_id())), stop, limits)
    if code == 0:
        _end(client, options.state / "savepoints" if options.drain else None)
    return code


def _end(client: JobClient, drain_to: Path | None) -> None:
    if drain_to is None:
        client.cancel().result()
    else:
        drain_to.mkdir(parents=True, exist_ok=True)
        _drain(client, drain_to)


def _drain(client: JobClient, folder: Path) -> None:
    """Let everything in the pipelines and sinks through, then end.

    PyFlink 2.3's own `stop_with_savepoint` calls a Java method that is no more: the format became an argument.
    """
    formats = get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType
    client._j_job_client.stopWithSavepoint(True, folder.as_uri(), formats.CANONICAL).get()
