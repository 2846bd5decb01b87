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
