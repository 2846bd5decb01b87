"""Evidence in the console: clips in parts, holds for cases, exports that verify, deletions in the audit."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from archive.evidence import paths
from archive.evidence.bundle import verified
from archive.evidence.chain import Chain, as_json
from archive.evidence.clip import ClipInfo
from archive.evidence.files import KEY_FILE
from console.answers import Hold, NoAlertError, Release, Verdict, answer
from console.evidence_news import DELETED, EvidenceNews
from console.hub import Hub
from console.parts import Parts
from console.rights import ForbiddenError, Who
from console.store.store import Store
from console.wiring import Place, build
from contracts import codec, topics
from contracts.config_file import parse
from contracts.messages import EvidenceNote, Feedback
from tests.console_process import CONFIG
from tests.console_tools import AT_MS, alert_of, person, take
from tests.unit.console.test_api import Browser, Clock, browser, signed_in
from vault import PublicKey, SiteKey

FILM = bytes(range(256)) * 4
ALERT = alert_of(0)


@pytest.fixture
def parts(tmp_path: Path, database: str) -> Iterator[Parts]:
    """A console without broker and pages, and one alert whose evidence is kept."""
    place = Place("127.0.0.1:1", tmp_path / "console", database, "http://testserver")
    parts = build(parse(CONFIG), place, Clock())
    parts.store.open()
    take(parts.store, ALERT, alert_of(1, camera="hall"))
    info = ClipInfo(alert=ALERT.id, wanted_from_ms=1, wanted_until_ms=2, frames=7, seconds=1.5)
    files = {paths.ALERT: codec.encode(ALERT), paths.CLIP: FILM, paths.CLIP_INFO: as_json(info)}
    Chain(parts.files, SiteKey({}, tmp_path / "archive" / KEY_FILE), lambda: AT_MS).keep(
        paths.place_of(ALERT), files, "clip"
    )
    yield parts
    parts.store.close()


@pytest.fixture
def ada(parts: Parts) -> Browser:
    """The first administrator."""
    secret = parts.gate.first_link(parts.clock_ms())
    assert secret is not None
    return browser(parts).enter(parts, "ada", secret)


@pytest.mark.parametrize(
    ("asked", "status", "first", "end"),
    [
        ("", 200, 0, 1024),
        ("bytes=0-", 206, 0, 1024),
        ("bytes=100-199", 206, 100, 200),
        ("bytes=1000-5000", 206, 1000, 1024),
        ("bytes=-24", 206, 1000, 1024),
        ("bytes=0-1,5-6", 200, 0, 1024),
        ("lines=1-2", 200, 0, 1024),
    ],
)
def test_a_player_jumps_in_a_clip(ada: Browser, asked: str, status: int, first: int, end: int) -> None:
    answered = ada.get("/api/alerts/alert-0/clip", headers={"range": asked} if asked else {})
    assert (answered.status_code, answered.content) == (status, FILM[first:end])
    assert answered.headers["content-type"] == "video/mp4"
    assert answered.headers["accept-ranges"] == "bytes"
    if status == 206:
        assert answered.headers["content-range"] == f"bytes {first}-{end - 1}/1024"


def test_what_a_clip_has_not_is_said(ada: Browser) -> None:
    beyond = ada.get("/api/alerts/alert-0/clip", headers={"range": "bytes=2000-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */1024")
    assert ada.get("/api/alerts/alert-1/clip").status_code == 404
    assert ada.get("/api/alerts/alert-1/clip", headers={"range": "bytes=0-"}).status_code == 404


def test_a_clip_is_for_who_sees_the_camera_and_its_parts_are_one_look(parts: Parts, ada: Browser) -> None:
    hal = signed_in(parts, ada, "hal", "operator", ["hall"])
    assert hal.get("/api/alerts/alert-0/clip").status_code == 404
    for asked in ("bytes=0-99", "bytes=100-199"):
        ada.get("/api/alerts/alert-0/clip", headers={"range": asked})
    looks = ada.get("/api/audit", params={"action": "look"}).json()["entries"]
    assert [(one["who"], one["subject"]) for one in looks] == [("ada", "alert-0")]
    assert json.loads(looks[0]["details"])["picture"] == "clip"


def test_an_export_verifies_and_stands_in_the_audit(parts: Parts, ada: Browser) -> None:
    ada.post("/api/alerts/alert-0/answers", json={"answer": {"action": "verdict", "verdict": "true"}})
    ada.post("/api/alerts/alert-0/answers", json={"answer": {"action": "hold", "case": "2026-17"}})
    exported = ada.get("/api/alerts/alert-0/bundle")
    assert exported.headers["content-disposition"] == 'attachment; filename="evidence-alert-0.zip"'
    key = PublicKey.parse(ada.get("/api/alerts/alert-0/evidence").json()["public_key"])
    assert verified(exported.content, key).about.made_for == "ada"
    with zipfile.ZipFile(io.BytesIO(exported.content)) as opened:
        assert opened.read("clip.mp4") == FILM
        actions = json.loads(opened.read("actions.json"))
    assert [one["action"] for one in actions["answers"]] == ["verdict", "hold"]
    assert actions["cases"] == ["2026-17"]
    (entry,) = ada.get("/api/audit", params={"action": "export"}).json()["entries"]
    assert (entry["who"], entry["subject"]) == ("ada", "alert-0")
    assert ada.get("/api/alerts/alert-1/bundle").status_code == 404


def test_who_may_not_export_gets_nothing(parts: Parts, ada: Browser) -> None:
    otto = signed_in(parts, ada, "otto", "operator")
    hal = signed_in(parts, ada, "hal", "supervisor", ["hall"])
    assert otto.get("/api/alerts/alert-0/bundle").status_code == 403
    assert hal.get("/api/alerts/alert-0/bundle").status_code == 404
    assert ada.get("/api/audit", params={"action": "export"}).json()["entries"] == []


def told(store: Store) -> list[Feedback]:
    return [codec.decode(one.value, Feedback) for one in store.answers.unsent() if one.topic == topics.FEEDBACK]


def test_a_case_holds_an_alert_until_it_lets_go(store: Store) -> None:
    take(store, ALERT, alert_of(1))
    person(store, "sue", "supervisor")
    sue = Who("sue", "supervisor")
    for action in (Hold("2026-17", "the police asked"), Hold("b"), Release("b"), Verdict("false")):
        answer(store, Hub(), sue, ALERT.id, action, at_ms=AT_MS + 5)
    assert store.answers.cases_of(ALERT.id) == ["2026-17"]
    assert [(one.action, one.case, one.started_at_ms) for one in told(store)][:2] == [
        ("hold", "2026-17", AT_MS),
        ("hold", "b", AT_MS),
    ]
    assert [entry.action for entry in store.audit.page()] == ["verdict", "release", "hold", "hold"]
    assert "2026-17" in store.audit.page()[-1].details
    assert store.alerts.forget(AT_MS + 10**9, AT_MS) == 1
    assert store.alerts.get(ALERT.id) is not None, "it is held"
    answer(store, Hub(), sue, ALERT.id, Release("2026-17"), at_ms=AT_MS + 6)
    assert store.alerts.forget(AT_MS + 10**9, AT_MS) == 1


def test_only_supervisors_hold(store: Store) -> None:
    take(store, ALERT)
    person(store, "otto", "operator")
    person(store, "hal", "supervisor", ("hall",))
    with pytest.raises(ForbiddenError):
        answer(store, Hub(), Who("otto", "operator"), ALERT.id, Hold("x"), at_ms=AT_MS)
    with pytest.raises(NoAlertError):
        answer(store, Hub(), Who("hal", "supervisor", frozenset(["hall"])), ALERT.id, Hold("x"), at_ms=AT_MS)
    assert told(store) == []


@pytest.mark.parametrize("case", ["", "x" * 201, "a\nb", "a\0b"])
def test_what_is_no_cases_name_is_refused(ada: Browser, case: str) -> None:
    asked = {"answer": {"action": "hold", "case": case}}
    assert ada.post("/api/alerts/alert-0/answers", json=asked).status_code == 422


def test_a_deletion_stands_in_the_audit_once(store: Store) -> None:
    news = EvidenceNews("127.0.0.1:1", store, Hub(), lambda: AT_MS)
    gone = EvidenceNote(
        site="home", camera="gate", alert="alert-0", at_ms=AT_MS, kind="deleted", why="nuisance: 14 days"
    )
    for _ in range(2):
        news.take([gone, msgspec.structs.replace(gone, alert="alert-1"), msgspec.structs.replace(gone, kind="clip")])
    entries = store.audit.page(action=DELETED)
    assert [(one.who, one.subject, one.at_ms) for one in entries] == [("", "alert-1", AT_MS), ("", "alert-0", AT_MS)]
    assert json.loads(entries[0].details)["why"] == "nuisance: 14 days"
    assert store.audit.broken() is None
