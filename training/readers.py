"""Readers of the formats that data sets come in: pictures with named boxes, or what was left out and why."""

from __future__ import annotations

import csv
import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from configparser import ConfigParser
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import msgspec

from contracts.decoding import from_json
from contracts.errors import ConfigError
from training.coco import Annotation, Coco

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".pgm"})
CLASSES = "classes.txt"
"""What tools for labelling YOLO leave among the label files."""

Box = tuple[str, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Item:
    """A picture and its boxes: (name, x1, y1, x2, y2) in pixels of the picture."""

    name: str
    path: Path
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """An item that was left out, and why: a picture, a label file that has none, or something of the whole set."""

    name: str
    reason: str
    of: Literal["picture", "label", "set"] = "picture"


def read_coco(pictures: Path, annotations: Path) -> Iterator[Item | Skipped]:
    """COCO's JSON beside a folder of pictures.

    Crowd boxes are left out and counted, as are boxes of no picture, and pictures that the file doesn't name.
    """
    try:
        coco = from_json(annotations.read_bytes(), Coco)
    except msgspec.MsgspecError as error:
        yield Skipped(annotations.name, f"not COCO annotations: {error}", of="set")
        return
    known = {image.id for image in coco.images}
    crowds = sum(bool(one.iscrowd) for one in coco.annotations)
    lost = sum(one.image_id not in known for one in coco.annotations)
    named = {pictures / image.file_name for image in coco.images}
    unnamed = sum(path not in named for path in _pictures(pictures))
    for count, what in (
        (crowds, "boxes of crowds"),
        (lost, "boxes of pictures that are not in the file"),
        (unnamed, "pictures that are not in the file"),
    ):
        if count:
            yield Skipped(f"{annotations.name}: {what}", f"{count} left out", of="set")
    names, of_image = coco.names(), coco.by_image()
    for image in sorted(coco.images, key=lambda one: one.file_name):
        of_picture = partial(_coco_boxes, of_image.get(image.id, []), names)
        yield _item(image.file_name, pictures / image.file_name, of_picture)


def _coco_boxes(annotations: Sequence[Annotation], names: Mapping[int, str], _width: int, _height: int) -> list[Box]:
    for one in annotations:
        if one.category_id not in names:
            raise ValueError(f"category {one.category_id} is not in the file")
    return [(names[one.category_id], *one.xyxy) for one in annotations]


def read_yolo(pictures: Path, labels: Path, names: Sequence[str]) -> Iterator[Item | Skipped]:
    """YOLO: a text file a picture with `class cx cy w h`, relative to the picture's size."""
    unused = {path for path in labels.rglob("*.txt") if path.name != CLASSES}
    for path in _pictures(pictures):
        name, text = str(path.relative_to(pictures)), labels / path.relative_to(pictures).with_suffix(".txt")
        if not text.exists():
            yield Skipped(name, "has no label file")
            continue
        unused.discard(text)
        yield _item(name, path, partial(_yolo_boxes, text, names))
    yield from _without_picture(unused, labels)


def _without_picture(texts: set[Path], labels: Path) -> Iterator[Skipped]:
    for text in sorted(texts):
        yield Skipped(str(text.relative_to(labels)), "has no picture", of="label")


def _yolo_boxes(text: Path, names: Sequence[str], width: int, height: int) -> list[Box]:
    boxes: list[Box] = []
    for number, line in enumerate(text.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            kind, cx, cy, w, h = (float(value) for value in line.split())
        except ValueError as error:
            raise ValueError(f"{text.name}:{number}: not `class cx cy w h`") from error
        if not 0 <= int(kind) < len(names):
            raise ValueError(f"{text.name}:{number}: class {int(kind)} has no name")
        if max(cx, cy, w, h) > 1.001:
            raise ValueError(f"{text.name}:{number}: larger than 1, so not relative to the picture")
        x1, y1, x2, y2 = (cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height
        boxes.append((names[int(kind)], x1, y1, x2, y2))
    return boxes


def read_voc(pictures: Path, annotations: Path) -> Iterator[Item | Skipped]:
    """Pascal VOC: an XML file a picture, or the text files of version 1.00 that came before."""
    unused = {path for path in annotations.iterdir() if path.suffix in (".xml", ".txt")}
    for path in _pictures(pictures):
        name = str(path.relative_to(pictures))
        xml, text = (annotations / path.with_suffix(suffix).name for suffix in (".xml", ".txt"))
        if xml.exists():
            yield _item(name, path, partial(_voc_boxes, xml))
        elif text.exists():
            yield _item(name, path, partial(_pascal_text_boxes, text))
        else:
            yield Skipped(name, "has no annotation")
        unused -= {xml, text}
    yield from _without_picture(unused, annotations)


def _voc_boxes(xml: Path, _width: int, _height: int) -> list[Box]:
    try:
        root = ElementTree.parse(xml).getroot()  # noqa: S314 - entities can't be expanded by expat >= 2.4.1
    except ElementTree.ParseError as error:
        raise ValueError(f"{xml.name}: {error}") from error
    boxes: list[Box] = []
    for element in root.iter("object"):
        corners = [element.findtext(f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")]
        name = element.findtext("name")
        if name is None or None in corners:
            raise ValueError(f"{xml.name}: an object without name or box")
        x1, y1, x2, y2 = (float(corner) for corner in corners if corner is not None)
        boxes.append((name, x1 - 1, y1 - 1, x2, y2))  # VOC counts pixels from 1, both ends included
    return boxes


_PASCAL_LABEL = re.compile(r'Original label for object (\d+) "(\w+)"')
_PASCAL_BOX = re.compile(r"Bounding box for object (\d+) .*: \((\d+), (\d+)\) - \((\d+), (\d+)\)")


def _pascal_text_boxes(text: Path, _width: int, _height: int) -> list[Box]:
    content = text.read_text(encoding="latin-1")
    names = dict(_PASCAL_LABEL.findall(content))
    boxes: list[Box] = []
    for number, *corners in _PASCAL_BOX.findall(content):
        x1, y1, x2, y2 = (float(corner) for corner in corners)
        boxes.append((names.get(number, "object"), x1 - 1, y1 - 1, x2, y2))
    return boxes


def read_mot(video: Path, truth: Path, cache: Path, name: str) -> Iterator[Item | Skipped]:
    """MOTChallenge ground truth (frame, id, x, y, w, h, flag, ...) and its video, whose size may differ.

    The truth's picture size is in `seqinfo.ini` beside the folder of the ground truth; without it, it is the video's.
    """
    boxes, problem = _mot_boxes(truth, name)
    if problem is not None:
        yield problem
    count = 0
    size = _sequence_size(truth.parent.parent / "seqinfo.ini")
    for item in read_video(video, cache):
        if isinstance(item, Skipped):
            yield item
            continue
        count += 1

        def scaled(width: int, height: int, number: int = count) -> list[Box]:
            sx, sy = (width / size[0], height / size[1]) if size else (1.0, 1.0)
            return [(n, a * sx, b * sy, c * sx, d * sy) for n, a, b, c, d in boxes[number]]

        yield _item(item.name, item.path, scaled)
    if outside := sorted(frame for frame in boxes if not 1 <= frame <= count):
        reason = f"{len(outside)} frames with boxes, {outside[0]} to {outside[-1]}, are not in the video's {count}"
        yield Skipped(f"{truth.name}: frames", reason, of="set")


def _mot_boxes(truth: Path, name: str) -> tuple[dict[int, list[Box]], Skipped | None]:
    boxes: dict[int, list[Box]] = defaultdict(list)
    bad: list[int] = []
    with truth.open(newline="") as lines:
        for number, row in enumerate(csv.reader(lines), 1):
            try:
                frame, _, x, y, w, h = (float(value) for value in row[:6])
                counts = len(row) < 7 or float(row[6]) != 0
            except ValueError:
                bad.append(number)
                continue
            if counts:  # a flag of 0 marks what an evaluation ignores
                boxes[int(frame)].append((name, x, y, x + w, y + h))
    return boxes, Skipped(truth.name, f"lines that are not MOT truth: {bad}", of="set") if bad else None


def _sequence_size(info: Path) -> tuple[int, int] | None:
    parser = ConfigParser()
    if not parser.read(info):
        return None
    return parser.getint("Sequence", "imWidth"), parser.getint("Sequence", "imHeight")


def read_folder(folder: Path) -> Iterator[Item | Skipped]:
    """ImageFolder or any other tree of pictures, without boxes; the name is the path below the folder."""
    for path in _pictures(folder):
        yield _item(str(path.relative_to(folder)), path, lambda width, height: [])


def read_video(video: Path, cache: Path) -> Iterator[Item | Skipped]:
    """A video's frames, unpacked once as PNG (no loss) into `cache`; the file `complete` says that all are there.

    It holds how many those are, and how many the video's header tells of: a damaged video ends early.
    """
    done = cache / "complete"
    if not done.exists():
        cache.mkdir(parents=True, exist_ok=True)
        count, told = _unpack(video, cache)
        if count == 0:
            yield Skipped(video.name, "no frame can be decoded", of="set")
            return
        done.write_text(f"{count} {told}\n")
    count, *rest = (int(number) for number in done.read_text().split())
    if rest and count < rest[0]:
        yield Skipped(video.name, f"ends after {count} frames of {rest[0]}", of="set")
    for path in sorted(cache.glob("*.png")):
        yield Item(path.stem, path, ())


def _unpack(video: Path, cache: Path) -> tuple[int, int]:
    """How many frames were written, and how many the header tells of."""
    capture = cv2.VideoCapture(str(video))
    count = 0
    try:
        while True:
            more, frame = capture.read()
            if not more:
                return count, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            count += 1
            if not cv2.imwrite(str(cache / f"{count:06d}.png"), frame, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
                raise ConfigError("out", f"frame {count} of {video.name} can't be written")
    finally:
        capture.release()


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)


def _item(name: str, path: Path, boxes: Callable[[int, int], list[Box]]) -> Item | Skipped:
    """The item, or why it can't be used: not decodable, boxes that can't be read or lie outside."""
    picture = cv2.imread(str(path)) if path.exists() else None
    if picture is None:
        return Skipped(name, "not a picture that can be decoded" if path.exists() else "no such picture")
    height, width = picture.shape[:2]
    try:
        found = boxes(width, height)
    except (ValueError, OSError) as error:
        return Skipped(name, str(error))
    clipped: list[Box] = []
    for label, x1, y1, x2, y2 in found:
        box = max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2)
        if not (x2 > x1 and y2 > y1):
            return Skipped(name, f"the {label} box {x1:g} {y1:g} {x2:g} {y2:g} has no area")
        if box[2] <= box[0] or box[3] <= box[1]:
            return Skipped(name, f"the {label} box {x1:g} {y1:g} {x2:g} {y2:g} lies outside {width}x{height}")
        clipped.append((label, *box))
    return Item(name, path, tuple(clipped))
