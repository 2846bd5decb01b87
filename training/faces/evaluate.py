"""Measures the bundled face models on people and pictures that were neither trained on nor set a threshold."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tqdm import tqdm

from stream.identity import Cohort
from stream.identity.cohort import NOBODY
from stream.vision.faces import Face, FaceEmbedder, FaceLocaliser
from stream.vision.fusion import iou
from training.dataset import DataSet, Sample, read_picture
from training.faces import measures
from training.faces.degrade import degrade, shrink_and_compress
from training.faces.mobilefacenet import DEVIATION, MEAN
from training.faces.people import Faces
from training.faces.recipe import DegradeConfig, LocaliserRecipe
from training.faces.teachers import FaceBoxes
from training.faces.tracks import Embed, embedded
from training.predict import open_session

Floats = NDArray[np.float32]

FALSE_ACCEPTS = 1e-3
# Misses are reported where this share of the strangers is named.
NAMED_STRANGERS = 0.01
REJECTED = 0.2
BATCH = 32
EVALUATION_SEED = 7
# A found box is the face of the truth from this overlap on; two detectors' boxes of one face differ.
SAME_FACE_IOU = 0.35
# The square of a head that the stream looks at shows the face about a third of its side wide.
HEAD_OF_FACE = 3.0


@dataclass(frozen=True, slots=True)
class Views:
    """Vectors [N,D] and qualities [N] of the same faces in each look: clean, shrunk to 32 and 24 pixels, mixed.

    `enrolled` [N,D] are the clean ones as pictures of a gallery; `cohort` is what scores are held against.
    """

    vectors: dict[str, Floats]
    qualities: dict[str, Floats]
    enrolled: Floats
    cohort: Cohort


@dataclass(frozen=True, slots=True)
class FoundFaces:
    """What the localiser said of one picture, beside the truth; `heads` are the faces found in the heads' squares."""

    key: str
    path: Path
    truth: FaceBoxes
    found: tuple[Face, ...]
    heads: tuple[tuple[Face, ...], ...] = field(repr=False)


class PublicMobileFaceNet:
    """The public network that ours is held against: start and teacher, as its authors use it."""

    def __init__(self, weights: Path) -> None:
        self._session = open_session(weights, 1)
        self._input = self._session.get_inputs()[0].name

    def embed(self, aligned: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Unit vectors of aligned faces; it has no quality (ones)."""
        rgb = (aligned[..., ::-1].astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(DEVIATION)
        pixels = np.ascontiguousarray(rgb.transpose(0, 3, 1, 2), np.float32)
        raw = np.concatenate([self._session.run(None, {self._input: one[None]})[0] for one in pixels])
        return raw / np.linalg.norm(raw, axis=1, keepdims=True), np.ones(len(raw), np.float32)


def looks_at(faces: Faces, config: DegradeConfig) -> dict[str, NDArray[np.uint8]]:
    """The faces in every look that is measured; `mixed` are the training's faults with seeds of their own."""
    mixed = [
        degrade(face, config, np.random.default_rng((EVALUATION_SEED, k))) for k, face in enumerate(faces.pictures)
    ]
    shrunk = {f"{side} px": np.stack([shrink_and_compress(f, side) for f in faces.pictures]) for side in (32, 24)}
    return {"clean": faces.pictures, **shrunk, "mixed": np.stack(mixed)}


def embed_views(
    embed: Embed, looks: dict[str, NDArray[np.uint8]], name: str, enrol: Embed | None = None, cohort: Cohort = NOBODY
) -> Views:
    """Run an embedder over all looks; `enrol` is its way to embed a gallery's pictures, where that is another one."""
    vectors: dict[str, Floats] = {}
    qualities: dict[str, Floats] = {}
    for look, pictures in looks.items():
        firsts = tqdm(range(0, len(pictures), BATCH), desc=f"{name} {look}")
        parts = [embed(pictures[first : first + BATCH]) for first in firsts]
        vectors[look], qualities[look] = (np.concatenate(values) for values in zip(*parts, strict=True))
    enrolled = vectors["clean"] if enrol is None else embedded(looks["clean"], enrol)
    return Views(vectors, qualities, enrolled, cohort)


def embedder_metrics(views: Views, persons: NDArray[np.int64]) -> dict[str, float]:
    """Verification and identification figures by look; `x.enrolled` is a look against a clean picture of the person."""
    metrics: dict[str, float] = {}
    pairs = measures.draw_pairs(persons, EVALUATION_SEED)
    clean = views.vectors["clean"]
    for look, vectors in views.vectors.items():
        both = {look: (vectors, vectors)} | ({} if look == "clean" else {f"{look}.enrolled": (clean, vectors)})
        for name, (a, b) in both.items():
            genuine, impostor = measures.all_pairs(a, b, persons)
            metrics[f"{name}.accepts_at_1e-3"] = measures.true_accepts(genuine, impostor, FALSE_ACCEPTS)[0]
            accuracy, error = measures.verification_accuracy(a, b, pairs)
            metrics[f"{name}.accuracy"], metrics[f"{name}.accuracy_error"] = accuracy, error
        missed = measures.misses_at(trials_of(views, look, persons), np.array([NAMED_STRANGERS]))[:, 0]
        metrics[f"{look}.misses_at_1_percent"] = float(missed.mean())
        metrics[f"{look}.misses_deviation"] = float(missed.std(ddof=1))
        metrics[f"{look}.misses_error"] = float(missed.std(ddof=1) / np.sqrt(len(missed)))
    metrics |= rejection_metrics(views, persons)
    genuine, impostor = measures.all_pairs(clean, clean, persons)
    metrics["pairs.genuine"], metrics["pairs.impostor"] = float(len(genuine)), float(len(impostor))
    return metrics


def trials_of(views: Views, look: str, persons: NDArray[np.int64]) -> list[measures.Trial]:
    """The open-set trials with clean enrolled faces and probes of this look."""
    splits = measures.draw_splits(persons, EVALUATION_SEED)
    return [measures.identify(views.enrolled, views.vectors[look], split, views.cohort) for split in splits]


def rejection(views: Views, persons: NDArray[np.int64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Misses of mixed faces [2,R] after turning away the worst by quality: at 1 % named strangers, and as rank one."""
    splits = measures.draw_splits(persons, EVALUATION_SEED)
    quality = np.concatenate([views.qualities["mixed"][split.mates] for split in splits])
    trials = trials_of(views, "mixed", persons)
    missed = np.concatenate([trial.misses(trial.threshold(NAMED_STRANGERS)) for trial in trials])
    wrong = np.concatenate([~trial.right for trial in trials])
    return np.stack([measures.errors_after_rejection(errors, quality, shares) for errors in (missed, wrong)])


def rejection_metrics(views: Views, persons: NDArray[np.int64]) -> dict[str, float]:
    """What turning away the worst fifth is worth."""
    (before, after), (rank_before, rank_after) = rejection(views, persons, np.array([0.0, REJECTED])).tolist()
    return {
        "quality.misses": before,
        "quality.misses_without_worst_fifth": after,
        "quality.rank_errors": rank_before,
        "quality.rank_errors_without_worst_fifth": rank_after,
    }


def find_faces(localiser: FaceLocaliser, data: DataSet, truth: dict[str, FaceBoxes]) -> list[FoundFaces]:
    """Run the localiser over whole pictures and over the squares in which the truth's heads are."""
    results = []
    for sample in tqdm(data.samples, desc=data.config.name):
        picture, faces = read_picture(sample.path), truth[sample.key]
        squares = _head_squares(faces.xyxy)
        heads = tuple(localiser.in_heads(picture, squares))
        results.append(FoundFaces(sample.key, sample.path, faces, localiser.everywhere(picture), heads))
    return results


def true_faces(data: DataSet, labels: dict[str, FaceBoxes], recipe: LocaliserRecipe) -> dict[str, FaceBoxes]:
    """The faces of each picture that must be found: the teachers' sure ones, or the person's whom it is of."""
    return {sample.key: _true(sample, labels[sample.key], data.config.name, recipe) for sample in data.samples}


def _true(sample: Sample, faces: FaceBoxes, name: str, recipe: LocaliserRecipe) -> FaceBoxes:
    keep = np.flatnonzero(faces.scores >= recipe.sure)
    if name in recipe.one_person:
        middle = np.array(read_picture(sample.path).shape[1::-1]) / 2
        apart = np.hypot(*((faces.xyxy[keep, :2] + faces.xyxy[keep, 2:]) / 2 - middle).T)
        keep = keep[np.argsort(apart)[:1]]
    return FaceBoxes(faces.xyxy[keep], faces.scores[keep], faces.points[keep])


def scored(results: list[FoundFaces], known: dict[str, FaceBoxes]) -> tuple[Floats, Floats]:
    """The scores of the true faces (0 for those never found) and of the false boxes.

    A box on something that the teachers think may be a face (`known`, all their boxes) is not false.
    """
    hits: list[float] = []
    false: list[float] = []
    for item in results:
        boxes = np.array([face.xyxy for face in item.found], np.float32).reshape(-1, 4)
        scores = np.array([face.confidence for face in item.found], np.float32)
        for box in item.truth.xyxy:
            hits.append(float((scores * (iou(box, boxes) >= SAME_FACE_IOU)).max(initial=0.0)))
        perhaps = known[item.key].xyxy
        for box, score in zip(boxes, scores, strict=True):
            if not (iou(box, perhaps) >= SAME_FACE_IOU).any():
                false.append(float(score))
    return np.array(hits, np.float32), np.sort(np.array(false, np.float32))[::-1]


def threshold_for(false: Floats, pictures: int, rate: float) -> float:
    """The least threshold that lets through no more than `rate` false boxes a picture."""
    allowed = int(rate * pictures)
    return float(np.nextafter(false[allowed], np.float32(1))) if len(false) > allowed else 0.0


def point_errors(results: list[FoundFaces], in_heads: bool) -> Floats:
    """Mean distance of the five points from YuNet's for each found face, in distances of its eyes."""
    errors = []
    for item in results:
        for place, (box, points) in enumerate(zip(item.truth.xyxy, item.truth.points, strict=True)):
            faces = item.heads[place] if in_heads else item.found
            overlaps = iou(box, np.array([face.xyxy for face in faces], np.float32).reshape(-1, 4))
            if np.isnan(points[0, 0]) or not len(overlaps) or overlaps.max() < SAME_FACE_IOU:
                continue
            ours = faces[int(overlaps.argmax())].points
            eyes = float(np.hypot(*(points[0] - points[1])))
            errors.append(float(np.hypot(*(ours - points).T).mean()) / max(eyes, 1.0))
    return np.array(errors, np.float32)


def head_misses(results: list[FoundFaces]) -> float:
    """The share of true faces that are not found in the square of their head."""
    missed = [
        not (iou(box, np.array([f.xyxy for f in faces], np.float32).reshape(-1, 4)) >= SAME_FACE_IOU).any()
        for item in results
        for box, faces in zip(item.truth.xyxy, item.heads, strict=True)
    ]
    return float(np.mean(missed))


def milliseconds(session: onnxruntime.InferenceSession, pictures: NDArray[np.uint8], rounds: int = 30) -> float:
    """Median CPU time of one run on one core, the batch being these pictures, per picture."""
    spent = []
    for _ in range(rounds):
        before = time.process_time()
        session.run(None, {"images": pictures})
        spent.append(time.process_time() - before)
    return 1000 * float(np.median(spent)) / len(pictures)


def sha256_of(path: Path) -> str:
    """The digest of a file, as manifests have it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def embed_with(embedder: FaceEmbedder) -> Embed:
    """The product's embedder as a function of a batch."""
    return lambda pictures: embedder.embed(list(pictures))


def enrol_with(embedder: FaceEmbedder) -> Embed:
    """The product's way to embed a picture that is enrolled, as a function of a batch."""
    return lambda pictures: embedder.enrolled(list(pictures))


def _head_squares(xyxy: Floats) -> Floats:
    side = np.round((xyxy[:, 2] - xyxy[:, 0]) * HEAD_OF_FACE)
    left = np.round((xyxy[:, 0] + xyxy[:, 2] - side) / 2)
    top = np.round((xyxy[:, 1] + xyxy[:, 3]) / 2 - side / 3)
    return np.stack((left, top, left + side, top + side), 1).astype(np.float32)
