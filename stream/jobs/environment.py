"""How Flink is set up: thread mode, checkpoints that outlive the process, and a start that goes on from the last."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment

from stream.jobs.checkpoints import fault_of, newest_checkpoint

log = logging.getLogger("vedette.jobs")


@dataclass(frozen=True)
class FlinkSettings:
    """What differs between runs. `state_dir` None leaves checkpoints and memory to the cluster's own configuration.

    `parallelism` None does so too: who runs a cluster scales the job there. `rest_port` is where a mini cluster tells
    what its tasks do.
    """

    parallelism: int | None = 1
    checkpoint_interval_s: float = 1.0
    state_dir: Path | None = None
    rest_port: int = 0


def environment(settings: FlinkSettings) -> StreamExecutionEnvironment:
    """The environment that the jobs are built in; with `state_dir` a mini cluster that goes on where it stopped."""
    options = _common(settings)
    if settings.state_dir is not None:
        options |= _local(settings.state_dir, settings.rest_port)
        newest = newest_checkpoint(settings.state_dir, fault_of)
        if newest is not None:
            log.info("goes on from %s", newest)
            options["execution.state-recovery.path"] = newest.as_uri()
            # The restored checkpoint is ours: Flink deletes it once newer ones replace it.
            options["execution.state-recovery.claim-mode"] = "CLAIM"
            options["execution.state-recovery.ignore-unclaimed-state"] = "true"
    configuration = Configuration()
    for key, value in options.items():
        configuration.set_string(key, value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    if settings.parallelism is not None:
        env.set_parallelism(settings.parallelism)
    return env


def _common(settings: FlinkSettings) -> dict[str, str]:
    return {
        "python.execution-mode": "thread",
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        # The connector is on the class path: a second copy by a loader of its own would be read and checked again.
        "classloader.resolve-order": "parent-first",
        # Every exchange would add up to its 5 ms otherwise.
        "execution.buffer-timeout.interval": "0 ms",
        # No operator of ours keeps or changes what it was given: no copy between those that are chained.
        "pipeline.object-reuse": "true",
        "execution.checkpointing.interval": f"{round(settings.checkpoint_interval_s * 1000)} ms",
        "execution.checkpointing.timeout": "60 s",
        "execution.checkpointing.tolerable-failed-checkpoints": "1000",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.num-retained": "2",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "500 ms",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
    }


def _local(state_dir: Path, rest_port: int) -> dict[str, str]:
    checkpoints, scratch = state_dir / "checkpoints", state_dir / "tmp"
    for folder in (checkpoints, scratch):
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "execution.checkpointing.dir": checkpoints.as_uri(),
        "io.tmp.dirs": str(scratch),
        # One exchange a pipeline and states of some KB a camera: the smallest that Flink starts with.
        "taskmanager.memory.network.min": "32 mb",
        "taskmanager.memory.network.max": "32 mb",
        "taskmanager.memory.managed.size": "16 mb",
        "state.backend.type": "hashmap",
        "rest.bind-address": "127.0.0.1",
        "rest.bind-port": str(rest_port),
        # What it tells may be half a second old instead of three.
        "web.refresh-interval": "500 ms",
    }
