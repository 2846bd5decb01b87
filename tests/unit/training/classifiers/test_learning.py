"""`vedette learn` in a classifier's slot, with a real training: from labels to a candidate that the gate has judged."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from archive.collection.items import Box, Item, Sample
from archive.collection.splits import PASSAGE_MS
from archive.collection.store import Collection
from archive.collection.when import last_learnt
from archive.evidence.files import Folder
from archive.registry import registry_of
from contracts.config_file import load
from contracts.manifest import Attribute
from tests.builders import DATA, jpeg_of, shade_manifest
from tests.evidence_tools import AT_MS
from tests.registry_tools import made
from vedette.cli import main

from .conftest import SCENE, SIDE, shape
from .test_answers import TEXT

SLOT = "classifier:form"
FORMS = ("disc", "square")
XYXY = (140.0, 100.0, 140.0 + SIDE, 100.0 + SIDE)


def scene(form: str, seed: int) -> bytes:
    """A JPEG with the form at XYXY."""
    picture = np.random.default_rng(seed).integers(0, 120, (SCENE[1], SCENE[0], 3), np.uint8)
    picture[100 : 100 + SIDE, 140 : 140 + SIDE] = shape(form, seed)
    return jpeg_of(picture)


def labelled(collection: Collection, count: int) -> None:
    """Pictures of passages of their own, on which somebody drew what they show."""
    for k in range(count):
        jpeg = scene(FORMS[k % 2], k)
        item = Item(
            sha256=collection.keep_picture(jpeg),
            width=SCENE[0],
            height=SCENE[1],
            site="home",
            camera="gate",
            captured_at_ms=AT_MS + k * 10 * PASSAGE_MS,
            source="import",
        )
        collection.keep_sample(Sample(item=item), jpeg)
        drawn = Box(xyxy=XYXY, label=FORMS[k % 2], kind="confirmed", by="bea")
        collection.keep_labels(item.sha256, [drawn], "bea", AT_MS)


def site(root: Path) -> Path:
    """The config of a site with a classifier of forms in service that knows none, and frozen pictures."""
    attribute = Attribute(name="form", least_side=8)
    before = shade_manifest(name="form", version="0", labels=(*FORMS, "none"), attribute=attribute)
    (root / "form.json").write_bytes(msgspec.json.encode(before))
    (root / before.file).write_bytes((DATA / before.file).read_bytes())
    (root / "recipe.yaml").write_text(TEXT.replace("{least: 8}", "{least: 8, drawn: {disc: disc, square: square}}"))
    images = [{"id": k, "file_name": f"{k}.jpg", "camera": "gate"} for k in range(8)]
    for k in range(8):
        (root / f"{k}.jpg").write_bytes(scene(FORMS[k % 2], 100 + k))
    boxes = [{"image_id": k, "category_id": k % 2, "bbox": [*XYXY[:2], SIDE, SIDE]} for k in range(8)]
    categories = [{"id": k, "name": form} for k, form in enumerate(FORMS)]
    (root / "set.json").write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))
    (root / "my.yaml").write_text(
        "site: {name: home}\ncameras: {gate: {inputs: [{url: clip.mp4}]}}\nconsole: {enabled: false}\n"
        f"models: {{folder: {root}/registry}}\nstream: {{model: {made(root, '1')}}}\n"
        "classifiers: {form: {manifest: form.json}}\n"
        "learning: {replay: ., after_answers: 40, classifiers: {form: {recipe: recipe.yaml, gate: gate.yaml}}}\n"
    )
    return root / "my.yaml"


def test_labels_become_a_classifier_that_the_gate_has_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, state = site(tmp_path), tmp_path / "state"
    given = ["--config", str(config)]
    assert main(["models", "freeze", str(tmp_path / "set.json"), *given]) == 0
    (tmp_path / "gate.yaml").write_text(capsys.readouterr().out + "limits: {resamples: 20, slowdown: 1000}\n")
    collection = Collection(Folder(state / "archive" / "collection"))
    labelled(collection, 10)
    learn = ["learn", "--slot", SLOT, *given, "--state", str(state)]
    assert main([*learn, "--why", "a test"]) == 0, "five of each are too few, and no failure"
    assert last_learnt(collection, SLOT) is None
    labelled(collection, 40)
    code = main(learn)
    learnt = last_learnt(collection, SLOT)
    assert learnt is not None
    assert (learnt.why, code) == ("40 new answers", 0 if learnt.passed else 3)
    registry = registry_of(load(config).models, lambda: AT_MS)
    assert registry is not None
    lineage = registry.manifest(learnt.candidate).lineage
    assert lineage is not None
    assert lineage.data[0].sha256 == learnt.version
    assert sum(one.words for one in lineage.words) == 40
    assert len(registry.learnt(learnt.candidate)) == 40
    gate = registry.get(learnt.candidate).gate
    assert gate is not None
    assert gate.against == "form@0"
    left = [one for one in (state / "learning").rglob("*") if one.suffix in (".png", ".jpg")]
    assert {one.name for one in left} <= {"new.png", "new-int8.png"}, "plots, and no picture of the site"
