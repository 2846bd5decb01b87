"""From a face model's `weights.pt` to a bundled model: ONNX, parity with torch, INT8, threshold, manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import nms

from contracts.errors import ModelError
from contracts.manifest import ModelInput, ModelManifest, Provenance, ScoreCalibration
from stream.identity.cohort import packed
from stream.vision.faces import FaceEmbedder, FaceLocaliser, shrunk
from stream.vision.session import SessionOptions
from training.bundle import write_manifest
from training.dataset import read_picture, read_sets
from training.export import LEAST_SCORE, MOST_CELLS
from training.faces import measures
from training.faces.calibrating import calibrate_embedder, rounded
from training.faces.cohort import make_cohort
from training.faces.embedder import load_embedder
from training.faces.evaluate import FALSE_ACCEPTS, embed_with, enrol_with, find_faces, scored, threshold_for, true_faces
from training.faces.export import (
    MOST_FACES,
    NMS_IOU,
    ExportedEmbedder,
    ExportedLocaliser,
    export_embedder,
    export_localiser,
)
from training.faces.localiser import load_localiser
from training.faces.mobilefacenet import VECTOR, EmbedderNet
from training.faces.people import SIDE, Faces, read_people
from training.faces.recipe import EmbedderRecipe, LocaliserRecipe
from training.faces.teachers import label_faces
from training.faces.tracks import Embed, enrolled
from training.faces.yunet import LocaliserNet
from training.predict import open_session
from training.quantise import quantise
from training.staged import staged

Pictures = Sequence[NDArray[np.uint8]]
CPU = SessionOptions(device="cpu")

PARITY_PICTURES = 100
CALIBRATION_PICTURES = 100
# The promised bounds: half a pixel, a thousandth, a cosine of .9999.
MOST_PX, MOST_SCORE, LEAST_COSINE = 0.5, 0.001, 0.9999
# Below this nobody asks: the threshold is looked for above it.
LOW_THRESHOLD = 0.1


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest differences between ONNX and torch over some pictures, and how many boxes only one side has."""

    pictures: int
    faces: int
    box_px: float
    point_px: float
    score: float
    unmatched: int


def bundle_localiser(weights: Path, data: Path, work: Path, models: Path, int8: bool) -> ModelManifest:
    """Write `<name>.onnx` and `<name>.json` to `models`; ModelError, and neither, when ONNX and torch disagree.

    The threshold lets through the recipe's number of false boxes a picture on its `validate` sets.
    """
    recipe, net = load_localiser(weights)
    sets = read_sets(recipe.sets, ("validate",), data, work / "cache", ("face",))
    heads = [_head(read_picture(sample.path), recipe.size) for item in sets for sample in item.samples]
    labels = label_faces(sets, recipe.teachers, data, work / "cache")
    with staged(models) as made:
        path = made / f"{recipe.name}.onnx"
        export_localiser(net, path)
        check_localiser(net, path, heads[:PARITY_PICTURES])
        if int8:
            some = heads[:: max(1, len(heads) // CALIBRATION_PICTURES)]
            quantise(path, some, path.with_suffix(".int8.onnx"))
        manifest = _manifest(path, recipe, recipe.size, {"default": LOW_THRESHOLD}, "face-localiser")
        localiser = FaceLocaliser.open(manifest, made, CPU)
        results = [item for one in sets for item in find_faces(localiser, one, true_faces(one, labels, recipe))]
        hits, false = scored(results, labels)
        threshold = max(LOW_THRESHOLD, threshold_for(false, len(results), recipe.false_boxes))
        print(f"validation: {len(results)} pictures, {len(false)} false boxes, {(hits < threshold).mean():.3f} missed")
        manifest = msgspec.structs.replace(manifest, thresholds={"default": round(threshold, 3)}, nms_iou=NMS_IOU)
        write_manifest(manifest, made / f"{recipe.name}.json")
    return manifest


def bundle_embedder(weights: Path, data: Path, models: Path, int8: bool) -> ModelManifest:
    """Write `<name>.onnx` and `<name>.json` to `models`; ModelError, and neither, when ONNX and torch disagree.

    The threshold is the cosine that one in a thousand pairs of two validation people reaches.
    """
    recipe, net = load_embedder(weights)
    faces = read_people(recipe.people, "validate", data)
    with staged(models) as made:
        path = made / f"{recipe.name}.onnx"
        export_embedder(net, path)
        step = max(1, len(faces.pictures) // PARITY_PICTURES)
        check_embedder(net, path, faces.pictures[::step][:PARITY_PICTURES])
        if int8:
            train = read_people(recipe.people, "train", data).pictures
            some = train[:: max(1, len(train) // CALIBRATION_PICTURES)][:CALIBRATION_PICTURES]
            quantise(path, list(some), path.with_suffix(".int8.onnx"))
        manifest = _manifest(path, recipe, SIDE, {"default": 1.0}, "face-embedder", VECTOR)
        embedder = FaceEmbedder.open(manifest, made, CPU)
        manifest = msgspec.structs.replace(
            manifest,
            thresholds={"default": round(_verification_threshold(embed_with(embedder), faces), 3)},
            calibration=calibrated(embedder, recipe, data, made),
        )
        write_manifest(manifest, made / f"{recipe.name}.json")
    return manifest


def check_localiser(net: LocaliserNet, path: Path, heads: Pictures) -> None:
    """Hold the exported file against torch on heads; raises ModelError."""
    found = compare_localiser(ExportedLocaliser(net).eval(), path, heads)
    print(f"ONNX against torch: {found}")
    within = found.box_px <= MOST_PX and found.point_px <= MOST_PX and found.score <= MOST_SCORE
    if found.unmatched or not within:
        raise ModelError(f"{path.name}: says something else than torch: {found}")


def check_embedder(net: EmbedderNet, path: Path, faces: NDArray[np.uint8]) -> None:
    """Hold the exported file against torch on faces; raises ModelError."""
    cosine, quality = compare_embedder(ExportedEmbedder(net).eval(), path, faces)
    print(f"ONNX against torch: least cosine {cosine:.7f}, largest difference of quality {quality:.2g}")
    if not (cosine >= LEAST_COSINE and quality <= MOST_SCORE):  # said so that NaN is beyond
        raise ModelError(f"{path.name}: says something else than torch: cosine {cosine}, quality {quality}")


def calibrated(embedder: FaceEmbedder, recipe: EmbedderRecipe, data: Path, models: Path) -> ScoreCalibration:
    """What the embedder's scores mean; the cohort that they are held against is written to `models`."""
    embed, enrol = embed_with(embedder), enrol_with(embedder)
    cohort = make_cohort(embed, recipe, data)
    calibration = rounded(calibrate_embedder(embed, enrol, cohort, recipe, data), cohort, recipe.name)
    (models / calibration.cohort).write_bytes(packed(cohort.vectors))
    return calibration


def _verification_threshold(embed: Embed, faces: Faces) -> float:
    vectors = enrolled(faces, embed).vectors
    return measures.true_accepts(*measures.all_pairs(vectors, vectors, faces.persons), FALSE_ACCEPTS)[1]


@torch.no_grad()
def compare_localiser(model: ExportedLocaliser, path: Path, heads: Pictures) -> Difference:
    """Faces of ONNX against torch with torchvision's suppression; those below LOW_THRESHOLD are nobody's."""
    session = open_session(path, 1)
    count, unmatched, worst = 0, 0, np.zeros(3)
    for head in heads:
        boxes, scores, points = (value[0] for value in model(torch.from_numpy(head)[None]))
        best = scores[:, 0].topk(MOST_CELLS).indices
        best = best[scores[best, 0] > LEAST_SCORE]
        kept = best[nms(boxes[best], scores[best, 0], NMS_IOU)][:MOST_FACES]
        kept = kept[scores[kept, 0] >= LOW_THRESHOLD]
        theirs = [value[0] for value in session.run(["boxes", "scores", "points"], {"images": head[None]})]
        found = theirs[1] >= LOW_THRESHOLD
        count += len(kept)
        if len(kept) != int(found.sum()):
            unmatched += abs(len(kept) - int(found.sum()))
            continue
        for place in kept.tolist():
            apart = abs(theirs[0][found] - boxes[place].numpy()).max(1)
            partner = int(apart.argmin())
            score = abs(float(theirs[1][found][partner]) - float(scores[place, 0]))
            point = abs(theirs[2][found][partner].ravel() - points[place].numpy()).max()
            worst = np.maximum(worst, (float(apart[partner]), float(point), score))
    box_px, point_px, score = worst.tolist()
    return Difference(len(heads), count, box_px, point_px, score, unmatched)


@torch.no_grad()
def compare_embedder(model: ExportedEmbedder, path: Path, faces: NDArray[np.uint8]) -> tuple[float, float]:
    """The least cosine between ONNX's and torch's vectors of a face, and the largest difference of quality."""
    session = open_session(path, 1)
    vectors, qualities = session.run(["vectors", "qualities"], {"images": faces})
    ours, good = (value.numpy() for value in model(torch.from_numpy(faces)))
    return float((vectors * ours).sum(1).min()), float(abs(qualities - good).max())


def _head(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle of a picture as the localiser would get a head's square."""
    height, width = picture.shape[:2]
    side = min(height, width, 2 * size)
    top, left = (height - side) // 2, (width - side) // 2
    return shrunk(picture[top : top + side, left : left + side], (size, size))


def _manifest(
    path: Path,
    recipe: LocaliserRecipe | EmbedderRecipe,
    side: int,
    thresholds: dict[str, float],
    task: Literal["face-localiser", "face-embedder"],
    embedding: int = 0,
) -> ModelManifest:
    return ModelManifest(
        name=recipe.name,
        version=recipe.version,
        task=task,
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        input=ModelInput(name="images", width=side, height=side),
        labels=("face",),
        thresholds=thresholds,
        low_threshold=LOW_THRESHOLD,
        embedding=embedding,
        provenance=Provenance(
            licence=recipe.licence,
            trained_from=recipe.start,
            data=recipe.data_note,
            recipe=f"training/recipes/{task}.yaml",
        ),
        created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
