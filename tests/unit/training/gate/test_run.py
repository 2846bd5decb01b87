"""The gate with real models on real pictures: sets that were changed, candidates that learnt them, damage by name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from contracts.errors import ConfigError
from contracts.manifest import DataReference, Lineage, Words
from tests.builders import DATA, manifest_of, shade_manifest
from tests.gate_tools import bright_set
from training.gate.predict import Model
from training.gate.run import Larger, run
from training.gate.sets import SetEntry, read_config, read_set


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The list of one frozen set: pictures of two cameras with a bright box each, as tests/data's model sees them."""
    bright_set(tmp_path)
    return frozen(tmp_path)


def frozen(folder: Path) -> Path:
    sha256 = read_set(SetEntry(name="bright", annotations="set.json"), folder).frozen.sha256
    file = folder / "gate.yaml"
    entry = {"name": "bright", "annotations": "set.json", "sha256": sha256}
    file.write_text(json.dumps({"sets": [entry], "limits": {"resamples": 50, "slowdown": 10}}))
    return file


def model(version: str, **changes: object) -> Model:
    return manifest_of(DATA / "bright_boxes.onnx", name="detector", version=version, **changes), DATA


BLIND = {"label_map": {"blue": "blue", "red": "red"}}  # sees no green box


def test_a_candidate_that_sees_more_goes_through(gate: Path) -> None:
    report = run(model("2"), model("1", **BLIND), gate)
    assert report.passed, report.why
    assert (report.candidate, report.against) == ("detector@2", "detector@1")
    assert report.sets[0].pictures == 23, "without the one that is not labelled completely"
    assert min(report.ms) > 0


def test_a_candidate_that_lost_a_class_is_refused_by_name(gate: Path) -> None:
    report = run(model("2", **BLIND), model("1"), gate)
    assert {(one.camera, one.label) for one in report.refusals if one.of == "place"} == {
        (camera, "green") for camera in ("", "gate", "hall")
    }


def test_classifiers_are_held_against_each_other_on_the_boxes_of_the_truth(gate: Path) -> None:
    right = shade_manifest(version="2"), DATA
    wrong = shade_manifest(version="1", labels=("green", "blue", "red")), DATA
    assert run(right, wrong, gate).passed
    report = run(wrong, right, gate)
    named = {(one.camera, one.label) for one in report.refusals if one.of == "place"}
    assert named == {(camera, label) for camera in ("", "gate", "hall") for label in ("blue", "green")}


def test_a_candidate_that_learnt_a_frozen_set_is_refused_unseen(gate: Path) -> None:
    sha256 = read_config(gate).sets[0].sha256
    lineage = Lineage(data=(DataReference(name="copy of bright", sha256=sha256),))
    report = run(model("2", lineage=lineage), model("1", **BLIND), gate)
    assert [one.of for one in report.refusals] == ["data"]
    assert "frozen set bright" in report.why
    assert report.overall is None


def test_a_candidate_that_learnt_some_of_its_pictures_is_refused_unseen(gate: Path) -> None:
    learnt = [hashlib.sha256((gate.parent / f"{number}.jpg").read_bytes()).hexdigest() for number in (3, 4)]
    report = run(model("2"), model("1", **BLIND), gate, frozenset((*learnt, "0" * 64)))
    assert report.why == "it was trained on 2 pictures of the frozen set bright"


@pytest.mark.parametrize(
    ("contradicted", "of", "refused", "doubted"),
    [(1, 24, False, False), (5, 21, True, False), (2, 5, False, True), (0, 0, False, False)],
    ids=["as usual", "poisoned", "too few to tell", "nothing new"],
)
def test_a_candidate_that_contradicts_what_it_learnt_is_refused_by_name(
    gate: Path, contradicted: int, of: int, refused: bool, doubted: bool
) -> None:
    words = Words(camera="hall", label="red", words=of, contradicted=contradicted, by={"1": contradicted})
    report = run(model("2", lineage=Lineage(words=(words,))), model("1", **BLIND), gate)
    for reasons, there in ((report.refusals, refused), (report.doubts, doubted)):
        assert [(one.of, one.camera, one.label) for one in reasons] == [("words", "hall", "red")] * there
        said = f"{contradicted} of {of} new answers and labelled pictures are contradicted by what else is known"
        assert all(f"{said} (all by one person)" in one.text for one in reasons)


def test_words_that_are_few_at_each_camera_are_counted_at_all(gate: Path) -> None:
    words = tuple(
        Words(camera=camera, label="red", words=6, contradicted=3, by={"1": 2, "2": 1}) for camera in ("gate", "hall")
    )
    report = run(model("2", lineage=Lineage(words=words)), model("1", **BLIND), gate)
    assert [(one.camera, one.label) for one in report.doubts] == [("gate", "red"), ("hall", "red")]
    ((refused, why),) = [(one.camera, one.text) for one in report.refusals]
    assert refused == ""
    assert "red at all cameras: 6 of 12 new answers" in why
    assert "(by 2 people, 4 of it by one of them)" in why


def test_a_smaller_one_is_held_against_what_it_comes_from_too(gate: Path) -> None:
    """It sees what the one in service sees, but no green box, which an earlier one saw."""
    large = {"name": "detector", "embedding": 3}
    in_service = manifest_of(DATA / "bright_looks.onnx", version="2", **large, **BLIND), DATA
    earlier = manifest_of(DATA / "bright_looks.onnx", version="1", **large), DATA
    candidate = model("3", **BLIND)
    report = run(candidate, in_service, gate)
    assert report.passed, report.why
    assert (report.only_smaller, report.bounds) == (True, ())
    report = run(candidate, in_service, gate, larger=lambda: Larger((in_service, earlier)))
    assert [one.model for one in report.bounds] == ["detector@1"]
    assert {(one.camera, one.label) for one in report.refusals if one.of == "place"} == {
        (camera, "green") for camera in ("", "gate", "hall")
    }
    assert "not surely as good to 0.02 over all: AP50 1.000 -> 0.667" in report.why
    assert report.why.count("against detector@1") == 4
    report = run(candidate, in_service, gate, larger=lambda: Larger(lacking=("detector@0",)))
    assert "detector@0, which it was made from, is not in the registry" in report.why


def test_who_is_better_is_held_against_none_of_them_nor_are_they_fetched(gate: Path) -> None:
    report = run(model("2"), model("1", **BLIND), gate, larger=lambda: pytest.fail("they were fetched"))
    assert report.passed, report.why


@pytest.mark.parametrize("changed", ["0.jpg", "set.json"])
def test_a_set_that_was_changed_is_no_measure(gate: Path, changed: str) -> None:
    file = gate.parent / changed
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(ConfigError, match="set bright was frozen as"):
        run(model("2"), model("1"), gate)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sets: []", "names none"),
        ("sets: [{name: a, annotations: set.json}]", "is not frozen; it is [0-9a-f]{64}"),
        ("sets: [{name: a, annotations: missing.json}]", r"missing\.json"),
        ("sets: [{name: a, annotations: set.json}]\ntolerance: 1", "tolerance"),
    ],
    ids=["no set", "not frozen", "missing", "unknown key"],
)
def test_a_wrong_list_says_what_is_wrong(gate: Path, text: str, why: str) -> None:
    gate.write_text(text)
    with pytest.raises(ConfigError, match=why):
        run(model("2"), model("1"), gate)


def test_a_set_without_a_box_is_no_measure(tmp_path: Path) -> None:
    bright_set(tmp_path)
    coco = json.loads((tmp_path / "set.json").read_text())
    (tmp_path / "set.json").write_text(json.dumps(coco | {"annotations": []}))
    with pytest.raises(ConfigError, match="no box"):
        run(model("2"), model("1"), frozen(tmp_path))


def test_what_is_no_jpeg_is_named(tmp_path: Path) -> None:
    bright_set(tmp_path)
    (tmp_path / "3.jpg").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"3\.jpg.*not a JPEG"):
        run(model("2"), model("1"), frozen(tmp_path))
