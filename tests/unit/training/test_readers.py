"""Each format is read to the pixel, and what can't be read is listed with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.errors import ConfigError
from training.dataset import DataSet, list_skipped, read_set
from training.readers import Item, Skipped, read_coco, read_folder, read_mot, read_video, read_voc, read_yolo
from training.recipe import SetConfig

pytestmark = pytest.mark.training


def picture(path: Path, width: int = 100, height: int = 50) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))
    return path


def clip(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(frames):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    return path


def boxes(items: Iterator[Item | Skipped]) -> list[tuple[object, ...]]:
    return [box for item in items if isinstance(item, Item) for box in item.boxes]


def reasons(items: Iterator[Item | Skipped]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Skipped)]


def test_yolo_is_relative_to_the_picture(tmp_path: Path) -> None:
    picture(tmp_path / "p" / "a.png")
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "a.txt").write_text("1 0.5 0.5 0.2 0.4\n")
    assert boxes(read_yolo(tmp_path / "p", tmp_path / "l", ("cat", "dog"))) == [("dog", 40.0, 15.0, 60.0, 35.0)]


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("1 0.5 0.5 0.2", "not `class cx cy w h`"),  # a column is missing
        ("7 0.5 0.5 0.2 0.4", "class 7 has no name"),  # a class that nobody named
        ("0 182 51 33 34", "not relative"),  # pixels, as scenes/caviar_inria has them
        ("0 0.5 0.5 0 0.4", "has no area"),  # a box without width
        ("0 -0.8 0.5 0.2 0.4", "lies outside"),  # left of the picture
    ],
)
def test_a_bad_yolo_label_is_listed(tmp_path: Path, label: str, reason: str) -> None:
    picture(tmp_path / "p" / "a.png")
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "a.txt").write_text(label)
    assert [reason in found for found in reasons(read_yolo(tmp_path / "p", tmp_path / "l", ("cat",)))] == [True]


def test_a_broken_picture_and_a_missing_label_are_listed(tmp_path: Path) -> None:
    picture(tmp_path / "p" / "a.png")
    (tmp_path / "p" / "b.jpg").write_bytes(b"no picture")
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "b.txt").write_text("")
    assert reasons(read_yolo(tmp_path / "p", tmp_path / "l", ("cat",))) == [
        "has no label file",
        "not a picture that can be decoded",
    ]


def test_labels_without_a_picture_are_listed_whichever_pictures_a_set_keeps(tmp_path: Path) -> None:
    for name in ("hall/a", "hall/b", "yard/a"):
        picture(tmp_path / "p" / f"{name}.png")
    for name in ("hall/a", "hall/b", "yard/a", "hall/gone", "yard/gone", "classes"):
        text = tmp_path / "l" / f"{name}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("0 0.5 0.5 0.2 0.4\n")
    config = SetConfig(
        name="s", role="train", format="yolo", pictures="p", labels="l", names=("cat",), match="hall", keep_step=2
    )
    read = read_set(config, tmp_path, tmp_path, ("cat",))
    assert [sample.key for sample in read.samples] == ["s/hall/a.png"]
    assert [(item.name, item.reason) for item in read.skipped] == [("hall/gone.txt", "has no picture")]


def test_voc_annotations_without_a_picture_are_listed(tmp_path: Path) -> None:
    picture(tmp_path / "p" / "a.png")
    (tmp_path / "l").mkdir()
    for name in ("a.txt", "b.txt", "c.xml"):
        (tmp_path / "l" / name).write_text("")
    skipped = [item for item in read_voc(tmp_path / "p", tmp_path / "l") if isinstance(item, Skipped)]
    assert [(item.name, item.reason) for item in skipped] == [("b.txt", "has no picture"), ("c.xml", "has no picture")]


def test_nothing_that_is_skipped_is_lost_for_its_name(tmp_path: Path) -> None:
    config = SetConfig(name="s", role="train", format="folder", pictures="p")
    data = DataSet(config, (), (Skipped("a.png", "broken"), Skipped("a.png", "named twice")))
    out = tmp_path / "new"
    assert list_skipped([data], out, [Skipped("bo/1.png", "is 9x9")]) == 3
    assert json.loads((out / "skipped.json").read_text()) == {"s/a.png": "broken; named twice", "bo/1.png": "is 9x9"}


def test_coco_boxes_and_crowds(tmp_path: Path) -> None:
    picture(tmp_path / "p" / "a.png")
    picture(tmp_path / "p" / "unnamed.png")
    coco = {
        "images": [{"id": 3, "file_name": "a.png"}, {"id": 4, "file_name": "gone.png"}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {"image_id": 3, "category_id": 1, "bbox": [10, 5, 20, 30]},
            {"image_id": 3, "category_id": 1, "bbox": [0, 0, 90, 40], "iscrowd": 1},
            {"image_id": 5, "category_id": 1, "bbox": [0, 0, 10, 10]},
        ],
    }
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    assert boxes(read_coco(tmp_path / "p", tmp_path / "coco.json")) == [("person", 10.0, 5.0, 30.0, 35.0)]
    skipped = [item for item in read_coco(tmp_path / "p", tmp_path / "coco.json") if isinstance(item, Skipped)]
    assert [(item.name, item.reason) for item in skipped] == [
        ("coco.json: boxes of crowds", "1 left out"),
        ("coco.json: boxes of pictures that are not in the file", "1 left out"),
        ("coco.json: pictures that are not in the file", "1 left out"),
        ("gone.png", "no such picture"),
    ]


def test_voc_xml_and_its_text_ancestor_count_from_one(tmp_path: Path) -> None:
    picture(tmp_path / "p" / "a.png")
    picture(tmp_path / "p" / "b.png")
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "a.xml").write_text(
        "<annotation><object><name>dog</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>20</ymax>"
        "</bndbox></object></annotation>"
    )
    (tmp_path / "l" / "b.txt").write_text(
        'Original label for object 1 "walker" : "x"\n'
        'Bounding box for object 1 "walker" (Xmin, Ymin) - (Xmax, Ymax) : (3, 4) - (10, 20)\n'
    )
    assert boxes(read_voc(tmp_path / "p", tmp_path / "l")) == [
        ("dog", 0.0, 0.0, 10.0, 20.0),
        ("walker", 2.0, 3.0, 10.0, 20.0),
    ]


def test_mot_truth_is_scaled_to_the_video_and_flag_0_ignored(tmp_path: Path) -> None:
    video = clip(tmp_path / "clip.avi", 2)
    truth = tmp_path / "gt" / "gt.txt"
    truth.parent.mkdir()
    truth.write_text("1,1,20,20,40,20,1\n2,1,0,0,10,10,0\nnonsense\n0,1,0,0,10,10,1\n3,1,0,0,10,10,1\n")
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nimWidth=128\nimHeight=96\n")
    items = list(read_mot(video, truth, tmp_path / "cache", "person"))
    assert boxes(iter(items)) == [("person", 10.0, 10.0, 30.0, 20.0)]
    assert reasons(iter(items)) == [
        "lines that are not MOT truth: [3]",
        "2 frames with boxes, 0 to 3, are not in the video's 2",
    ]
    assert len([item for item in items if isinstance(item, Item)]) == 2


def test_a_video_that_ends_early_is_listed_each_time(tmp_path: Path) -> None:
    video = clip(tmp_path / "clip.avi", 8)
    whole = video.read_bytes()
    frames = whole.split(b"\xff\xd8")  # each begins as a JPEG does
    first, last = (len(b"\xff\xd8".join(frames[:count])) for count in (6, 7))
    video.write_bytes(whole[:first] + bytes(last - first) + whole[last:])
    for _ in range(2):  # unpacked, and from the cache
        items = list(read_video(video, tmp_path / "cache"))
        assert sum(isinstance(item, Item) for item in items) == 5
        assert reasons(iter(items)) == ["ends after 5 frames of 8"]


def test_what_is_wrong_with_a_whole_set_is_listed_and_moves_no_picture(tmp_path: Path) -> None:
    clip(tmp_path / "clip.avi", 4)
    (tmp_path / "gt.txt").write_text("nonsense\n2,1,8,8,16,16,1\n4,1,8,8,16,16,1\n")
    config = SetConfig(
        name="s", role="train", format="mot", pictures="clip.avi", labels="gt.txt", keep_start=1, keep_step=2
    )
    read = read_set(config, tmp_path, tmp_path / "cache", ("person",))
    assert [(sample.key, len(sample.xyxy)) for sample in read.samples] == [("s/000002", 1), ("s/000004", 1)]
    assert [item.reason for item in read.skipped] == ["lines that are not MOT truth: [1]"]


def test_a_folder_is_pictures_without_boxes(tmp_path: Path) -> None:
    picture(tmp_path / "cats" / "a.png")
    assert [item.name for item in read_folder(tmp_path)] == ["cats/a.png"]


def test_keeping_every_second_picture_splits_a_set(squares: Path) -> None:
    def keys(start: int) -> list[str]:
        config = SetConfig(
            name="s",
            role="train",
            format="yolo",
            pictures="pictures",
            labels="labels",
            names=("square",),
            keep_start=start,
            keep_step=2,
        )
        return [sample.key for sample in read_set(config, squares, squares, ("square",)).samples]

    assert keys(0) == ["s/0.png", "s/2.png"]
    assert keys(1) == ["s/1.png", "s/3.png"]


def test_a_missing_folder_names_the_set(tmp_path: Path) -> None:
    config = SetConfig(name="gone", role="train", format="folder", pictures="nowhere")
    with pytest.raises(ConfigError, match=r"sets\.gone: nowhere"):
        read_set(config, tmp_path, tmp_path, ("square",))
