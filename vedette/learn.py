"""`vedette learn`: collect, fine-tune, register and gate as one step that goes on where it was stopped."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from archive.collection.cleaning import clean, found_before
from archive.collection.items import About
from archive.collection.lease import Still
from archive.collection.store import PICTURES
from archive.collection.when import Learnt, drifts, due, keep_learnt, last_learnt, teaches_detector
from archive.collection.words import DOUBTS
from archive.evidence.files import Folder
from archive.registry import Registry, Standing
from bus.errors import BusError
from bus.reader import Reader
from contracts import topics
from contracts.codec import decode
from contracts.config import Config
from contracts.controls import slot_of
from contracts.decoding import from_json
from contracts.drift import DriftReport, key
from contracts.errors import ConfigError, ContractError, VedetteError
from contracts.manifest import ModelManifest, load_manifest
from training.gate.sets import read_config
from vedette.alone import alone
from vedette.dataset import DataSets
from vedette.errors import RefusedError, SetupError
from vedette.local import manifest_of
from vedette.models import Desk, gate_, register_

Finetune = Callable[[list[str]], int]
"""The command line of training, which returns its exit code."""
MANIFEST, COPIED = "manifest.json", "copied"
WRONG_INPUT = 2
"""What training ends with where what it was given is wrong."""


class Learning:
    """One site's loop. Each step finds what the one before has left, so a kill costs no more than the step."""

    def __init__(self, config: Config, config_file: Path, state: Path, now_ms: Callable[[], int]) -> None:
        self._sets = DataSets(config, config_file, state)
        self._desk = Desk(config, config_file, state, now_ms)
        self._config, self._file, self._state, self._now_ms = config, config_file, state, now_ms

    def learn(self, why: str, finetune: Finetune) -> int:
        """Train where it is time, or `why` is given; a candidate that the gate refuses raises RefusedError.

        What passes is registered and waits for its promotion: nothing goes into service here. Raises SetupError where
        another one runs, LeaseError where it learns from the same bucket on another machine.
        """
        with self._alone(), self._sets.alone("learning") as still:
            return self._learn(why, finetune, still)

    def _learn(self, why: str, finetune: Finetune, still: Still) -> int:
        gate = self._path("gate", self._config.learning.gate)
        replay = self._path("replay", self._config.learning.replay)
        collected_ms = self._now_ms()  # what is answered from here on, while it trains, is new the next time
        self._sets.collect(collected_ms)
        about, items = self._sets.collection.load()
        before = last_learnt(self._sets.collection)
        drifted = self._drifted(before)
        taught = list(filter(teaches_detector, items))
        reason = why or due(before, about.id, taught, self._config.learning, self._now_ms(), drifted)
        if not reason:
            for sentence in drifted:
                print(f"{sentence}; nothing new is answered to learn that from: `vedette dataset show`")
            print("it is not time to train: too few new answers, and none of a camera that says otherwise than before")
            return 0
        print(f"training: {reason}")
        self._cleaned(about)
        in_service = self._in_service()
        learnt = last_learnt(self._sets.collection, candidate=in_service)
        since_ms = learnt.at_ms if learnt is not None else 0
        made = self._trained(about, in_service, since_ms, replay, gate, finetune)
        still()
        for one in made:
            register_(self._desk, argparse.Namespace(manifest=one, why=reason))
        id = load_manifest(made[-1]).id
        refused = self._gated(id, gate)
        answers = sum(about.answers.values())
        done = Learnt(
            version=about.id,
            at_ms=collected_ms,
            answers=answers,
            candidate=id,
            passed=refused is None,
            why=reason,
            doubts=_doubts(made[0]),
            since_ms=since_ms,
        )
        still()
        keep_learnt(self._sets.collection, done)
        if refused is not None:
            raise refused
        print(f"{id} passed: `vedette models promote {id} --stage shadow` lets it run beside what is in service")
        return 0

    def _cleaned(self, about: About) -> None:
        """Look through the version, unless that was done; what is in doubt waits in the next queue."""
        if found_before(self._sets.collection).version == about.id:
            return
        if importlib.util.find_spec("cleanlab") is None:
            print("not cleaned: cleanlab is not installed, which comes with `pip install 'vedette[training]'`")
            return
        found = clean(self._sets.collection, about.id)
        print(f"cleaned: {len(found.broken)} broken, {len(found.alike)} groups of near duplicates,", end=" ")
        print(f"{len(found.doubts)} pictures with labels in doubt, which wait in the next queue")

    def _drifted(self, before: Learnt | None) -> list[str]:
        """What cameras say of drift under the model in service since the last training; [] without a broker."""
        broker = self._desk.broker("")
        if not broker:
            return []
        first = load_manifest(manifest_of(self._config, self._file))
        now = self._desk.registry.standing(self._desk.site).get(slot_of(first), Standing())
        try:
            with Reader(broker, topics.DRIFT) as reader:
                reports = [decode(record.value, DriftReport) for record in reader.held() if record.value is not None]
        except (BusError, ContractError) as error:
            print(f"whether cameras drift is not known: {error}")
            return []
        newest = {key(one): one for one in reports if one.site == self._desk.site}
        return drifts(newest.values(), now.in_service or first.id, before.at_ms if before is not None else 0)

    def _in_service(self) -> str:
        """The detector in service; raises VedetteError where there is none."""
        registry, first = self._desk.registry, manifest_of(self._config, self._file)
        registry.adopt(first, self._desk.site, self._desk.by)
        now = registry.standing(self._desk.site).get(slot_of(load_manifest(first)))
        if now is None or not now.in_service:
            raise VedetteError(f"{self._desk.site} has no detector in service to begin from")
        return now.in_service

    def _trained(
        self, about: About, in_service: str, since_ms: int, replay: Path, gate: Path, finetune: Finetune
    ) -> list[Path]:
        """The manifests of what was trained on this version, from the oldest ancestor of the model in service.

        The last is the candidate; where that is to be small, the one of full precision that it was made of is first.
        """
        registry, first = self._desk.registry, manifest_of(self._config, self._file)
        now = registry.manifest(in_service)
        small = self._config.learning.small or (now.name if is_small(now) else "")
        _, folder = registry.fetch(start_of(registry, in_service, first.parent, self._desk.by), self._desk.cache)
        parent = load_manifest(folder / MANIFEST)
        recipe = self._config.learning.recipe
        way = _way(self._recipe(), gate, small)
        out = self._trainings / f"{about.id[:12]}-{parent.sha256[:12]}-{way[:12]}"
        made = [out / "candidate" / f"{parent.name}.json", *([out / "small" / f"{small}.json"] if small else [])]
        if not made[-1].exists():
            self._let_go(out)
            arguments = ["train", "finetune", "--manifest", str(folder / MANIFEST), "--data", str(replay)]
            arguments += ["--out", str(out), "--version", about.id, "--gate", str(gate)]
            arguments += ["--config", str(self._path("recipe", recipe))] if recipe else []
            arguments += ["--since", str(since_ms)]
            arguments += ["--small", small] if small else []
            with self._folder(about) as collection:
                failed = finetune([*arguments, "--collection", str(collection)])
            if failed == WRONG_INPUT:
                raise ConfigError("learning", "its recipe, replay or model, or the collection can't be used: see above")
            if failed:
                raise VedetteError("the fine-tuning failed: see above")
        return made

    def _gated(self, id: str, sets: Path) -> RefusedError | None:
        try:
            gate_(self._desk, argparse.Namespace(id=id, against="", sets=sets))
        except RefusedError as error:
            return error
        return None

    def _recipe(self) -> bytes:
        """The recipe's file; raises ConfigError where it can't be read."""
        named = self._config.learning.recipe
        if not named:
            return (resources.files("training") / "recipes" / "finetune.yaml").read_bytes()
        try:
            return self._path("recipe", named).read_bytes()
        except OSError as error:
            raise ConfigError("learning.recipe", f"{named}: {error.strerror}") from error

    @property
    def _trainings(self) -> Path:
        return self._state / "learning"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The trainings' folder for ourselves. What a killed one left of the site's pictures may be let go by now."""
        with alone(self._trainings / "lock", f"Another `vedette learn` runs on {self._state}"):
            for left in (self._trainings / COPIED, *self._trainings.glob(f"*/{PICTURES}")):
                shutil.rmtree(left, ignore_errors=True)
            yield

    def _let_go(self, but: Path) -> None:
        """Other trainings' folders: what came of them is in the registry, and a clip's frames are gigabytes in each."""
        for other in self._trainings.iterdir():
            if other.is_dir() and other != but:
                shutil.rmtree(other, ignore_errors=True)

    @contextmanager
    def _folder(self, about: About) -> Iterator[Path]:
        """Where training reads the version: the collection's folder, or a copy out of its bucket that goes after it."""
        if self._config.learning.s3 is None:
            yield Path(self._sets.collection.files.place("")).resolve()
            return
        copied = self._trainings / COPIED
        try:
            self._sets.collection.copy(about, Folder(copied))
            yield copied.resolve()
        finally:
            shutil.rmtree(copied, ignore_errors=True)

    def _path(self, name: str, value: str) -> Path:
        if not value:
            raise ConfigError(f"learning.{name}", "is needed to learn")
        return (self._file.parent / Path(value).expanduser()).resolve()


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


def _doubts(candidate: Path) -> dict[str, dict[str, float]]:
    """The pictures that a person should look at again, as the training found them."""
    beside = candidate.with_suffix(DOUBTS)
    return from_json(beside.read_bytes(), dict[str, dict[str, float]]) if beside.exists() else {}


def _way(recipe: bytes, gate: Path, small: str) -> str:
    """What decides a training beside version and start: its recipe, the frozen sets that it may not learn, and whether
    the candidate becomes small.
    """
    frozen = sorted(one.sha256 for one in read_config(gate).sets)
    decides = [hashlib.sha256(recipe).hexdigest(), *frozen, *([small] if small else [])]
    return hashlib.sha256("\n".join(decides).encode()).hexdigest()


def training(arguments: list[str]) -> int:
    """The command line of training. Raises SetupError where torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise SetupError("training needs torch, which is not installed", "pip install 'vedette[training]'")
    from training.__main__ import main  # torch takes seconds to come

    return main(arguments)
