"""Frigate's config files, written after its documentation: what becomes of them, and that no key is lost silently."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from contracts.config import Config, Detect, Filter, Input, Loitering, ZoneEntry
from contracts.config_check import check
from contracts.errors import ConfigError
from contracts.frigate import Import, convert, leaves

FOLDER = Path(__file__).parent / "frigate"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.yml"))


def taken(name: str) -> Import:
    return convert((FOLDER / f"{name}.yml").read_text())


def why(found: Import, path: str) -> str:
    """What is said of a key."""
    return "; ".join(note.why for note in found.notes if note.path == path)


def under(path: str, others: set[str]) -> bool:
    return any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in others)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_key_is_taken_over_or_listed_with_a_reason(name: str) -> None:
    found = taken(name)
    raw = yaml.safe_load((FOLDER / f"{name}.yml").read_text())
    left = {note.path for note in found.notes if note.kind == "left"}
    paths = list(leaves(raw))
    assert len(paths) >= 3
    for path in paths:
        assert under(path, set(found.taken)) or under(path, left), path
    assert all(note.why for note in found.notes)
    for note in found.notes:
        assert under(note.path, set(paths)) or any(under(path, {note.path}) for path in paths), note.path
    check(found.config)


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_password_comes_along(name: str) -> None:
    assert "tapioca" not in str(taken(name))


def test_one_camera_alerts_of_persons_anywhere() -> None:
    found = taken("minimal").config
    assert found.cameras["front_door"].inputs == (Input(url="rtsp://10.0.20.11:554/stream1"),)
    assert found.cameras["front_door"].objects.track == ("person",)
    rule = found.rules["front_door-whole-picture-alert"]
    assert (type(rule), rule.labels, rule.severity, rule.cameras) == (ZoneEntry, ("person",), "high", ("front_door",))


def test_streams_roles_filters_and_names() -> None:
    found = taken("secrets")
    drive, shed = found.config.cameras["driveway"], found.config.cameras["shed"]
    assert [one.roles for one in drive.inputs] == [("detect",), ("detail",)]
    assert "{FRIGATE_RTSP_PASSWORD}" in drive.inputs[0].url
    assert (drive.friendly_name, drive.detect) == ("Driveway", Detect(fps=5.0, height=720))
    assert drive.objects.track == ("person", "car", "dog")
    assert drive.objects.filters == {
        "person": Filter(min_score=0.55, min_area=round(1500 / (1280 * 720), 6)),
        "car": Filter(max_area=0.6),
    }
    assert (shed.enabled, len(shed.inputs)) == (False, 1)
    assert shed.inputs[0].url.endswith("user=admin&password={SHED_PASSWORD}")
    assert "SHED_PASSWORD" in why(found, "cameras.shed.ffmpeg.inputs[0].path")
    assert "no `license_plate`" in why(found, "objects.track")
    rules = found.config.rules
    assert (rules["driveway-whole-picture-alert"].labels, rules["driveway-whole-picture-alert"].min_confidence) == (
        ("person",), 0.75,
    )  # fmt: skip
    assert rules["driveway-whole-picture-alert-2"].labels == ("car",)
    assert "records nothing continuously" in why(found, "record.enabled")


def test_zones_in_pixels_and_shares_become_zones_and_rules() -> None:
    found = taken("zones")
    street, rules = found.config.cameras["street"], found.config.rules
    yard, parking = street.zones["front_yard"], street.zones["parking"]
    assert yard.coordinates[:2] == ((0.0, round(461 / 1080, 4)), (round(3 / 1920, 4), 0.0))
    assert (yard.objects, yard.inertia_s) == (("person",), 0.5)  # 5 frames at 10 a second
    assert (parking.objects, parking.loitering_time) == (("car",), 20.0)
    assert isinstance(rules["street-parking-alert"], Loitering)
    assert (rules["street-front_yard-alert"].labels, rules["street-front_yard-alert"].min_confidence) == (
        ("person",),
        0.8,
    )
    assert rules["street-speedway-detection"].severity == "low"
    assert "torn" not in street.zones
    assert "crosses itself" in why(found, "cameras.street.zones.torn")
    assert not any(name.startswith("back-") and name.endswith("alert") for name in rules)
    assert found.config.cameras["back"].zones["patio"].coordinates[2] == (0.8, 0.95)
    assert found.config.site.time_zone == "Europe/Berlin"
    assert street.objects.track == ("person", "car", "bicycle", "truck", "bag")


def test_masks_are_listed_with_what_to_write_for_a_black_area() -> None:
    found = taken("masks")
    said = why(found, "cameras.garage.motion.mask")
    assert "mask-1: {coordinates: [[0.0, 0.0], [0.781, 0.0]" in said
    assert "mask-2: {coordinates: [[0.8594, 0.8889]" in said
    assert "Should nobody see" not in why(found, "cameras.cellar.motion.mask")  # pixels of what size?
    assert found.config.cameras["cellar"].motion.enabled is False
    assert found.config.cameras["garage"].masks == {}


def test_what_go2rtc_reads_is_read_from_the_camera_itself() -> None:
    found = taken("restream")
    hall, reolink = found.config.cameras["hall"], found.config.cameras["reolink"]
    assert [one.url.rsplit("_", 1)[1] for one in hall.inputs] == ["sub", "main"]
    assert hall.inputs[0].url.startswith("rtsp://viewer:{FRIGATE_RTSP_PASSWORD}@10.0.20.18")
    assert reolink.inputs[0].url.startswith("http://10.0.20.19/flv")
    assert found.config.cameras["printer"].inputs[0].url == "rtsp://127.0.0.1:8554/printer"
    assert "go2rtc has to run on" in why(found, "cameras.printer.ffmpeg.inputs[0].path")
    assert "oldcam" not in found.config.cameras
    assert "none of its inputs" in why(found, "cameras.oldcam")


def test_sections_without_counterpart_say_why() -> None:
    found = taken("everything")
    for section in ("audio.enabled", "birdseye.mode", "semantic_search.enabled", "record.enabled", "lpr.enabled"):
        assert why(found, section), section
    assert why(found, "cameras.gate.onvif.host") == "Vedette moves no cameras"
    assert found.config.cameras["yard"].enabled is False
    assert found.config.rules["gate-drive-alert"].labels == ("person",)
    assert found.config.cameras["gate"].objects.filters["dog"].min_score == 0.6


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no config of Frigate"),
        ("cameras: [a]", "no config of Frigate"),
        ("cameras: {a: {ffmpeg: {inputs: [{path: 'rtmp://x', roles: [detect]}]}}}", "at least one camera"),
        ("cameras: {a: 1, a: 2}", "stands twice"),
    ],
)
def test_what_is_no_config_of_frigate_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        convert(text)


def test_shapes_that_frigate_would_refuse_don_t_break_it() -> None:
    odd = """
cameras:
  a:
    ffmpeg: {inputs: [{path: "rtsp://h/1", roles: [detect]}, 7, {path: null}]}
    detect: {width: wide, height: -3, fps: many}
    zones: {x: {coordinates: hello}, y: 3, z: {coordinates: "0,0,1,0,1,1", inertia: soon, loitering_time: []}}
    objects: {track: 5, filters: {person: {min_area: [], threshold: high, min_score: 7}}}
    review: {alerts: yes, detections: {required_zones: {}}}
"""
    assert isinstance(convert(odd).config, Config)
