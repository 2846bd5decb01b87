"""MLflow's own client (extra `mlflow`), as the mirror of the registry and trainings open it."""

from __future__ import annotations

import os
from typing import Any

HOW_TO = "MLflow's client is not there: pip install 'vedette[mlflow]'"


def open_client(**where: str) -> Any:
    """An MlflowClient for the addresses given, else for those of the environment. Raises ImportError without MLflow."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would tell its makers of each use
    from mlflow import MlflowClient

    return MlflowClient(**where)


def experiment_of(client: Any, name: str) -> str:
    """The id of the experiment of this name, which is made where there is none. Raises MlflowException."""
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found is not None else client.create_experiment(name))
