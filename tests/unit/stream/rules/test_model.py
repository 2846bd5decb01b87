"""Compiling rules, changing them while they run, and from when on a change counts."""

import pickle

import pytest

from contracts.config import Arming, Line, Zone, ZoneEntry
from contracts.controls import Control, Removed, SetArming, SetLine, SetRule, SetZone
from contracts.errors import ConfigError
from stream.rules import compile_rules, due
from tests.rule_scenes import SQUARE, config_of, rules_of

RULES = {
    "entry": {"kind": "zone_entry", "zone": "yard"},
    "away": {"kind": "zone_entry", "zone": "nowhere"},
    "off": {"kind": "zone_entry", "zone": "yard", "enabled": False},
    "cross": {"kind": "line_crossing", "line": "gate"},
    "elsewhere": {"kind": "tamper", "cameras": ["other"]},
}
BASE = rules_of(RULES, {"yard": SQUARE}, {"gate": ((0, 0), (1, 1))})
OTHER_ZONE = Zone(coordinates=SQUARE[:3])


def control(change, version=1, at_ms=0):
    return Control(site="site", origin="console", version=version, effective_from_ms=at_ms, change=change)


def versions(rules):
    return {rule.name: rule.version for rule in rules.active}


def test_active_rules_are_those_that_can_speak_here():
    assert list(versions(BASE)) == ["cross", "entry"]
    assert [rule.place for rule in BASE.active] == ["gate", "yard"]
    with pytest.raises(ConfigError, match=r"cameras\.nobody"):
        compile_rules(config_of(RULES), "nobody")


def test_versions_are_the_same_wherever_they_are_compiled():
    again = rules_of(dict(reversed(RULES.items())), {"yard": SQUARE}, {"gate": ((0, 0), (1, 1))})
    assert versions(again) == versions(BASE)
    assert again.config_version == BASE.config_version
    assert pickle.loads(pickle.dumps(BASE)) == BASE


@pytest.mark.parametrize(
    ("change", "new", "gone"),
    [
        (SetZone(camera="gate", name="yard", zone=OTHER_ZONE), {"entry"}, {"entry"}),  # the zone is its meaning
        (SetZone(camera="gate", name="nowhere", zone=OTHER_ZONE), {"away"}, set()),  # now it can speak
        (SetZone(camera="other", name="yard", zone=OTHER_ZONE), set(), set()),  # not here
        (SetLine(camera="gate", name="gate", line=Line(coordinates=((0, 1), (1, 0)))), {"cross"}, {"cross"}),
        (SetRule(name="entry", rule=ZoneEntry(zone="yard", severity="low")), {"entry"}, {"entry"}),
        (SetRule(name="entry", rule=ZoneEntry(zone="yard")), set(), set()),  # the same again changes nothing
        (SetRule(name="entry", rule=ZoneEntry(zone="yard", cameras=("other",))), set(), {"entry"}),
        (Removed(kind="rule", name="entry"), set(), {"entry"}),
        (Removed(kind="zone", camera="gate", name="yard"), set(), {"entry"}),
        (Removed(kind="line", camera="gate", name="gate"), set(), {"cross"}),
        (Removed(kind="line", camera="other", name="gate"), set(), set()),
        (SetArming(arming=Arming(armed=False)), set(), set()),
    ],
)
def test_a_change_gives_new_versions_to_what_it_touches(change, new, gone):
    before, after = set(versions(BASE).items()), set(versions(BASE.changed(control(change))).items())
    assert {name for name, _ in after - before} == new
    assert {name for name, _ in before - after} == gone


def test_arming_is_the_sites_and_maintenance_a_cameras():
    assert not BASE.changed(control(SetArming(arming=Arming(armed=False)))).arming.armed
    at_work = SetArming(arming=Arming(maintenance=True), camera="gate")
    assert BASE.changed(control(at_work)).maintenance
    elsewhere = SetArming(arming=Arming(maintenance=True), camera="other")
    assert not BASE.changed(control(elsewhere)).maintenance


def rule(version, at_ms, name="entry"):
    return control(SetRule(name=name, rule=ZoneEntry(zone="yard", cooldown_s=version)), version, at_ms)


@pytest.mark.parametrize(
    ("controls", "at_ms", "expected"),
    [
        ([rule(1, 1000)], 999, []),  # not yet
        ([rule(1, 1000)], 1000, [("entry", 1)]),
        ([rule(2, 2000), rule(1, 1000)], 1500, [("entry", 1)]),  # the older one until the newer one is in force
        ([rule(2, 2000), rule(1, 1000)], 2000, [("entry", 2)]),
        ([rule(2, 500), rule(1, 1000)], 2000, [("entry", 2)]),  # a higher version wins, whatever its time
        ([rule(1, 1000), rule(7, 500, "other")], 2000, [("other", 7), ("entry", 1)]),  # in order of their times
    ],
)
def test_changes_are_in_force_from_their_frame_time_on(controls, at_ms, expected):
    assert [(one.change.name, one.version) for one in due(controls, at_ms)] == expected
