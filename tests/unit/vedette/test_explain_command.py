"""`vedette explain`: a picture's file, a classifier's picture, an alert; what it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from archive.evidence.chain import Chain
from archive.evidence.files import KEY_FILE, Folder
from console.store.store import Store
from tests.builders import DATA, manifest_of
from tests.console_tools import AT_MS, take
from tests.explain_tools import LAMP, MODEL, jpeg, keep, lamp_alert, manifest_in
from vault import signing_key
from vedette.cli import main


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """The lamp as a file."""
    path = tmp_path / "lamp.jpg"
    path.write_bytes(jpeg())
    return path


def said(folder: Path, name: str) -> dict:
    assert (folder / f"{name}.heat.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    return json.loads((folder / f"{name}.heat.json").read_text())


def hottest(found: dict) -> tuple[float, float]:
    """Where the greatest heat is, x and y in 0-1 of the picture."""
    rows = found["heat"]
    value, y, x = max((value, y, x) for y, row in enumerate(rows) for x, value in enumerate(row))
    assert value > 0.9
    return (x + 0.5) / len(rows[0]), (y + 0.5) / len(rows)


def test_a_picture_is_explained_by_what_the_model_is_surest_of(picture: Path, tmp_path: Path) -> None:
    model = manifest_in(tmp_path)
    assert main(["explain", str(picture), "--model", str(model), "--out", str(tmp_path / "out")]) == 0
    found = said(tmp_path / "out", "lamp")
    assert (found["model"], found["label"], found["xyxy"], found["method"]) == (
        MODEL.id, "red", pytest.approx(LAMP, abs=1), "occlusion",
    )  # fmt: skip
    x, y = hottest(found)
    assert (0.5 <= x <= 0.75, 0.25 <= y <= 0.5) == (True, True)


def test_a_classifier_is_explained_by_its_last_maps(picture: Path, tmp_path: Path) -> None:
    model = tmp_path / "classifier.json"
    classifier = manifest_of(DATA / "bright_classifier.onnx", task="classifier")
    (tmp_path / classifier.file).write_bytes((DATA / classifier.file).read_bytes())
    model.write_bytes(msgspec.json.encode(classifier))
    assert main(["explain", str(picture), "--model", str(model), "--out", str(tmp_path)]) == 0
    found = said(tmp_path, "lamp")
    assert (found["label"], found["method"], found["xyxy"]) == ("red", "class activation", None)
    x, y = hottest(found)
    assert (0.5 <= x <= 0.75, 0.25 <= y <= 0.5) == (True, True)


def test_an_alert_is_explained_with_its_trace_and_the_look_is_audited(tmp_path: Path) -> None:
    state, alert = tmp_path / "state", lamp_alert()
    store = Store(f"sqlite:///{state}/console/console.db")
    store.open()
    take(store, alert)
    chain = Chain(Folder(state / "archive/evidence"), signing_key({}, state / "archive" / KEY_FILE), lambda: AT_MS)
    keep(chain, alert)
    manifest_in(tmp_path)
    config = tmp_path / "my.yaml"
    config.write_text(
        "site: {name: home}\nstream: {model: manifest.json}\ncameras: {gate: {inputs: [{url: clip.mp4}]}}\n"
    )
    where = ["--config", str(config), "--state", str(state), "--out", str(tmp_path)]
    assert main(["explain", alert.id, *where]) == 0
    found = said(tmp_path, alert.id)
    assert (found["alert"], found["label"], found["decisions"]) == (
        alert.id,
        "red",
        {"alert": alert.id, "decisions": []},
    )
    assert "no appearance to compare" in found["nearest"]["error"]
    assert [one.action for one in store.audit.page(limit=5)][:2] == ["explain", "look"]
    store.close()
    assert main(["explain", "nobody", *where]) == 1


def test_what_a_model_does_not_see_is_said(picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = manifest_in(tmp_path)
    assert main(["explain", str(picture), "--model", str(model), "--label", "blue", "--out", str(tmp_path)]) == 1
    assert "sees no blue in this picture" in capsys.readouterr().err
