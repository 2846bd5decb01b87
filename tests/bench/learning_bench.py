"""Does the learning loop learn: rounds of answers on a lobby's camera, against the model that stays as it is.

    python -m tests.bench.learning_bench --shared DIR --out DIR [--part NAME ...] [--steps 60]

Each part can be killed at any moment and goes on when it is started again; what is measured stands in OUT/results.json,
and the rows and the figure are made of it. `timeout 460 python -m ...` bounds a part.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from archive.collection.collect import Collector
from archive.collection.items import Box, Item, digest
from archive.collection.queue import queue
from archive.collection.seeing import decoded
from archive.collection.store import Collection, Version
from archive.evidence.files import Folder
from contracts.manifest import ModelInput, ModelManifest, Provenance, load_manifest
from tests.bench.lobby import ORDER, PERSON, Ensemble, Lobby, Shot, item_of, shots
from tests.bench.report import Row, at_least, at_most, missing
from training.bundle import write_manifest
from training.dataset import Sample as Truth
from training.dataset import read_picture, read_sets
from training.evaluate import Found, average_precision, evaluate_set, sample_labels
from training.export import NMS_IOU, export_detector
from training.finetune import FinetuneRecipe, finetune
from training.gate.run import run as gate_run
from training.gate.sets import SetEntry, read_set
from training.network import DetectorNet, load_yolox
from training.predict import ExportedDetector
from training.recipe import load_recipe, read_recipe

RECIPES = Path("training/recipes")
ROUNDS = (ORDER[0:3], ORDER[3:6], ORDER[6:9])
"""What is seen and answered between two trainings; the last three clips are only measured with."""
LAST = ORDER[9:]
BUDGETS = (8, 24)
WRONG = 0.3
RISE, LOST = 0.25, 0.015
LABELS = 12
"""Pictures of the queue that a person labels in a round, beside answering alerts."""
LOOKED = 4
"""Of the frames that the stream sees every so many are measured with."""
PARTS = ("reviewed", "both", "budgets", "site", "public", "poisoned", "gate")
JUDGED = ("reviewed-3", "both-3", "poisoned-1")
"""Candidates that the gate holds against the start."""
Results = dict[str, dict[str, Any]]


class Bench:
    """All that the parts share: the data, the start, the recipe, and what was measured already."""

    def __init__(self, shared: Path, out: Path, steps: int) -> None:
        self.data, self.out = shared / "data", out
        self._cache = out / "clips"
        base = read_recipe(RECIPES / "finetune.yaml", FinetuneRecipe)
        schedule = msgspec.structs.replace(base.schedule, steps=steps)
        self.recipe = msgspec.structs.replace(base, schedule=schedule, blends=(0.5, 1.0))
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
        return [shots(self.data, name, self._cache) for name in names]

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

    def measured(self, manifest: Path, following: Sequence[str]) -> dict[str, float]:
        """Person AP50 on the clips that follow, on the last ones, and on what was known before."""
        detector = ExportedDetector(manifest.parent / load_manifest(manifest).file, threads=2)
        found = {
            name: [self._found(detector, shot) for shot in shots(self.data, name, self._cache)] for name in following
        }
        known = {"coco": self._known(detector, "coco-test", 1), "vtest": self._known(detector, "vtest", 8)}
        return known | {
            "following": self._ap([one for name in following for one in found[name]]),
            "last": self._ap([one for name in LAST for one in found[name]]),
        }

    def _found(self, detector: ExportedDetector, shot: Shot) -> Found:
        picture = read_picture(shot.path)
        boxes, scores, labels = detector.detect(picture)
        own = labels == 0
        truth = Truth(
            str(shot.path),
            shot.path,
            shot.people,
            np.zeros(len(shot.people), np.int64),
            np.ones(len(shot.people), np.float32),
        )
        return Found(truth, (picture.shape[1], picture.shape[0]), boxes[own], scores[own], labels[own].astype(np.int64))

    def _ap(self, found: Sequence[Found]) -> float:
        return average_precision(found, self.recipe)[0].get(PERSON, 0.0)

    def _known(self, detector: ExportedDetector, name: str, step: int) -> float:
        (config,) = (one for one in self.detector.sets if one.name == name)
        config = msgspec.structs.replace(config, keep_step=config.keep_step * step)
        (data,) = read_sets((config,), ("test",), self.data, self._cache, self.recipe.channels)
        result = evaluate_set(detector, data, self.recipe)
        return result.mean_ap50


def rounds(
    bench: Bench, part: str, recipe: FinetuneRecipe, *, wrong: float = 0.0, labels: int = 0, most: int = len(ROUNDS)
) -> None:
    """See, answer, collect and fine-tune, round by round, each with the model of the round before."""
    folder, manifest = bench.out / part, bench.start()
    for number, names in enumerate(ROUNDS[:most], 1):
        work, following = folder / f"round-{number}", [clip for later in ROUNDS[number:] for clip in later] + LAST
        written = work / "candidate" / "detector.json"
        if f"frozen-{number}" not in bench.results:
            bench.note(f"frozen-{number}", bench.measured(bench.start(), following))
        if f"{part}-{number}" not in bench.results:
            told = _answered(bench, folder, manifest, number, names, wrong)
            version = _collected(bench, folder, labels, names)
            finetune(recipe, manifest, Collection(Folder(folder / "collection")), version, bench.data, work)
            report = msgspec.json.decode((work / "finetune.json").read_bytes())
            values = bench.measured(written, following)
            more = {"pictures": version.about.pictures, "answers": told, "labels": labels * number}
            bench.note(f"{part}-{number}", values | more | {"chosen": report["chosen"], "tried": report["tried"]})
        manifest = written


def _collected(bench: Bench, folder: Path, labels: int, names: Sequence[str]) -> Version:
    """The version of all answers so far; a person labels the first pictures of the queue that are of these clips."""
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
            collection.keep_labels(one.sha256, _people(shot), "truth", shot.at_ms)
        about, _ = collector.collect(0)
    return collection.load(about.id)


def _answered(
    bench: Bench, folder: Path, manifest: Path, number: int, names: Sequence[str], wrong: float
) -> dict[str, int]:
    """What the model in service lets the operator see of the round's clips, and what they say."""
    done = folder / f"round-{number}" / "answered.json"
    if done.exists():
        return msgspec.json.decode(done.read_bytes(), type=dict[str, int])
    lobby = Lobby(Folder(folder / "evidence"), Collection(Folder(folder / "collection")))
    model, clips = load_manifest(manifest), bench.clips(names)
    detector = ExportedDetector(manifest.parent / model.file, threads=2)
    for clip in clips:
        lobby.watch(clip, detector, model.id)
    told = lobby.answer(clips, wrong)
    done.parent.mkdir(parents=True, exist_ok=True)
    done.write_bytes(msgspec.json.encode(told))
    return told


def budgets(bench: Bench) -> None:
    """The same number of labels, for the pictures that the queue asks for and for some that are drawn."""
    pool = [shot for names in ROUNDS for clip in bench.clips(names) for shot in clip[::3]]
    items, truth = _pool(bench, pool)
    drawn = np.random.default_rng(1).permutation(len(items))
    for budget in BUDGETS:
        hard = {one.sha256 for one in queue(items, budget)}
        random = {items[place].sha256 for place in drawn[:budget]}
        for kind, chosen in (("hard", hard), ("random", random)):
            name = f"{kind}-{budget}"
            if name in bench.results:
                continue
            labelled = [_labelled(item, truth[item.sha256]) for item in items if item.sha256 in chosen]
            collection = Collection(Folder(bench.out / "budgets" / "collection"))
            about = collection.commit(labelled, 0)
            recipe = msgspec.structs.replace(bench.recipe, measured=0.0)
            work = bench.out / "budgets" / name
            written = finetune(recipe, bench.start(), collection, collection.load(about.id), bench.data, work)
            bench.note(name, bench.measured(written, LAST) | {"pictures": len(labelled)})


def gate(bench: Bench) -> None:
    """Hold candidates against the start, on the last clips and what was known before, as `vedette learn` does."""
    listed = _frozen(bench)
    start = bench.start()
    for name in JUDGED:
        part, _, number = name.partition("-")
        manifest = bench.out / part / f"round-{number}" / "candidate" / "detector.json"
        if not manifest.exists() or f"gate {name}" in bench.results:
            continue
        before = (load_manifest(start), start.parent)
        report = gate_run((load_manifest(manifest), manifest.parent), before, listed)
        bench.note(f"gate {name}", {"passed": report.passed, "why": report.why})


def _frozen(bench: Bench) -> Path:
    """The gate's list: the lobby's last clips as camera `hall`, coco128's test half as camera `coco`."""
    folder = bench.out / "gate"
    folder.mkdir(exist_ok=True)
    (coco,) = (one for one in bench.detector.sets if one.name == "coco-test")
    (known,) = read_sets((coco,), ("test",), bench.data, bench.out / "clips", bench.recipe.channels)
    sets = {
        "hall": [
            (shot.path, shot.people, [PERSON] * len(shot.people)) for clip in bench.clips(LAST) for shot in clip[::4]
        ],
        "coco": [
            (one.path, one.xyxy, [list(bench.recipe.labels)[label] for label in sample_labels(one, bench.recipe)])
            for one in known.samples
        ],
    }
    entries = []
    for camera, pictures in sets.items():
        path = folder / f"{camera}.json"
        path.write_bytes(_as_set(camera, pictures, list(bench.recipe.labels)))
        entry = SetEntry(name=camera, annotations=str(path.resolve()), pictures="/")
        entries.append(msgspec.structs.replace(entry, sha256=read_set(entry, folder).frozen.sha256))
    listed = folder / "gate.yaml"
    listed.write_bytes(msgspec.yaml.encode({"sets": entries, "limits": {"slowdown": 2.0}}))
    return listed


def _as_set(camera: str, pictures: Sequence[tuple[Path, Any, list[str]]], labels: list[str]) -> bytes:
    """COCO's JSON of pictures with boxes xyxy [N,4] and their labels."""
    images, annotations = [], []
    for number, (path, boxes, names) in enumerate(pictures, 1):
        height, width = read_picture(path).shape[:2]
        name = str(path.resolve()).lstrip("/")
        images.append({"id": number, "file_name": name, "width": width, "height": height, "camera": camera})
        for (x1, y1, x2, y2), label in zip(np.asarray(boxes).tolist(), names, strict=True):
            more = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0}
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": labels.index(label) + 1} | more
            )
    categories = [{"id": number, "name": label} for number, label in enumerate(labels, 1)]
    return msgspec.json.encode({"images": images, "annotations": annotations, "categories": categories})


def _pool(bench: Bench, pool: Sequence[Shot]) -> tuple[list[Item], dict[str, Shot]]:
    """All frames of the rounds as items, with what the teachers see in them; looked at once."""
    folder = bench.out / "budgets"
    collection = Collection(Folder(folder / "collection"))
    lobby_jpegs = {digest(data): (shot, data) for shot in pool if (data := shot.path.read_bytes())}
    file = folder / "pool.json"
    if not file.exists():
        sees, items = bench.ensemble(), []
        for sha256, (shot, data) in lobby_jpegs.items():
            picture = decoded(data)
            assert picture is not None
            collection.keep_picture(data)
            sight = sees(picture)
            items.append(msgspec.structs.replace(item_of(shot, sha256), boxes=sight.boxes, agreement=sight.agreement))
        file.write_bytes(msgspec.json.encode(items))
    items = msgspec.json.decode(file.read_bytes(), type=list[Item])
    return items, {sha256: shot for sha256, (shot, _) in lobby_jpegs.items()}


def _labelled(item: Item, shot: Shot) -> Item:
    return msgspec.structs.replace(item, boxes=tuple(_people(shot)), complete=True)


def _people(shot: Shot) -> list[Box]:
    return [Box(xyxy=tuple(map(float, box)), label=PERSON, kind="confirmed", by="truth") for box in shot.people]


def run(bench: Bench, part: str) -> None:
    """One part, to its end."""
    alone = msgspec.structs.replace(bench.recipe, blends=(1.0,), most_lost=1.0)
    replayed = tuple(one for one in bench.recipe.sets if one.role == "validate")
    runs: dict[str, Callable[[], None]] = {
        "reviewed": lambda: rounds(bench, part, bench.recipe, labels=LABELS),
        "both": lambda: rounds(bench, part, bench.recipe),
        "site": lambda: rounds(bench, part, msgspec.structs.replace(alone, sets=replayed)),
        "public": lambda: rounds(bench, part, msgspec.structs.replace(alone, site_weight=0.0)),
        "poisoned": lambda: rounds(bench, part, bench.recipe, wrong=WRONG, most=1),
        "budgets": lambda: budgets(bench),
        "gate": lambda: gate(bench),
    }
    runs[part]()


def rows(results: Results) -> list[Row]:
    """The promises, as far as they were measured."""
    made = []
    for part in ("reviewed", "both"):
        made += _rises(part, results)
    if ours := curve("both", results):
        for part in ("site", "public"):
            if theirs := curve(part, results):
                gained = theirs[-1] - theirs[0]
                made.append(at_most("learning", f"{part} data alone gained", gained, ours[-1] - ours[0], digits=3))
    for budget in BUDGETS:
        if {f"hard-{budget}", f"random-{budget}"} <= results.keys():
            gain = results[f"hard-{budget}"]["last"] - results[f"random-{budget}"]["last"]
            made.append(at_least("learning", f"hard before random at {budget} labels", gain, 0.0, digits=3))
    if poisoned := results.get("gate poisoned-1"):
        made.append(Row("learning", "a poisoned round", poisoned["why"], "refused", not poisoned["passed"]))
    return made or [missing("learning", "rounds", "no part has been run")]


def curve(part: str, results: Results) -> list[float]:
    """AP50 of the last clips before the first round and after each; empty where rounds are missing."""
    names = [f"{part}-{number}" for number in range(1, len(ROUNDS) + 1)]
    if not {*names, "frozen-1"} <= results.keys():
        return []
    return [results["frozen-1"]["last"], *(results[name]["last"] for name in names)]


def _rises(part: str, results: Results) -> list[Row]:
    last = curve(part, results)
    if not last:
        return []
    falls = sum(after <= before for before, after in pairwise(last))
    known = {name: results["frozen-1"][name] - results[f"{part}-{len(ROUNDS)}"][name] for name in ("coco", "vtest")}
    return [
        at_most("learning", f"{part}: rounds without a rise", falls, 1),
        at_least("learning", f"{part}: AP50 of the last clips gained", last[-1] - last[0], RISE, digits=3),
        *(at_most("learning", f"{part}: {name} lost", lost, LOST, digits=3) for name, lost in known.items()),
    ]


def figure(results: Results, path: Path) -> None:
    """AP50 of the last clips after each round, by what was trained on."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    canvas, axes = pyplot.subplots(figsize=(6, 4))
    for part in ("reviewed", "both", "site", "public"):
        if last := curve(part, results):
            axes.plot(range(len(last)), last, "o-", label=part)
            axes.axhline(last[0], color="grey", linewidth=1, linestyle=":")
    axes.set(xlabel="round", ylabel="person AP50, clips never seen", ylim=(0, 1), xticks=range(len(ROUNDS) + 1))
    axes.legend()
    canvas.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(canvas)


def learning(shared: Path, say: Callable[[str], None]) -> list[Row]:
    """For `python -m tests.bench learning`: everything that was not measured yet."""
    if not (shared / "data" / "tracking" / "CAVIAR").is_dir():
        return [missing("learning", "rounds", "needs the recorded clips")]
    bench = Bench(shared, Path("build/learning"), 60)
    for part in PARTS:
        say(f"learning: {part}")
        run(bench, part)
    figure(bench.results, bench.out / "learning.png")
    return rows(bench.results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="the folder with data/")
    parser.add_argument("--out", type=Path, default=Path("build/learning"), help="everything goes here")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--steps", type=int, default=60, help="of each fine-tuning")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    bench = Bench(options.shared.resolve(), options.out, options.steps)
    for part in options.part:
        run(bench, part)
    figure(bench.results, options.out / "learning.png")
    for row in rows(bench.results):
        print(row.what, row.measured, row.promised, row.verdict)


if __name__ == "__main__":
    main()
