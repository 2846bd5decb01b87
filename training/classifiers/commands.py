"""`train classifier` and `evaluate classifier`: pictures in; weights, ONNX, INT8, manifest, card and report out."""

from __future__ import annotations

import argparse
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from archive.collection.attribute_words import Judged, attribute_words
from archive.collection.doubted import Doubted, keep_doubted
from archive.collection.store import Collection
from archive.collection.words import DOUBTS, Word, counted, doubts
from archive.evidence.files import Folder
from contracts.controls import classifier_slot
from contracts.errors import ConfigError, ModelError
from contracts.manifest import (
    Attribute,
    DataReference,
    Lineage,
    ModelInput,
    ModelManifest,
    Provenance,
    Words,
    load_manifest,
    model_bytes,
)
from training.bundle import write_manifest
from training.candidate import listed, version_of
from training.classifiers.answers import Answers, answered
from training.classifiers.card import card
from training.classifiers.crops import load_crop_recipe, make_crops
from training.classifiers.export import Variant, export_classifier, export_int8, run, timed
from training.classifiers.measures import measure, softmax
from training.classifiers.network import Trained, load_classifier
from training.classifiers.pictures import Labelled, Pictures, read_measured
from training.classifiers.recipe import CROPS, ClassifierRecipe, load_classifier_recipe
from training.classifiers.report import Measured, write_report
from training.classifiers.train import read_data, train
from training.classifiers.unlearnt import unlearnt
from training.classifiers.views import middle
from training.dataset import Picture, list_skipped
from training.gate.sets import NOTHING, Frozen, frozen_pictures
from training.replay import digests
from training.staged import staged

CHECKED = 100
"""Pictures on which ONNX is held against torch, and INT8 is calibrated."""


class Origin(NamedTuple):
    """What a classifier is made of: the recipe's file, and the lineage.

    Of a collection's version `number` says which, and `beside` is what lies with the model, by how its name ends.
    """

    recipe: str
    lineage: Lineage
    number: int = 0
    beside: Mapping[str, bytes] = {}


def train_classifier(options: argparse.Namespace) -> Path:
    """One command: train, export, measure; everything goes to `--out`. Returns the manifest's path.

    `--data` is a folder or an index of pictures; the recipe's own paths are relative to `--files`. With `--collection`
    the site's answers are learnt instead, and the recipe's paths are relative to `--data`.
    """
    if options.config is None:
        raise ConfigError("config", "is missing: a classifier has a recipe of its own")
    recipe = load_classifier_recipe(options.config)
    options.out.mkdir(parents=True, exist_ok=True)
    frozen = frozen_pictures(options.gate) if options.gate is not None else NOTHING
    if options.collection is not None:
        return _train_on_answers(recipe, options, frozen)
    trained, pictures = _trained(recipe, options.files or options.data, options.data, options.out, frozen)
    return bundle(trained, pictures, options.out, Origin(options.config.name, _lineage(recipe)))


def _train_on_answers(recipe: ClassifierRecipe, options: argparse.Namespace, frozen: Frozen) -> Path:
    """The crops are the site's pictures, with the site's retention: they go when the model is there, or another run
    begins."""
    collection = Collection(Folder(options.collection))
    version = collection.load(options.version)
    crops_folder = options.out / CROPS
    shutil.rmtree(crops_folder, ignore_errors=True)
    try:
        found = answered(recipe, collection, version, crops_folder, frozen)
        for reason, count in found.left.items():
            print(f"  left out: {count}, {reason}")
        trained, pictures = _trained(recipe, options.data, found.crops, options.out, frozen)
        replayed = {one.path for part in ("train", "validate") for one in pictures.of(part, old=True)}
        learnt, reference = listed((*found.pictures, *digests(sorted(replayed))))
        data = (DataReference(name="collection", sha256=version.about.id), reference)
        told = _told(recipe, options, found, pictures)
        assert recipe.attribute is not None
        lineage, doubted = _lineage(recipe, data=data, words=counted(told)), doubts(told)
        beside = {".learnt": learnt.encode(), DOUBTS: msgspec.json.encode(doubted)}
        of, at_ms = classifier_slot(recipe.attribute.name), version.about.made_at_ms
        keep_doubted(collection, Doubted(of=of, at_ms=at_ms, since_ms=options.since, doubts=doubted))
        origin = Origin(options.config.name, lineage, version.about.number, beside)
        return bundle(trained, pictures, options.out, origin)
    finally:
        shutil.rmtree(crops_folder, ignore_errors=True)


def _trained(
    recipe: ClassifierRecipe, files: Path, source: Path | Sequence[Labelled], out: Path, frozen: Frozen
) -> tuple[Trained, Pictures]:
    pictures = read_data(recipe, files, source, frozen)
    print(f"pictures: {pictures.told}; left out {list_skipped((), out, pictures.skipped)} (skipped.json)")
    return load_classifier(train(recipe, files, pictures, out)), pictures


def _told(recipe: ClassifierRecipe, options: argparse.Namespace, found: Answers, pictures: Pictures) -> list[Word]:
    """What people said later than `--since`, and whether its pictures contradict it."""
    assert recipe.attribute is not None
    sure = unlearnt(recipe, options.data, pictures, options.out)
    judged = [Judged(found.said[path], each) for path, each in sure.items()]
    told = attribute_words(judged, recipe.attribute.name, options.since)
    print(f"words: {len(told)} are new, of which what looks alike contradicts {sum(one.doubtful for one in told)}")
    return told


def _lineage(recipe: ClassifierRecipe, data: tuple[DataReference, ...] = (), words: tuple[Words, ...] = ()) -> Lineage:
    digest = hashlib.sha256(msgspec.json.encode(recipe)).hexdigest()
    return Lineage(data=data, words=words, recipe_sha256=digest)


def crops(options: argparse.Namespace) -> None:
    """Cut the recipe's boxes out of its set, into a folder that `train classifier` takes."""
    if options.config is None:
        raise ConfigError("config", "is missing: crops have a recipe of their own")
    print(make_crops(load_crop_recipe(options.config), options.data, options.out))


def bundle(trained: Trained, pictures: Pictures, out: Path, origin: Origin) -> Path:
    """Write `<name>.onnx`, its INT8 variant, manifest, card and report; returns the manifest's path.

    ModelError, and none of them, when ONNX and torch disagree.
    """
    recipe, size = trained.recipe, trained.recipe.network.size
    known = looks_at(spread(pictures.of("train"), CHECKED), size)
    sets = [("new", pictures.of("test", old=False)), ("before", pictures.of("test", old=True))]
    sets = [(name, items) for name, items in sets if items] or [("held-out", pictures.of("validate"))]
    with staged(out) as made:
        path = made / f"{recipe.name}.onnx"
        apart = export_classifier(trained.net, size, path, known)
        int8 = export_int8(path, known)
        measured = [measured_on(path, name, items, trained, pictures) for name, items in sets]
        small = [measured_on(int8, f"{name}-int8", items, trained, pictures) for name, items in sets]
        variants = timed(path, known[0]), timed(int8, known[0])
        more = _more(variants, apart, trained.temperature)
        notes = f"Pictures: {pictures.told}. On pictures that had no part in training or in choosing when to stop."
        title = f"{recipe.name} {recipe.version}"
        metrics = write_report(title, trained.labels, [*measured, *small], more, notes, out / "report")
        manifest = _manifest(trained, path, metrics, origin)
        for ending, content in origin.beside.items():
            path.with_suffix(ending).write_bytes(content)
        write_manifest(manifest, made / f"{recipe.name}.json")
        (made / f"{recipe.name}.md").write_text(card(manifest, recipe, pictures, measured, variants))
    return out / f"{recipe.name}.json"


def evaluate_classifier(options: argparse.Namespace) -> None:
    """Measure a classifier on the `test` part of a folder or index (else `val`, else all); `--record` keeps it."""
    manifest = load_manifest(options.manifest)
    if manifest.task != "classifier":
        raise ModelError(f"{manifest.id}: is a {manifest.task}, not a classifier")
    model_bytes(manifest, options.manifest.parent)
    path = options.manifest.parent / (options.model or manifest.file)
    pictures = read_measured(options.data, manifest.labels)
    items = pictures.of("test")
    temperature = manifest.attribute.temperature if manifest.attribute is not None else 1.0
    logits = run(path, looks_at(items, manifest.input.width))
    targets = pictures.targets(items)
    probabilities = softmax(logits, temperature)
    measured = Measured("test", items, probabilities, targets, measure(probabilities, targets))
    metrics = write_report(manifest.id, manifest.labels, [measured], {}, f"{len(items)} pictures.", options.out)
    if options.record:
        write_manifest(msgspec.structs.replace(manifest, metrics=metrics), options.manifest)
    print((options.out / "report.md").read_text())


def measured_on(path: Path, name: str, items: tuple[Labelled, ...], trained: Trained, pictures: Pictures) -> Measured:
    """What the exported file says of the pictures."""
    logits = run(path, looks_at(items, trained.recipe.network.size))
    probabilities, targets = softmax(logits, trained.temperature), pictures.targets(items)
    return Measured(name, items, probabilities, targets, measure(probabilities, targets))


def looks_at(items: tuple[Labelled, ...], size: int) -> list[Picture]:
    """The pictures as the model gets them."""
    return [middle(one.read(), size) for one in items]


def spread(items: tuple[Labelled, ...], count: int) -> tuple[Labelled, ...]:
    """At most `count` of them, evenly over all."""
    return items if len(items) <= count else tuple(items[k] for k in np.linspace(0, len(items) - 1, count).astype(int))


def _more(variants: tuple[Variant, Variant], apart: float, temperature: float) -> dict[str, float]:
    whole, small = variants
    return {
        "temperature": temperature,
        "onnx_against_torch": apart,
        "fp32_milliseconds": whole.milliseconds,
        "int8_milliseconds": small.milliseconds,
        "fp32_megabytes": whole.megabytes,
        "int8_megabytes": small.megabytes,
    }


def _manifest(trained: Trained, path: Path, metrics: dict[str, float], origin: Origin) -> ModelManifest:
    recipe: ClassifierRecipe = trained.recipe
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    attribute = None
    if recipe.attribute is not None:
        told = msgspec.structs.asdict(recipe.attribute) | {"temperature": round(trained.temperature, 4)}
        attribute = Attribute(**told)
    size = recipe.network.size
    return ModelManifest(
        name=recipe.name,
        version=version_of(recipe.version, origin.number, digest) if origin.number else recipe.version,
        task="classifier",
        file=path.name,
        sha256=digest,
        input=ModelInput(name="images", width=size, height=size),
        labels=trained.labels,
        thresholds={"default": recipe.threshold},
        metrics=metrics,
        attribute=attribute,
        provenance=Provenance(
            licence=recipe.licence,
            trained_from=f"{recipe.network.library} {recipe.network.name}, {recipe.network.weights}",
            data=recipe.data_note,
            recipe=f"training/recipes/{origin.recipe}",
        ),
        lineage=origin.lineage,
        created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """The arguments of `evaluate_classifier`."""
    parser.add_argument("--data", type=Path, required=True, help="a folder of pictures by label, or an index")
    parser.add_argument("--manifest", type=Path, required=True, help="the classifier's manifest")
    parser.add_argument("--model", help="another file beside the manifest's, e.g. the INT8 variant")
    parser.add_argument("--out", type=Path, required=True, help="metrics.json, report.md and plots go here")
    parser.add_argument("--record", action="store_true", help="write the figures into the manifest")
    parser.set_defaults(run=evaluate_classifier)
