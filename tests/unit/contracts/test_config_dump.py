"""A config that is written is read back to the same, whatever its texts look like."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from contracts.config import Camera, Config, Input, Period, Site, ZoneEntry
from contracts.config_dump import dump
from contracts.config_file import load, parse
from contracts.frigate import convert

ROOT = Path(__file__).parents[3]
FRIGATE = sorted((Path(__file__).parent / "frigate").glob("*.yml"))
ONE = Config(cameras={"gate": Camera(inputs=(Input(url="rtsp://a:{GATE_PASSWORD}@gate/1"),))})


def test_the_example_is_written_and_read() -> None:
    config = load(ROOT / "vedette.example.yaml")
    assert parse(dump(config)) == config


@pytest.mark.parametrize("path", FRIGATE, ids=lambda path: path.stem)
def test_what_comes_from_frigate_is_written_and_read(path: Path) -> None:
    config = convert(path.read_text()).config
    assert parse(dump(config)) == config


@pytest.mark.parametrize(
    "text",
    ["1e3", "22:00", "yes", "null", "007", "0x1f", "2026-01-05", "- a", "a: b", "ä\n\u2028#", "<<", "'", "{X}", "="],
)
def test_texts_stay_texts(text: str) -> None:
    camera = replace(ONE.cameras["gate"], friendly_name=text)
    assert parse(dump(replace(ONE, cameras={"gate": camera}))).cameras["gate"].friendly_name == text


def test_only_what_differs_is_written_and_points_stand_in_one_line() -> None:
    zone = ZoneEntry(zone="yard", schedule=(Period(from_="22:00", until="06:00"),))
    gate = parse(dump(ONE) + "    zones: {yard: {coordinates: [[0, 0], [1, 0], [1, 1]]}}\n").cameras["gate"]
    text = dump(Config(cameras={"gate": gate}, rules={"night": zone}, site=Site(name="yard")))
    assert "coordinates: [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]" in text
    assert "from: 22:00" in text
    assert "kafka" not in text
    assert "{}" not in text
