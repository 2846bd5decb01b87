"""Tiny recipes, pictures and models for tests of training, and a whole site that can learn within seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import torch

from archive.collection.store import Collection
from contracts.manifest import ModelManifest, load_manifest
from tests.collection_tools import Answering
from training import fit
from training.bundle import bundle_detector
from training.detector import save_weights, start_net
from training.finetune import FinetuneRecipe
from training.recipe import DetectorRecipe, ScheduleConfig, SetConfig
from training.small import Distil, Quantise, Small

SIZE = 24
"""Of each white square, px."""


class Stopped(Exception):
    """Stands for kill -9 between two steps."""


@contextmanager
def stopped_in_step(number: int) -> Iterator[None]:
    """What is trained meanwhile is stopped in that step, and has to come so far."""
    real, calls = fit._step, list[int]()

    def step(*arguments: object) -> dict[str, float]:
        calls.append(1)
        if len(calls) == number:
            raise Stopped
        return real(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "_step", step)
        with pytest.raises(Stopped):
            yield


def squares_in(folder: Path) -> Path:
    """A YOLO data set: four pictures of 96x64 with one white square each. Returns the folder."""
    pictures, labels = folder / "pictures", folder / "labels"
    pictures.mkdir(parents=True)
    labels.mkdir()
    rng = np.random.default_rng(1)
    for index in range(4):
        picture = rng.integers(30, 50, (64, 96, 3), dtype=np.uint8)  # noise: no two cells say quite the same
        x, y = _corner(index)
        picture[y : y + SIZE, x : x + SIZE] = 230
        cv2.imwrite(str(pictures / f"{index}.png"), picture)
        middle, share = SIZE / 2, (SIZE / 96, SIZE / 64)
        (labels / f"{index}.txt").write_text(f"0 {(x + middle) / 96} {(y + middle) / 64} {share[0]} {share[1]}\n")
    return folder


def _corner(index: int) -> tuple[int, int]:
    return 8 + 16 * index, 10 + 6 * index


def tiny_recipe(label: str = "square") -> DetectorRecipe:
    """A tiny detector on `squares_in`, which calls them `label`: four steps of two pictures."""
    squares = SetConfig(
        name="squares", role="train", format="yolo", pictures="pictures", labels="labels", names=(label,)
    )
    return DetectorRecipe(
        name="squares",
        version="1",
        size=96,
        crop=96,
        width=4,
        labels={label: (label,), "other": ("circle", "star")},
        sets=(squares,),
        schedule=ScheduleConfig(steps=4, batch=2, warmup_steps=1, checkpoint_every=2, threads=1),
    )


def tiny_tuning(recipe: DetectorRecipe) -> FinetuneRecipe:
    """Four steps on a site beside the squares, which are replayed and measured with."""
    train = recipe.sets[0]
    validate = msgspec.structs.replace(train, name="validate", role="validate")
    values = {name: getattr(recipe, name) for name in recipe.__struct_fields__}
    values |= {"crop": 128, "size": 128, "sets": (train, validate), "freeze": ("backbone.stem",), "blends": (0.5, 1.0)}
    schedule = msgspec.structs.replace(recipe.schedule, learning_rate=1e-3)
    small = Small(distil=Distil(schedule=schedule), quantise=Quantise(pictures=2))
    return FinetuneRecipe(**values, most_lost=1.0, small=small)


def in_service(recipe: DetectorRecipe, data: Path, folder: Path) -> Path:
    """The manifest of a detector with random weights."""
    torch.manual_seed(4)
    sized = msgspec.structs.replace(recipe, size=128, crop=128)
    net = start_net(sized, data)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim > 1:  # so that pixels reach the scores
                parameter.mul_(1.9)
    save_weights(net, sized, folder / "weights.pt")
    bundle_detector(folder / "weights.pt", data, folder / "work", folder / "models", int8=False)
    return folder / "models" / f"{recipe.name}.json"


class TinySite:
    """A site with six answered alerts about people, a tiny detector in service, and all that `vedette learn` needs."""

    def __init__(self, root: Path) -> None:
        self.state, self.config = root / "state", root / "my.yaml"
        recipe = tiny_recipe("person")
        self.data = squares_in(root / "data")
        self.model: ModelManifest = load_manifest(in_service(recipe, self.data, root))
        (root / "tune.yaml").write_bytes(msgspec.yaml.encode(tiny_tuning(recipe)))
        self.answering = Answering(self.state / "archive")
        for number in range(6):
            self.answering.alert(f"a{number}", "false" if number % 3 else "true", grey=40 + 20 * number)
        self.set = self._frozen(root)
        self.config.write_text(
            "site: {name: home}\ncameras: {gate: {inputs: [{url: clip.mp4}]}}\nconsole: {enabled: false}\n"
            f"models: {{folder: {root}/registry}}\nstream: {{model: {root}/models/squares.json}}\n"
            "learning: {replay: data, gate: gate.yaml, recipe: tune.yaml}\n"
        )

    @property
    def collection(self) -> Collection:
        return self.answering.collection

    def _frozen(self, root: Path) -> Path:
        """The squares mirrored, as JPEGs, since what is replayed is no measure; COCO's annotations of them."""
        for number in range(4):
            picture = cv2.imread(str(self.data / "pictures" / f"{number}.png"))
            assert picture is not None
            cv2.imwrite(str(root / f"{number}.jpg"), picture[:, ::-1])
        images = [{"id": n, "file_name": f"{n}.jpg", "camera": "gate"} for n in range(4)]
        corners = [(96 - SIZE - x, y) for x, y in map(_corner, range(4))]
        boxes = [{"image_id": n, "category_id": 1, "bbox": [*corner, SIZE, SIZE]} for n, corner in enumerate(corners)]
        path = root / "set.json"
        path.write_text(
            json.dumps({"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "person"}]})
        )
        return path
