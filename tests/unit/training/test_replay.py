"""What the gate judges with is not replayed, nor what looks like it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from archive.collection.splits import Moment
from archive.collection.store import Collection
from archive.evidence.files import Folder
from contracts.errors import ConfigError
from tests.builders import jpeg_of
from tests.collection_tools import box, item
from tests.gate_tools import bright_set
from training.dataset import DataSet, read_picture, read_set
from training.gate.sets import NOTHING, Frozen, SetEntry, frozen_pictures
from training.gate.sets import read_set as frozen_set
from training.recipe import SetConfig
from training.replay import apart, judged_with, telling


@pytest.fixture
def frozen(tmp_path: Path) -> Frozen:
    """The pictures of a frozen set in tmp_path."""
    bright_set(tmp_path)
    sha256 = frozen_set(SetEntry(name="bright", annotations="set.json"), tmp_path).frozen.sha256
    file = tmp_path / "gate.yaml"
    file.write_text(json.dumps({"sets": [{"name": "bright", "annotations": "set.json", "sha256": sha256}]}))
    return frozen_pictures(file)


def test_a_set_out_of_the_collection_says_when_its_pictures_were_taken(tmp_path: Path) -> None:
    collection = Collection(Folder(tmp_path))
    name = collection.keep_picture(jpeg_of(other()))
    about = collection.commit([item(name, 7, box(kind="confirmed"), complete=True, width=320, height=240)], 0)
    collection.forget_picture(name)  # by retention; the set has a copy
    cv2.imwrite(str(tmp_path / "copy.jpg"), other())
    coco = json.loads((tmp_path / "versions" / about.id / "annotations.json").read_text())
    coco["images"][0]["file_name"] = "copy.jpg"
    (tmp_path / "set.json").write_text(json.dumps(coco))
    found = frozen_set(SetEntry(name="site", annotations="set.json"), tmp_path)
    assert found.moments == dict.fromkeys(found.digests, Moment("home", "gate", 7))


def replayed(folder: Path, *pictures: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> DataSet:
    """A set of pictures without labels."""
    folder.mkdir()
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return read_set(
        SetConfig(name="old", role="train", format="folder", pictures=folder.name), folder.parent, folder, ()
    )


def other(seed: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A picture that looks like none."""
    return cv2.resize(np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8), (320, 240)).astype(np.uint8)


def test_a_frozen_file_is_known_whatever_it_looks_like(frozen: Frozen, tmp_path: Path) -> None:
    data = (tmp_path / "3.jpg").read_bytes()
    assert judged_with(data, Frozen(frozen.digests))
    assert not judged_with(data, NOTHING)
    assert not judged_with(b"no picture", frozen)


def test_what_looks_like_a_frozen_picture_is_left_out_and_said(frozen: Frozen, tmp_path: Path) -> None:
    alike = cv2.resize(read_picture(tmp_path / "3.jpg"), None, fx=2, fy=2).astype(np.uint8)
    (kept,) = apart([replayed(tmp_path / "old", other(), alike)], frozen)
    assert [one.path.name for one in kept.samples] == ["0.png"]
    assert [(one.name, "the gate judges with it" in one.reason) for one in kept.skipped] == [("1.png", True)]


def test_a_set_of_which_nothing_is_left_says_why(frozen: Frozen, tmp_path: Path) -> None:
    alike = read_picture(tmp_path / "3.jpg")
    with pytest.raises(ConfigError, match=r"sets\.old.*nothing of it is left"):
        apart([replayed(tmp_path / "old", alike)], frozen)


def test_what_says_nothing_of_what_was_forgotten_is_told_before_the_training(tmp_path: Path) -> None:
    unlabelled = replayed(tmp_path / "old", other())
    box_of_it = replace(unlabelled.samples[0], xyxy=np.zeros((1, 4), np.float32))
    labelled = replace(unlabelled, samples=(*unlabelled.samples, box_of_it))
    assert telling([labelled]) == (labelled,)
    for sets, reason in (((), "none of them is there to `validate`"), ((labelled, unlabelled), r"sets\.old.*no box")):
        with pytest.raises(ConfigError, match=reason):
            telling(sets)
