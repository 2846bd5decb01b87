"""What of a site learns from answers, and how: the detector, and the classifiers that the config has recipes for."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from archive.collection.attributes import Wanted, shows
from archive.collection.items import Item
from archive.collection.when import DETECTOR, teaches_detector
from archive.registry import Registry
from contracts.config import Config
from contracts.controls import classifier_slot
from contracts.errors import ConfigError
from contracts.manifest import ModelManifest, load_manifest
from training.classifiers.recipe import load_classifier_recipe, wanted_of
from training.gate.sets import read_config
from vedette.local import manifest_of
from vedette.models import Desk

MANIFEST = "manifest.json"


class Training(NamedTuple):
    """A training: `folder` names all that decides it beside the collection's version, `arguments` are its own on the
    command line, `made` the manifests that it leaves behind, as paths in its folder; the last is the candidate.
    """

    folder: str
    arguments: tuple[str, ...]
    made: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Learner(ABC):
    """A slot whose model learns.

    `first` is the manifest that the config names for it, `gate` the list of frozen sets, `data` what recipes call their
    data, and `recipe` the recipe's file (None: the one that comes along).
    """

    slot: str
    first: Path
    gate: Path
    data: Path
    recipe: Path | None

    @abstractmethod
    def teaches(self, item: Item) -> bool:
        """Whether it would be trained on something of the picture."""

    @abstractmethod
    def training(self, desk: Desk, in_service: str) -> Training:
        """What makes a candidate for the place of the model in service; raises ConfigError where nothing can."""


@dataclass(frozen=True, kw_only=True)
class DetectorLearner(Learner):
    """`small` is the name of the small model that is made of the candidate, where one is wanted."""

    small: str

    def teaches(self, item: Item) -> bool:
        return teaches_detector(item)

    def training(self, desk: Desk, in_service: str) -> Training:
        """From the oldest ancestor of the model in service. The candidate is the small model, where one is made."""
        registry = desk.registry
        now = registry.manifest(in_service)
        small = self.small or (now.name if is_small(now) else "")
        _, folder = registry.fetch(start_of(registry, in_service, self.first.parent, desk.by), desk.cache)
        parent = load_manifest(folder / MANIFEST)
        way = _way(self._recipe(), self.gate, *([small] if small else []))
        arguments = ["finetune", "--manifest", str(folder / MANIFEST), *(["--small", small] if small else [])]
        made = [f"candidate/{parent.name}.json", *([f"small/{small}.json"] if small else [])]
        return Training(f"{parent.sha256[:12]}-{way}", tuple(arguments), tuple(made))

    def _recipe(self) -> bytes:
        if self.recipe is None:
            return (resources.files("training") / "recipes" / "finetune.yaml").read_bytes()
        try:
            return self.recipe.read_bytes()
        except OSError as error:
            raise ConfigError("learning.recipe", f"{self.recipe.name}: {error.strerror}") from error


@dataclass(frozen=True, kw_only=True)
class ClassifierLearner(Learner):
    """`name` is the recipe's, and so the models'; `wanted` what answers have to say."""

    name: str
    wanted: Wanted

    def teaches(self, item: Item) -> bool:
        return shows(item, self.wanted)

    def training(self, desk: Desk, in_service: str) -> Training:
        """From the recipe's weights, on all answers, so that what trainings forget doesn't add up."""
        assert self.recipe is not None
        return Training(_way(self.recipe.read_bytes(), self.gate), ("classifier",), (f"{self.name}.json",))


def slots_of(config: Config) -> tuple[str, ...]:
    """The slots that learn: a site with recipes for classifiers need not have frozen sets for its detector."""
    learning = config.learning
    detector = (DETECTOR,) if learning.gate or not learning.classifiers else ()
    return (*detector, *map(classifier_slot, learning.classifiers))


def learner_of(config: Config, file: Path, slot: str) -> Learner:
    """Who learns in a slot, by the config in this file; raises ConfigError for what is missing."""
    if slot not in slots_of(config):
        raise ConfigError("learning", f"nothing learns as `{slot}`; what does: {', '.join(slots_of(config))}")
    learning, attribute = config.learning, slot.partition(":")[2]
    data = _path(file, "learning.replay", learning.replay)
    if slot == DETECTOR:
        return DetectorLearner(
            slot=slot,
            first=manifest_of(config, file),
            gate=_path(file, "learning.gate", learning.gate),
            data=data,
            recipe=_path(file, "learning.recipe", learning.recipe) if learning.recipe else None,
            small=learning.small,
        )
    given, where = learning.classifiers[attribute], f"learning.classifiers.{attribute}"
    recipe_file = _path(file, f"{where}.recipe", given.recipe)
    recipe = load_classifier_recipe(recipe_file)
    wanted = wanted_of(recipe)
    if wanted.name != attribute:
        raise ConfigError(f"{where}.recipe", f"{recipe_file.name} is about `{wanted.name}`")
    return ClassifierLearner(
        slot=slot,
        first=_path(file, f"classifiers.{attribute}.manifest", config.classifiers[attribute].manifest),
        gate=_path(file, f"{where}.gate", given.gate),
        data=data,
        recipe=recipe_file,
        name=recipe.name,
        wanted=wanted,
    )


def oldest(registry: Registry, id: str) -> str:
    """The oldest registered ancestor: each training begins there, on all that was said, so that losses don't add up."""
    known = {version.id for version in registry.versions()}
    lineage = registry.manifest(id).lineage
    while lineage is not None and lineage.parent in known:
        id = lineage.parent
        known.remove(id)
        lineage = registry.manifest(id).lineage
    return id


def start_of(registry: Registry, id: str, beside: Path, by: str) -> str:
    """What a training begins with for this model in service: its oldest ancestor, and of full precision.

    Where the registry lacks what a small model was made of, its manifest is looked for in the folder `beside`: a model
    that came with Vedette lies there next to the small one. Raises ConfigError where it is nowhere.
    """
    id = oldest(registry, id)
    first = registry.manifest(id)
    if not is_small(first):
        return id
    parent = first.lineage.parent if first.lineage is not None else ""
    file = beside / f"{parent.partition('@')[0]}.json"
    if file.is_file() and load_manifest(file).id == parent:
        return registry.register(file, by, f"what {id} was made of").id
    lacking = f"{id} is small, and {parent}, which it was made of and training begins with,"
    raise ConfigError("stream.model", f"{lacking} is neither in the registry nor in {beside}")


def is_small(manifest: ModelManifest) -> bool:
    """Whether trainings begin with its parent in its place."""
    return manifest.lineage is not None and len(manifest.lineage.smaller_by) > 0


def _way(recipe: bytes, gate: Path, *more: str) -> str:
    """What decides a training beside version and start: its recipe, the frozen sets that it may not learn, and more."""
    frozen = sorted(one.sha256 for one in read_config(gate).sets)
    decides = [hashlib.sha256(recipe).hexdigest(), *frozen, *more]
    return hashlib.sha256("\n".join(decides).encode()).hexdigest()[:12]


def _path(file: Path, name: str, value: str) -> Path:
    if not value:
        raise ConfigError(name, "is needed to learn")
    return (file.parent / Path(value).expanduser()).resolve()
