"""From a training run's `weights.pt` to a bundled model: ONNX, parity, INT8, thresholds, manifest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from archive.evidence.durable import replace
from contracts.errors import ConfigError, ModelError
from contracts.manifest import Lineage, ModelInput, ModelManifest, Provenance
from training.appearance import NUMBERS, AppearanceNet, load_appearance
from training.dataset import DataSet, letterbox, list_skipped, read_picture, read_sets
from training.detector import load_trained
from training.evaluate import evaluate_set, match, threshold_at_precision
from training.export import Exported, export_detector
from training.parity import compare
from training.predict import ExportedDetector, open_session
from training.quantise import quantise
from training.recipe import DetectorRecipe, smaller_by
from training.staged import staged

PARITY_PICTURES = 100
CALIBRATION_PICTURES = 64
# The promised bounds: half a pixel, a thousandth, and for appearance vectors a cosine.
MOST_BOX_PX, MOST_SCORE, LEAST_COSINE = 0.5, 0.001, 0.9999
# Where a label has no picture in the validation sets, nothing was calibrated; this is YOLOX's usual operating point.
UNCALIBRATED_THRESHOLD = 0.4
# With fewer boxes one lucky or unlucky picture would set the threshold.
LEAST_BOXES = 20
# A student's start is a model that has a manifest; all others are files.
MODEL_ID = re.compile(r"[^/@]+@[^/@]+")


def bundle_detector(
    weights: Path, data: Path, work: Path, models: Path, int8: bool, appearance: Path | None = None
) -> ModelManifest:
    """Write `<name>.onnx` and `<name>.json` to `models`; ModelError, and neither, when ONNX and torch disagree.

    `work` keeps the unpacked frames. Thresholds come from the recipe's `validate` sets, at its precision. `appearance`
    is the `appearance.pt` of a head that was trained on these very weights. `int8` writes the quantised variant beside;
    where the recipe asks for it, it is the file itself.
    """
    recipe, net = load_trained(weights)
    head = load_appearance(appearance, net) if appearance is not None else None
    sets = read_sets(recipe.sets, ("train", "validate"), data, work / "cache", recipe.channels)
    print(f"skipped {list_skipped(sets, work)} (skipped.json)")
    validate, train = ([one for one in sets if one.config.role == role] for role in ("validate", "train"))
    with staged(models) as made:
        path = made / f"{recipe.name}.onnx"
        export_detector(net, recipe.groups, recipe.size, path, head, recipe.nms_iou)
        model = Exported(net, recipe.groups, recipe.nms_iou).eval()
        check_parity(model, head, path, spread(sets, PARITY_PICTURES, recipe.size))
        if int8 or recipe.int8:
            beside = path if recipe.int8 else made / f"{recipe.name}.int8.onnx"
            quantise(path, spread(train, CALIBRATION_PICTURES, recipe.size), beside, recipe.floats)
        manifest = _manifest(recipe, path, thresholds_of(path, validate, recipe), NUMBERS if head is not None else 0)
        write_manifest(manifest, made / f"{recipe.name}.json")
    return manifest


def spread(sets: list[DataSet] | tuple[DataSet, ...], count: int, size: int) -> list[NDArray[np.uint8]]:
    """`count` letterboxed pictures, as many from each set as from the next."""
    share = -(-count // max(1, len(sets)))
    chosen = []
    for item in sets:
        step = max(1, len(item.samples) // share)
        chosen += [sample.path for sample in item.samples[::step][:share]]
    if not chosen:
        raise ConfigError("sets", "there is no picture to check or calibrate with")
    return [letterbox(read_picture(path), size)[0] for path in chosen[:count]]


def write_manifest(manifest: ModelManifest, path: Path) -> None:
    """Write the manifest as readable JSON; a kill leaves the old one or the new."""
    replace(path, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")


def check_parity(model: Exported, head: AppearanceNet | None, path: Path, pictures: list[NDArray[np.uint8]]) -> None:
    """Hold the exported file against torch on letterboxed pictures; raises ModelError."""
    found = compare(model, open_session(path, 1), pictures, head)
    print(f"ONNX against torch: {found}")
    if found.unmatched or found.box_px > MOST_BOX_PX or found.score > MOST_SCORE or found.cosine < LEAST_COSINE:
        raise ModelError(f"{path.name}: says something else than torch: {found}")


def thresholds_of(path: Path, validate: Sequence[DataSet], recipe: DetectorRecipe) -> dict[str, float]:
    """The least score that keeps the recipe's precision, for each label with enough boxes in the validation sets."""
    detector = ExportedDetector(path)
    found = [item for data in validate for item in evaluate_set(detector, data, recipe).found]
    thresholds = {"default": UNCALIBRATED_THRESHOLD}
    for label, name in enumerate(recipe.labels):
        matches = match(found, label, recipe)
        if matches.boxes >= LEAST_BOXES:
            thresholds[name] = threshold_at_precision(matches, recipe.threshold_precision, UNCALIBRATED_THRESHOLD)
    return thresholds


def _lineage(recipe: DetectorRecipe) -> Lineage | None:
    if not MODEL_ID.fullmatch(recipe.start):
        return None
    return Lineage(parent=recipe.start, smaller_by=smaller_by(hinged=len(recipe.hinged) > 0, int8=recipe.int8))


def _manifest(recipe: DetectorRecipe, path: Path, thresholds: dict[str, float], embedding: int) -> ModelManifest:
    return ModelManifest(
        name=recipe.name,
        version=recipe.version,
        task="detector",
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        input=ModelInput(name="images", width=recipe.size, height=recipe.size),
        labels=tuple(recipe.labels),
        thresholds=thresholds,
        nms_iou=recipe.nms_iou,
        embedding=embedding,
        provenance=Provenance(
            licence=recipe.licence,
            trained_from=recipe.start,
            data=recipe.data_note,
            recipe=f"training/recipes/{recipe.name}.yaml",
        ),
        lineage=_lineage(recipe),
        created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
