"""Our registry in MLflow's: a real tracking server, versions with metrics, lineage and files, stages as aliases."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")

import mlflow

from archive.registry import Registry, RegistryError
from archive.registry.mlflow_mirror import DIGEST, ID, MlflowMirror
from contracts.errors import VedetteError
from contracts.manifest import DataReference, Lineage, load_manifest
from tests.registry_tools import SITE, made, opened, pass_gate

SERVER = os.environ.get("MLFLOW_TEST_SERVER", "")
"""Of `mlflow server --backend-store-uri sqlite:///m.db --artifacts-destination files` (pip install mlflow==3.17.2): the
client alone serves nothing."""


@pytest.fixture
def server() -> str:
    """The address of a server that runs."""
    if not SERVER:
        pytest.skip("MLFLOW_TEST_SERVER names no MLflow server")
    return SERVER


@pytest.fixture
def name() -> str:
    """A model's name that the server doesn't know yet."""
    return f"detector-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def registry(tmp_path: Path, name: str) -> Registry:
    """Version 1 is in service, 2 a canary."""
    registry = opened(tmp_path)
    registry.adopt(made(tmp_path, "1", name=name, metrics={"person.ap50": 0.5}), SITE, by="bea")
    lineage = Lineage(parent="detector@1", data=(DataReference(name="collection", sha256="ab" * 32),))
    registry.register(
        made(tmp_path, "2", name=name, metrics={"person.ap50": 0.7, "32 px (night)": 0.2}, lineage=lineage), by="bea"
    )
    pass_gate(registry, f"{name}@2", against=f"{name}@1")
    registry.promote(f"{name}@2", SITE, "canary", by="bea", cameras=("gate",))
    return registry


def test_a_registry_is_mirrored_once_and_followed(server: str, registry: Registry, name: str, tmp_path: Path) -> None:
    mirror, there = MlflowMirror(server, tmp_path / "cache"), mlflow.MlflowClient(server, server)
    assert mirror.sync(registry, SITE) == {"new": 2, "aliases": 2}
    assert mirror.sync(registry, SITE) == {"aliases": 2}, "once more changes nothing"
    one, two = sorted(there.search_model_versions(f"name = '{name}'"), key=lambda version: int(version.version))
    assert [version.tags[ID] for version in (one, two)] == [f"{name}@1", f"{name}@2"]
    assert two.tags[DIGEST] == registry.manifest(f"{name}@2").sha256
    assert (two.tags["parent"], two.tags["data.collection"], two.tags["gate"]) == ("detector@1", "ab" * 32, "passed")
    assert aliases(there, name) == {"home-everywhere": one.version, "home-canary": two.version}
    run = there.get_run(two.run_id)
    assert run.data.metrics == {"person.ap50": 0.7, "32 px _night_": 0.2}
    kept = {file.path for file in there.list_artifacts(two.run_id, "model")}
    assert kept == {f"model/{registry.manifest(f'{name}@2').file}", "model/card.md"}
    registry.promote(f"{name}@2", SITE, "everywhere", by="bea")
    assert mirror.sync(registry, SITE) == {"aliases": 1}
    assert aliases(there, name) == {"home-everywhere": two.version}


def aliases(there: Any, name: str) -> dict[str, str]:
    return {name: str(number) for name, number in there.get_registered_model(name).aliases.items()}


def test_what_a_kill_left_is_completed(server: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(Exception):
        """Stands for kill -9."""

    def dying(*_: object, **__: object) -> None:
        raise Killed

    renamed = registry_of_name(tmp_path, name)
    for call in ("log_batch", "log_artifact", "create_registered_model", "create_model_version"):
        with monkeypatch.context() as patch:
            patch.setattr(mlflow.MlflowClient, call, dying)
            with pytest.raises(Killed):
                MlflowMirror(server, tmp_path / "cache").sync(renamed, SITE)
    assert MlflowMirror(server, tmp_path / "cache").sync(renamed, SITE) == {"new": 1, "aliases": 1}
    there = mlflow.MlflowClient(server, server)
    experiment = there.get_experiment_by_name(f"vedette/{name}").experiment_id
    assert len(there.search_runs([experiment])) == len(there.search_model_versions(f"name = '{name}'")) == 1


def registry_of_name(folder: Path, name: str) -> Registry:
    other = opened(folder / name)
    other.adopt(made(folder / name, "1", name=name), SITE, by="bea")
    return other


def test_another_model_of_the_same_id_is_refused(server: str, name: str, tmp_path: Path) -> None:
    MlflowMirror(server, tmp_path / "cache").sync(registry_of_name(tmp_path, name), SITE)
    other = opened(tmp_path / "b")
    file = made(tmp_path / "b", "1", name=name)
    given = file.parent / "bright_boxes.onnx"
    given.write_bytes(given.read_bytes() + b"\n")
    digest = hashlib.sha256(given.read_bytes()).hexdigest()
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(load_manifest(file), sha256=digest)))
    other.register(file, by="bea")
    with pytest.raises(RegistryError, match=f"another {name}@1"):
        MlflowMirror(server, tmp_path / "cache").sync(other, SITE)


def test_a_server_that_is_away_is_said(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(VedetteError, match=r"MLflow at http://127\.0\.0\.1:1"):
        MlflowMirror("http://127.0.0.1:1", tmp_path / "cache").sync(registry, SITE)


def test_a_training_logs_its_losses_and_goes_on_in_its_run(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="the extra `training` is not installed")
    from training.logs import ADDRESS, Logs

    monkeypatch.setenv(ADDRESS, server)
    for first in (0, 3):  # after the third step it is killed and started again
        logs = Logs("tune", tmp_path, first)
        for step in range(first + 1, first + 4):
            logs.add(step, {"classes": 1 / step})
        logs.close()
    there = mlflow.MlflowClient(server, server)
    run = there.get_run((tmp_path / "tune-mlflow-run").read_text())
    assert run.info.status == "FINISHED"
    losses = there.get_metric_history(run.info.run_id, "loss/classes")
    assert [(one.step, round(one.value, 3)) for one in losses] == [(k, round(1 / k, 3)) for k in range(1, 7)]


def test_a_training_goes_on_without_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="the extra `training` is not installed")
    from training.logs import ADDRESS, Logs

    monkeypatch.setenv(ADDRESS, "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    logs = Logs("tune", tmp_path, 0)
    logs.add(1, {"classes": 1.0})
    logs.close()
    assert capsys.readouterr().err.count("MLflow gets no figures") == 1
