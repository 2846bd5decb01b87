"""Where the figures of a training go while it runs: TensorBoard's files, and MLflow where the environment names one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from archive.registry.mlflow_client import HOW_TO, experiment_of, open_client
from contracts.errors import ConfigError

ADDRESS = "MLFLOW_TRACKING_URI"
AT_ONCE = 50
"""Steps whose figures go to MLflow together: a kill loses these at most."""
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""A server that is away holds no training up; its own patience would be minutes a request."""


class Logs:
    """The figures of one training, from step `first` on."""

    def __init__(self, name: str, out: Path, first: int) -> None:
        self._board = SummaryWriter(str(out / "logs" / name), purge_step=first)
        self._mlflow = MlflowRun(name, out / f"{name}-mlflow-run") if os.environ.get(ADDRESS) else None

    def add(self, step: int, parts: Mapping[str, float]) -> None:
        """The loss's parts after a step."""
        for name, value in parts.items():
            self._board.add_scalar(f"loss/{name}", value, step)
        if self._mlflow is not None:
            self._mlflow.add(step, {f"loss/{name}": value for name, value in parts.items()})

    def close(self) -> None:
        """The training has ended."""
        self._board.close()
        if self._mlflow is not None:
            self._mlflow.close()


class MlflowRun:
    """A run of the experiment `vedette/training`; `kept` has its id, so that a training that goes on goes on there.

    What the server doesn't take is said once, and the training goes on without it. ConfigError without the client.
    """

    def __init__(self, name: str, kept: Path) -> None:
        for variable, value in PATIENCE.items():
            os.environ.setdefault(variable, value)
        try:
            self._client = open_client()
        except ImportError as error:
            raise ConfigError(ADDRESS, f"is set, but {HOW_TO}") from error
        self._waiting: list[Any] = []
        self._run = ""
        self._told(lambda: self._begin(name, kept))

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """The figures after a step."""
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        self._waiting += [Metric(name, value, get_current_time_millis(), step) for name, value in figures.items()]
        if len(self._waiting) >= AT_ONCE * len(figures):
            self._send()

    def close(self) -> None:
        """The training has ended."""
        self._send()
        if self._run:
            self._told(lambda: self._client.set_terminated(self._run))

    def _begin(self, name: str, kept: Path) -> None:
        if kept.exists():
            self._run = kept.read_text().strip()
            return
        experiment = experiment_of(self._client, "vedette/training")
        self._run = self._client.create_run(experiment, run_name=f"{kept.parent.name}/{name}").info.run_id
        kept.write_text(self._run)

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and self._run:
            self._told(lambda: self._client.log_batch(self._run, metrics=waiting))

    def _told(self, send: Any) -> None:
        from mlflow.exceptions import MlflowException

        try:
            send()
        except MlflowException as error:
            self._run = ""
            print(f"MLflow gets no figures of this training any more: {error.message}", file=sys.stderr)
