"""Trains the embedder: degraded faces learn the teacher's vectors of the clean ones; then the quality head learns."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset
from tqdm import tqdm

from contracts.decoding import from_json
from contracts.errors import ConfigError
from training import checkpoint
from training.dataset import list_skipped
from training.faces.degrade import degrade
from training.faces.metric import set_metric
from training.faces.mobilefacenet import EmbedderNet, load_mobilefacenet
from training.faces.people import Faces, read_people
from training.faces.recipe import DegradeConfig, EmbedderRecipe
from training.fit import Task, blend, fit
from training.place import Place, find_place, leave

Floats = NDArray[np.float32]
TEACHER_BATCH = 32
# The quality head's views are other ones than the embedder's: their seeds begin here.
QUALITY_SEED = 1_000_003
METRIC_SEED = 3_000_017
# All parts of the network but the quality head.
TRUNK = ("stem.", "blocks.", "last.", "pool.", "vector.", "metric.")


class FaceViews(Dataset[tuple[Tensor, int]]):
    """Item k is the k-th degraded face of the run: pixels uint8[3,112,112] and its place in `faces`."""

    def __init__(self, faces: Faces, places: NDArray[np.int64], config: DegradeConfig, seed: int, length: int) -> None:
        self._faces = faces
        self._places = places
        self._config = config
        self._seed = seed
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        rng = np.random.default_rng((self._seed, index))
        place = int(self._places[int(rng.integers(len(self._places)))])
        face = degrade(self._faces.pictures[place], self._config, rng)
        return torch.from_numpy(np.ascontiguousarray(face.transpose(2, 0, 1))), place


def train_embedder(recipe: EmbedderRecipe, data: Path, out: Path) -> Path:
    """Train to the recipe's last step and write `out/weights.pt`; goes on where it was stopped.

    Raises ConfigError when the data is not there or a checkpoint belongs to another recipe.
    """
    place = find_place()
    torch.set_num_threads(recipe.schedule.threads)
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    faces = read_people(recipe.people, "train", data)
    if place.rank == 0:
        skipped = list_skipped((), out, faces.skipped)
        print(f"training: {len(faces.pictures)} faces of {len(faces.names)} people; skipped {skipped} (skipped.json)")
    net = start_net(recipe, data)
    start = copy.deepcopy(net).eval().to(place.device)
    clean = _teach(start, faces, place)
    trained = cast(EmbedderNet, fit(net, _embedding(recipe, faces, clean, place), place, out))
    blended = blend(start, trained, recipe.blend)
    fit_metric(blended, faces, recipe, place)
    finished = fit(blended, _quality(recipe, faces, clean_vectors(blended, faces, place), place), place, out)
    if place.rank == 0:
        checkpoint.save({"recipe": msgspec.json.encode(recipe), "net": finished.state_dict()}, out / "weights.pt")
    leave(place)
    return out / "weights.pt"


def start_net(recipe: EmbedderRecipe, data: Path) -> EmbedderNet:
    """The network with the start's weights; ConfigError where the file is missing."""
    path = data / recipe.start
    if not path.exists():
        raise ConfigError("start", f"{recipe.start} is not in the data folder")
    net = EmbedderNet()
    load_mobilefacenet(net, path)
    return net


def load_embedder(path: Path) -> tuple[EmbedderRecipe, EmbedderNet]:
    """The recipe and network of a `weights.pt`."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    net = EmbedderNet()
    net.load_state_dict(state["net"])
    return from_json(state["recipe"], EmbedderRecipe), net.eval()


def centres(vectors: Floats, persons: NDArray[np.int64]) -> Floats:
    """The unit vector [P,D] in the middle of each person's vectors [N,D]."""
    sums = np.zeros((int(persons.max()) + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, persons, vectors)
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def centres_of_others(vectors: Floats, persons: NDArray[np.int64]) -> tuple[Floats, NDArray[np.bool_]]:
    """For each vector [N,D] the middle of its person's other ones, and whether there is one [N]."""
    sums = np.zeros((int(persons.max()) + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, persons, vectors)
    others = sums[persons] - vectors
    known = np.bincount(persons)[persons] > 1
    length = np.linalg.norm(others, axis=1, keepdims=True)
    return np.where(known[:, None], others / np.maximum(length, 1e-6), 0).astype(np.float32), known


def fit_metric(net: EmbedderNet, faces: Faces, recipe: EmbedderRecipe, place: Place) -> None:
    """Fit the last layer to how one person's faces differ: the clean ones, and poor looks at each.

    Faces of people with one picture say nothing of that, and are left out.
    """
    several = np.flatnonzero(np.bincount(faces.persons)[faces.persons] > 1)
    persons = np.unique(faces.persons[several], return_inverse=True)[1]
    parts = [_vectors(net, faces.pictures[several], place, "metric, clean")]
    for number in range(recipe.metric_views):
        seeds = [(recipe.seed, METRIC_SEED + number, int(k)) for k in several]
        looks = [degrade(faces.pictures[seed[-1]], recipe.degrade, np.random.default_rng(seed)) for seed in seeds]
        parts.append(_vectors(net, np.stack(looks), place, f"metric, poor {number + 1}"))
    middles = centres(parts[0], persons)[persons]
    set_metric(net, np.concatenate(parts), np.concatenate([middles] * len(parts)))


def clean_vectors(net: EmbedderNet, faces: Faces, place: Place) -> Floats:
    """The vectors of the clean faces: unit float32[N,128]."""
    return _vectors(net, faces.pictures, place, "clean faces")


def _teach(teacher: EmbedderNet, faces: Faces, place: Place) -> Floats:
    """The start's vectors of the clean faces, the mean of each and its mirror image: unit float32[N,128]."""
    mirrored = np.ascontiguousarray(faces.pictures[:, :, ::-1])
    both = [_vectors(teacher, pictures, place, "teacher") for pictures in (faces.pictures, mirrored)]
    total = both[0] + both[1]
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True), np.float32)


@torch.no_grad()
def _vectors(net: EmbedderNet, pictures: NDArray[np.uint8], place: Place, name: str) -> Floats:
    vectors = []
    for first in tqdm(range(0, len(pictures), TEACHER_BATCH), desc=name, disable=place.rank != 0):
        batch = torch.from_numpy(pictures[first : first + TEACHER_BATCH]).to(place.device)
        vectors.append(net(batch.permute(0, 3, 1, 2).float())[0])
    return np.asarray(torch.cat(vectors).cpu().numpy(), np.float32)


def _embedding(recipe: EmbedderRecipe, faces: Faces, clean: Floats, place: Place) -> Task:
    length = recipe.schedule.steps * recipe.schedule.batch * place.world
    wanted = torch.from_numpy(clean).to(place.device)
    people = torch.from_numpy(centres(clean, faces.persons)).to(place.device)
    persons = torch.from_numpy(faces.persons).to(place.device)

    def loss(model: nn.Module, batch: Any) -> dict[str, Tensor]:
        pixels, places = batch
        vectors, _ = model(pixels.float())
        logits = vectors @ people.T
        own = functional.one_hot(persons[places], len(people)) * recipe.margin
        return {
            "distil": recipe.distil * (1 - (vectors * wanted[places]).sum(1)).mean(),
            "identity": recipe.identity * functional.cross_entropy((logits - own) * recipe.scale, persons[places]),
        }

    views = FaceViews(faces, np.arange(len(faces.pictures)), recipe.degrade, recipe.seed, length)
    frozen = ("quality.", "metric.", *recipe.freeze)
    # What follows the embedder may be chosen when it has learnt.
    own = msgspec.structs.replace(recipe, blend=1.0, metric_views=1, quality=recipe.schedule)
    return Task("embedder", msgspec.json.encode(own), views, loss, recipe.schedule, frozen=frozen, relative=True)


def _quality(recipe: EmbedderRecipe, faces: Faces, clean: Floats, place: Place) -> Task:
    """The head learns how near a face's vector comes to the middle of its person's other, clean ones (0..1).

    So it predicts what identification will see: not only blur and size, but turned heads and odd light as well.
    """
    length = recipe.quality.steps * recipe.quality.batch * place.world
    others, known = centres_of_others(clean, faces.persons)
    wanted = torch.from_numpy(others).to(place.device)

    def loss(model: nn.Module, batch: Any) -> dict[str, Tensor]:
        pixels, places = batch
        vectors, quality = model(pixels.float())
        near = (vectors.detach() * wanted[places]).sum(1).clamp(0, 1)
        return {"quality": functional.mse_loss(quality, near) * 10}

    views = FaceViews(faces, np.flatnonzero(known), recipe.degrade, recipe.seed + QUALITY_SEED, length)
    return Task("quality", msgspec.json.encode(recipe), views, loss, recipe.quality, frozen=TRUNK, relative=True)
