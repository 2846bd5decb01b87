"""Rounds of the learning loop on a lobby's camera: what is seen, answered, labelled, trained and then measured."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from archive.collection.collect import Collector
from archive.collection.items import Box, Item, digest
from archive.collection.queue import queue
from archive.collection.seeing import decoded
from archive.collection.store import Collection, Version
from archive.evidence.files import Folder
from contracts.manifest import ModelInput, ModelManifest, Provenance, load_manifest
from tests.bench.lobby import CLIP_MS, ORDER, PERSON, START_MS, Ensemble, Lobby, Shot, drawn, item_of, shots
from training.bundle import write_manifest
from training.dataset import Sample as Truth
from training.dataset import read_picture, read_sets
from training.evaluate import Found, average_precision, evaluate_set
from training.export import NMS_IOU, export_detector
from training.finetune import FinetuneRecipe, finetune
from training.network import DetectorNet, load_yolox
from training.predict import ExportedDetector
from training.recipe import load_recipe, read_recipe

RECIPES = Path("training/recipes")
RECIPE = RECIPES / "finetune.yaml"
ROUNDS = (ORDER[0:2], ORDER[2:4], ORDER[4:6], ORDER[6:8])
"""What is seen and answered between two trainings."""
LAST = ORDER[8:]
"""Only measured with: the clips that detector.yaml, too, keeps for testing."""
LOOKED = 2
"""Of the frames that the stream sees every so many are measured with."""
Results = dict[str, dict[str, Any]]


class Bench:
    """All that the parts share: the data, the start, the recipe, and what was measured already."""

    def __init__(self, shared: Path, out: Path, steps: int = 0, recipe: Path = RECIPE, seed: int = 0) -> None:
        self.data, self.out = shared / "data", out
        self.cache = out / "clips"
        base = read_recipe(recipe, FinetuneRecipe)
        schedule = msgspec.structs.replace(base.schedule, steps=steps or base.schedule.steps, threads=1)
        # A round is two passages: one held back to measure with would be half of what was said in it.
        self.recipe = msgspec.structs.replace(base, schedule=schedule, measured=0.0, seed=seed or base.seed)
        self.detector = load_recipe(RECIPES / "detector.yaml")
        self._file = out / "results.json"

    @property
    def results(self) -> Results:
        """What was measured so far, by part and round."""
        return msgspec.json.decode(self._file.read_bytes(), type=Results) if self._file.exists() else {}

    def note(self, name: str, values: dict[str, Any]) -> None:
        """Keep what was measured."""
        beside = self._file.with_suffix(".partial")
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(self.results | {name: values})))
        beside.replace(self._file)

    def clips(self, names: Sequence[str]) -> list[list[Shot]]:
        """The frames of these clips."""
        return [shots(self.data, name, self.cache) for name in names]

    def ensemble(self) -> Ensemble:
        """The teachers, at one look each: what they see of this lobby closer is as little."""
        plain = [msgspec.structs.replace(one, zooms=(1.0,)) for one in self.detector.teachers]
        return Ensemble([one for one in plain if one.kind != "person"], self.data, self.recipe.schedule.threads)

    def start(self) -> Path:
        """The manifest of the model that everything begins with: public weights that never saw the lobby."""
        path = self.out / "start" / "detector.json"
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        net = DetectorNet(len(self.recipe.channels), self.recipe.width)
        load_yolox(net, self.data / self.detector.start, self.recipe.channels)
        model = path.with_suffix(".onnx")
        export_detector(net.eval(), self.recipe.groups, self.recipe.size, model)
        manifest = ModelManifest(
            name="detector",
            version="0",
            task="detector",
            file=model.name,
            sha256=digest(model.read_bytes()),
            input=ModelInput(name="images", width=self.recipe.size, height=self.recipe.size),
            labels=tuple(self.recipe.labels),
            nms_iou=NMS_IOU,
            provenance=Provenance(licence="Apache-2.0", trained_from=self.detector.start),
        )
        write_manifest(manifest, path)
        return path

    def measured(self, manifest: Path) -> dict[str, Any]:
        """Person AP50 on all clips that follow each round, and what `on_last` says.

        `later` is without the last clips: what of a recipe is chosen, is chosen by that.
        """
        detector = self._opened(manifest)
        found = {name: self._looked(detector, name) for name in ORDER}
        after = [[name for later in ROUNDS[number:] for name in later] for number in range(1, len(ROUNDS) + 1)]
        following, later = (
            [self._ap([one for name in (*names, *last) for one in found[name]]) for names in after]
            for last in (LAST, ())
        )
        return self._summed(detector, {name: found[name] for name in LAST}) | {"following": following, "later": later}

    def on_last(self, manifest: Path) -> dict[str, Any]:
        """Person AP50 of the last clips, one by one too, and the mean AP50 on what was known before."""
        detector = self._opened(manifest)
        return self._summed(detector, {name: self._looked(detector, name) for name in LAST})

    def _summed(self, detector: ExportedDetector, found: dict[str, list[Found]]) -> dict[str, Any]:
        return {
            "coco": self._known(detector, "coco-test", 1),
            "vtest": self._known(detector, "vtest", 2),
            "last": self._ap([one for some in found.values() for one in some]),
            "clips": {name: self._ap(some) for name, some in found.items()},
        }

    def _opened(self, manifest: Path) -> ExportedDetector:
        return ExportedDetector(manifest.parent / load_manifest(manifest).file, self.recipe.schedule.threads)

    def _looked(self, detector: ExportedDetector, name: str) -> list[Found]:
        return [self._found(detector, shot) for clip in self.clips([name]) for shot in clip[::LOOKED]]

    def _found(self, detector: ExportedDetector, shot: Shot) -> Found:
        picture = read_picture(shot.path)
        boxes, scores, labels = detector.detect(picture)
        own, people = labels == 0, len(shot.people)
        truth = Truth(str(shot.path), shot.path, shot.people, np.zeros(people, np.int64), np.ones(people, np.float32))
        return Found(truth, (picture.shape[1], picture.shape[0]), boxes[own], scores[own], labels[own].astype(np.int64))

    def _ap(self, found: Sequence[Found]) -> float:
        return average_precision(found, self.recipe)[0].get(PERSON, 0.0)

    def _known(self, detector: ExportedDetector, name: str, step: int) -> float:
        (config,) = (one for one in self.detector.sets if one.name == name)
        config = msgspec.structs.replace(config, keep_step=config.keep_step * step)
        (data,) = read_sets((config,), ("test",), self.data, self.cache, self.recipe.channels)
        return evaluate_set(detector, data, self.recipe).mean_ap50


def rounds(bench: Bench, part: str, labels: Sequence[int], *, marks: bool = False) -> None:
    """See, answer, label so many pictures, collect and fine-tune, round by round: each sees with the model before it.

    With `marks` who answers an alert also draws whom its frame shows and its box misses.

    Where nobody said anything nothing is trained, as `vedette learn` would wait.
    """
    folder, manifest = bench.out / part, bench.start()
    if "frozen" not in bench.results:
        bench.note("frozen", bench.measured(manifest))
    for number, names in enumerate(ROUNDS, 1):
        work, name = folder / f"round-{number}", f"{part}-{number}"
        written = work / "candidate" / "detector.json"
        if name not in bench.results:
            told = answered(bench, folder, work, manifest, names, marks=marks)
            values = {"answers": told, "labels": sum(labels[:number])}
            if labels[number - 1] or any(told.values()):
                version = collected(bench, folder, names, labels[number - 1])
                trained(bench, name, bench.recipe, folder, version, work, bench.measured, values, began_ms(names))
            else:
                bench.note(name, bench.measured(manifest) | values | {"chosen": None})
        manifest = written if written.exists() else manifest


def trained(
    bench: Bench,
    name: str,
    recipe: FinetuneRecipe,
    folder: Path,
    version: Version,
    work: Path,
    measured: Callable[[Path], dict[str, Any]],
    values: dict[str, Any] | None = None,
    since_ms: int = 0,
) -> None:
    """Fine-tune the start on a version, and note how good the candidate is, and what it makes of words since then.

    Each training begins with the start, as `vedette learn` begins with the oldest ancestor: what rounds forget doesn't
    add up.
    """
    collection = Collection(Folder(folder / "collection"))
    written = finetune(recipe, bench.start(), collection, version, bench.data, work, since_ms=since_ms)
    lineage = load_manifest(written).lineage
    report = msgspec.json.decode((work / "finetune.json").read_bytes())
    more = {"pictures": version.about.pictures, "chosen": report["chosen"], "tried": report["tried"]}
    more["words"] = [[one.contradicted, one.words] for one in (lineage.words if lineage is not None else ())]
    bench.note(name, measured(written) | more | (values or {}))


def began_ms(names: Sequence[str]) -> int:
    """Before the first of these clips: all that is said of them is later."""
    return START_MS + ORDER.index(names[0]) * CLIP_MS - 1


def poisoned(bench: Bench, after: str, wrong: float) -> None:
    """The last round of a part once more, with so much of what people say in it being wrong."""
    folder, number = bench.out / "poisoned", len(ROUNDS)
    work, names = folder / f"round-{number}", ROUNDS[-1]
    if f"poisoned-{number}" in bench.results:
        return
    if not (folder / "collection").exists():
        for name in ("collection", "evidence"):
            shutil.copytree(bench.out / after / f"round-{number}" / "before" / name, folder / name)
    labels = bench.results[f"{after}-{number}"]["labels"] // number
    manifest = bench.out / after / f"round-{number - 1}" / "candidate" / "detector.json"
    told = answered(bench, folder, work, manifest, names, wrong)
    version = collected(bench, folder, names, labels, wrong)
    values, since_ms = {"answers": told}, began_ms(names)
    trained(bench, f"poisoned-{number}", bench.recipe, folder, version, work, bench.measured, values, since_ms)


def collected(bench: Bench, folder: Path, names: Sequence[str], labels: int, wrong: float = 0.0) -> Version:
    """The version of all answers so far; a person labels the first pictures of the queue that are of these clips.

    Of the labelled pictures `wrong` are labelled as if nobody were there.
    """
    collection = Collection(Folder(folder / "collection"))
    collector = Collector(
        collection, Folder(folder / "evidence"), bench.ensemble(), lambda camera: False, keep_days=1e6, queue_most=200
    )
    about, wanted = collector.collect(0)
    truth = {shot.at_ms: shot for clip in bench.clips(names) for shot in clip}
    asked = [one for one in wanted if one.captured_at_ms in truth and labels][:labels]
    if asked and not any(said.at_ms in truth for said in collection.labels().values()):
        for one in asked:
            shot = truth[one.captured_at_ms]
            boxes = [] if drawn(one.sha256, wrong) else people(shot)
            collection.keep_labels(one.sha256, boxes, "truth", shot.at_ms)
        about, _ = collector.collect(0)
    return collection.load(about.id)


def answered(
    bench: Bench,
    folder: Path,
    work: Path,
    manifest: Path,
    names: Sequence[str],
    wrong: float = 0.0,
    *,
    marks: bool = False,
) -> dict[str, int]:
    """What the model in service lets the operator see of the round's clips, and what they say."""
    done = work / "answered.json"
    if done.exists():
        return msgspec.json.decode(done.read_bytes(), type=dict[str, int])
    before = work / "before"
    for name in ("collection", "evidence"):
        if (folder / name).exists() and not (before / name).exists():
            shutil.copytree(folder / name, before / name)
    lobby = Lobby(Folder(folder / "evidence"), Collection(Folder(folder / "collection")))
    model, clips = load_manifest(manifest), bench.clips(names)
    detector = ExportedDetector(manifest.parent / model.file, bench.recipe.schedule.threads)
    for clip in clips:
        lobby.watch(clip, detector, model.id)
    told = lobby.answer(clips, wrong, marks=marks)
    work.mkdir(parents=True, exist_ok=True)
    done.write_bytes(msgspec.json.encode(told))
    return told


def budgets(bench: Bench, most: Sequence[int], seeds: Sequence[int]) -> None:
    """The same number of labels, for the pictures that the queue asks for and for some that are drawn."""
    folder = bench.out / "budgets"
    collection = Collection(Folder(folder / "collection"))
    items, truth = _pool(bench, collection)
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(items))
        for budget in most:
            sides = {
                "hard": {one.sha256 for one in queue(items, budget)},
                "random": {items[place].sha256 for place in order[:budget]},
            }
            for kind, chosen in sides.items():
                name = f"{kind}-{budget}-{seed}"
                if name in bench.results:
                    continue
                labelled = [_labelled(item, truth[item.sha256]) for item in items if item.sha256 in chosen]
                version = collection.load(collection.commit(labelled, 0).id)
                recipe = msgspec.structs.replace(bench.recipe, seed=seed)
                trained(bench, name, recipe, folder, version, folder / name, bench.on_last)


def _pool(bench: Bench, collection: Collection) -> tuple[list[Item], dict[str, Shot]]:
    """All frames of the rounds as items, with what the teachers see in them; looked at once."""
    pool = [shot for names in ROUNDS for clip in bench.clips(names) for shot in clip]
    jpegs = {digest(data): (shot, data) for shot in pool if (data := shot.path.read_bytes())}
    file = bench.out / "budgets" / "pool.json"
    if not file.exists():
        sees, items = bench.ensemble(), []
        for sha256, (shot, data) in jpegs.items():
            picture = decoded(data)
            assert picture is not None
            collection.keep_picture(data)
            sight = sees(picture)
            items.append(msgspec.structs.replace(item_of(shot, sha256), boxes=sight.boxes, agreement=sight.agreement))
        file.write_bytes(msgspec.json.encode(items))
    items = msgspec.json.decode(file.read_bytes(), type=list[Item])
    return items, {sha256: shot for sha256, (shot, _) in jpegs.items()}


def _labelled(item: Item, shot: Shot) -> Item:
    return msgspec.structs.replace(item, boxes=tuple(people(shot)), complete=True)


def people(shot: Shot) -> list[Box]:
    """What a person draws on a frame: everybody."""
    return [Box(xyxy=tuple(map(float, box)), label=PERSON, kind="confirmed", by="truth") for box in shot.people]
