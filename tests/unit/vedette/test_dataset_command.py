"""`vedette dataset`: what goes out to a labelling tool and comes back, and what is said of a version."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archive.collection.labelling import SHOTS
from contracts.config_file import load
from contracts.errors import VedetteError
from tests.builders import jpeg_of
from tests.collection_tools import Answering, Told, box
from tests.evidence_tools import AT_MS
from training.gate.sets import SetEntry, read_set
from vedette import dataset
from vedette.alone import alone
from vedette.errors import SetupError


def test_pictures_go_out_and_come_back_labelled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site, out = Answering(tmp_path), tmp_path / "out"
    site.alert("a", "true", grey=10)
    site.alert("b", "false", grey=20)
    collector = site.collector(Told(box(100)))
    about, _ = collector.collect(AT_MS)
    dataset.export(site.collection, site.collection.load(), [], "cvat", out)
    (out / "images" / "new.jpg").write_bytes(jpeg_of(np.full((90, 160, 3), 99, np.uint8)))
    drawn = (out / "annotations.xml").read_text()
    more = '<image id="9" name="new.jpg" width="160" height="90"/><image id="10" name="gone.jpg" width="9" height="9"/>'
    (out / "annotations.xml").write_text(drawn.replace("</annotations>", f"{more}</annotations>"))
    dataset.take_in(site.collection, out / "annotations.xml", "cvat", "home", "imported", AT_MS + 1, "bea")
    told = capsys.readouterr().out
    assert "3 pictures labelled, 1 not known" in told
    assert "1 have no time" in told, "the one that is lost is not counted"
    after, waiting = collector.collect(AT_MS + 2)
    items = site.collection.load(after.id).items
    assert (about.pictures, after.pictures, waiting) == (2, 3, ())
    assert {(one.camera, one.source, one.complete) for one in items} == {
        ("gate", "alert", True),
        ("imported", "import", True),
    }


def test_what_is_labelled_as_a_whole_can_be_frozen(tmp_path: Path) -> None:
    """The frozen pictures are the labelled ones, with their camera and time; of the others training may learn."""
    site, out = Answering(tmp_path), tmp_path / "out"
    site.alert("a", "true", grey=10)
    site.alert("b", "true", grey=20)
    about, _ = site.collector(Told()).collect(AT_MS)
    with pytest.raises(VedetteError, match="no picture is labelled as a whole"):
        dataset.export(site.collection, site.collection.load(), [], "coco", out)
    whole = site.collection.load(about.id).items[0].sha256
    site.collection.keep_labels(whole, [box(100, kind="confirmed")], "bea", AT_MS)
    site.collector(Told()).collect(AT_MS + 1)
    dataset.export(site.collection, site.collection.load(), [], "coco", out)
    found = read_set(SetEntry(name="a", annotations="annotations.json"), out)
    assert found.digests == {whole}
    assert [(one.camera, one.truth.labels) for one in found.pictures] == [("gate", ("person",))]
    assert [moment.camera for moment in found.moments.values()] == ["gate"]


def test_what_is_not_collected_yet_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Answering(tmp_path)
    dataset.list_versions(site.collection)
    assert "`vedette dataset collect`" in capsys.readouterr().out
    with pytest.raises(VedetteError, match="nothing is collected yet"):
        site.collection.load()


def test_a_version_says_where_it_comes_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Answering(tmp_path)
    site.alert("a", "true")
    _, waiting = site.collector(Told(box(100, confidence=0.5))).collect(AT_MS)
    dataset.list_versions(site.collection)
    dataset.show(site.collection, "", waiting)
    said = capsys.readouterr().out
    for part in (
        "1 pictures, 1 true",
        "cameras: gate 1",
        "confirmed person 1, pseudo person 1",
        "1 pictures wait",
        "gate: 1 of 1 answered",
    ):
        assert part in said


def test_pictures_of_a_tool_keep_their_camera_and_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What one site exports another takes in; a picture of which no time is told counts as taken now."""
    one, other = Answering(tmp_path / "one"), Answering(tmp_path / "other")
    out = tmp_path / "out"
    for k in range(3):
        one.alert(f"a{k}", "true", grey=40 + 60 * k)
    one.collector(Told(box(25))).collect(AT_MS)
    version = one.collection.load()
    dataset.export(one.collection, version, (), "cvat", out)
    shots = (out / SHOTS).read_text().splitlines()
    (out / SHOTS).write_text("\n".join([shots[0], shots[1].replace(str(AT_MS), str(AT_MS + 5))]))
    dataset.take_in(other.collection, out / "annotations.xml", "cvat", "home", "imported", AT_MS + 99, "bea")
    taken = {one.item.sha256: one.item for one in other.collection.samples()}
    told = [(taken[item.sha256].camera, taken[item.sha256].captured_at_ms) for item in version.items]
    assert told == [("gate", AT_MS), ("gate", AT_MS + 5), ("imported", AT_MS + 99)]
    assert "1 have no time in pictures.jsonl" in capsys.readouterr().out


def test_one_at_a_time_collects(tmp_path: Path) -> None:
    config_file, state = tmp_path / "my.yaml", tmp_path / "state"
    config_file.write_text(
        "site: {name: home}\ncameras: {gate: {inputs: [{url: clip.mp4}]}}\nconsole: {enabled: false}\n"
    )
    sets = dataset.DataSets(load(config_file), config_file, state)
    with alone(state / "archive" / "collecting.lock", "another"), pytest.raises(SetupError, match="Another collecting"):
        sets.collect(AT_MS)
    assert sets.collect(AT_MS) == 0
