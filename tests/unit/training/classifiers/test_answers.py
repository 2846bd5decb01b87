"""The site's answers as a classifier's pictures: crops, weights, groups, and what is too little."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from archive.collection.cleaning import FOUND
from archive.collection.doubted import doubted_before
from archive.collection.items import Item
from archive.collection.splits import PASSAGE_MS
from archive.collection.store import Collection
from contracts.errors import ConfigError
from contracts.manifest import Attribute, load_manifest
from stream.vision.classifier import crop, squares
from tests.builders import jpeg_of
from tests.evidence_tools import AT_MS
from training.__main__ import main
from training.classifiers.answers import Answers, answered, enough
from training.classifiers.pictures import Labelled, read_pictures
from training.classifiers.recipe import AnswersConfig, AttributeConfig, ClassifierRecipe, NetworkConfig
from training.classifiers.train import shares_of
from training.gate.sets import Frozen

from .conftest import answer

RECIPE = ClassifierRecipe(
    name="form",
    version="1",
    network=NetworkConfig(name="shufflenet_v2_x0_5", weights="none", size=32),
    attribute=AttributeConfig(name="form"),
    labels=("disc", "square"),
    answers=AnswersConfig(least=8),
)


def of(site: Collection, out: Path, recipe: ClassifierRecipe = RECIPE, frozen: frozenset[str] = frozenset()) -> Answers:
    return answered(recipe, site, site.load(), out, Frozen(frozen))


def test_crops_are_what_the_stream_cuts(answered_site: Collection, tmp_path: Path) -> None:
    found = of(answered_site, tmp_path / "crops")
    one = found.crops[0]
    said = next(item for item in answered_site.load().items if item.sha256 == one.path.stem.removesuffix("-0"))
    picture = cv2.imdecode(np.frombuffer(answered_site.picture(said.sha256) or b"", np.uint8), cv2.IMREAD_COLOR)
    (square,) = squares(np.array([said.boxes[0].xyxy], np.float32), Attribute(name="form"))
    assert (one.read() == crop(np.asarray(picture, np.uint8), square, 160)).all()


def test_a_denial_is_the_other_value_and_counts_half(answered_site: Collection, tmp_path: Path) -> None:
    found = of(answered_site, tmp_path / "crops")
    assert {(one.label, one.weight) for one in found.crops} == {
        (form, weight) for form in ("disc", "square") for weight in (1.0, 0.5)
    }
    shares = shares_of(RECIPE, found.crops)
    sure = np.array([one.weight == 1 for one in found.crops])
    disc = np.array([one.label == "disc" for one in found.crops])
    assert shares[sure].min() == pytest.approx(2 * shares[~sure].max())
    assert shares[disc].sum() == pytest.approx(0.5)


def test_a_label_in_doubt_counts_less(answered_site: Collection, tmp_path: Path) -> None:
    doubted = answered_site.load().items[1].sha256
    answered_site.files.write(FOUND, b'{"version":"","doubts":{"%s":{"badly placed":0.8}}}' % doubted.encode())
    weights = {one.path.stem[:64]: one.weight for one in of(answered_site, tmp_path / "crops").crops}
    assert weights[doubted] == pytest.approx(0.1)  # half for a denial, of which a fifth


def test_a_track_is_never_on_both_sides(answered_site: Collection, tmp_path: Path) -> None:
    """The same alert's thing on other kept frames, minutes later."""
    first = answered_site.load().items[6]
    later = [again(answered_site, first, k) for k in range(1, 5)]
    answered_site.commit([*answered_site.load().items, *later], AT_MS + 1)
    crops = of(answered_site, tmp_path / "crops").crops
    names = {first.sha256, *(one.sha256 for one in later)}
    assert len({one.group for one in crops if one.path.stem[:64] in names}) == 1
    parted = read_pictures(crops, RECIPE.labels, hold_out=0.2, seed=1)
    assert len({one.part for one in parted.items if one.path.stem[:64] in names}) == 1
    assert {one.part for one in parted.items} == {"train", "validate", "test"}


def again(site: Collection, item: Item, k: int) -> Item:
    """Another frame that shows the same thing, so much later that it is no passage."""
    other = answer(site, 900 + k, "disc", denied=False)
    boxes = tuple(replace(box, alert=item.boxes[0].alert) for box in other.boxes)
    return replace(other, source="sample", boxes=boxes, captured_at_ms=item.captured_at_ms + k * 3 * PASSAGE_MS + 1)


def test_nothing_is_learnt_of_what_the_gate_judges_with(answered_site: Collection, tmp_path: Path) -> None:
    frozen = answered_site.load().items[4].sha256
    found = of(answered_site, tmp_path / "crops", frozen=frozenset({frozen}))
    assert frozen not in found.pictures
    assert len(found.pictures) == 39


def test_nor_of_what_looks_like_it_though_nobody_cleaned(answered_site: Collection, tmp_path: Path) -> None:
    """One that was confirmed, and the same picture a little brighter, of another passage."""
    items = answered_site.load().items
    frozen = next(item for item in items if item.learnt)
    data = np.frombuffer(answered_site.picture(frozen.sha256) or b"", np.uint8)
    brighter = jpeg_of(np.asarray(cv2.add(cv2.imdecode(data, cv2.IMREAD_COLOR), 3), np.uint8))
    at_ms = max(item.captured_at_ms for item in items) + 3 * PASSAGE_MS
    alike = replace(frozen, sha256=answered_site.keep_picture(brighter), alert="later", captured_at_ms=at_ms)
    alike = replace(alike, boxes=tuple(replace(box, alert="later") for box in frozen.boxes))
    answered_site.commit([*items, alike], AT_MS + 1)
    assert alike.sha256 in of(answered_site, tmp_path / "crops").pictures
    assert alike.sha256 not in of(answered_site, tmp_path / "crops", frozen=frozenset({frozen.sha256})).pictures


def test_what_retention_took_is_left_out(answered_site: Collection, tmp_path: Path) -> None:
    answered_site.forget_picture(answered_site.load().items[0].sha256)
    found = of(answered_site, tmp_path / "crops")
    assert (len(found.crops), found.left) == (39, {"its picture is gone, as its alert is": 1})


def crops_of(label: str, count: int, groups: int) -> list[Labelled]:
    return [Labelled(Path(f"{k}.png"), label, "train", group=str(k % groups)) for k in range(count)]


@pytest.mark.parametrize(
    ("crops", "words"),
    [
        (crops_of("no", 20, 5), "of `yes` there are 0, 20 more are needed"),
        (crops_of("no", 20, 5) + crops_of("yes", 13, 5), "of `yes` there are 13, 7 more are needed"),
        (crops_of("no", 20, 2) + crops_of("yes", 20, 5), "`no` was seen in 2 passages, 1 more are needed"),
    ],
    ids=["none", "too few", "all at once"],
)
def test_too_few_answers_are_refused_with_what_is_missing(crops: list[Labelled], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        enough(crops, ("no", "yes"), AnswersConfig())


@pytest.mark.parametrize(
    ("recipe", "word"),
    [
        (replace(RECIPE, attribute=None), "attribute"),
        (replace(RECIPE, labels=()), "labels"),
        (replace(RECIPE, answers=AnswersConfig(drawn={"ball": "sphere"})), "sphere"),
    ],
    ids=["no attribute", "no labels", "a value that is none"],
)
def test_a_recipe_that_does_not_say_what_to_look_for_is_refused(
    answered_site: Collection, recipe: ClassifierRecipe, word: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=word):
        of(answered_site, tmp_path / "crops", recipe)


TEXT = """
name: form
version: "1"
network: {name: shufflenet_v2_x0_5, weights: none, size: 32}
attribute: {name: form}
labels: [disc, square]
answers: {least: 8}
head: {views: 2, most_iterations: 30}
threads: 1
"""


def test_one_command_makes_a_model_of_answers_and_leaves_no_crop(
    answered_site: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipe.yaml").write_text(TEXT)
    out = tmp_path / "out"
    placed, replaced = list[Path](), Path.replace
    monkeypatch.setattr(Path, "replace", lambda path, to: (placed.append(to), replaced(path, to))[1])
    told = ["--config", str(tmp_path / "recipe.yaml"), "--data", str(tmp_path), "--out", str(out)]
    assert main(["train", "classifier", *told, "--collection", str(tmp_path / "collection")]) == 0
    last = placed.index(out / "form.json")
    assert out / "form.learnt" in placed[:last], "killed before, it is no model whose pictures nobody knows"
    manifest = load_manifest(out / "form.json")
    assert manifest.lineage is not None
    about, items = answered_site.load()
    learnt = (out / "form.learnt").read_bytes()
    assert [one.sha256 for one in manifest.lineage.data] == [about.id, hashlib.sha256(learnt).hexdigest()]
    assert set(learnt.decode().split()) == {item.sha256 for item in items}
    assert not (out / "crops").exists()
    assert manifest.metrics["new.pictures"] >= 6
    assert sum(one.words for one in manifest.lineage.words) == len(items), "each answer is a word"
    assert manifest.version == f"1-{about.number}.{manifest.sha256[:8]}"
    (doubted,) = doubted_before(answered_site)
    assert (doubted.of, doubted.since_ms) == ("classifier:form", 0)
    assert (out / "form.doubts").read_bytes() == msgspec.json.encode(doubted.doubts)
