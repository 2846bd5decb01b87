"""What two runs over the same pictures have in common, what they don't, and the report of it."""

from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from contracts.config_file import parse
from contracts.errors import ConfigError
from contracts.manifest import load_manifest
from tests.builders import DATA, jpeg_of, manifest_of, solid
from tests.console_tools import AT_MS, alert_of, evidence_of
from vedette.compare import MOST_HEATS, Setup, heats_of, setup_of
from vedette.compare_report import Side, write_report
from vedette.heats import Heats, heats
from vedette.incidents import compare, told_last

MODEL = Path("models/detector.json")


def incident(start_s: float, end_s: float, x: float = 100.0, **changes):
    """One person of 20x50 px who stood at x between two moments, as its alert's last revision says it."""
    box = (x - 10, 200.0, x + 10, 250.0)
    values = {
        "id": f"{start_s}-{x}-{changes.get('rule', '')}",
        "revision": 2,
        "state": "end",
        "started_at_ms": AT_MS + round(start_s * 1000),
        "at_ms": AT_MS + round(end_s * 1000),
        "ended_at_ms": AT_MS + round(end_s * 1000),
        "evidence": replace(evidence_of(1), xyxy=box),
    }
    return alert_of(**(values | changes))


def told(a, b) -> dict[str, int]:
    found = compare(a, b)
    return {name: len(getattr(found, name)) for name in ("same", "moved", "lost", "gained") if getattr(found, name)}


@pytest.mark.parametrize(
    ("what", "a", "b", "becomes"),
    [
        ("the same", incident(0, 5), incident(0.4, 5.5), {"same": 1}),
        ("a step aside", incident(0, 5), incident(0, 5, x=140), {"same": 1}),
        ("somebody a body length away", incident(0, 5), incident(0, 5, x=151), {"lost": 1, "gained": 1}),
        ("at another time", incident(0, 5), incident(6.5, 9), {"lost": 1, "gained": 1}),
        ("of another rule", incident(0, 5), incident(0, 5, rule="other"), {"lost": 1, "gained": 1}),
        ("on another camera", incident(0, 5), incident(0, 5, camera="hall"), {"lost": 1, "gained": 1}),
        ("later", incident(0, 5), incident(2, 5), {"moved": 1}),
        ("of another label", incident(0, 5), incident(0, 5, label="dog"), {"moved": 1}),
        ("more severe", incident(0, 5), incident(0, 5, severity="critical"), {"moved": 1}),
        ("a crowd in the zone", incident(0, 5, evidence=None), incident(0, 5, evidence=None), {"same": 1}),
        ("one in another", incident(0, 5, evidence=None), incident(0, 5, evidence=None, zone="x"),
         {"lost": 1, "gained": 1}),
    ],
)  # fmt: skip
def test_an_incident_is(what, a, b, becomes) -> None:
    assert told([a], [b]) == becomes, what


def test_who_walked_is_at_one_place_where_the_trails_meet() -> None:
    ours = incident(0, 5, x=100, trail=((100.0, 250.0), (300.0, 250.0)))
    assert told([ours], [incident(0, 5, x=310)]) == {"same": 1}


def test_each_incident_is_one_others_the_longest_overlap_first() -> None:
    """One long incident of A that B tells as two: the longer one is it, the other is gained."""
    found = compare([incident(0, 10)], [incident(0, 3), incident(4, 10)])
    assert [(pair.b.started_at_ms - AT_MS, pair.moved) for pair in found.moved] == [(4000, "begins 4.0 s later")]
    assert [one.started_at_ms - AT_MS for one in found.gained] == [0]


def test_revisions_of_one_alert_are_one_incident() -> None:
    last = incident(0, 5)
    assert told_last([last, replace(last, revision=0, state="new"), replace(last, revision=1)]) == [last]


def test_the_report_holds_its_pictures_and_escapes_what_it_says(tmp_path: Path) -> None:
    gained = incident(3, 4, why="person in <script>alert(1)</script>")
    found = compare([incident(0, 5), incident(8, 9)], [incident(2, 5), gained])
    pictures = {(gained.camera, gained.id): jpeg_of(solid(640, 480, (0, 90, 0)))}
    a, b = (
        Side(
            name=name, config="my.yaml", time_zone="UTC", incidents=2, frames=100, took_s=5.0,
            faster_than_real_time=2.0, pictures=pictures if name == "b@2" else {},
        )
        for name in ("a@1", "b@2")
    )  # fmt: skip
    write_report(tmp_path, found, (a, b))
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert not re.search(r"(src|href)='(?!data:)", page), "the page needs nothing else"
    (picture,) = re.findall(r"src='data:image/jpeg;base64,([^']+)'", page)
    assert base64.b64decode(picture).startswith(b"\xff\xd8\xff")
    kept = msgspec.json.decode((tmp_path / "report.json").read_bytes())
    assert (len(kept["gained"]), len(kept["lost"]), kept["moved"][0]["moved"]) == (1, 1, "begins 2.0 s later")
    assert kept["b"]["faster_than_real_time"] == 2.0


def test_a_side_is_a_model_under_the_config_or_a_config(tmp_path: Path) -> None:
    config = tmp_path / "my.yaml"
    config.write_text("cameras: {gate: {inputs: [{url: gate.mp4}]}}")
    model = setup_of(MODEL, config)
    assert model.name == load_manifest(MODEL).id
    assert model.config.stream.model == str(MODEL.resolve())
    assert setup_of(config, None).name == "my"
    with pytest.raises(ConfigError, match="is a model"):
        setup_of(MODEL, None)
    (tmp_path / "no.json").write_text("{}")
    with pytest.raises(ConfigError, match="--compare"):
        setup_of(tmp_path / "no.json", config)


def test_what_one_side_alone_saw_is_shown_as_its_model_saw_it(tmp_path: Path) -> None:
    manifest = manifest_of(DATA / "bright_boxes.onnx")
    (tmp_path / "bright.json").write_bytes(msgspec.json.encode(manifest))
    shutil.copy(DATA / manifest.file, tmp_path)
    config = parse("site: {name: home}\ncameras: {gate: {inputs: [{url: a.mp4}]}}\nstream: {model: bright.json}\n")
    picture = solid(640, 480, (20, 20, 20))
    picture[200:300, 200:300] = (0, 0, 255)
    lost = [incident(k, k + 1, label="red", evidence=evidence_at(200, 200, 300, 300)) for k in range(MOST_HEATS + 2)]
    pictures = {(one.camera, one.id): jpeg_of(picture) for one in lost}
    crowd = incident(20, 21, evidence=None)
    setup = Setup("a", config, tmp_path / "my.yaml")
    seen = heats(heats_of(setup, pictures, [crowd, *lost]))
    assert (list(seen.jpegs), seen.lacking) == ([(one.camera, one.id) for one in lost[:MOST_HEATS]], "")
    write_report(tmp_path, compare(lost, []), (side_of("a", pictures, seen), side_of("b", {}, Heats({}))))
    assert (tmp_path / "report.html").read_text().count("Below: Where") == MOST_HEATS


def test_a_model_that_cannot_be_explained_costs_no_report(tmp_path: Path) -> None:
    lost = incident(0, 1, label="red", evidence=evidence_at(200, 200, 300, 300))
    pictures = {(lost.camera, lost.id): jpeg_of(solid(640, 480, (0, 0, 255)))}
    config = parse("site: {name: home}\ncameras: {gate: {inputs: [{url: a.mp4}]}}\nstream: {model: gone.json}\n")
    seen = heats(heats_of(Setup("a", config, tmp_path / "my.yaml"), pictures, [lost]))
    assert (seen.jpegs, "gone.json" in seen.lacking) == ({}, True)
    write_report(tmp_path, compare([lost], []), (side_of("a", pictures, seen), side_of("b", {}, Heats({}))))
    assert "Where a saw it can&#x27;t be shown everywhere" in (tmp_path / "report.html").read_text()
    assert "gone.json" in msgspec.json.decode((tmp_path / "report.json").read_bytes())["a"]["not_explained"]


def evidence_at(*xyxy: float) -> Any:
    return replace(evidence_of(1), width=640, height=480, xyxy=xyxy)


def side_of(name: str, pictures: Any, seen: Heats[tuple[str, str]]) -> Side:
    told: dict[str, Any] = {"config": "my.yaml", "time_zone": "UTC", "incidents": 8, "frames": 9, "took_s": 5.0}
    told |= {"heats": seen.jpegs, "not_explained": seen.lacking}
    return Side(name=name, faster_than_real_time=2.0, pictures=pictures, **told)
