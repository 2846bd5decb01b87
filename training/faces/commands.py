"""What `train`, `bundle`, `calibrate` and `evaluate` do for the face models."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
import numpy as np

from contracts.errors import ModelError
from contracts.manifest import ModelManifest, load_manifest, model_bytes
from stream.identity import calibration_of, cohort_of
from stream.vision.faces import FaceEmbedder, FaceLocaliser
from stream.vision.session import SessionOptions
from training.bundle import write_manifest
from training.dataset import list_skipped, read_sets
from training.faces import evaluate as measure
from training.faces.bundle import bundle_embedder, bundle_localiser, calibrated
from training.faces.embedder import train_embedder
from training.faces.localiser import train_localiser
from training.faces.openset import open_set, open_set_metrics, table, write_open_set
from training.faces.people import SIDE, read_people
from training.faces.recipe import EmbedderRecipe, LocaliserRecipe
from training.faces.report import Row, draw_worst_pairs, plot_embedder, plot_localiser, write_metrics, write_page
from training.faces.teachers import label_faces
from training.predict import open_session
from training.yaml_file import read_yaml

RECIPES = Path(__file__).parents[1] / "recipes"
CPU = SessionOptions(device="cpu")


def train_face_localiser(options: argparse.Namespace) -> Path:
    """Train the localiser; returns its weights' path."""
    return train_localiser(_localiser(options), options.data, options.out)


def train_face_embedder(options: argparse.Namespace) -> Path:
    """Train the embedder; returns its weights' path."""
    return train_embedder(_embedder(options), options.data, options.out)


def bundle(options: argparse.Namespace) -> None:
    """Export the localiser's or the embedder's weights with threshold and manifest."""
    weights = options.out / "weights.pt"
    if options.model_kind == "face-localiser":
        manifest = bundle_localiser(weights, options.data, options.out, options.models, options.int8)
    else:
        manifest = bundle_embedder(weights, options.data, options.models, options.int8)
    print(f"{manifest.id}: {manifest.thresholds}")


def calibrate(options: argparse.Namespace) -> None:
    """Measure what the scores of a bundled embedder mean, into its manifest."""
    manifest = load_manifest(options.manifest)
    embedder = FaceEmbedder.open(manifest, options.manifest.parent, CPU)
    calibration = calibrated(embedder, _embedder(options), options.data, options.manifest.parent)
    write_manifest(msgspec.structs.replace(manifest, calibration=calibration), options.manifest)
    print(f"{manifest.id}: calibrated in {len(calibration.levels)} levels")


def evaluate(options: argparse.Namespace) -> None:
    """Measure a bundled face model on the recipe's test sets; with `--record` the figures go into its manifest."""
    manifest = load_manifest(options.manifest)
    if manifest.task == "detector":
        raise ModelError(f"{manifest.id}: is a detector, not a face model")
    if manifest.task == "face-localiser":
        _evaluate_localiser(options)
    else:
        _evaluate_embedder(options)
    print((options.out / "report.md").read_text())


def measured(options: argparse.Namespace) -> ModelManifest:
    """The manifest, or with `--model` the same of that file beside it; ModelError where the file isn't what it says."""
    manifest, folder = load_manifest(options.manifest), options.manifest.parent
    model_bytes(manifest, folder)
    if not options.model:
        return manifest
    return msgspec.structs.replace(manifest, file=options.model, sha256=measure.sha256_of(folder / options.model))


def _evaluate_localiser(options: argparse.Namespace) -> None:
    recipe = _localiser(options)
    manifest = measured(options)
    localiser = FaceLocaliser.open(manifest, options.manifest.parent, CPU)
    sets = read_sets(recipe.sets, ("test",), options.data, options.out / "cache", ("face",))
    list_skipped(sets, options.out)
    labels = label_faces(sets, recipe.teachers, options.data, options.out / "cache")
    results = {
        item.config.name: measure.find_faces(localiser, item, measure.true_faces(item, labels, recipe)) for item in sets
    }
    every = [item for items in results.values() for item in items]
    _, false = measure.scored(every, labels)
    least = measure.threshold_for(false, len(every), recipe.false_boxes)
    metrics = {"pictures": float(len(every)), "threshold_at_false_boxes": least}
    for name, items in ({"all": every} | results).items():
        hits, wrong = measure.scored(items, labels)
        metrics[f"{name}.faces"] = float(len(hits))
        metrics[f"{name}.missed"] = float((hits < max(least, 1e-6)).mean())
        metrics[f"{name}.missed_at_threshold"] = float((hits < manifest.thresholds["default"]).mean())
        metrics[f"{name}.false_boxes_at_threshold"] = float(
            (wrong >= manifest.thresholds["default"]).sum() / len(items)
        )
        metrics[f"{name}.missed_in_heads"] = measure.head_misses(items)
        for where, in_heads in (("pictures", False), ("heads", True)):
            metrics[f"{name}.point_error_in_{where}"] = float(measure.point_errors(items, in_heads).mean())
    session = open_session(options.manifest.parent / manifest.file, 1)
    side = manifest.input.width
    metrics["milliseconds_a_head"] = measure.milliseconds(session, np.full((1, side, side, 3), 114, np.uint8))
    metrics = {name: round(value, 4) for name, value in metrics.items()}
    write_metrics(metrics, {}, options.out)
    pictures = plot_localiser(results, labels, options.out)
    note = "Faces and points are those of the public YuNet (several sizes) and UltraFace, fused, on the same pictures."
    write_page(manifest.id, note, [Row(*item) for item in metrics.items()], pictures, options.out)
    _record(options, metrics)


def _evaluate_embedder(options: argparse.Namespace) -> None:
    recipe = _embedder(options)
    manifest, folder = measured(options), options.manifest.parent
    embedder = FaceEmbedder.open(manifest, folder, CPU)
    faces = read_people(recipe.people, "test", options.data)
    list_skipped((), options.out, faces.skipped)
    looks = measure.looks_at(faces, recipe.degrade)
    cohort = cohort_of(manifest, folder)
    ours = measure.embed_views(measure.embed_with(embedder), looks, manifest.id, measure.enrol_with(embedder), cohort)
    metrics = measure.embedder_metrics(ours, faces.persons)
    metrics |= {"people": float(len(faces.names)), "faces": float(len(faces.pictures))}
    session = open_session(folder / manifest.file, 1)
    metrics["milliseconds_a_face"] = measure.milliseconds(session, np.full((1, SIDE, SIDE, 3), 114, np.uint8))
    theirs, reference = None, dict[str, float]()
    if options.against is not None:
        public = measure.PublicMobileFaceNet(options.against)
        theirs = measure.embed_views(public.embed, looks, options.against.stem)
        reference = {k: round(v, 4) for k, v in measure.embedder_metrics(theirs, faces.persons).items()}
    metrics = {name: round(value, 4) for name, value in metrics.items()}
    write_metrics(metrics, reference, options.out)
    pictures = plot_embedder(ours, theirs, faces.persons, options.out) + draw_worst_pairs(ours, faces, options.out)
    results = open_set(ours, faces.persons, calibration_of(manifest))
    pictures += write_open_set(results, options.out)
    note = (
        f"{len(faces.names)} people who were not trained on. `accepts` are true accepts over all pairs at one false "
        "accept in a thousand; `misses` are people not identified, of 200 enrolled with one clean picture, where 1 % "
        "of 1,000 strangers are named (mean of 120 splits, `misses_error` its standard error)."
    )
    rows = [Row(name, value, reference.get(name)) for name, value in metrics.items()]
    write_page(manifest.id, note, rows, pictures, options.out, table(results))
    _record(options, metrics | open_set_metrics(results))


def _record(options: argparse.Namespace, metrics: dict[str, float]) -> None:
    if options.record:
        manifest = load_manifest(options.manifest)
        write_manifest(msgspec.structs.replace(manifest, metrics=metrics), options.manifest)


def _localiser(options: argparse.Namespace) -> LocaliserRecipe:
    return read_yaml(options.config or RECIPES / "face-localiser.yaml", LocaliserRecipe)


def _embedder(options: argparse.Namespace) -> EmbedderRecipe:
    return read_yaml(options.config or RECIPES / "face-embedder.yaml", EmbedderRecipe)
