"""The gate's page: the pictures in which a candidate loses most, and where both models look in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders import DATA, shade_manifest
from tests.gate_tools import bright_set
from training.gate.predict import Model
from training.gate.run import run
from training.gate.sets import SetEntry, read_set
from vedette.gate_page import write_gate_page


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """The list of one frozen set of bright boxes."""
    bright_set(tmp_path)
    sha256 = read_set(SetEntry(name="bright", annotations="set.json"), tmp_path).frozen.sha256
    file = tmp_path / "gate.yaml"
    entry = {"name": "bright", "annotations": "set.json", "sha256": sha256}
    file.write_text(json.dumps({"sets": [entry], "limits": {"resamples": 20, "slowdown": 10}}))
    return file


def shades(version: str, *labels: str) -> Model:
    return shade_manifest(name="shades", version=version, labels=labels), DATA


def test_a_classifier_is_explained_in_what_it_looks_at(sets: Path, tmp_path: Path) -> None:
    before, after = shades("1", "blue", "green", "red"), shades("2", "green", "blue", "red")
    page = tmp_path / "gate" / "report.html"
    write_gate_page(run(after, before, sets), sets, before, after, page)
    text = page.read_text()
    assert "<h1>shades@2 refused, against shades@1</h1>" in text
    for name in ("shades@1", "shades@2"):
        assert text.count(f"<figcaption>Where {name} looks") == 4


def test_a_candidate_that_loses_nothing_has_no_picture(sets: Path, tmp_path: Path) -> None:
    before, after = shades("1", "green", "blue", "red"), shades("2", "blue", "green", "red")
    page = tmp_path / "gate" / "report.html"
    write_gate_page(run(after, before, sets), sets, before, after, page)
    assert ("<img" in page.read_text(), "Nowhere much." in page.read_text()) == (False, True)


def test_a_model_that_is_gone_by_now_costs_no_page(sets: Path, tmp_path: Path) -> None:
    before, after = shades("1", "blue", "green", "red"), shades("2", "green", "blue", "red")
    page = tmp_path / "report.html"
    write_gate_page(run(after, before, sets), sets, before, (after[0], tmp_path), page)
    assert "Where shades@2 looks is not shown everywhere: " in page.read_text()


def test_sets_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """As those out of the collection are all called `annotations`; of the first one nothing is lost."""
    entries = list[dict[str, str]]()
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        bright_set(folder)
        coco = json.loads((folder / "set.json").read_text())
        if not entries:
            coco["images"] = [one for one in coco["images"] if one["id"] == 2]
            coco["annotations"] = [one for one in coco["annotations"] if one["image_id"] == 2]
        for image in coco["images"]:
            new = f"{folder.name}-{image['file_name']}"
            (folder / image["file_name"]).rename(folder / new)
            image["file_name"] = new
        (folder / "set.json").write_text(json.dumps(coco))
        entry = {"name": "set", "annotations": f"{folder.name}/set.json", "pictures": folder.name}
        entries.append(entry | {"sha256": read_set(SetEntry(**entry), tmp_path).frozen.sha256})
    file, page = tmp_path / "gate.yaml", tmp_path / "report.html"
    file.write_text(json.dumps({"sets": entries, "limits": {"resamples": 20, "slowdown": 10}}))
    before, after = shades("1", "blue", "green", "red"), shades("2", "green", "blue", "red")
    write_gate_page(run(after, before, file), file, before, after, page)
    assert page.read_text().count("in two-") == 8, "each in a heading and in what its picture shows"


def test_a_candidate_that_is_not_looked_at_loses_nowhere(sets: Path, tmp_path: Path) -> None:
    before, after = shades("1", "blue", "green", "red"), shades("2", "green", "blue", "red")
    (learnt, *_) = read_set(SetEntry(name="bright", annotations="set.json"), tmp_path).digests
    page = tmp_path / "report.html"
    report = run(after, before, sets, frozenset({learnt}))
    write_gate_page(report, sets, before, after, page)
    assert (report.overall, "refused" in page.read_text(), "Where it loses" in page.read_text()) == (None, True, False)
