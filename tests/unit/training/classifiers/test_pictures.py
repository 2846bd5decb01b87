"""Pictures by label: parts, near duplicates, the index, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from archive.collection.duplicates import fingerprint, groups
from contracts.errors import ConfigError
from training.classifiers.pictures import read_measured, read_pictures

from .conftest import shape


def test_val_is_for_measuring_and_a_share_of_training_is_held_out_to_stop_by(shapes: Path) -> None:
    pictures = read_pictures(shapes, (), hold_out=0.25, seed=1)
    assert pictures.labels == ("disc", "square")
    assert len(pictures.of("test")) == 8
    assert {one.label for one in pictures.of("validate")} == {"disc", "square"}
    assert len(pictures.of("train")) + len(pictures.of("validate")) == 24
    again = read_pictures(shapes, (), hold_out=0.25, seed=1)
    assert pictures.items == again.items
    assert pictures.sha256 == again.sha256


def test_a_training_picture_that_is_measured_too_is_left_out(shapes: Path) -> None:
    measured = cv2.imread(str(shapes / "val" / "disc" / "00.png"))
    brighter = np.clip(measured.astype(int) + 3, 0, 255).astype(np.uint8)
    cv2.imwrite(str(shapes / "train" / "disc" / "copy.png"), brighter)
    pictures = read_pictures(shapes, (), hold_out=0.25, seed=1)
    assert "copy.png" in {item.name for item in pictures.skipped}
    assert "copy.png" not in {one.path.name for one in pictures.items}


def test_frames_of_one_scene_are_held_out_together(shapes: Path) -> None:
    for k in range(12):
        frame = shape("disc", 7)
        frame[:4, :4] = 20 * k  # a little of it changes from frame to frame
        cv2.imwrite(str(shapes / "train" / "disc" / f"{k:02}.png"), frame)
    for k in range(12, 16):
        cv2.imwrite(str(shapes / "train" / "disc" / f"{k:02}.png"), shape("disc", 300 + k))
    pictures = read_pictures(shapes, (), hold_out=0.2, seed=3)
    scene = {one.part for one in pictures.items if one.part != "test" and one.path.parent.name == "disc"}
    of_scene = {one.part for one in pictures.items if one.part != "test" and one.group == "like 0"}
    assert scene == {"train", "validate"}
    assert len(of_scene) == 1


def test_what_cannot_be_decoded_is_named(shapes: Path) -> None:
    (shapes / "train" / "disc" / "broken.png").write_bytes(b"not a picture")
    pictures = read_pictures(shapes, (), hold_out=0.25, seed=1)
    assert [item.name for item in pictures.skipped] == ["broken.png"]


def test_an_index_names_parts_boxes_and_groups(shapes: Path) -> None:
    rows = ["path,label,part,group,x1,y1,x2,y2"]
    for part in ("train", "val"):
        for label in ("disc", "square"):
            rows += [f"{part}/{label}/{k:02}.png,{label},{part},{part}-{label}{k},4,4,36,36" for k in range(4)]
    index = shapes / "index.csv"
    index.write_text("\n".join(rows) + "\n")
    pictures = read_pictures(index, (), hold_out=0.5, seed=1)
    assert {one.read().shape for one in pictures.items} == {(32, 32, 3)}
    assert {one.part for one in pictures.items} == {"train", "validate", "test"}
    assert len(read_measured(index, ("disc", "square")).items) == 8


def test_an_index_may_be_json_lines_and_one_that_is_none_is_refused(shapes: Path) -> None:
    index = shapes / "index.jsonl"
    row = {"path": "train/disc/00.png", "label": "disc"}
    index.write_text(json.dumps(row) + "\n" + json.dumps(row | {"path": "train/disc/01.png"}) + "\n")
    assert len(read_measured(index, ("disc",)).items) == 2
    index.write_text('{"path": ')
    with pytest.raises(ConfigError, match=r"index\.jsonl"):
        read_measured(index, ("disc",))


@pytest.mark.parametrize(
    ("labels", "path", "word"),
    [
        (("disc",), "", "does not name"),
        (("disc", "star", "square"), "", "star"),
        ((), "train/disc/00.png", "no folder"),
    ],
    ids=["a label more", "a label without pictures", "no folder"],
)
def test_data_that_cannot_be_meant_is_refused(shapes: Path, labels: tuple[str, ...], path: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        read_pictures(shapes / path, labels, hold_out=0.25, seed=1)


def test_neighbours_of_neighbours_are_one_group() -> None:
    prints = [np.uint64(0b0), np.uint64(0b1111), np.uint64(0b11111111), np.uint64(2**64 - 1)]
    assert groups(prints, most_bits=4).tolist() == [0, 0, 0, 3]
    picture = shape("disc", 1)
    assert fingerprint(picture) == fingerprint(picture.copy())
