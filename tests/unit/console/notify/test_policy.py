"""Who is told of what, and why somebody is not: tables of what happens and what comes of it."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from console.notify.policy import Decision, Notice, Policy, PolicyState
from contracts.config import Notifications

BERLIN = "Europe/Berlin"
CHANNELS = {
    "mail": {"kind": "apprise", "url": "mailto://x", "max_per_minute": 3, "digest_s": 60},
    "chat": {"kind": "apprise", "url": "slack://x", "max_per_minute": 100},
    "am": {"kind": "alertmanager", "url": "http://am"},
    "gone": {"kind": "apprise", "url": "slack://x", "enabled": False},
}


def ms(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).timestamp() * 1000)


NOON = ms("2026-11-27 12:00")


def policy(*routes: dict[str, Any]) -> Policy:
    plain = {"channels": ["mail"], "group_s": 0, "cooldown_s": 0}
    given = {"channels": CHANNELS, "routes": [plain | route for route in routes]}
    return Policy(msgspec.convert(given, Notifications), BERLIN)


def notice(at_s: float = 0, **changes: Any) -> Notice:
    at_ms = NOON + round(at_s * 1000)
    values = {"alert": "a", "event": "new", "at_ms": at_ms, "camera": "gate", "rule": "yard", "severity": "high"}
    return Notice(**(values | {"started_at_ms": at_ms} | changes))


def outcomes(made: Policy, *notices: Notice) -> list[list[tuple[str, str]]]:
    """For each notice, the channels with the reason why not ("": sent)."""
    state, found = PolicyState(), []
    for one in notices:
        state, decisions = made.step(state, one)
        state = msgspec.json.decode(msgspec.json.encode(state), type=PolicyState)  # as it is kept
        found.append([(decision.channel, decision.reason) for decision in decisions])
    return found


DAY = {"from": "08:00", "until": "18:00"}
NIGHT = {"from": "22:00", "until": "06:00"}


@pytest.mark.parametrize(
    ("routes", "changes", "expected"),
    [
        pytest.param([{}], {}, [("mail", "")], id="a route without conditions takes all"),
        pytest.param([{"severities": ["low"]}], {}, [("", "no_route")], id="another severity"),
        pytest.param([{"cameras": ["hall"]}], {}, [("", "no_route")], id="another camera"),
        pytest.param([{"rules": ["yard"]}], {}, [("mail", "")], id="its rule"),
        pytest.param([{}, {"channels": ["chat"]}], {}, [("mail", "")], id="the first that fits is the last"),
        pytest.param(
            [{"continue": True}, {"channels": ["chat"]}], {}, [("mail", ""), ("chat", "")], id="unless it says continue"
        ),
        pytest.param([{"continue": True}, {}], {}, [("mail", "")], id="two routes, one message"),
        pytest.param([{"channels": ["gone", "chat"]}], {}, [("chat", "")], id="a channel that is off"),
        pytest.param([{"schedule": [DAY]}], {}, [("mail", "")], id="inside the schedule"),
        pytest.param([{"schedule": [NIGHT]}, {"channels": ["chat"]}], {}, [("chat", "")], id="outside, the next one"),
        pytest.param([{"quiet_hours": [DAY]}], {}, [("mail", "quiet")], id="quiet hours"),
        pytest.param([{"quiet_hours": [DAY]}], {"severity": "critical"}, [("mail", "")], id="but not for the worst"),
        pytest.param([{"quiet_hours": [DAY], "quiet_except": []}], {"severity": "critical"}, [("mail", "quiet")],
                     id="unless they are quiet for all"),
        pytest.param([{"quiet_hours": [NIGHT]}], {}, [("mail", "")], id="at noon it is not night"),
        pytest.param([{"quiet_hours": [DAY], "continue": True}, {}], {}, [("mail", "")],
                     id="a second route sends what the first is quiet about"),
        pytest.param([{}], {"snoozed": True}, [("", "snoozed")], id="a snoozed rule"),
        pytest.param([{}], {"started_at_ms": NOON - 3_600_001}, [("", "old")], id="an hour late"),
        pytest.param([{}], {"event": "escalated"}, [("mail", "")], id="escalated"),
        pytest.param([{"events": ["new"]}], {"event": "escalated"}, [("", "no_route")], id="not asked for"),
        pytest.param([{}], {"event": "end", "told": frozenset({"mail"})}, [], id="ends are not asked for"),
        pytest.param([{"events": ["new", "end"]}], {"event": "end", "told": frozenset({"mail"})}, [("mail", "")],
                     id="the end for who was told"),
        pytest.param([{"events": ["new", "end"]}], {"event": "end"}, [], id="no end for who was not"),
        pytest.param([{"channels": ["am"]}], {"event": "end", "told": frozenset({"am"})}, [("am", "")],
                     id="Alertmanager is always told of the end"),
    ],
)  # fmt: skip
def test_routes(routes: list[dict[str, Any]], changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert outcomes(policy(*routes), notice(**changes)) == [expected]


def test_the_sites_clock_counts() -> None:
    night = policy({"quiet_hours": [{"from": "22:00", "until": "06:00", "days": ["fri"]}]})
    friday, saturday = ms("2026-11-27 23:30"), ms("2026-11-28 05:59")
    for at_ms, reason in ((friday, "quiet"), (saturday, "quiet"), (saturday + 60_000, ""), (NOON, "")):
        assert outcomes(night, notice(at_ms=at_ms, started_at_ms=at_ms)) == [[("mail", reason)]]


SENT, GROUPED, COOLED = "", "grouped", "cooldown"


@pytest.mark.parametrize(
    ("route", "steps"),
    [
        pytest.param({"group_s": 120}, [(0, {}, SENT), (60, {}, GROUPED), (179, {}, GROUPED), (300, {}, SENT)],
                     id="a pause ends an incident"),
        pytest.param({"group_s": 120}, [(0, {}, SENT), (1, {"camera": "hall"}, SENT)], id="one camera's only"),
        pytest.param({"group_s": 120}, [(0, {}, SENT), (1, {"rule": "door"}, GROUPED)], id="whichever rule"),
        pytest.param({"group_s": 120}, [(0, {"severity": "low"}, SENT), (1, {}, SENT), (2, {}, GROUPED)],
                     id="a graver one is told again"),
        pytest.param({"group_s": 300}, [(0, {}, SENT), (250, {}, GROUPED), (500, {}, GROUPED), (601, {}, SENT)],
                     id="ten minutes are the longest incident"),
        pytest.param({"cooldown_s": 300}, [(0, {}, SENT), (299, {}, COOLED), (300, {}, SENT)], id="a cooldown"),
        pytest.param({"cooldown_s": 300}, [(0, {}, SENT), (1, {"rule": "door"}, SENT), (2, {"camera": "hall"}, SENT)],
                     id="of one rule and camera"),
        pytest.param({"cooldown_s": 300, "group_s": 120}, [(0, {}, SENT), (60, {}, GROUPED), (299, {}, COOLED),
                     (301, {}, SENT)], id="what is cooled down is no incident"),
        pytest.param({"cooldown_s": 300}, [(0, {}, SENT), (1, {"event": "escalated"}, SENT)],
                     id="an escalation is told whatever was told before"),
    ],
)  # fmt: skip
def test_incidents_and_cooldown(route: dict[str, Any], steps: list[tuple[float, dict[str, Any], str]]) -> None:
    notices = [notice(at_s, **changes) for at_s, changes, _ in steps]
    assert outcomes(policy(route), *notices) == [[("mail", reason)] for _, _, reason in steps]


def test_alertmanager_groups_by_itself() -> None:
    made = policy({"channels": ["am", "mail"], "group_s": 120, "cooldown_s": 300})
    assert outcomes(made, notice(), notice(1))[1] == [("am", ""), ("mail", "grouped")]


def test_a_flood_becomes_a_digest_a_minute() -> None:
    """Three a minute are told at once; of 20 a second the others wait for the minute's digest, and the next."""
    made, state = policy({}), PolicyState()
    found: list[Decision] = []
    for number in range(20 * 150):
        state, (decision,) = made.step(state, notice(number / 20, rule=f"rule-{number}"))
        found.append(decision)
    assert [one.reason for one in found[:5]] == ["", "", "", "collected", "collected"]
    at_once = [one for one in found if not one.reason]
    digests = sorted({(one.due_at_ms - NOON) / 1000 for one in found if one.reason})
    assert len(at_once) == 3
    assert digests == [60.15, 120.15, 180.15]
    assert len(state.windows["mail"].came_at_ms) <= 4


def test_after_the_flood_messages_go_alone_again() -> None:
    made = policy({})
    flood = [notice(number / 10) for number in range(10)]
    assert outcomes(made, *flood, notice(100))[-1] == [("mail", "")]


def test_the_state_stays_small() -> None:
    made, state = policy({"group_s": 120, "cooldown_s": 300}), PolicyState()
    for number in range(5000):
        state, _ = made.step(state, notice(number, camera=f"camera-{number}"))
    assert len(state.incidents) <= 121
    assert len(state.last_at_ms) <= 301


def test_a_state_of_other_routes_does_no_harm() -> None:
    state, _ = policy({}, {"channels": ["chat"], "severities": ["low"], "group_s": 60}).step(
        PolicyState(), notice(severity="critical")
    )
    _, decisions = Policy(Notifications(), BERLIN).step(state, notice())
    assert decisions == (Decision("", -1, "no_route"),)
