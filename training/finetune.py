"""Fine-tunes the detector in service on what the site's people said, without forgetting what it knew.

Old pictures are replayed and the start's answers on them distilled; early stages keep their weights; the result lies
between the start's weights and the trained ones (arXiv:2109.01903), as far along as the replay's validation allows.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch

from archive.collection.cleaning import alike_in
from archive.collection.splits import split, without
from archive.collection.store import PICTURES, Collection, Version
from archive.collection.words import DOUBTS, counted, doubts
from contracts.errors import ConfigError
from contracts.manifest import ModelManifest
from training.blends import NetDetector, Tried, chosen, tried_blend
from training.candidate import MadeOf, write_candidate
from training.collected import borrowed, collected, site_sets, told
from training.dataset import DataSet, list_skipped, read_sets
from training.detector import add_branch, fit_detector, save_weights
from training.fit import blend
from training.gate.sets import NOTHING, Frozen
from training.network import DetectorNet, LevelHead, open_detector
from training.place import find_place, first_alone, leave
from training.recipe import DetectorRecipe, Fraction
from training.replay import apart, digests, telling
from training.small import Lessons, Small, make_small


class FinetuneRecipe(DetectorRecipe, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A detector's recipe whose sets are the replay: `train` is mixed in, `validate` says what was forgotten.

    `site_weight` is the site's share against the replay sets' weights, `measured` the share of the site's passages
    that is only measured with. Of `blends` the best is taken that loses no replay set more than `most_lost` of its
    AP50. Trained is a branch for the labels that people spoke of, which leaves all others' answers as they are; the
    `whole` network where that is wanted. `small` says how a small model is made of a candidate. `start` and `labels`
    are those of the model in service, `collection` the version's id.
    """

    collection: str = ""
    site_weight: float = 4.0
    measured: Fraction = 0.2
    blends: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    most_lost: Fraction = 0.01
    whole: bool = False
    small: Small | None = None


class Measured(msgspec.Struct, frozen=True):
    """What is written beside a candidate: every blend that was tried, and which one was taken."""

    chosen: float
    tried: tuple[Tried, ...]
    site_pictures: int
    measured_pictures: int


def finetune(
    recipe: FinetuneRecipe,
    manifest_file: Path,
    collection: Collection,
    version: Version,
    data: Path,
    out: Path,
    frozen: Frozen = NOTHING,
    since_ms: int = 0,
    small: str = "",
) -> Path:
    """Fine-tune and write a candidate; returns its manifest. Goes on where it was stopped, also with torchrun.

    With a name for a `small` model one is made of the candidate, and it is that one's manifest which is returned.

    No passage with one of the `frozen` pictures is trained on, nor an old picture that looks like one, and neither
    blend nor thresholds are chosen by such: they are what the gate judges with. What people said later than `since_ms`
    is held against what the candidate sees; pictures in doubt are written beside it.

    Raises ConfigError where recipe, model and data don't fit, ModelError where ONNX and torch disagree.
    """
    if small and recipe.small is None:
        raise ConfigError("small", f"the recipe does not say how {small} is made")
    place = find_place()
    torch.set_num_threads(recipe.schedule.threads)
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    parent, start = open_detector(manifest_file)
    recipe = branched(fitting(recipe, parent, start, version), start, version)
    whole, written = recipe.whole, out / "candidate" / f"{parent.name}.json"
    with borrowed(out / PICTURES, first=place.rank == 0):
        with first_alone(place):
            sets = _read(recipe, collection, version, data, out, frozen)
        learnt = (*sets.site, *sets.replay)
        average = fit_detector(copy.deepcopy(start), learnt, recipe, place, out, relative=whole).cpu()
        if place.rank == 0:
            net = _best(start, average, recipe, sets, out)
            words = told(NetDetector(net, recipe), recipe, sets.site, version.items, since_ms)
            written.parent.mkdir(parents=True, exist_ok=True)
            written.with_suffix(DOUBTS).write_bytes(msgspec.json.encode(doubts(words)))
            made_of = MadeOf(version.about, sets.learnt, counted(words))
            write_candidate(net, recipe, manifest_file, made_of, sets.validate, written.parent)
        if recipe.small is not None and small:
            lessons = Lessons(learnt, sets.validate, sets.held)
            written = make_small(recipe.small, small, written, recipe, lessons, place, out / "small")
    leave(place)
    return written


def fitting(recipe: FinetuneRecipe, parent: ModelManifest, start: DetectorNet, version: Version) -> FinetuneRecipe:
    """The recipe for this start and version; ConfigError where its labels or channels are others."""
    if tuple(recipe.labels) != parent.labels:
        raise ConfigError("labels", f"the recipe's are {tuple(recipe.labels)}, those of {parent.id} {parent.labels}")
    first = start.heads[0]
    assert isinstance(first, LevelHead)
    channels = first.classes.out_channels
    if channels != len(recipe.channels):
        raise ConfigError("labels", f"{len(recipe.channels)} channels, {parent.id} has {channels}")
    return msgspec.structs.replace(
        recipe,
        name=parent.name,
        size=parent.input.width,
        nms_iou=parent.nms_iou,
        start=parent.id,
        collection=version.about.id,
    )


def branched(recipe: FinetuneRecipe, start: DetectorNet, version: Version) -> FinetuneRecipe:
    """The recipe with the labels whose branch is trained: those that people spoke of.

    A branch of the start learns on; labels that have none get one here, so that the start's say what they said.
    ConfigError where nobody spoke of any label, or where the whole network of a start with branches is wanted.
    """
    if recipe.whole:
        if len(start.branches):
            raise ConfigError("whole", f"{recipe.start} has a branch, and what that reads must stay as it is")
        return recipe
    said = {box.label for item in version.items for box in item.learnt if box.kind != "pseudo"}
    own = tuple(label for label in recipe.labels if label in said)
    if not own:
        raise ConfigError("collection", "nobody spoke of a label of this model")
    recipe = msgspec.structs.replace(recipe, branch=own)
    add_branch(start, recipe)
    return recipe


class _Sets(NamedTuple):
    """What is trained on, and what is measured with: the site's, and the replay's.

    `learnt` are the SHA-256 of all pictures that are trained on: the gate takes no set that has one of them.
    """

    learnt: tuple[str, ...]
    site: tuple[DataSet, ...]
    held: DataSet
    replay: tuple[DataSet, ...]
    validate: tuple[DataSet, ...]


def _read(
    recipe: FinetuneRecipe, collection: Collection, version: Version, data: Path, out: Path, frozen: Frozen
) -> _Sets:
    alike = alike_in(collection, version.items)
    items = without(version.items, frozen.digests, alike, frozen.moments)
    if judged := len(version.items) - len(items):
        print(f"{judged} pictures are left out: the gate judges with them, or with one of their passage or their look")
    sides = split(items, recipe.measured, alike)
    site = site_sets(collection, sides.train, recipe, out / PICTURES, recipe.site_weight)
    held = collected(collection, sides.measure, recipe, out / PICTURES, 0.0)
    replay = apart(read_sets(recipe.sets, ("train",), data, out / "cache", recipe.channels), frozen)
    validate = telling(apart(read_sets(recipe.sets, ("validate",), data, out / "cache", recipe.channels), frozen))
    pictures, skipped = sum(len(one.samples) for one in site), list_skipped((*site, held, *replay, *validate), out)
    print(f"site {pictures}, measured with {len(held.samples)}; skipped {skipped}")
    told = (sample.path.stem for one in site for sample in one.samples)
    learnt = (*told, *digests(sample.path for one in replay for sample in one.samples))
    return _Sets(learnt, site, held, replay, validate)


def _best(start: DetectorNet, average: DetectorNet, recipe: FinetuneRecipe, sets: _Sets, out: Path) -> DetectorNet:
    """The blend that is taken; all that were tried stand in `finetune.json`."""
    shares = (0.0, *recipe.blends)
    tried = [tried_blend(blend(start, average, one), one, sets.validate, sets.held, recipe) for one in shares]
    best = chosen(tried, recipe.most_lost)
    net = blend(start, average, best.share)
    save_weights(net, recipe, out / "weights.pt")
    pictures = sum(len(one.samples) for one in sets.site)
    report = Measured(best.share, tuple(tried), pictures, len(sets.held.samples))
    (out / "finetune.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    return net
