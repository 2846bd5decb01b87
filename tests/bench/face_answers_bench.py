"""What answers about identity are worth: enrolled as pictures, and as statistics that the last layer is fitted to.

    python -m tests.bench.face_answers_bench --shared DIR

A site is made of LFW's validation people (not trained on, and in no test): each enrolled by one clean picture, seen by
one camera from afar and at dusk, three looks a track. Of three fifths of those with several pictures the tracks are
answered; the others are measured: missed where 1 % of strangers are named. The layer behind the network is undone and
fitted anew as `training/faces/metric.py` does it, to the scatter of the training people (which the layer itself tells),
of the site's answered tracks, or of both.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from contracts.face_models import BUNDLED
from contracts.manifest import load_manifest
from stream.identity import Cohort, cohort_of
from stream.vision.faces import FaceEmbedder
from stream.vision.session import SessionOptions
from training.faces.degrade import degrade
from training.faces.embedder import centres_of_others
from training.faces.evaluate import embed_with, enrol_with
from training.faces.metric import POWER
from training.faces.people import Faces, read_people
from training.faces.recipe import DegradeConfig, EmbedderRecipe
from training.faces.tracks import embedded
from training.recipe import AugmentConfig
from training.yaml_file import read_yaml

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]
Places = NDArray[np.int64]

DUSK = DegradeConfig(
    clean=0.0,
    shrink=(18, 36),
    shrink_share=1.0,
    faults=AugmentConfig(low_resolution=0.0, night=0.6, colour=0.5, jpeg=0.3, grey=0.0),
)
LOOKS = 3
SHARES = (0.25, 0.5, 1.0)
SITES = 5
TRIALS = 20
STRANGERS_NAMED = 0.01
SEED = 77


@dataclass(frozen=True)
class Layer:
    """x -> matrix x + shift, made one long: what is behind the network's unit vectors."""

    matrix: Matrix
    shift: NDArray[np.float64]

    def __call__(self, vectors: Matrix) -> Floats:
        """Unit vectors [N,D] of the network as those that are compared."""
        return np.asarray(unit(vectors @ self.matrix.T + self.shift), np.float32)

    def undone(self, vectors: Floats) -> Matrix:
        """The network's unit vectors x [N,D] of those that are compared, y: |matrix⁻¹ (t y - shift)| = 1, t > 0."""
        inverse = np.linalg.inv(self.matrix)
        along, back = vectors @ inverse.T, inverse @ self.shift
        a, b, c = (along**2).sum(1), along @ back, back @ back - 1
        return unit((((b + np.sqrt(np.maximum(b * b - a * c, 0))) / a)[:, None]) * along - back)

    @property
    def scatter(self) -> Matrix:
        """The scatter within people that it was fitted to, with its floor, of trace 1: the inverse of POWER."""
        return of_trace_1(np.linalg.matrix_power(np.linalg.inv(self.matrix), round(1 / POWER)))

    def refitted(self, scatter: Matrix) -> Layer:
        """For another scatter; what went to 0 still does."""
        sizes, directions = np.linalg.eigh(scatter)
        scale = sizes**-POWER
        matrix = directions @ np.diag(scale / scale.mean()) @ directions.T
        return Layer(matrix, matrix @ np.linalg.inv(self.matrix) @ self.shift)


@dataclass(frozen=True)
class Site:
    """The network's unit vectors of each face [N,D]: as a clean picture, and as a track; whose they are [N]."""

    pictures: Matrix
    tracks: Matrix
    persons: Places


def unit(rows: Matrix) -> Matrix:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float64)


def of_trace_1(scatter: Matrix) -> Matrix:
    return np.asarray(scatter / np.trace(scatter), np.float64)


def layer_of(model: Path) -> Layer:
    """The layer of an exported embedder."""
    weights = {one.name: numpy_helper.to_array(one) for one in onnx.load(str(model)).graph.initializer}
    return Layer(weights["net.metric.weight"].astype(np.float64), weights["net.metric.bias"].astype(np.float64))


def seen(faces: Faces, embedder: FaceEmbedder, layer: Layer) -> Site:
    """The faces as the site enrols and sees them."""
    pictures = embedded(faces.pictures, enrol_with(embedder))
    embed = embed_with(embedder)
    looks = [
        embed(np.stack([degrade(face, DUSK, np.random.default_rng((SEED, k, i))) for i in range(LOOKS)]))[0]
        for k, face in enumerate(faces.pictures)
    ]
    tracks = np.mean([layer.undone(np.stack([look[i] for look in looks])) for i in range(LOOKS)], axis=0)
    return Site(layer.undone(pictures), unit(tracks), faces.persons)


def answered_scatter(site: Site, people: Places) -> Matrix:
    """How the answered tracks differ from their people's enrolled pictures (but for the one that they stem from)."""
    chosen = np.isin(site.persons, people)
    persons = np.unique(site.persons[chosen], return_inverse=True)[1]
    middles, known = centres_of_others(np.asarray(site.pictures[chosen], np.float32), persons)
    apart = (site.tracks[chosen] - middles)[known]
    scatter = apart.T @ apart / len(apart)
    return of_trace_1(scatter + 0.1 * np.trace(scatter) / len(scatter) * np.eye(len(scatter)))


def missed(
    site: Site, layer: Layer, cohort: Cohort, held: Places, strangers: Places, *, enrolled_tracks: bool
) -> float:
    """The mean share of tracks of `held` people that are not named as theirs where 1 % of the strangers are named.

    One clean picture each is enrolled, and with `enrolled_tracks` a track of that picture's day as well.
    """
    pictures, tracks, shares = layer(site.pictures), layer(site.tracks), []
    for trial in range(TRIALS):
        rng = np.random.default_rng((SEED, trial))
        pairs = np.array([rng.permutation(np.flatnonzero(site.persons == one))[:2] for one in held])
        others = np.array([rng.choice(np.flatnonzero(site.persons == one)) for one in strangers])
        probes = tracks[np.concatenate((pairs[:, 1], others))]
        scores = cohort.likeness(probes, pictures[pairs[:, 0]])
        if enrolled_tracks:
            scores = np.maximum(scores, cohort.likeness(probes, tracks[pairs[:, 0]]))
        best, own = scores.max(1), scores.argmax(1)[: len(held)] == np.arange(len(held))
        threshold = np.quantile(best[len(held) :], 1 - STRANGERS_NAMED)
        shares.append(float((~(own & (best[: len(held)] >= threshold))).mean()))
    return float(np.mean(shares))


def measure(site: Site, layer: Layer, cohort: Cohort, number: int) -> dict[str, float]:
    """One drawing of who is answered and who measured: a figure a row of the table."""
    rng, counts = np.random.default_rng(number), np.bincount(site.persons)
    several, single = rng.permutation(np.flatnonzero(counts > 1)), np.flatnonzero(counts == 1)
    answered, held = np.split(several, [round(0.6 * len(several))])
    whose = layer.undone(cohort.vectors)

    def under(other: Layer, *, enrolled_tracks: bool = False) -> float:
        moved = Cohort(other(whose))
        return missed(site, other, moved, held, single, enrolled_tracks=enrolled_tracks)

    found = {"as it is": under(layer), "each one's answered track enrolled too": under(layer, enrolled_tracks=True)}
    own = answered_scatter(site, answered)
    for share in SHARES:
        fitted = layer.refitted((1 - share) * layer.scatter + share * own)
        found[f"the layer fitted anew, {share:.0%} of it the site's"] = under(fitted)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="the recorded data")
    given = parser.parse_args()
    recipe = read_yaml(Path("training/recipes/face-embedder.yaml"), EmbedderRecipe)
    manifest = load_manifest(BUNDLED / "face-embedder.json")
    faces = read_people(recipe.people, "validate", given.shared / "data")
    layer = layer_of(BUNDLED / manifest.file)
    site = seen(faces, FaceEmbedder.open(manifest, BUNDLED, SessionOptions(device="cpu")), layer)
    found = [measure(site, layer, cohort_of(manifest, BUNDLED), number) for number in range(SITES)]
    print(f"{len(faces.names)} people, {len(faces.pictures)} faces; {SITES} drawings, mean (least to most)")
    for name in found[0]:
        values = [one[name] for one in found]
        print(f"| {name} | {np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f}) |")


if __name__ == "__main__":
    main()
