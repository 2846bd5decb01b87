"""Labelled pictures, whatever format they came in: one sample type, sets, and what was skipped and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from contracts.errors import ConfigError
from training.network import COCO_NAMES
from training.readers import (
    Item,
    Skipped,
    read_coco,
    read_folder,
    read_mot,
    read_video,
    read_voc,
    read_yolo,
)
from training.recipe import Role, SetConfig

Picture = NDArray[np.uint8]

SKIPPED = "skipped.json"


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture on disk with its boxes.

    `xyxy` float32[N,4] are pixels of the picture, `channels` int64[N] the trained class channels, `weights`
    float32[N] the certainty of each box (1 for a person's label, a teacher's score otherwise, 0 where nothing
    should be learnt from the place, -1 where a person said that there is nothing). `partly`: nobody labelled the rest.
    """

    key: str
    path: Path
    xyxy: NDArray[np.float32]
    channels: NDArray[np.int64]
    weights: NDArray[np.float32]
    partly: bool = False


@dataclass(frozen=True, slots=True)
class DataSet:
    """The samples of one set of the recipe, and what of it could not be used."""

    config: SetConfig
    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...]


def read_sets(
    configs: Sequence[SetConfig], roles: Iterable[Role], data: Path, cache: Path, channels: Sequence[str]
) -> tuple[DataSet, ...]:
    """Read the sets of these roles under `data`; frames of videos are unpacked into `cache` once.

    Raises ConfigError when a set's folder or file is missing altogether or nothing of it can be used.
    """
    wanted = set(roles)
    return tuple(read_set(config, data, cache, channels) for config in configs if config.role in wanted)


def read_set(config: SetConfig, data: Path, cache: Path, channels: Sequence[str]) -> DataSet:
    """Read one set; raises ConfigError as `read_sets` does."""
    samples: list[Sample] = []
    skipped: list[Skipped] = []
    for item in _kept(_items(config, data, cache), config):
        if isinstance(item, Skipped):
            skipped.append(item)
        else:
            samples.append(_sample(item, config, channels))
    if not samples:
        reason = f": {skipped[0].name}: {skipped[0].reason}" if skipped else ""
        raise ConfigError(f"sets.{config.name}", f"no picture can be used{reason}")
    return DataSet(config, tuple(samples), tuple(skipped))


def list_skipped(sets: Iterable[DataSet], out: Path, more: Iterable[Skipped] = ()) -> int:
    """Write what of the sets, and `more`, could not be used and why to `out/skipped.json`; returns how many that is."""
    skipped = [(f"{data.config.name}/{item.name}", item.reason) for data in sets for item in data.skipped]
    skipped += [(item.name, item.reason) for item in more]
    reasons: dict[str, str] = {}
    for name, reason in skipped:
        reasons[name] = f"{reasons[name]}; {reason}" if name in reasons else reason
    out.mkdir(parents=True, exist_ok=True)
    (out / SKIPPED).write_bytes(msgspec.json.format(msgspec.json.encode(reasons)))
    return len(skipped)


def read_picture(path: Path) -> Picture:
    """The picture as uint8[H,W,3] BGR; ValueError when it can't be decoded."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{path.name}: not a picture that can be decoded")
    return np.asarray(picture, np.uint8)


def letterbox(picture: Picture, size: int) -> tuple[Picture, float]:
    """The picture scaled to fit the top left of a grey (114) square, and the scale."""
    height, width = picture.shape[:2]
    scale = min(size / width, size / height)
    canvas = np.full((size, size, 3), 114, np.uint8)
    scaled_width, scaled_height = max(1, round(width * scale)), max(1, round(height * scale))
    canvas[:scaled_height, :scaled_width] = cv2.resize(picture, (scaled_width, scaled_height))
    return canvas, scale


def _items(config: SetConfig, data: Path, cache: Path) -> Iterator[Item | Skipped]:
    pictures, labels = data / config.pictures, data / config.labels
    for path in (pictures, labels):
        if not path.exists():
            raise ConfigError(f"sets.{config.name}", f"{path.name} is not in the data folder")
    names = COCO_NAMES if config.names == "coco" else config.names
    read: dict[str, Callable[[], Iterator[Item | Skipped]]] = {
        "coco": lambda: read_coco(pictures, labels),
        "yolo": lambda: read_yolo(pictures, labels, names),
        "voc": lambda: read_voc(pictures, labels),
        "mot": lambda: read_mot(pictures, labels, cache / config.name, names[0] if names else "person"),
        "folder": lambda: read_folder(pictures),
        "video": lambda: read_video(pictures, cache / config.name),
    }
    return read[config.format]()


def _kept(items: Iterator[Item | Skipped], config: SetConfig) -> Iterator[Item | Skipped]:
    """Every `keep_step`-th picture from `keep_start` of those that `match` names, and what else the set lacks."""
    index = -1
    for item in items:
        of = item.of if isinstance(item, Skipped) else "picture"
        if of != "set" and config.match not in item.name:
            continue
        if of != "picture":
            yield item
            continue
        index += 1
        if index >= config.keep_start and (index - config.keep_start) % config.keep_step == 0:
            yield item


def _sample(item: Item, config: SetConfig, channels: Sequence[str]) -> Sample:
    """Boxes of names that are no channel (COCO's zebra) are not learnt."""
    order = {channel: index for index, channel in enumerate(channels)}
    named = [(config.rename.get(name, name), box) for name, *box in item.boxes]
    boxes = [(order[name], box) for name, box in named if name in order]
    return Sample(
        key=f"{config.name}/{item.name}",
        path=item.path,
        xyxy=np.array([box for _, box in boxes], np.float32).reshape(-1, 4),
        channels=np.array([channel for channel, _ in boxes], np.int64),
        weights=np.ones(len(boxes), np.float32),
    )
