"""From pictures with boxes to crops as the stream will cut them, each with the attribute's value that the boxes say."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from contracts.manifest import load_manifest
from stream.tracking import distinct
from stream.vision.classifier import crop, squares
from stream.vision.faces import Face, FaceLocaliser, faces_of, head_squares
from stream.vision.session import SessionOptions
from training.classifiers.recipe import AttributeConfig
from training.dataset import Picture, read_picture, read_set
from training.predict import ExportedDetector
from training.recipe import Fraction, SetConfig
from training.yaml_file import read_yaml

Floats = NDArray[np.float32]

SIDE = 160
"""Px of the crops on disk: more than a person's head has on most cameras."""


class CropRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which pictures, whose heads are cut out, and what makes them `yes`: a box of the set's channel on the head.

    `models` has the bundled detector and localiser that find people and heads; boxes of less than `confidence` are not
    looked at.
    """

    set: SetConfig
    channel: str
    attribute: AttributeConfig
    models: str = "models"
    confidence: Fraction = 0.4


class Crop(NamedTuple):
    """One crop and what it shows; None where that is not certain."""

    picture: Picture
    value: str | None


def load_crop_recipe(path: Path) -> CropRecipe:
    """Read a recipe; ConfigError says which key of it is wrong."""
    return read_yaml(path, CropRecipe)


def make_crops(recipe: CropRecipe, data: Path, out: Path) -> dict[str, int]:
    """Write `out/<value>/<picture>-<k>.png` and `index.csv`, the crops of one picture as a group; how many of each."""
    models = Path(recipe.models)
    detector = ExportedDetector(models / load_manifest(models / "detector.json").file, threads=2)
    labels = load_manifest(models / "detector.json").labels
    localiser = FaceLocaliser.open(load_manifest(models / "face-localiser.json"), models, SessionOptions(device="cpu"))
    samples = read_set(recipe.set, data, out / "cache", (recipe.channel,)).samples
    counts: Counter[str] = Counter()
    out.mkdir(parents=True, exist_ok=True)
    with (out / "index.csv").open("w", newline="") as file:
        index = csv.writer(file)
        index.writerow(("path", "label", "group"))
        for sample in tqdm(samples, desc="crops", unit="picture"):
            picture = read_picture(sample.path)
            people = people_in(picture, detector, labels.index("person"), recipe.confidence)
            for k, one in enumerate(crops_of(picture, people, sample.xyxy, localiser, recipe.attribute)):
                if one.value is None:
                    counts["not certain"] += 1
                    continue
                path = Path(one.value) / f"{sample.path.stem}-{k}.png"
                (out / path.parent).mkdir(exist_ok=True)
                cv2.imwrite(str(out / path), one.picture)
                index.writerow((path, one.value, sample.path.stem))
                counts[one.value] += 1
    return dict(counts)


def people_in(picture: Picture, detector: ExportedDetector, person: int, least: float) -> Floats:
    """The people's boxes [N,4], one each, as the stream would have them."""
    xyxy, scores, classes = detector.detect(picture)
    sure = (classes == person) & (scores >= least)
    kept = distinct(xyxy[sure].astype(np.float64), scores[sure].astype(np.float64), ["person"] * int(sure.sum()))
    return np.asarray(xyxy[sure][list(kept)], np.float32)


def crops_of(
    picture: Picture, people: Floats, worn: Floats, localiser: FaceLocaliser, attribute: AttributeConfig
) -> Iterator[Crop]:
    """The crop of each person, with `yes` where a box of `worn` [M,4] is on their head."""
    heads = head_squares(people, 0.4)
    faces = faces_of(heads, localiser.in_heads(picture, heads))
    for place, square in enumerate(squares(people, attribute)):
        if square[2] - square[0] < attribute.least_side:
            continue
        yield Crop(crop(picture, square, SIDE), value_of(faces.get(place), heads[place], worn))


def value_of(face: Face | None, head: NDArray[np.float32], worn: Floats) -> str | None:
    """`yes` for a thing worn on this head, `no` for a bare one; None where it may be somebody else's, or no head.

    It is worn when its middle is within 0.6 of the face's width of it, and between the face's middle and a face's
    height above it. Without a face the head is in the middle of the upper half of its square; that somebody whose head
    is not seen wears nothing can't be known.
    """
    x1, y1, x2, _ = head.tolist()
    side = x2 - x1
    x, y = (worn[:, 0] + worn[:, 2]) / 2, (worn[:, 1] + worn[:, 3]) / 2
    near = (abs(x - (x1 + x2) / 2) <= side / 3) & (y >= y1 - side / 10) & (y <= y1 + 0.6 * side)
    if face is None:
        middle = (abs(x - (x1 + x2) / 2) <= side / 4) & (y >= y1) & (y <= y1 + side / 2)
        return "yes" if middle.any() else None
    left, top, right, bottom = face.xyxy
    beside = abs(x - (left + right) / 2) <= 0.6 * (right - left)
    above = (y <= (top + bottom) / 2) & (y >= top - (bottom - top))
    if (beside & above).any():
        return "yes"
    return None if near.any() else "no"
