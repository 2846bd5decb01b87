"""Second-stage classifiers: how good the recipes' models are, and what three networks cost, FP32 and INT8.

    python -m tests.bench classifiers hard-hats [--shared DIR]

Needs the extra `training`. ResNet-50 and VGG-16 begin untrained, as no ImageNet weights of theirs are at hand: they
show that the recipe trains, exports and agrees with torch, and what a crop costs; nothing of how good they would be.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from archive.collection.items import Box
from contracts.face_models import BUNDLED
from contracts.manifest import ModelManifest, load_manifest
from tests.bench.report import Row, at_least, at_most, missing
from tests.builders import jpeg_of

RECIPES = Path("training/recipes")
WEIGHTS = "weights_derived/mobilenet_v2_imagenet_folded_torch.pt"
COSTS = {
    # the network, its weights, and what keeps still in its two steps
    "mobilenet_v2": (WEIGHTS, ()),
    "resnet50": ("none", ()),
    "vgg16": ("none", ("body.features.", "body.classifier.0.")),
}
Say = Callable[[str], None]
Part = Callable[[Path, Path, Say], Iterator[Row]]


def classifiers(shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """Ants and bees with one command, ImageNet through our export, and what three networks cost."""
    return _measured(shared, (_insects, _imagenet, _costs), say)


def hard_hats(shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """Hard hats as a second stage, from pictures with boxes to the figures; and from operators' answers alone."""
    return _measured(shared, (_hard_hats, _hats_from_answers, _poisoned_hats), say)


def _measured(shared: Path, parts: Sequence[Part], say: Say) -> list[Row]:
    data = shared / "data"
    try:
        import timm  # the extra `training`
        import torch
    except ImportError as error:
        return [missing("classifiers", "all of it", f"needs the extra `training`: {error}")]
    if not data.is_dir():
        return [missing("classifiers", "all of it", f"there is no {data}")]
    say(f"  torch {torch.__version__}, timm {timm.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        return [row for part in parts for row in part(data, Path(folder), say)]


def _insects(data: Path, folder: Path, say: Say) -> Iterator[Row]:
    """Hymenoptera with one command."""
    begun = time.monotonic()
    given = data / "classification" / "hymenoptera"
    metrics = _trained(RECIPES / "hymenoptera.yaml", given, data, folder / "insects")
    took_s = time.monotonic() - begun
    say(f"  hymenoptera: {metrics['new.accuracy']:.3f} of {metrics['new.pictures']:.0f} pictures, {took_s:.0f} s")
    yield at_least("classifiers", "hymenoptera, accuracy on its validation set", metrics["new.accuracy"], 0.92)
    yield at_most("classifiers", "hymenoptera, the whole command", took_s, 600, " s", digits=0)


def _hard_hats(data: Path, folder: Path, say: Say) -> Iterator[Row]:
    """Crops cut out as the stream does, a classifier of them, measured on pictures that are near none of training."""
    from training.classifiers.crops import load_crop_recipe, make_crops

    counts = make_crops(load_crop_recipe(RECIPES / "hard-hat-crops.yaml"), data, folder / "crops")
    metrics = _trained(RECIPES / "hard-hat.yaml", folder / "crops" / "index.csv", data, folder / "hats")
    say(f"  hard hats: {counts}; accuracy {metrics['new.accuracy']:.3f}, INT8 {metrics['new-int8.accuracy']:.3f}")
    for value in ("yes", "no"):
        what = f"hard hat `{value}`, F1 on {metrics['new.pictures']:.0f} held-out heads"
        yield at_least("classifiers", what, metrics[f"new.{value}.f1"], 0.85)


def _hats_from_answers(data: Path, folder: Path, say: Say) -> Iterator[Row]:
    """A rule that told everybody bare-headed, and operators who were right: the answers alone make a classifier."""
    from training.classifiers.commands import train_classifier

    count = answered_heads(data, folder / "collection")
    told = argparse.Namespace(
        config=RECIPES / "hard-hat.yaml", data=data, out=folder / "answers", version="", gate=None, since=0
    )
    told.collection = folder / "collection"
    manifest = load_manifest(train_classifier(told))
    metrics = manifest.metrics
    say(f"  hard hats from {count} answers: accuracy {metrics['new.accuracy']:.3f}; {_words_of(manifest)}")
    yield from _refused(manifest, "right answers about hard hats", refused=False)
    for value in ("yes", "no"):
        what = f"hard hat `{value}` from answers alone, F1 on {metrics['new.pictures']:.0f} held-out heads"
        yield at_least("classifiers", what, metrics[f"new.{value}.f1"], 0.85)


def _poisoned_hats(data: Path, folder: Path, say: Say) -> Iterator[Row]:
    """The same where 30 % of the answers are wrong."""
    from training.classifiers.commands import train_classifier

    count = answered_heads(data, folder / "poisoned", wrong=0.3)
    told = argparse.Namespace(config=RECIPES / "hard-hat.yaml", data=data, version="", gate=None, since=0)
    told.out, told.collection = folder / "poisoned-answers", folder / "poisoned"
    manifest = load_manifest(train_classifier(told))
    say(f"  of {count} answers about hard hats 30 % are wrong: {_words_of(manifest)}")
    yield from _refused(manifest, "30 % wrong answers about hard hats", refused=True)


def _words_of(manifest: ModelManifest) -> str:
    words = manifest.lineage.words if manifest.lineage is not None else ()
    return ", ".join(f"{one.label}: {one.contradicted} of {one.words} contradicted" for one in words)


def _refused(manifest: ModelManifest, what: str, *, refused: bool) -> Iterator[Row]:
    """Whether the gate refuses the words, as it should."""
    from training.gate.judge import Limits
    from training.gate.words import contradicted

    words = manifest.lineage.words if manifest.lineage is not None else ()
    found = sum(refuses for refuses, _ in contradicted(words, Limits()))
    named = f"{what}: labels that the gate refuses"
    yield (
        at_least("classifiers", named, found, 1, digits=0)
        if refused
        else at_most("classifiers", named, found, 0, digits=0)
    )


def answered_heads(data: Path, out: Path, wrong: float = 0.0) -> int:
    """A collection of the recipe's pictures, each a passage: `true` for a bare head, `false` for one with a hat; how
    many heads were answered. Of the answers `wrong` say the opposite."""
    from archive.collection.items import Item
    from archive.collection.store import Collection
    from archive.evidence.files import Folder
    from stream.vision.faces import FaceLocaliser, faces_of, head_squares
    from stream.vision.session import SessionOptions
    from training.classifiers.crops import load_crop_recipe, people_in, value_of
    from training.dataset import read_picture, read_set
    from training.predict import ExportedDetector

    recipe, collection = load_crop_recipe(RECIPES / "hard-hat-crops.yaml"), Collection(Folder(out))
    detector = ExportedDetector(BUNDLED / load_manifest(BUNDLED / "detector.json").file, threads=2)
    person = load_manifest(BUNDLED / "detector.json").labels.index("person")
    localiser = FaceLocaliser.open(
        load_manifest(BUNDLED / "face-localiser.json"), BUNDLED, SessionOptions(device="cpu")
    )
    items, rng = [], np.random.default_rng(1)
    for number, sample in enumerate(read_set(recipe.set, data, out / "cache", (recipe.channel,)).samples):
        picture = read_picture(sample.path)
        people = people_in(picture, detector, person, recipe.confidence)
        heads = head_squares(people, 0.4)
        faces = faces_of(heads, localiser.in_heads(picture, heads))
        values = [value_of(faces.get(place), heads[place], sample.xyxy) for place in range(len(people))]
        boxes = tuple(
            box
            for xyxy, value in zip(people.tolist(), values, strict=True)
            if value
            for box in _answer(xyxy, value, wrong=rng.random() < wrong)
        )
        height, width = picture.shape[:2]
        kept = {"sha256": collection.keep_picture(jpeg_of(picture)), "width": width, "height": height, "boxes": boxes}
        items.append(Item(**kept, site="yard", camera="gate", captured_at_ms=number * 3_600_000, source="alert"))
    collection.commit(items, 0)
    return sum(box.kind != "pseudo" for item in items for box in item.boxes)


def _answer(xyxy: Sequence[float], value: str, *, wrong: bool) -> Iterator[Box]:
    """The answer to "bare-headed", and what the detector saw there."""
    x1, y1, x2, y2 = xyxy
    seen = Box(xyxy=(x1, y1, x2, y2), label="person", kind="pseudo", confidence=0.8)
    kind = "confirmed" if (value == "no") is not wrong else "background"
    yield replace(seen, kind=kind, at_ms=1, alert=f"about {xyxy}", attributes=("hard_hat:no",))
    yield seen


def _imagenet(data: Path, folder: Path, say: Say) -> Iterator[Row]:
    """The thousand classes of MobileNetV2 through our export."""
    from timm.data import ImageNetInfo

    from training.classifiers.export import export_classifier, export_int8, run
    from training.classifiers.network import open_network
    from training.classifiers.recipe import NetworkConfig
    from training.classifiers.views import middle
    from training.dataset import read_picture

    info = ImageNetInfo("imagenet-1k")
    number = {info.index_to_label_name(k): k for k in range(1000)}
    paths = sorted((data / "classification" / "imagenet_sample_1000").glob("*.JPEG"))
    pictures = [middle(read_picture(path), 224) for path in paths]
    targets = np.array([number[path.name.split("_")[0]] for path in paths])
    net = open_network(NetworkConfig(name="mobilenet_v2", weights=WEIGHTS), data)
    apart = export_classifier(net, 224, folder / "imagenet.onnx", pictures)
    files = folder / "imagenet.onnx", export_int8(folder / "imagenet.onnx", pictures)
    whole, small = (float((run(path, pictures).argmax(1) == targets).mean()) for path in files)
    say(
        f"  ImageNet, MobileNetV2: top-1 {whole:.3f}, INT8 {small:.3f} of {len(paths)}; logits {apart:.1e} from torch's"
    )
    yield at_least("classifiers", "MobileNetV2, top-1 on imagenet_sample through our export", whole, 0.8)
    yield at_most("classifiers", "MobileNetV2, what INT8 loses of that", whole - small, 0.05)


def _costs(data: Path, folder: Path, say: Say) -> Iterator[Row]:
    """Two steps of each network on every fifth picture, exported, against torch, and ms a crop on one thread."""
    from training.classifiers.recipe import HeadConfig, NetworkConfig, TuneConfig, load_classifier_recipe
    from training.recipe import ScheduleConfig

    base = load_classifier_recipe(RECIPES / "hymenoptera.yaml")
    schedule = ScheduleConfig(steps=2, batch=2, learning_rate=1e-4, warmup_steps=1, checkpoint_every=2)
    insects = (data / "classification" / "hymenoptera").resolve()
    some = [f"{path},{path.parent.name},{path.parts[-3]}" for path in sorted(insects.glob("*/*/*.jpg"))[::5]]
    (folder / "some.csv").write_text("\n".join(["path,label,part", *some]) + "\n")
    for name, (weights, still) in COSTS.items():
        recipe = replace(
            base,
            name=name,
            network=NetworkConfig(name=name, weights=weights),
            head=HeadConfig(views=1, l2=(0.1,), most_iterations=20),
            tune=TuneConfig(schedule=schedule, freeze=still, validate_every=2),
        )
        found = _told(recipe, folder / "some.csv", data, folder / name)
        note = "" if weights != "none" else " (untrained start)"
        say(
            f"  {name}{note}: {found['fp32_milliseconds']:.1f} ms a crop FP32 ({found['fp32_megabytes']:.0f} MB), "
            f"{found['int8_milliseconds']:.1f} ms INT8 ({found['int8_megabytes']:.0f} MB)"
        )
        what = (
            f"{name}{note}: {found['fp32_milliseconds']:.1f} ms, INT8 {found['int8_milliseconds']:.1f} ms; logits off"
        )
        yield at_most("classifiers", what, found["onnx_against_torch"], 0.01, digits=5)


def _trained(recipe: Path, source: Path, data: Path, out: Path) -> dict[str, float]:
    from training.classifiers.commands import train_classifier

    told = argparse.Namespace(config=recipe, data=source, files=data, out=out, collection=None, gate=None)
    return load_manifest(train_classifier(told)).metrics


def _told(recipe: object, source: Path, data: Path, out: Path) -> dict[str, float]:
    """The metrics of a recipe that stands in no file."""
    import msgspec
    import yaml

    out.mkdir()
    path = out / "recipe.yaml"
    path.write_text(yaml.safe_dump(msgspec.to_builtins(recipe)))
    return _trained(path, source, data, out / "run")
