"""Our versions as another registry shows them: MLflow's (extra `mlflow`). What counts stays in ours.

A version becomes a run with its metrics and files, and a version of MLflow's model with lineage and SHA-256 as tags; a
site's stages become aliases (`home-everywhere`). Done again, or after a kill, it ends the same.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from archive.registry.errors import RegistryError
from archive.registry.log import EVERYWHERE, Standing
from archive.registry.mlflow_client import HOW_TO, experiment_of, open_client
from archive.registry.registry import CARD, Registry, Version
from contracts.errors import VedetteError
from contracts.fields import Stage
from contracts.manifest import ModelManifest, files_of

FILES = "model"
"""The folder of a run in which the version's files are."""
ID, DIGEST, DONE = "vedette.id", "vedette.sha256", "vedette.mirrored"
STAGES: tuple[Stage, ...] = ("shadow", "canary", EVERYWHERE)
_NO_WORD = re.compile(r"[^\w.\- /:]")


class MlflowMirror:
    """One MLflow server, by its address; nothing is sent before it is asked to."""

    def __init__(self, address: str, cache: Path) -> None:
        """`cache` is where versions out of a bucket are kept meanwhile. Raises RegistryError without the client."""
        try:
            self._client = open_client(tracking_uri=address, registry_uri=address)
        except ImportError as error:
            raise RegistryError(HOW_TO) from error
        self._address, self._cache = address, cache

    def sync(self, registry: Registry, site: str) -> Counter[str]:
        """Bring it in line; how many versions are `new`, and how many `aliases` there are. Raises VedetteError."""
        from mlflow.exceptions import MlflowException

        try:
            counts: Counter[str] = Counter()
            numbers = {one.id: self._version(registry, one, counts) for one in registry.versions()}
            self._stages(registry.standing(site), site, numbers, counts)
        except MlflowException as error:
            raise VedetteError(f"MLflow at {self._address}: {error.message}") from error
        return counts

    def _version(self, registry: Registry, version: Version, counts: Counter[str]) -> str:
        """The number that MLflow gives the version."""
        manifest = version.manifest
        number = self._known(manifest)
        if not number:
            run = self._run(registry, manifest)
            number = self._created(manifest, run)
            counts["new"] += 1
        gate = version.gate
        if gate is not None:
            self._client.set_model_version_tag(manifest.name, number, "gate", "passed" if gate.passed else "refused")
            self._client.set_model_version_tag(manifest.name, number, "gate.why", gate.why or "-")
        return number

    def _known(self, manifest: ModelManifest) -> str:
        """The number of a version that is there already, "" of one that is not."""
        for one in self._client.search_model_versions(f"name = '{manifest.name}'"):
            if one.tags.get(ID) == manifest.id:
                if one.tags.get(DIGEST) != manifest.sha256:
                    raise RegistryError(f"MLflow has another {manifest.id}, of sha256 {one.tags.get(DIGEST)}")
                return str(one.version)
        return ""

    def _run(self, registry: Registry, manifest: ModelManifest) -> Any:
        """The run of a version, with all that is said of it and its files; what a kill left is completed."""
        from mlflow.entities import Metric, Param, RunTag

        experiment = experiment_of(self._client, f"vedette/{manifest.name}")
        found = self._client.search_runs([experiment], f"tags.`{ID}` = '{manifest.id}'", max_results=1)
        run = found[0] if found else self._client.create_run(experiment, tags={ID: manifest.id}, run_name=manifest.id)
        run_id = run.info.run_id
        if run.data.tags.get(DONE) == manifest.sha256:
            return run
        metrics = [Metric(_word(name), value, 0, 0) for name, value in sorted(manifest.metrics.items())]
        for first in range(0, len(metrics), 1000):  # so many are taken at once
            self._client.log_batch(run_id, metrics=metrics[first : first + 1000])
        params = [] if run.data.params else [Param(name, value) for name, value in _lineage(manifest).items()]
        self._client.log_batch(run_id, params=params)
        _, folder = registry.fetch(manifest.id, self._cache)
        for file in files_of(manifest):
            self._client.log_artifact(run_id, str(folder / file), FILES)
        self._client.log_text(run_id, registry.card(manifest.id), f"{FILES}/{CARD}")
        self._client.log_batch(run_id, tags=[RunTag(DONE, manifest.sha256)])
        self._client.set_terminated(run_id)
        return run

    def _created(self, manifest: ModelManifest, run: Any) -> str:
        if not self._client.search_registered_models(f"name = '{manifest.name}'"):
            self._client.create_registered_model(manifest.name, description=f"Vedette: {manifest.task}")
        tags = {ID: manifest.id, DIGEST: manifest.sha256} | _lineage(manifest)
        made = self._client.create_model_version(
            manifest.name,
            f"{run.info.artifact_uri}/{FILES}",
            run.info.run_id,
            tags=tags,
            description=manifest.provenance.trained_from,
        )
        return str(made.version)

    def _stages(self, standing: dict[str, Standing], site: str, numbers: dict[str, str], counts: Counter[str]) -> None:
        """The site's aliases as they are now; one that stands for nothing any more is taken away."""
        wanted: dict[tuple[str, str], str] = {}
        for now in standing.values():
            if now.in_service:
                wanted[_name(now.in_service), f"{site}-{EVERYWHERE}"] = now.in_service
            if now.candidate is not None:
                wanted[_name(now.candidate.model), f"{site}-{now.candidate.stage}"] = now.candidate.model
        for name in {_name(id) for id in numbers}:
            there = self._client.get_registered_model(name).aliases
            for alias in (f"{site}-{stage}" for stage in STAGES):
                id = wanted.get((name, alias), "")
                if id in numbers and str(there.get(alias, "")) != numbers[id]:
                    self._client.set_registered_model_alias(name, alias, numbers[id])
                elif not id and alias in there:
                    self._client.delete_registered_model_alias(name, alias)
                counts["aliases"] += id in numbers


def _lineage(manifest: ModelManifest) -> dict[str, str]:
    """What a version was made of, as far as the manifest says it."""
    lineage, said = manifest.lineage, {"licence": manifest.provenance.licence, "recipe": manifest.provenance.recipe}
    if lineage is not None:
        said |= {"parent": lineage.parent, "code": lineage.code, "recipe_sha256": lineage.recipe_sha256}
        said |= {f"data.{_word(one.name)}": one.sha256 for one in lineage.data}
    return {name: value for name, value in said.items() if value}


def _word(name: str) -> str:
    """A name as MLflow takes it."""
    return _NO_WORD.sub("_", name)


def _name(id: str) -> str:
    return id.partition("@")[0]
