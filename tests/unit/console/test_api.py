"""The API as its callers see it: who gets in, what each role may do, and that nothing but that comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from archive.evidence import paths
from console.auth.gate import FREE_FAILURES, TOKEN_PREFIX
from console.auth.guard import MAX_BODY
from console.parts import Parts
from console.store.rows import Filter
from console.wiring import Place, api, build
from contracts.codec import decode
from contracts.config_file import parse
from contracts.controls import Control, Removed, SetArming, SetRule, SetZone
from tests.api_tools import Browser, Clock, browser, signed_in
from tests.console_process import CONFIG, PASSWORD
from tests.console_tools import AT_MS, alert_of, take

SQUARE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]


def test_the_first_link_makes_an_administrator_once(parts: Parts, clock: Clock) -> None:
    secret = parts.gate.first_link(clock.now_ms)
    assert secret is not None
    ada = browser(parts).enter(parts, "ada", secret)
    assert ada.get("/api/session").json()["role"] == "administrator"
    again = browser(parts).post("/api/invitations/accept", json={"secret": secret, "name": "b", "password": PASSWORD})
    assert again.status_code == 401
    assert parts.gate.first_link(clock.now_ms) is None
    hashed = parts.store.accounts.user("ada")
    assert hashed is not None
    assert hashed.password.startswith("$argon2id$")


def test_a_link_is_good_for_a_day(parts: Parts, clock: Clock) -> None:
    secret = parts.gate.first_link(clock.now_ms)
    clock.now_ms += 24 * 3_600_000
    late = browser(parts).post("/api/invitations/accept", json={"secret": secret, "name": "b", "password": PASSWORD})
    assert late.status_code == 401
    assert parts.gate.first_link(clock.now_ms) not in (None, secret)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "administrator-1234"])
def test_a_weak_password_is_refused(parts: Parts, clock: Clock, password: str) -> None:
    given = {"secret": parts.gate.first_link(clock.now_ms), "name": "administrator", "password": password}
    assert browser(parts).post("/api/invitations/accept", json=given).status_code == 422


def test_wrong_passwords_lock_the_account_for_longer_and_longer(parts: Parts, ada: Browser, clock: Clock) -> None:
    def login(password: str) -> int:
        clock.now_ms += 6_000
        return browser(parts).post("/api/session", json={"name": "ada", "password": password}).status_code

    assert [login("wrong") for _ in range(FREE_FAILURES)] == [401] * FREE_FAILURES
    assert login(PASSWORD) == 429
    clock.now_ms += 30_000
    assert login("wrong") == 401
    clock.now_ms += 30_000
    assert login(PASSWORD) == 429
    clock.now_ms += 60_000
    assert login(PASSWORD) == 200
    actions = [one["action"] for one in ada.get("/api/audit", params={"limit": 20}).json()["entries"]]
    assert actions.count("login refused") == FREE_FAILURES + 1


def test_one_address_can_not_try_all_names(parts: Parts) -> None:
    client = browser(parts)
    codes = [client.post("/api/session", json={"name": f"n{n}", "password": "x"}).status_code for n in range(12)]
    assert codes == [401] * 10 + [429] * 2


def test_sessions_end(parts: Parts, ada: Browser, clock: Clock) -> None:
    bob = signed_in(parts, ada, "bob", "operator")
    assert bob.get("/api/alerts").status_code == 200
    ada.put("/api/accounts/bob", json={"role": "operator", "disabled": True})
    assert bob.get("/api/alerts").status_code == 401
    assert ada.delete("/api/session").status_code == 204
    assert ada.get("/api/alerts").status_code == 401
    vera = browser(parts)
    clock.now_ms += 60_000
    assert vera.post("/api/session", json={"name": "ada", "password": PASSWORD}).status_code == 200
    clock.now_ms += 12 * 3_600_000
    assert vera.get("/api/alerts").status_code == 401


def test_forged_requests_are_refused(parts: Parts, ada: Browser) -> None:
    body = {"answer": {"action": "acknowledge"}}
    path = "/api/alerts/alert-0/answers"
    for headers in (
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "wrong"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert ada.post(path, json=body, headers=headers).status_code == 403, headers
    assert browser(parts).post("/api/session", json={}, headers={"Origin": "http://evil"}).status_code == 403
    assert ada.post(path, json=body, headers={"Origin": "http://testserver"}).status_code == 200


def test_every_answer_has_safe_headers_and_bodies_are_bounded(ada: Browser) -> None:
    reply = ada.get("/api/alerts")
    assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert ada.post("/api/answers", content=b"x" * (MAX_BODY + 1)).status_code == 413
    assert ada.post("/api/answers", content=b"{}").status_code == 415
    assert ada.post("/api/answers", content=b"{", headers={"content-type": "application/json"}).status_code == 422


def test_alerts_by_filter_and_page(ada: Browser) -> None:
    first = ada.get("/api/alerts", params={"limit": 3}).json()
    assert [one["id"] for one in first["alerts"]] == ["alert-3", "alert-2", "alert-1"]
    second = ada.get("/api/alerts", params={"limit": 3, "after": first["next"]}).json()
    assert [one["id"] for one in second["alerts"]] == ["alert-0"]
    assert second["next"] == ""
    hall = ada.get("/api/alerts", params={"camera": ["hall", "x"], "status": "open"}).json()["alerts"]
    assert [one["id"] for one in hall] == ["alert-3", "alert-1"]
    for wrong in ({"after": "x"}, {"severity": "loud"}, {"limit": 0}, {"since_ms": -1}):
        assert ada.get("/api/alerts", params=wrong).status_code == 422, wrong


def test_an_alert_in_full_with_its_answers(ada: Browser) -> None:
    for answer in ({"action": "comment", "text": "look"}, {"action": "verdict", "verdict": "nuisance"}):
        reply = ada.post("/api/alerts/alert-1/answers", json={"answer": answer})
        assert reply.status_code == 200, reply.text
    found = ada.get("/api/alerts/alert-1").json()
    assert found["row"]["verdict"] == "nuisance"
    assert [one["action"] for one in found["answers"]] == ["comment", "verdict"]
    assert found["alert"]["rule_version"] == 7
    assert ada.get("/api/alerts/none").status_code == 404


def test_pictures_are_for_who_sees_the_camera_and_each_look_is_audited(parts: Parts, ada: Browser) -> None:
    parts.files.write(paths.place_of(alert_of(0)).file(paths.SNAPSHOT), b"\xff\xd8 picture")
    hall = signed_in(parts, ada, "hal", "operator", ["hall"])
    assert ada.get("/api/alerts/alert-0/snapshot").content == b"\xff\xd8 picture"
    ada.get("/api/alerts/alert-0/snapshot")  # the same look
    assert ada.get("/api/alerts/alert-0/frame").status_code == 404
    assert hall.get("/api/alerts/alert-0/snapshot").status_code == 404
    looks = ada.get("/api/audit", params={"action": "look"}).json()["entries"]
    assert [(one["who"], one["subject"]) for one in looks] == [("ada", "alert-0")]


def test_people_see_their_cameras_only(parts: Parts, ada: Browser) -> None:
    hal = signed_in(parts, ada, "hal", "supervisor", ["hall"])
    assert {one["camera"] for one in hal.get("/api/alerts").json()["alerts"]} == {"hall"}
    assert hal.get("/api/alerts", params={"camera": "gate"}).json()["alerts"] == []
    assert hal.get("/api/alerts/alert-0").status_code == 404
    assert sum(hal.get("/api/alerts/counts").json()["open"].values()) == 2
    assert "gate" not in hal.get("/api/alerts/export").text
    assert [one["name"] for one in hal.get("/api/cameras").json()["cameras"]] == ["hall"]
    assert all(one["camera"] != "gate" for one in hal.get("/api/objects").json()["objects"])
    assert hal.put("/api/cameras/gate/zones/new", json={"zone": {"coordinates": SQUARE}}).status_code == 403
    assert hal.put("/api/arming", json={"arming": {"armed": False}}).status_code == 403
    assert hal.get("/metrics").status_code == 403
    ada.post("/api/alerts/alert-0/answers", json={"answer": {"action": "comment", "text": "secret of the gate"}})
    assert "secret" not in hal.get("/api/report").text
    assert "secret" in ada.get("/api/report").text


def test_a_token_does_what_its_scopes_and_its_owner_may(parts: Parts, ada: Browser) -> None:
    bob = signed_in(parts, ada, "bob", "operator")
    made = bob.post("/api/tokens", json={"title": "wall", "scopes": ["read"]})
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert secret.startswith(TOKEN_PREFIX)
    robot = TestClient(api(parts), headers={"Authorization": f"Bearer {secret}"})
    assert robot.get("/api/alerts").status_code == 200
    assert robot.post("/api/alerts/alert-0/answers", json={"answer": {"action": "acknowledge"}}).status_code == 403
    assert robot.post("/api/tokens", json={"title": "more", "scopes": ["read"]}).status_code == 403
    assert robot.put("/api/session/password", json={"old": PASSWORD, "new": PASSWORD + "1"}).status_code == 403
    assert secret not in bob.get("/api/tokens").text
    assert ada.delete(f"/api/tokens/{made.json()['id']}").status_code == 204
    assert robot.get("/api/alerts").status_code == 401


def test_somebody_has_to_stay_who_can_manage_accounts(ada: Browser) -> None:
    assert ada.put("/api/accounts/ada", json={"role": "viewer"}).status_code == 422
    assert ada.delete("/api/accounts/ada").status_code == 422
    assert ada.get("/api/session").json()["role"] == "administrator"
    assert ada.get("/api/audit/check").json() == {"whole": True, "broken_at": None}


def controls(parts: Parts) -> list[Control]:
    return [decode(one.value, Control) for one in parts.store.answers.unsent() if one.topic == "controls"]


def test_a_zone_of_the_file_is_adopted_changed_and_undone(parts: Parts, ada: Browser, clock: Clock) -> None:
    path, body = "/api/cameras/gate/zones/yard", {"zone": {"coordinates": SQUARE}, "note": "smaller"}
    assert ada.put(path, json=body).status_code == 409  # read-only until adopted
    assert ada.post(f"{path}/adopt").json()["version"] == 1
    clock.now_ms += 1000
    changed = ada.put(path, json=body | {"expected": 1}).json()
    assert (changed["origin"], changed["version"], changed["who"], changed["note"]) == ("console", 2, "ada", "smaller")
    assert ada.put(path, json=body | {"expected": 1}).status_code == 409
    back = ada.post(f"{path}/undo", json={}).json()
    assert (back["version"], back["note"]) == (3, "back to version 1")
    versions = ada.get(f"{path}/versions").json()["versions"]
    assert [one["version"] for one in versions] == [3, 2, 1]
    assert json.loads(versions[0]["body"]) == json.loads(versions[2]["body"])
    told = controls(parts)
    assert all(isinstance(one.change, SetZone) for one in told)
    assert [one.version for one in told] == sorted({one.version for one in told})
    assert told[1].effective_from_ms == clock.now_ms + 500
    assert parts.changes.config().cameras["gate"].zones["yard"].coordinates[1] == (1.0, 0.0)


def test_rules_and_zones_are_checked_as_the_file_is(parts: Parts, ada: Browser) -> None:
    rule: dict[str, Any] = {"kind": "loitering", "zone": "door", "cameras": ["hall"]}
    no_zone = ada.put("/api/rules/door", json={"rule": rule})
    assert (no_zone.status_code, no_zone.json()["error"]) == (422, "rules.door.zone: camera `hall` has no zone `door`")
    crossed = {"zone": {"coordinates": [[0, 0], [1, 1], [1, 0], [0, 1]]}}
    assert "crosses itself" in ada.put("/api/cameras/hall/zones/door", json=crossed).json()["error"]
    assert ada.put("/api/cameras/hall/zones/Über", json={"zone": {"coordinates": SQUARE}}).status_code == 422
    assert ada.put("/api/cameras/none/zones/door", json={"zone": {"coordinates": SQUARE}}).status_code == 404
    assert controls(parts) == []
    assert ada.put("/api/cameras/hall/zones/door", json={"zone": {"coordinates": SQUARE}}).status_code == 200
    assert ada.put("/api/rules/door", json={"rule": rule}).status_code == 200
    assert "door" in ada.delete("/api/cameras/hall/zones/door").json()["error"]  # the rule needs it
    assert ada.delete("/api/rules/door").status_code == 204
    assert ada.delete("/api/cameras/hall/zones/door").status_code == 204
    assert ada.delete("/api/cameras/hall/zones/door").status_code == 404
    assert [type(one.change) for one in controls(parts)] == [SetZone, SetRule, Removed, Removed]


def test_arming_and_maintenance(parts: Parts, ada: Browser) -> None:
    assert ada.put("/api/arming", json={"arming": {"armed": False, "disarmed_zones": ["yard"]}}).status_code == 200
    assert ada.put("/api/cameras/hall/maintenance", json={"maintenance": True}).status_code == 200
    config = parts.changes.config()
    assert (config.site.arming.armed, config.cameras["hall"].maintenance) == (False, True)
    assert [one.change.camera for one in controls(parts) if isinstance(one.change, SetArming)] == ["", "hall"]
    assert ada.put("/api/arming", json={"arming": {"disarmed_zones": ["none"]}}).status_code == 422
    bob = signed_in(parts, ada, "bob", "operator")
    assert bob.put("/api/arming", json={"arming": {}}).status_code == 403


def test_an_export_is_a_table_that_no_spreadsheet_computes(parts: Parts, ada: Browser) -> None:
    take(parts.store, alert_of(9, why="=1+1"))
    lines = ada.get("/api/alerts/export").text.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("id,revision,state")
    assert "'=1+1" in lines[1]


def test_health_tells_nothing_to_strangers(parts: Parts, ada: Browser, clock: Clock) -> None:
    stranger = browser(parts)
    assert stranger.get("/healthz").json() == {"alive": True}
    assert stranger.get("/readyz").status_code == 503  # nothing reads alerts here
    parts.consumer.alive_at_ms = clock.now_ms
    assert stranger.get("/readyz").status_code == 200
    assert stranger.get("/metrics").status_code == 401
    parts.upkeep.step(clock.now_ms)
    assert 'vedette_open_alerts{severity="high"} 4.0' in ada.get("/metrics").text


def test_unseen_alerts_escalate_in_their_time_and_once(parts: Parts, ada: Browser, clock: Clock) -> None:
    ada.post("/api/alerts/alert-0/answers", json={"answer": {"action": "acknowledge"}})
    parts.upkeep.step(AT_MS + 300_000)
    assert ada.get("/api/alerts/alert-1").json()["row"]["escalated_at_ms"] == 0
    for _ in range(2):
        parts.upkeep.step(AT_MS + 300_001)
    found = {n: ada.get(f"/api/alerts/alert-{n}").json() for n in range(4)}
    assert [found[n]["row"]["escalated_at_ms"] for n in range(4)] == [0] + [AT_MS + 300_001] * 3
    assert [(one["operator"], one["action"]) for one in found[1]["answers"]] == [("", "escalate")]
    text = ada.get("/metrics").text
    assert 'vedette_escalations_total{severity="high"} 3.0' in text
    assert 'vedette_time_to_acknowledge_seconds_count{severity="high"} 1.0' in text


def test_old_alerts_are_let_go_with_a_word_in_the_audit(parts: Parts, ada: Browser) -> None:
    year_ms = 365 * 86_400_000
    parts.upkeep.step(AT_MS + year_ms + 2000)
    assert [row.id for row in parts.store.alerts.page(Filter()).rows] == ["alert-3", "alert-2"]
    (entry,) = parts.store.audit.page(action="retention")
    assert json.loads(entry.details)["alerts"] == 2
    assert ada.get("/api/alerts").status_code == 401  # so did the session


def test_the_description_is_openapi(ada: Browser) -> None:
    described = ada.get("/api/openapi.json").json()
    assert described["paths"]["/api/alerts/{alert_id}/answers"]["post"]["requestBody"]["required"] is True
    text = json.dumps(described)
    for reference in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert reference in described["components"]["schemas"]


def test_notifications_are_for_who_configures(parts: Parts, ada: Browser) -> None:
    listed = ada.get("/api/notifications").json()
    assert listed == {"channels": [], "notifications": []}
    assert ada.post("/api/notifications/channels/nowhere/test").status_code == 404
    assert signed_in(parts, ada, "otto", "operator").get("/api/notifications").status_code == 403


@pytest.mark.postgresql
def test_zero_bytes_which_postgresql_takes_nowhere_break_nothing(
    postgres_url: str, tmp_path: Path, clock: Clock
) -> None:
    parts = build(parse(CONFIG), Place("127.0.0.1:1", tmp_path, postgres_url, "http://testserver"), clock)
    parts.store.open()
    secret = parts.gate.first_link(clock.now_ms)
    assert secret is not None
    ada = browser(parts).enter(parts, "ada", secret)
    asked = [
        *(("GET", f"/api/{path}") for path in ("alerts?person=%00", "alerts?camera=%00&text=%00", "alerts/%00")),
        *(("GET", f"/api/{path}") for path in ("rules/%00/versions", "audit?who=%00", "audit?action=%00")),
        *(("DELETE", f"/api/{kind}/%00") for kind in ("suppressions", "tokens", "accounts", "rules", "cameras")),
        ("DELETE", "/api/snoozes/%00/%00"),
        ("POST", "/api/session"),
    ]
    name = {"name": "\0", "password": "\0"}
    given = {
        (method, path): ada.request(method, path, json=name if method == "POST" else None) for method, path in asked
    }
    parts.store.close()
    assert {one: reply.text for one, reply in given.items() if reply.status_code >= 500} == {}
