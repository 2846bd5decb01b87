"""The second-stage classifiers of the config: which models, on which cameras, and when what they say is believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from contracts.config import Camera, Classifier, Config, uses_classifier
from contracts.errors import ConfigError, ModelError
from contracts.manifest import Attribute, ModelManifest
from stream.jobs.model_source import ModelSource
from stream.tracking.attributes import Believed, VoteConfig


@dataclass(frozen=True)
class ClassifierSetup:
    """One classifier as the jobs use it: its manifest, on which boxes, at most how many of a frame, and for whom.

    `everywhere` is whether cameras that say nothing use it; `cameras` are those of the config that do. `asked` are the
    values that the config's rules ask for.
    """

    name: str
    manifest: Path
    boxes: tuple[str, ...]
    margin: float
    most: int
    everywhere: bool
    cameras: frozenset[str]
    asked: frozenset[str] = frozenset()

    def check(self, manifest: ModelManifest) -> None:
        """Raises ModelError for a model that says something else than the rules ask for."""
        if missing := sorted(self.asked - set(manifest.labels)):
            raise ModelError(f"{manifest.id}: never says `{missing[0]}`, which a rule asks for")

    def opened_as(self, manifest: ModelManifest) -> ModelManifest:
        """The manifest as this site uses it."""
        seen = manifest.attribute or Attribute(name=self.name)
        seen = msgspec.structs.replace(seen, boxes=self.boxes, margin=self.margin)
        return msgspec.structs.replace(manifest, attribute=seen)

    def wants(self, camera: Camera) -> bool:
        """Whether the camera uses it."""
        return camera.uses(self.name, everywhere=self.everywhere)


@dataclass(frozen=True)
class Classifiers:
    """All of a site's, and how their looks are counted."""

    setups: tuple[ClassifierSetup, ...] = ()
    votes: VoteConfig = field(default_factory=VoteConfig)


def classifiers_in_service(config: Config, config_file: Path) -> Classifiers:
    """The classifiers of the config, each held against its manifest and the rules that ask for it.

    Raises ModelError for a model that is missing or something else, ConfigError for a value that no model gives.
    """
    setups, believed = [], {}
    for name, spec in config.classifiers.items():
        path = (config_file.parent / spec.manifest).resolve()
        manifest = ModelSource(config.models).starting(path)
        _check(config, name, manifest)
        setups.append(_setup(config, name, spec, path, manifest))
        believed[name] = Believed(dict(manifest.thresholds), spec.memory_s)
    return Classifiers(tuple(setups), VoteConfig(believed))


def _setup(config: Config, name: str, spec: Classifier, path: Path, manifest: ModelManifest) -> ClassifierSetup:
    seen = manifest.attribute or Attribute(name=name)
    return ClassifierSetup(
        name=name,
        manifest=path,
        boxes=spec.boxes or seen.boxes,
        margin=seen.margin if spec.margin is None else spec.margin,
        most=spec.most,
        everywhere=spec.enabled,
        cameras=frozenset(
            key for key, camera in config.cameras.items() if camera.enabled and uses_classifier(config, key, name)
        ),
        asked=frozenset(rule.attributes[name] for rule in config.rules.values() if name in rule.attributes),
    )


def _check(config: Config, name: str, manifest: ModelManifest) -> None:
    if manifest.task != "classifier" or manifest.attribute is None:
        raise ConfigError(f"classifiers.{name}.manifest", f"{manifest.id} is no classifier of an attribute")
    if manifest.attribute.name != name:
        raise ConfigError(f"classifiers.{name}", f"{manifest.id} says `{manifest.attribute.name}`: give it that name")
    for rule_name, rule in config.rules.items():
        wanted = rule.attributes.get(name)
        if wanted is not None and wanted not in manifest.labels:
            known = ", ".join(manifest.labels)
            raise ConfigError(f"rules.{rule_name}.attributes.{name}", f"`{wanted}` is none of {known}")
