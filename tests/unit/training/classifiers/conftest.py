"""A small folder of pictures, and the smallest recipe."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from archive.collection.items import Box, Item
from archive.collection.splits import PASSAGE_MS
from archive.collection.store import Collection
from archive.evidence.files import Folder
from tests.builders import jpeg_of
from tests.evidence_tools import AT_MS
from training.classifiers.recipe import ClassifierRecipe, HeadConfig, NetworkConfig, TuneConfig
from training.recipe import ScheduleConfig

SIDE = 40


def shape(label: str, seed: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """A bright disc or square somewhere on noise of its own."""
    rng = np.random.default_rng(seed)
    picture = np.asarray(cv2.resize(rng.integers(0, 120, (6, 6, 3), np.uint8), (SIDE, SIDE)), np.uint8)
    x, y = (int(value) for value in rng.integers(12, 28, 2))
    if label == "disc":
        cv2.circle(picture, (x, y), 9, (230, 230, 230), -1)
    else:
        cv2.rectangle(picture, (x - 8, y - 8), (x + 8, y + 8), (90, 230, 90), -1)
    return picture


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """`train` and `val` of discs and squares, 12 and 4 of each."""
    folder = tmp_path / "shapes"
    for part, first, count in (("train", 0, 12), ("val", 100, 4)):
        for number, label in enumerate(("disc", "square")):
            (folder / part / label).mkdir(parents=True)
            for k in range(count):
                picture = shape(label, 1000 * number + first + k)
                cv2.imwrite(str(folder / part / label / f"{k:02}.png"), picture)
    return folder


@pytest.fixture
def small_recipe() -> ClassifierRecipe:
    """The smallest network of torchvision that ends in a linear layer, untrained, and four steps."""
    schedule = ScheduleConfig(steps=4, batch=2, warmup_steps=1, checkpoint_every=1, threads=1)
    return ClassifierRecipe(
        name="shapes",
        version="1",
        network=NetworkConfig(name="shufflenet_v2_x0_5", weights="none", size=32),
        head=HeadConfig(views=2, l2=(1e-2, 1e-1), most_iterations=30),
        tune=TuneConfig(schedule=schedule, validate_every=2, patience=9),
        hold_out=0.25,
        threads=1,
    )


SCENE = (320, 240)


@pytest.fixture
def answered_site(tmp_path: Path) -> Collection:
    """Passages of one camera: things labelled `person`, whose `form` operators confirmed or denied."""
    collection = Collection(Folder(tmp_path / "collection"))
    items = [answer(collection, k, form, denied=k % 3 == 0) for k in range(20) for form in ("disc", "square")]
    collection.commit(items, AT_MS)
    return collection


def answer(collection: Collection, k: int, form: str, *, denied: bool) -> Item:
    """One answered alert of a passage of its own; one that was denied had asked for the other form."""
    seed = 5000 * (form == "square") + k
    picture = np.random.default_rng(seed).integers(0, 120, (SCENE[1], SCENE[0], 3), np.uint8)
    picture[100 : 100 + SIDE, 140 : 140 + SIDE] = shape(form, seed)
    asked = {"disc": "square", "square": "disc"}[form] if denied else form
    xyxy = (140.0, 100.0, 140.0 + SIDE, 100.0 + SIDE)
    said = Box(
        xyxy=xyxy,
        label="person",
        kind="background" if denied else "confirmed",
        alert=f"{form}-{k}",
        at_ms=AT_MS + k,
        attributes=(f"form:{asked}",),
    )
    seen = Box(xyxy=xyxy, label="person", kind="pseudo", confidence=0.8)
    return Item(
        sha256=collection.keep_picture(jpeg_of(picture)),
        width=SCENE[0],
        height=SCENE[1],
        site="home",
        camera="gate",
        captured_at_ms=AT_MS + (2 * k + (form == "square")) * 10 * PASSAGE_MS,
        source="alert",
        answer="false" if denied else "true",
        boxes=(said, seen),
    )
