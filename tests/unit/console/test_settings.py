"""The alert budget and the routes of notifications, changed while the console runs: versions, rights, figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.overlay import ROUTES, Routes, laid_over
from console.parts import Parts
from console.rights import Who
from console.store.objects import ObjectVersion
from console.wiring import Place, build
from contracts.config import Route
from contracts.config_file import parse
from tests.api_tools import Browser, Clock, signed_in
from tests.console_tools import AT_MS, alert_of, take

HOOK = {"kind": "webhook", "url": "https://example.net/hook", "secret": "{HOOK}"}
CAMERA = {"inputs": [{"url": "x.mp4"}], "zones": {"yard": {"coordinates": [[0, 0], [1, 0], [1, 1]]}}}
CONSOLE: dict[str, Any] = {
    "notifications": {"channels": {"hook": HOOK, "mail": HOOK}, "routes": [{"channels": ["hook"]}]},
    "budget": {"alerts_per_hour": 6, "cameras": {"gate": 2}},
}
CONFIG = {
    "cameras": {"gate": CAMERA, "hall": CAMERA},
    "rules": {"intruder": {"kind": "zone_entry", "zone": "yard", "min_confidence": 0.5}},
    "console": CONSOLE,
}
ADA = Who("ada", "administrator")
NIGHT = {"from": "22:00", "until": "06:00"}


@pytest.fixture
def parts(tmp_path: Path, clock: Clock, database: str) -> Iterator[Parts]:
    """A console with two channels, a budget, and four alerts in two hours, two of them answered."""
    place = Place("127.0.0.1:1", tmp_path / "console", database, "http://testserver")
    parts = build(parse(json.dumps(CONFIG)), place, clock)
    parts.store.open()
    starts = [clock.now_ms - round(hours * 3_600_000) for hours in (2, 1.75, 1.5, 0.25)]
    cameras = ("gate", "gate", "gate", "hall")
    made = (alert_of(n, camera=cameras[n], started_at_ms=at_ms, at_ms=at_ms) for n, at_ms in enumerate(starts))
    take(parts.store, *made, at_ms=clock.now_ms)
    yield parts
    parts.store.close()


def test_the_budget_is_changed_by_version_and_undone(parts: Parts, ada: Browser) -> None:
    body = {"budget": {"alerts_per_hour": 3, "rules": {"intruder": 1}}, "note": "too many", "expected": 0}
    changed = ada.put("/api/budget", json=body).json()
    assert (changed["origin"], changed["version"], changed["who"], changed["note"]) == ("console", 1, "ada", "too many")
    assert parts.changes.config().console.budget.alerts_per_hour == 3
    assert ada.put("/api/budget", json=body).status_code == 409
    assert ada.post("/api/budget/undo", json={}).json()["version"] == 2
    assert parts.changes.config().console.budget == parts.config.console.budget
    assert [one["version"] for one in ada.get("/api/budget/versions").json()["versions"]] == [2, 1]
    (entry,) = ada.get("/api/audit", params={"action": "change budget", "limit": 1}).json()["entries"]
    assert json.loads(entry["details"])["note"] == "back to version 0"
    assert [one.topic for one in parts.store.answers.unsent()] == []  # no job has to know


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("budget", {"budget": {"cameras": {"none": 1}}}, "console.budget.cameras[0]: there is no camera `none`"),
        ("budget", {"budget": {"alerts_per_hour": 0}}, "`$.budget.alerts_per_hour`"),
        ("notifications/routes", {"routes": [{"channels": []}]}, "console.notifications.routes[0].channels: is empty"),
        ("notifications/routes", {"routes": [{"channels": ["sms"]}]}, "there is no channel `sms`"),
        ("notifications/routes", {"routes": [{"channels": ["hook"], "quiet_hours": [{"from": "25:00"}]}]}, "from"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_its_path(ada: Browser, path: str, body: object, said: str) -> None:
    refused = ada.put(f"/api/{path}", json=body)
    assert refused.status_code == 422
    assert said in refused.json()["error"]


def test_who_sees_some_cameras_changes_neither(parts: Parts, ada: Browser) -> None:
    hal = signed_in(parts, ada, "hal", "supervisor", ["hall"])
    bob = signed_in(parts, ada, "bob", "operator")
    for browser in (hal, bob):
        assert browser.put("/api/budget", json={"budget": {}}).status_code == 403
        assert browser.put("/api/notifications/routes", json={"routes": []}).status_code == 403
        assert browser.post("/api/budget/undo", json={}).status_code == 403
        assert browser.get("/api/notifications/routes").status_code == 403
        kinds = {one["kind"] for one in browser.get("/api/objects").json()["objects"]}
        assert "routes" not in kinds
        assert "budget" in kinds
    assert hal.get("/api/notifications/routes/versions").status_code == 403


def test_load_and_nuisance_are_told_against_the_budget(parts: Parts, ada: Browser) -> None:
    for number, verdict in ((0, "nuisance"), (1, "true")):
        answer = {"answer": {"action": "verdict", "verdict": verdict}}
        assert ada.post(f"/api/alerts/alert-{number}/answers", json=answer).status_code == 200
    told = ada.get("/api/budget").json()
    assert (told["hours"], told["alerts_per_hour"], told["nuisance_share"]) == (2, 2, 0.5)
    gate, hall = told["cameras"]
    assert (gate["name"], gate["alerts_per_hour"], gate["wanted"], gate["nuisance_share"]) == ("gate", 1.5, 2, 0.5)
    assert (hall["name"], hall["wanted"], hall["nuisance_share"]) == ("hall", None, None)
    since = {"since_ms": told["since_ms"], "width_s": 3600}
    found = ada.get("/api/budget/load", params=since).json()
    assert found["wanted"] == 6
    first, second = found["buckets"]
    assert (first["alerts_per_hour"], first["nuisance_share"], second["alerts_per_hour"]) == (3, 0.5, 1)
    hal = signed_in(parts, ada, "hal", "operator", ["hall"])
    assert [one["name"] for one in hal.get("/api/budget").json()["cameras"]] == ["hall"]
    assert len(hal.get("/api/budget/load", params=since).json()["buckets"]) == 1
    assert ada.get("/api/budget/load", params={"since_ms": 0, "width_s": 60}).status_code == 422


def test_a_suggestion_is_applied_by_its_rule_s_version(ada: Browser, parts: Parts) -> None:
    assert ada.post("/api/budget/suggestions/intruder", json={"version": 0}).status_code == 404


def test_routes_are_those_of_the_console_and_their_channels_those_of_the_file(parts: Parts, ada: Browser) -> None:
    route = {"channels": ["mail", "hook"], "severities": ["high"], "quiet_hours": [NIGHT]}
    assert ada.put("/api/notifications/routes", json={"routes": [route]}).status_code == 200
    (kept,) = parts.changes.config().console.notifications.routes
    assert (kept.channels, kept.quiet_hours[0].from_) == (("mail", "hook"), "22:00")
    (version,) = ada.get("/api/notifications/routes/versions").json()["versions"]
    assert (version["who"], json.loads(version["body"])["routes"][0]["severities"]) == ("ada", ["high"])


def test_a_channel_that_the_file_has_no_more_is_left_out() -> None:
    channels = CONSOLE["notifications"]["channels"]
    before = parse(json.dumps(CONFIG | {"console": {"notifications": {"channels": {"hook": channels["hook"]}}}}))
    routes = Routes(routes=(Route(channels=("mail", "hook")), Route(channels=("mail",))))
    body = msgspec.json.encode(routes).decode()
    kept = ObjectVersion(**ROUTES._asdict(), version=1, at_ms=AT_MS, who="ada", note="", body=body)
    assert [one.channels for one in laid_over(before, [kept]).console.notifications.routes] == [("hook",)]


def test_settings_come_and_go_with_a_file(parts: Parts) -> None:
    changed = parts.exchange.export(ADA).replace("alerts_per_hour: 6.0", "alerts_per_hour: 4.0")
    plan = parts.exchange.plan(ADA, changed, remove=True)
    assert [(one.kind, one.action) for one in plan.differences] == [("budget", "change")]
    assert plan.sections == ()
    parts.exchange.apply(ADA, changed, plan.digest, remove=True)
    assert parts.changes.config().console.budget.alerts_per_hour == 4
    elsewhere = changed.replace("mail", "other").replace("- hook", "- other")
    plan = parts.exchange.plan(ADA, elsewhere, remove=False)
    assert (plan.differences, plan.sections) == ((), ("console",))
