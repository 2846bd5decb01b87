"""The command line of training: train, bundle and evaluate; `vedette train|evaluate` calls `main`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from contracts.errors import ConfigError, VedetteError
from contracts.manifest import load_manifest, model_bytes
from training import commands
from training.bundle import bundle_detector, spread, write_manifest
from training.classifiers import commands as classifiers
from training.dataset import list_skipped, read_sets
from training.detector import train
from training.errors import TOO_LITTLE, TooLittleError
from training.evaluate import evaluate_set
from training.faces import commands as faces
from training.faces.identity import add_identity
from training.predict import ExportedDetector, PublicYolox, time_ratio
from training.recipe import load_recipe
from training.report import write_report

RECIPES = Path(__file__).parent / "recipes"
TIMED_PICTURES = 40
KINDS = ("detector", "face-localiser", "face-embedder")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (2 when the recipe, the data or the model is wrong, TOO_LITTLE)."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except VedetteError as error:
        print(error, file=sys.stderr)
        return TOO_LITTLE if isinstance(error, TooLittleError) else 2
    return 0


def _train_detector(options: argparse.Namespace) -> Path:
    return train(load_recipe(options.config or RECIPES / "detector.yaml"), options.data, options.out)


TRAINED: dict[str, Callable[[argparse.Namespace], Path]] = {
    "detector": _train_detector,
    "face-localiser": faces.train_face_localiser,
    "face-embedder": faces.train_face_embedder,
    "appearance": commands.train_appearance,
    "classifier": classifiers.train_classifier,
    "finetune": commands.finetune_detector,
    "student": commands.train_student_detector,
}
"""What trains each kind; it returns where the result is."""


def _train(options: argparse.Namespace) -> None:
    print(TRAINED[options.model_kind](options))


def _bundle(options: argparse.Namespace) -> None:
    if options.model_kind != "detector":
        faces.bundle(options)
        return
    weights = options.out / "weights.pt"
    manifest = bundle_detector(weights, options.data, options.out, options.models, options.int8, options.appearance)
    print(f"{manifest.id}: {manifest.thresholds}")


def _evaluate(options: argparse.Namespace) -> None:
    """Evaluate a bundled model on the recipe's test sets; with `--record` the figures go into its manifest."""
    if options.record and options.model:
        raise ConfigError("--record", f"a manifest has the figures of its own file, not those of {options.model}")
    if options.model_kind != "detector":
        faces.evaluate(options)
        return
    recipe = load_recipe(options.config or RECIPES / "detector.yaml")
    manifest = load_manifest(options.manifest)
    folder = options.manifest.parent
    model_bytes(manifest, folder)
    path = folder / (options.model or manifest.file)
    if tuple(recipe.labels) != manifest.labels:
        raise ConfigError("labels", "the recipe and the manifest name different labels")
    sets = read_sets(recipe.sets, ("test",), options.data, options.out / "cache", recipe.channels)
    if count := list_skipped(sets, options.out):
        print(f"skipped {count} pictures: {options.out / 'skipped.json'}")
    ours = [evaluate_set(ExportedDetector(path), item, recipe) for item in sets]
    theirs = []
    ratio = None
    if options.against is not None:
        public = PublicYolox(options.against, recipe)
        theirs = [evaluate_set(public, item, recipe) for item in sets]
        ratio = time_ratio(path, options.against, spread(sets, TIMED_PICTURES, recipe.size))
    metrics = write_report(manifest.id, (ours, theirs), ratio, recipe, options.out)
    if options.record:
        write_manifest(msgspec.structs.replace(manifest, metrics=metrics), options.manifest)
    print((options.out / "report.md").read_text())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="training", description=__doc__)
    kinds = parser.add_subparsers(dest="command", required=True)
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, required=True, help="the folder that the recipe's paths are relative to")
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument("--config", type=Path, help="the recipe; training/recipes has one for each model")
    out = argparse.ArgumentParser(add_help=False)
    out.add_argument("--out", type=Path, required=True, help="checkpoints, logs, weights or the report go here")
    shared = [config, data, out]
    _add_train(kinds.add_parser("train", help="train from a recipe; goes on where it was stopped"), shared)
    _add_bundle(kinds.add_parser("bundle", help="export a run's weights: thresholds, manifest"), [data, out])
    calibrate = kinds.add_parser(
        "calibrate", parents=[config, data], help="measure what a face embedder's scores mean, into its manifest"
    )
    calibrate.add_argument("--manifest", type=Path, required=True, help="the bundled embedder's manifest")
    calibrate.set_defaults(run=faces.calibrate)
    crops = kinds.add_parser("crops", parents=shared, help="cut out what a classifier learns from, as the stream does")
    crops.set_defaults(run=classifiers.crops)
    evaluate = kinds.add_parser("evaluate", help="measure a bundled model on the test sets, or tracks on a clip")
    measured = evaluate.add_subparsers(
        dest="model_kind", required=True, metavar="detector|faces|classifier|identity|tracking"
    )
    add_identity(measured.add_parser("identity", help="who tracks are said to be: fused looks, strangers in clips"))
    commands.add_tracking(measured.add_parser("tracking", help="tracks of `vedette replay` against the truth"))
    classifiers.add_evaluate(measured.add_parser("classifier", help="a classifier on a folder or index of pictures"))
    for kind in ("detector", "faces"):
        _add_evaluate(measured.add_parser(kind, parents=shared, help=f"a bundled model on the test sets: {kind}"))
    return parser


def _add_train(train: argparse.ArgumentParser, shared: list[argparse.ArgumentParser]) -> None:
    kinds = train.add_subparsers(dest="model_kind", required=True, metavar="|".join(TRAINED))
    pictures = (
        "Here `--data` is the pictures: a folder train/LABEL/*.jpg, or an index of path and label; `--files` is where "
        "the recipe's paths begin. With `--collection` the pictures are the site's answers, and they begin at `--data`."
    )
    parsers = {
        kind: kinds.add_parser(kind, parents=shared, description=pictures if kind == "classifier" else None)
        for kind in TRAINED
    }
    for kind in ("appearance", "finetune", "student"):
        told = {"appearance": "that the head is for", "finetune": "to fine-tune", "student": "that teaches"}[kind]
        parsers[kind].add_argument(
            "--manifest", type=Path, default=Path("models/detector.json"), help=f"the detector {told}"
        )
    for kind in ("classifier", "finetune"):
        parsers[kind].add_argument(
            "--collection", type=Path, metavar="DIR", required=kind == "finetune", help="of `vedette dataset collect`"
        )
        gate = "frozen sets, whose pictures are not trained on"
        parsers[kind].add_argument("--gate", type=Path, metavar="FILE", help=gate)
        parsers[kind].add_argument(
            "--version", default="", metavar="ID", help="of the collection (default: the newest)"
        )
    files = "where the recipe has its weights (default: --data)"
    parsers["classifier"].add_argument("--files", type=Path, help=files)
    since = "what people said later (ms) is held against what a model sees that learnt it (default: all)"
    for kind in ("finetune", "classifier"):
        parsers[kind].add_argument("--since", type=int, default=0, metavar="MS", help=since)
    small = "make a small model of this name of the fine-tuned detector, as the recipe's `small` says"
    parsers["finetune"].add_argument("--small", default="", metavar="NAME", help=small)
    train.set_defaults(run=_train)


def _add_bundle(bundle: argparse.ArgumentParser, shared: list[argparse.ArgumentParser]) -> None:
    kinds = bundle.add_subparsers(dest="model_kind", required=True, metavar="|".join(KINDS))
    parsers = {kind: kinds.add_parser(kind, parents=shared) for kind in KINDS}
    for parser in parsers.values():
        parser.add_argument("--models", type=Path, required=True, help="the folder that gets the files")
        parser.add_argument("--int8", action="store_true", help="write the INT8 variant too")
    appearance = "a head for these weights: appearance.pt of its training run"
    parsers["detector"].add_argument("--appearance", type=Path, help=appearance)
    bundle.set_defaults(run=_bundle)


def _add_evaluate(evaluate: argparse.ArgumentParser) -> None:
    evaluate.add_argument("--manifest", type=Path, required=True, help="the bundled model's manifest")
    evaluate.add_argument("--model", help="another file beside the manifest's, e.g. the INT8 variant")
    evaluate.add_argument("--against", type=Path, help="the public ONNX file to compare with: YOLOX, or MobileFaceNet")
    evaluate.add_argument("--record", action="store_true", help="write the figures into the manifest")
    evaluate.set_defaults(run=_evaluate)


if __name__ == "__main__":
    sys.exit(main())
