"""`vedette learn`: collect, and in each slot train, register and gate as one step that goes on where it was stopped."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from archive.collection.attributes import speaks_of
from archive.collection.cleaning import FOUND, clean, found_before
from archive.collection.items import About, Item
from archive.collection.lease import Still
from archive.collection.store import PICTURES, Version
from archive.collection.when import DETECTOR, Learnt, drifts, due, keep_learnt, last_learnt
from archive.collection.words import DOUBTS
from archive.evidence.files import Folder
from archive.registry import Standing
from bus.errors import BusError
from bus.reader import Reader
from contracts import topics
from contracts.codec import decode
from contracts.config import Config
from contracts.controls import slot_in_names
from contracts.decoding import from_json
from contracts.drift import DriftReport, key
from contracts.errors import ConfigError, ContractError, VedetteError
from contracts.manifest import load_manifest
from training.classifiers.recipe import CROPS
from training.errors import TOO_LITTLE
from vedette.alone import alone
from vedette.dataset import DataSets
from vedette.errors import RefusedError, SetupError
from vedette.learners import Learner, learner_of, slots_of
from vedette.local import manifest_of
from vedette.models import Desk, gate_, register_

Train = Callable[[list[str]], int]
"""The command line of training, which returns its exit code."""
COPIED = "copied"
WRONG_INPUT = 2
"""What training ends with where what it was given is wrong."""
UNFORESEEN = 1
SITES_PICTURES = (f"*/*/{PICTURES}", f"*/*/{CROPS}", "*/*/report/*-worst.jpg")
"""Where in the trainings' folder pictures of the site may lie."""


class Occasion(NamedTuple):
    """Why it is time to train a slot's model, on which version, and when that was collected."""

    learner: Learner
    why: str
    about: About
    collected_ms: int


class Learning:
    """One site's loop. Each step finds what the one before has left, so a kill costs no more than the step."""

    def __init__(self, config: Config, config_file: Path, state: Path, now_ms: Callable[[], int]) -> None:
        self._sets = DataSets(config, config_file, state)
        self._desk = Desk(config, config_file, state, now_ms)
        self._config, self._file, self._state, self._now_ms = config, config_file, state, now_ms

    def learn(self, why: str, train: Train, slot: str = "") -> int:
        """Train in the slot that is named, or in all, where it is time or `why` is given.

        What passes is registered and waits for its promotion: nothing goes into service here. A slot that fails keeps
        no other from learning; then its error is raised at the end, a RefusedError where the gate has refused its
        candidate and nothing else went wrong. Raises SetupError where another one runs, LeaseError where it learns from
        the same bucket on another machine.
        """
        with self._alone(), self._sets.alone("learning") as still:
            return self._learn(why, train, (slot,) if slot else slots_of(self._config), still)

    def _learn(self, why: str, train: Train, slots: Sequence[str], still: Still) -> int:
        failed, learners = list[VedetteError](), list[Learner]()
        for slot in slots:
            with _noted(slot, failed, said=len(slots) > 1):
                learners.append(learner_of(self._config, self._file, slot))
        if not learners:
            raise failed[0]
        collected_ms = self._now_ms()  # what is answered from here on, while it trains, is new the next time
        self._sets.collect(collected_ms)
        version = self._sets.collection.load()
        self._tell_of_the_untaught(version.items)
        reasons = [(learner, why or self._due(learner, version)) for learner in learners]
        times = [Occasion(learner, reason, version.about, collected_ms) for learner, reason in reasons if reason]
        if times:
            self._cleaned(version.about)
        for occasion in times:
            with _noted(occasion.learner.slot, failed, said=len(slots) > 1):
                self._learn_in(occasion, train, still)
        if failed:
            raise min(failed, key=lambda error: isinstance(error, RefusedError))
        return 0

    def _due(self, learner: Learner, version: Version) -> str:
        """Why it is time to train; where it isn't, that is said."""
        before, learning = last_learnt(self._sets.collection, learner.slot), self._config.learning
        drifted = self._drifted(before) if learner.slot == DETECTOR else []
        taught = list(filter(learner.teaches, version.items))
        reason = due(before, version.about.id, taught, learning, self._now_ms(), drifted)
        if not reason:
            for sentence in drifted:
                print(f"{sentence}; nothing new is answered to learn that from: `vedette dataset show`")
            lacking = "too few new answers, and none of a camera that says otherwise than before"
            print(f"{learner.slot}: it is not time to train: {lacking}")
        return reason

    def _learn_in(self, occasion: Occasion, train: Train, still: Still) -> None:
        """Train, register and gate one slot's candidate; raises RefusedError where the gate refuses it."""
        learner, why, about, collected_ms = occasion
        still()
        print(f"training, {learner.slot}: {why}")
        in_service = self._in_service(learner)
        learnt = last_learnt(self._sets.collection, learner.slot, in_service)
        since_ms = learnt.at_ms if learnt is not None else 0
        made = self._trained(learner, about, in_service, since_ms, train)
        if not made:
            return
        still()
        for one in made:
            register_(self._desk, argparse.Namespace(manifest=one, why=why))
        id = load_manifest(made[-1]).id
        refused = self._gated(id, learner.gate)
        done = Learnt(
            slot=learner.slot,
            version=about.id,
            at_ms=collected_ms,
            answers=sum(about.answers.values()),
            candidate=id,
            passed=refused is None,
            why=why,
            doubts=_doubts(made[0]),
            since_ms=since_ms,
        )
        still()
        keep_learnt(self._sets.collection, done)
        if refused is not None:
            raise refused
        stage = "shadow` lets it run beside what is in service"
        stage = stage if learner.slot == DETECTOR else "everywhere` puts it into service"
        print(f"{id} passed: `vedette models promote {id} --stage {stage}")

    def _tell_of_the_untaught(self, items: Sequence[Item]) -> None:
        """Say what nothing trains: the detector of a site that learns classifiers alone, and what answers wait for."""
        if DETECTOR not in slots_of(self._config):
            print("detector: not trained, as learning.gate names no frozen sets")
        for attribute in sorted(self._config.classifiers.keys() - self._config.learning.classifiers.keys()):
            if answers := sum(speaks_of(item, attribute) for item in items):
                print(f"{answers} answers are about {attribute}: learning.classifiers names no recipe for it")

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
        now = self._desk.registry.standing(self._desk.site).get(DETECTOR, Standing())
        try:
            with Reader(broker, topics.DRIFT) as reader:
                reports = [decode(record.value, DriftReport) for record in reader.held() if record.value is not None]
        except (BusError, ContractError) as error:
            print(f"whether cameras drift is not known: {error}")
            return []
        newest = {key(one): one for one in reports if one.site == self._desk.site}
        return drifts(newest.values(), now.in_service or first.id, before.at_ms if before is not None else 0)

    def _in_service(self, learner: Learner) -> str:
        """The slot's model in service; raises VedetteError where there is none."""
        registry = self._desk.registry
        registry.adopt(learner.first, self._desk.site, self._desk.by)
        now = registry.standing(self._desk.site).get(learner.slot)
        if now is None or not now.in_service:
            raise VedetteError(f"{self._desk.site} has nothing in service as {learner.slot} to begin from")
        return now.in_service

    def _trained(self, learner: Learner, about: About, in_service: str, since_ms: int, train: Train) -> list[Path]:
        """The manifests of what was trained on this version, the candidate last; [] where there is too little to learn.

        Where the candidate is small, the one of full precision that it was made of is first.
        """
        planned = learner.training(self._desk, in_service)
        out = self._folder_of(learner.slot) / f"{about.id[:12]}-{planned.folder}"
        made = [out / one for one in planned.made]
        if made[-1].exists():
            return made
        self._let_go(out)
        arguments = ["train", *planned.arguments, "--data", str(learner.data), "--out", str(out)]
        arguments += ["--version", about.id, "--gate", str(learner.gate), "--since", str(since_ms)]
        arguments += ["--config", str(learner.recipe)] if learner.recipe is not None else []
        with self._collection(about) as collection:
            failed = _ended(train, [*arguments, "--collection", str(collection)])
        if failed == TOO_LITTLE:
            print(f"{learner.slot}: it is not time to train, see above")
            return []
        if failed == WRONG_INPUT:
            raise ConfigError("learning", "its recipe, replay or model, or the collection can't be used: see above")
        if failed:
            raise VedetteError(f"the training of {learner.slot} failed: see above")
        return made

    def _gated(self, id: str, sets: Path) -> RefusedError | None:
        try:
            gate_(self._desk, argparse.Namespace(id=id, against="", sets=sets))
        except RefusedError as error:
            return error
        return None

    @property
    def _trainings(self) -> Path:
        return self._state / "learning"

    def _folder_of(self, slot: str) -> Path:
        return self._trainings / slot_in_names(slot)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The trainings' folder for ourselves, without what a killed one left of the site's pictures, which may be let
        go by now, and of slots that learn no more."""
        slots = [self._folder_of(slot) for slot in slots_of(self._config)]
        with alone(self._trainings / "lock", f"Another `vedette learn` runs on {self._state}"):
            for left in self._trainings.iterdir():
                if left.is_dir() and left not in slots:
                    shutil.rmtree(left, ignore_errors=True)
            self._forget_pictures()
            try:
                yield
            finally:
                self._forget_pictures()

    def _forget_pictures(self) -> None:
        for pattern in SITES_PICTURES:
            for left in self._trainings.glob(pattern):
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink(missing_ok=True)

    def _let_go(self, but: Path) -> None:
        """The slot's other trainings: what came of them is registered, and a clip's frames are gigabytes in each."""
        but.parent.mkdir(parents=True, exist_ok=True)
        for other in but.parent.iterdir():
            if other != but:
                shutil.rmtree(other, ignore_errors=True)

    @contextmanager
    def _collection(self, about: About) -> Iterator[Path]:
        """Where training reads the version: the collection's folder, or a copy out of its bucket that goes after it."""
        if self._config.learning.s3 is None:
            yield Path(self._sets.collection.files.place("")).resolve()
            return
        copied = self._trainings / COPIED
        try:
            self._sets.collection.copy(about, Folder(copied))
            if (doubted := self._sets.collection.files.read(FOUND)) is not None:
                Folder(copied).write(FOUND, doubted)
            yield copied.resolve()
        finally:
            shutil.rmtree(copied, ignore_errors=True)


@contextmanager
def _noted(slot: str, failed: list[VedetteError], *, said: bool) -> Iterator[None]:
    """Add what goes wrong in a slot to `failed`, so that the others learn all the same; `said`: and tell it now."""
    try:
        yield
    except VedetteError as error:
        failed.append(error)
        if said:
            print(f"{slot}: {error}")


def _doubts(candidate: Path) -> dict[str, dict[str, float]]:
    """The pictures that a person should look at again, as the training found them."""
    beside = candidate.with_suffix(DOUBTS)
    return from_json(beside.read_bytes(), dict[str, dict[str, float]]) if beside.exists() else {}


def _ended(train: Train, arguments: list[str]) -> int:
    """How a training ended. What nobody foresaw (memory, the disk) is told whole, and keeps no other slot from it."""
    try:
        return train(arguments)
    except VedetteError:
        raise
    except Exception:  # noqa: BLE001 - torch's errors have no common base
        traceback.print_exc()
        return UNFORESEEN


def training(arguments: list[str]) -> int:
    """The command line of training. Raises SetupError where torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise SetupError("training needs torch, which is not installed", "pip install 'vedette[training]'")
    from training.__main__ import main  # torch takes seconds to come

    return main(arguments)
