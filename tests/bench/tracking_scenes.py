"""Crowded scenes with known truth, made from CAVIAR's walkers: what the tracker's defaults were searched on.

    python -m tests.bench.tracking_scenes --shared DIR --trackers-python PY [--scenes 6]

CAVIAR's clips (one lobby camera) hold one to three people each, too few to confuse anyone. A scene lets several of
their ground-truth tracks walk at once, some mirrored, backwards or with a companion, and degrades them as a detector
does: confidence falls with what nearer people and pillars hide, boxes shrink to what is seen and their jitter drifts,
people go unseen for a while, parts of them come as boxes of their own, false boxes glow at fixed places, non-maximum
suppression drops neighbours. The search also laid YOLOX-nano's own false boxes on CAVIAR over them. PETS09-S2L1 and
TUD-Campus take no part in it.
"""

import argparse
import itertools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stream.geometry import Floats, clip_to_picture, iou
from tests.bench.tracking_bench import follow, table
from training.tracking import figures_of, write_clip

PICTURE = (384.0, 288.0)
CAPTURED_FPS = 25
LENGTH = 600  # captured pictures in a scene: 24 s
WALKER = 2.0  # a track is a walker's when its path is longer than so many body heights


@dataclass(frozen=True)
class Actor:
    """One person's boxes [K,4] at 25 fps; walkers are led on beyond the clip's ends, others stand on."""

    xyxy: Floats
    walks: bool


@dataclass
class Person:
    """An actor in a scene: on from picture `start`, and how they fare with the detector at the moment."""

    number: int
    start: int
    xyxy: Floats
    looks: float
    mood: float
    offset: Floats
    cut: bool
    unseen: bool = False


@dataclass
class FalsePlace:
    """A thing at a fixed place that looks like a person now and then."""

    xyxy: Floats
    confidence: float
    presence: float
    mood: float = 0.0


@dataclass
class Scene:
    """What is in a scene, and what its detector does wrong: fractions of the box height, shares and confidences."""

    people: list[Person]
    pillars: list[Floats]
    places: list[FalsePlace]
    bias: Floats
    white: float
    drift: float
    base: float
    hardness: float
    nms: float
    memory: float = field(default=0.0)


def actors(folder: Path) -> list[Actor]:
    """Every ground-truth track of the clips, without the annotators' jumps of whole pixels."""
    found = []
    for clip in sorted(path for path in folder.iterdir() if path.is_dir()):
        rows = np.loadtxt(clip / "gt/gt.txt", delimiter=",", usecols=range(6))
        for track_id in np.unique(rows[:, 1]):
            track = rows[rows[:, 1] == track_id]
            frames = np.arange(track[0, 0], track[-1, 0] + 1)
            x, y, w, h = (smooth(np.interp(frames, track[:, 0], track[:, k])) for k in range(2, 6))
            feet = np.stack((x + w / 2, y + h), axis=1)[::10]
            walks = float(np.hypot(*np.diff(feet, axis=0).T).sum()) > WALKER * float(h.mean())
            found.append(Actor(led_on(np.stack((x, y, x + w, y + h), axis=1), walks), walks))
    return found


def smooth(values: Floats) -> Floats:
    """A moving mean over seven pictures."""
    return np.convolve(np.pad(values, 3, mode="edge"), np.ones(7) / 7, "valid")


def led_on(xyxy: Floats, walks: bool, by: int = 150) -> Floats:
    """The track with 6 s more at both ends, so that nobody vanishes where a clip happens to be cut."""
    reach = min(CAPTURED_FPS, len(xyxy) - 1)
    steps = np.arange(1, by + 1)[:, None]
    before, after = (
        (end - inner) / reach * walks for end, inner in ((xyxy[0], xyxy[reach]), (xyxy[-1], xyxy[-1 - reach]))
    )
    for way in (before, after):
        way[[0, 2]] = way[[0, 2]].mean()
        way[[1, 3]] = way[3]
    return np.concatenate(((xyxy[0] + steps * before)[::-1], xyxy, xyxy[-1] + steps * after))


def cast(rng: np.random.Generator, stock: list[Actor], lanes: int) -> list[Person]:
    """`lanes` people at a time, one after the other, half of them with a companion."""
    walkers, others = [a for a in stock if a.walks], [a for a in stock if not a.walks]
    people: list[Person] = []

    def add(start: int, xyxy: Floats) -> None:
        looks, mood, offset = rng.normal(0, 0.04), rng.normal(), rng.normal(size=4)
        people.append(Person(len(people) + 1, start, xyxy, looks, mood, offset, bool(rng.random() < 0.5)))

    for _ in range(lanes):
        start = -int(rng.integers(0, 200))
        while start < LENGTH:
            group = walkers if rng.random() < 0.85 else others
            xyxy = group[rng.integers(len(group))].xyxy
            xyxy = xyxy[::-1] if rng.random() < 0.5 else xyxy
            xyxy = (
                np.array([PICTURE[0], 0, PICTURE[0], 0]) + xyxy[:, [2, 1, 0, 3]] * [-1, 1, -1, 1]
                if rng.random() < 0.5
                else xyxy
            )
            xyxy = xyxy + np.array([1, 0, 1, 0]) * rng.uniform(-40, 40)
            at = np.arange(0, len(xyxy) - 1, rng.uniform(0.8, 1.3))
            xyxy = np.stack([np.interp(at, np.arange(len(xyxy)), xyxy[:, k]) for k in range(4)], axis=1)
            add(start, xyxy)
            if rng.random() < 0.5:
                height = float((xyxy[:, 3] - xyxy[:, 1]).mean())
                beside = rng.choice([-1, 1]) * rng.uniform(0.25, 1.0) * height
                behind = rng.uniform(-0.25, 0.25) * height
                sway = np.cumsum(rng.normal(0, 0.12, (len(xyxy), 1)), axis=0) * [1, 0.3, 1, 0.3]
                add(start + int(rng.integers(-12, 13)), xyxy + sway + np.tile((beside, behind), 2))
            start += len(xyxy) + int(rng.integers(10, 150))
    return people


def make_scene(seed: int, stock: list[Actor], step: int) -> Scene:
    """A scene by its seed, of which each `step`th picture will be used."""
    rng = np.random.default_rng(seed)
    people = cast(rng, stock, 3 + seed % 4 * 2)
    pillars = []
    for _ in range(rng.integers(0, 3)):
        x, width = rng.uniform(80, 300), rng.uniform(10, 60)
        pillars.append(np.array([x, rng.uniform(0, 60), x + width, rng.uniform(150, 288)]))
    places = []
    for _ in range(rng.integers(1, 5)):
        x, y, height = rng.uniform(0, 350), rng.uniform(20, 210), rng.uniform(35, 80)
        box = np.array([x, y, x + 0.4 * height, y + height])
        places.append(FalsePlace(box, rng.uniform(0.15, 0.58), rng.uniform(0.3, 1)))
    return Scene(
        people,
        pillars,
        places,
        bias=rng.normal(0, 0.02, 4),
        white=rng.uniform(0.01, 0.03),
        drift=rng.uniform(0.01, 0.035),
        base=rng.uniform(0.82, 0.91),
        hardness=rng.uniform(0.3, 1.0),
        nms=rng.choice([0.45, 0.65]),
        memory=0.85 ** (step / 3),
    )


def look(rng: np.random.Generator, scene: Scene, person: Person, xyxy: Floats, nearer: list[Floats]) -> list[Floats]:
    """The boxes [5] (x0, y0, x1, y1, confidence) that the detector gives for one person."""
    width, height = xyxy[2:] - xyxy[:2]
    seen = visible(xyxy, nearer)
    share = float(seen.mean())
    keep, new = scene.memory, (1 - scene.memory**2) ** 0.5
    person.mood = keep * person.mood + new * rng.normal()
    person.offset = keep * person.offset + new * rng.normal(size=4)
    person.cut ^= bool(rng.random() < 0.1)
    person.unseen ^= bool(rng.random() < (0.25 if person.unseen else 0.02))
    confidence = scene.base + person.looks + 0.06 * person.mood + rng.normal(0, 0.03) - 0.75 * (1 - share) ** 1.2
    confidence = min(confidence - 0.15 * (height < 35) - scene.hardness * person.unseen, 0.95)
    if share < 0.12 or confidence < 0.1:
        return []
    box = xyxy.copy()
    if share < 0.8 and person.cut:
        rows, columns = np.nonzero(seen)
        extent = np.array([columns.min() / 8, rows.min() / 12, (columns.max() + 1) / 8, (rows.max() + 1) / 12])
        box = np.tile(xyxy[:2], 2) + extent * [width, height, width, height]
    drift = scene.drift * (1 + 1.5 * (1 - share)) * person.offset * [0.7, 0.7, 0.7, 1]
    box = box + height * (scene.bias + drift + scene.white * rng.normal(size=4))
    boxes = [np.append(box, confidence)]
    if rng.random() < 0.25:
        lower = box[1] + (box[3] - box[1]) * rng.uniform(0.45, 0.7)
        boxes.append(np.array([box[0], box[1], box[2], lower, confidence * rng.uniform(0.1, 0.6)]))
    return boxes


def visible(xyxy: Floats, nearer: list[Floats]) -> Floats:
    """Which of 12 x 8 points of a box no nearer box hides; a body leaves some 12 % free at each side of its own."""
    x = xyxy[0] + (np.arange(8) + 0.5) / 8 * (xyxy[2] - xyxy[0])
    y = xyxy[1] + (np.arange(12) + 0.5) / 12 * (xyxy[3] - xyxy[1])
    seen = np.ones((12, 8), dtype=np.bool_)
    for box in nearer:
        rim = 0.12 * (box[2] - box[0])
        seen &= ~(((y >= box[1]) & (y <= box[3]))[:, None] & ((x >= box[0] + rim) & (x <= box[2] - rim))[None])
    return seen


def errors(rng: np.random.Generator, scene: Scene, boxes: list[Floats]) -> list[Floats]:
    """False boxes: two people seen as one, chance, and things that look like people."""
    found = []
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            if iou([a], [b])[0, 0] > 0.2 and rng.random() < 0.12:
                both = np.concatenate((np.minimum(a[:2], b[:2]), np.maximum(a[2:], b[2:])))
                found.append(np.append(both, rng.uniform(0.1, 0.55)))
    for _ in range(rng.poisson(0.35)):
        height, x, y = rng.uniform(25, 90), rng.uniform(0, 350), rng.uniform(0, 200)
        found.append(np.array([x, y, x + 0.4 * height, y + height, 0.1 + min(rng.exponential(0.08), 0.6)]))
    for place in scene.places:
        place.mood = scene.memory * place.mood + (1 - scene.memory**2) ** 0.5 * rng.normal()
        confidence = min(place.confidence + 0.09 * place.mood + rng.normal(0, 0.03), 0.9)
        if confidence > 0.1 and rng.random() < place.presence:
            jitter = rng.normal(0, 0.015, 4) * (place.xyxy[3] - place.xyxy[1])
            found.append(np.append(place.xyxy + jitter, confidence))
    return found


def suppress(boxes: list[Floats], nms: float) -> Floats:
    """What non-maximum suppression leaves [N,5], most confident first."""
    table = np.array(boxes).reshape(-1, 5)
    table = table[np.argsort(-table[:, 4], kind="stable")]
    overlap, kept = iou(table[:, :4], table[:, :4]), list[int]()
    for row in range(len(table)):
        if not (overlap[row, kept] > nms).any():
            kept.append(row)
    return table[kept]


def play(seed: int, scene: Scene, step: int) -> tuple[Floats, list[Floats]]:
    """The truth as MOTChallenge rows, and the detections [N,5] of each frame."""
    rng = np.random.default_rng(seed + 1)
    truth, frames = [], []
    for frame, at in enumerate(range(0, LENGTH, step), start=1):
        here = []
        for person in scene.people:
            if 0 <= at - person.start < len(person.xyxy):
                xyxy = person.xyxy[at - person.start]
                inside = clip_to_picture([xyxy], *PICTURE)[0]
                if (inside[2:] - inside[:2] >= 0.25 * (xyxy[2:] - xyxy[:2])).all():
                    here.append((person, inside))
        here.sort(key=lambda pair: -pair[1][3])  # who stands lower in the picture is nearer
        boxes = [xyxy for _, xyxy in here]
        seen = errors(rng, scene, boxes)
        for k, (person, xyxy) in enumerate(here):
            seen += look(rng, scene, person, xyxy, boxes[:k] + scene.pillars)
            truth.append((frame, person.number, *xyxy[:2], *(xyxy[2:] - xyxy[:2]), 1, 1, 1))
        frames.append(suppress(seen, scene.nms))
    return np.array(truth, dtype=np.float64), frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with tracking/CAVIAR/")
    parser.add_argument("--trackers-python", type=Path, required=True, help="Python that has trackers==2.6.1")
    parser.add_argument("--scenes", type=int, default=6, help="scenes at each of 12.5, 8.3 and 5 frames a second")
    options = parser.parse_args()
    stock = actors(options.shared / "tracking/CAVIAR")
    with tempfile.TemporaryDirectory() as folder:
        elapsed_ms = {}
        for step in (2, 3, 5):
            for seed in range(options.scenes):
                name = f"{CAPTURED_FPS / step:.1f} fps, scene {seed}"
                truth, frames = play(seed, make_scene(seed, stock, step), step)
                tracked, elapsed_ms[name] = follow(frames, CAPTURED_FPS / step, PICTURE)
                write_clip(Path(folder) / name, truth, frames, tracked)
        report = figures_of(Path(folder), options.trackers_python)
    print(table(report, elapsed_ms))
    every_ms = list(itertools.chain.from_iterable(elapsed_ms.values()))
    print(table({"all scenes": summed(list(report.values()))}, {"all scenes": every_ms}))


def summed(scenes: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """The scenes' figures in one: counts added, shares as their mean."""
    return {
        name: {
            column: sum(scene[name][column] for scene in scenes)
            / (1 if column in ("IDSW", "FP", "FN") else len(scenes))
            for column in scenes[0][name]
        }
        for name in scenes[0]
    }


if __name__ == "__main__":
    main()
