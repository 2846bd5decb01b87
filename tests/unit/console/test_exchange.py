"""A whole config out and in: what differs is shown first, then put in force, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.changes import ConflictError
from console.parts import Parts
from console.rights import ForbiddenError, Who
from console.store.objects import ObjectKey
from console.wiring import Place, build
from contracts.config import CameraDown
from contracts.config_file import parse
from contracts.errors import ConfigError
from tests.console_process import CONFIG

ADA = Who("ada", "administrator")
FRIGATE = Path(__file__).parents[1] / "contracts" / "frigate"


@pytest.fixture
def parts(tmp_path: Path, database: str) -> Iterator[Parts]:
    place = Place("127.0.0.1:1", tmp_path / "console", database, "http://testserver")
    parts = build(parse(CONFIG), place, iter(range(1_000, 10**9)).__next__)
    parts.store.open()
    yield parts
    parts.store.close()


def planned(parts: Parts, text: str, *, remove: bool = False) -> list[tuple[str, str]]:
    """What a file would do, by object."""
    plan = parts.exchange.plan(ADA, text, remove=remove)
    return [("/".join(one.key), one.action) for one in plan.differences]


def applied(parts: Parts, text: str, *, remove: bool = False) -> None:
    plan = parts.exchange.plan(ADA, text, remove=remove)
    parts.exchange.apply(ADA, text, plan.digest, remove=remove)


def test_what_is_exported_changes_nothing_when_it_comes_back(parts: Parts) -> None:
    parts.changes.put(ADA, ObjectKey("rule", "", "down"), CameraDown(silent_s=20))
    assert planned(parts, parts.exchange.export(ADA), remove=True) == []
    assert parse(parts.exchange.export(ADA)) == parts.changes.config()


def test_differences_are_shown_and_applied_as_the_console_s(parts: Parts) -> None:
    text = parts.exchange.export(ADA).replace("[1.0, 0.0]", "[0.5, 0.0]").replace("name: home", "name: house")
    text += "  down: {kind: camera_down}\n"
    text = text.replace("  hall:\n", "  porch:\n    inputs:\n    - url: porch.mp4\n  hall:\n")
    plan = parts.exchange.plan(ADA, text, remove=False)
    assert planned(parts, text) == [("camera/porch/", "add"), ("zone/gate/yard", "change"), ("rule//down", "add")]
    assert plan.sections == ("site",)  # of another name: that stays with the file
    applied(parts, text)
    assert set(parts.changes.config().cameras) == {"gate", "hall", "porch"}
    view = parts.changes.view(ADA, ObjectKey("zone", "gate", "yard"))
    assert (view.origin, view.note) == ("console", "from a file of Vedette")
    assert planned(parts, text) == []


def test_what_the_file_lacks_goes_only_when_asked(parts: Parts) -> None:
    text = "cameras: {gate: {inputs: [{url: none.mp4}]}}\n"
    assert planned(parts, text) == []
    assert planned(parts, text, remove=True) == [
        ("rule//intruder", "remove"), ("zone/gate/yard", "remove"), ("camera/hall/", "remove"),
    ]  # fmt: skip
    applied(parts, text, remove=True)
    config = parts.changes.config()
    assert (set(config.cameras), config.cameras["gate"].zones, config.rules) == ({"gate"}, {}, {})


def test_a_plan_that_is_no_longer_true_is_not_applied(parts: Parts) -> None:
    text = parts.exchange.export(ADA) + "  down: {kind: camera_down}\n"
    plan = parts.exchange.plan(ADA, text, remove=False)
    parts.changes.put(ADA, ObjectKey("rule", "", "down"), CameraDown(silent_s=20))
    with pytest.raises(ConflictError, match="changed meanwhile"):
        parts.exchange.apply(ADA, text, plan.digest, remove=False)


@pytest.mark.parametrize("path", sorted(FRIGATE.glob("*.yml")), ids=lambda path: path.stem)
def test_frigate_s_cameras_become_the_console_s(parts: Parts, path: Path) -> None:
    plan = parts.exchange.plan(ADA, path.read_text(), remove=False)
    assert plan.source == "frigate"
    applied(parts, path.read_text())
    assert planned(parts, path.read_text()) == []
    assert {"gate", "hall"} < set(parts.changes.config().cameras) or path.stem == "everything"


def test_values_that_a_file_gives_all_its_cameras_come_along_with_each(parts: Parts) -> None:
    applied(parts, "detect: {fps: 4}\ncameras: {porch: {inputs: [{url: porch.mp4}]}}\n")
    assert parts.changes.config().cameras["porch"].detect.fps == 4


def test_a_wrong_file_changes_nothing_and_says_where(parts: Parts) -> None:
    with pytest.raises(ConfigError, match=r"cameras\.gate\.inputs\[0\]\.loop"):
        planned(parts, "cameras: {gate: {inputs: [{url: gate.mp4, loop: perhaps}]}}")
    text = "cameras: {gate: {inputs: [{url: none.mp4}]}}\n"  # without the zone that a rule of the console needs
    parts.changes.adopt(ADA, ObjectKey("rule", "", "intruder"))
    plan = parts.exchange.plan(ADA, text, remove=True)
    assert [one.action for one in plan.differences] == ["remove"] * 3


def test_a_file_is_for_who_sees_all_cameras(parts: Parts) -> None:
    for who in (Who("vera", "viewer"), Who("hal", "supervisor", frozenset({"hall"}))):
        with pytest.raises(ForbiddenError):
            parts.exchange.export(who)
