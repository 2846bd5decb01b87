"""Decisions about models in the console: log, audit and topic say the same, and who may decide."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.registry import Registry
from bus.consuming import Record
from console.models.desk import ModelDesk
from console.parts import Parts
from console.wiring import Place, build
from contracts import topics
from contracts.codec import decode, encode
from contracts.config_file import parse
from contracts.controls import Control, EndCandidate, SetModel
from contracts.model_reports import Compared, ModelReport
from tests.api_tools import Browser, Clock, browser, signed_in
from tests.console_process import CONFIG
from tests.console_tools import AT_MS
from tests.registry_tools import SITE, made, opened, pass_gate


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Version 1 is in service, 2 has passed the gate, 3 has not."""
    registry = opened(tmp_path)
    registry.adopt(made(tmp_path, "1"), SITE, by="bea")
    for version in "23":
        registry.register(made(tmp_path, version, metrics={"ap50": 0.75}), by="bea")
    pass_gate(registry, "detector@2", against="detector@1")
    return registry


@pytest.fixture
def parts(tmp_path: Path, registry: Registry, clock: Clock, database: str) -> Iterator[Parts]:
    """A console that knows the registry, and has read the topic, which is empty."""
    config = parse(CONFIG + f"models: {{folder: {tmp_path}/registry}}\n")
    place = Place("127.0.0.1:1", tmp_path / "console", database, "http://testserver")
    parts = build(config, place, clock)
    parts.store.open()
    parts.models._settled()
    yield parts
    parts.store.close()


@pytest.fixture
def desk(parts: Parts) -> ModelDesk:
    return parts.models


def record(topic: str, value: bytes) -> Record:
    return Record(topic=topic, partition=0, offset=0, timestamp_ms=AT_MS, key=b"", value=value)


def sent(parts: Parts) -> list[Control]:
    return [decode(one.value, Control) for one in parts.store.answers.unsent() if one.topic == topics.CONTROLS]


def audited(parts: Parts) -> list[tuple[str, str, str]]:
    page = parts.store.audit.page()
    return [(one.action, one.subject, one.who) for one in reversed(page) if one.action.startswith("model_")]


def test_a_promotion_stands_in_log_audit_and_topic(parts: Parts, ada: Browser, registry: Registry) -> None:
    wanted = {"stage": "canary", "cameras": ["gate"], "share": 0.5, "why": "finds bags"}
    assert ada.post("/api/models/detector@2/promote", json=wanted).status_code == 200
    candidate = registry.standing(SITE)["detector"].candidate
    assert candidate is not None
    assert (candidate.stage, candidate.cameras, candidate.share) == ("canary", ("gate",), 0.5)
    assert ("model_promoted", "detector@2", "ada") in audited(parts)
    changes = [one.change for one in sent(parts)]
    assert all(isinstance(one, SetModel) for one in changes)
    assert [(one.manifest.id, one.stage) for one in changes if isinstance(one, SetModel)] == [
        ("detector@1", "everywhere"),
        ("detector@2", "canary"),
    ]
    seen = ada.get("/api/models").json()
    assert seen["slots"]["detector"]["candidate"]["model"] == "detector@2"
    assert ada.post("/api/models/slots/detector/rollback", json={"why": "no"}).status_code == 200
    assert isinstance(sent(parts)[-1].change, EndCandidate)
    assert audited(parts)[-1] == ("model_rolled_back", "detector@2", "ada")
    parts.models.step(AT_MS + 10_000_000)
    assert len(sent(parts)) == 3, "nothing is said twice"


@pytest.mark.parametrize(
    ("who", "cameras", "model", "wanted", "status"),
    [
        ("operator", None, "detector@2", {"stage": "everywhere"}, 403),
        ("supervisor", ["gate"], "detector@2", {"stage": "everywhere"}, 403),
        ("supervisor", ["gate"], "detector@2", {"stage": "canary", "cameras": ["hall"]}, 403),
        ("supervisor", ["gate"], "detector@2", {"stage": "canary", "cameras": ["gate"]}, 200),
        ("supervisor", None, "detector@2", {"stage": "canary", "cameras": ["attic"]}, 422),
        ("supervisor", None, "detector@2", {"stage": "canary"}, 409),
        ("supervisor", None, "detector@3", {"stage": "shadow"}, 409),
        ("supervisor", None, "detector@3", {"stage": "shadow", "forced": "in a hurry"}, 403),
        ("administrator", None, "detector@3", {"stage": "shadow", "forced": "in a hurry"}, 200),
        ("administrator", None, "detector@4", {"stage": "shadow"}, 404),
    ],
    ids=[
        "no supervisor",
        "everywhere, who sees one camera",
        "at a camera that they don't see",
        "at their camera",
        "no such camera",
        "a canary nowhere",
        "not through the gate",
        "past the gate, no administrator",
        "past the gate",
        "no such version",
    ],
)
def test_who_may_promote_what(
    parts: Parts, ada: Browser, who: str, cameras: list[str] | None, model: str, wanted: dict[str, object], status: int
) -> None:
    somebody = signed_in(parts, ada, "sam", who, cameras)
    assert somebody.post(f"/api/models/{model}/promote", json=wanted).status_code == status


def test_a_version_is_shown_with_its_gate(ada: Browser) -> None:
    shown = ada.get("/api/models/detector@2").json()
    assert shown["manifest"]["metrics"] == {"ap50": 0.75}
    assert (shown["card"], shown["report"], shown["figures"]) == ("# detector 2", "# good", {})
    assert [one["kind"] for one in shown["decisions"]] == ["registered", "gated"]


def test_what_was_decided_elsewhere_is_told_and_audited_once(
    parts: Parts, desk: ModelDesk, registry: Registry, clock: Clock
) -> None:
    registry.promote("detector@2", SITE, "everywhere", by="command of root")
    for _ in range(2):
        clock.now_ms += 60_000
        desk.step(clock.now_ms)
    assert [one.change.manifest.id for one in sent(parts) if isinstance(one.change, SetModel)] == ["detector@2"]
    assert audited(parts)[-1] == ("model_promoted", "detector@2", "command of root")
    assert len(audited(parts)) == 6, "three registered, one gated, two promoted"


def test_what_the_stream_took_back_comes_into_log_and_audit(
    parts: Parts, ada: Browser, desk: ModelDesk, registry: Registry, clock: Clock
) -> None:
    ada.post("/api/models/detector@2/promote", json={"stage": "canary", "cameras": ["gate"]})
    end = EndCandidate(task="detector", model="detector@2", by="rollout-guard", reason="9 times as many alerts")
    version = clock.now_ms + 1000
    control = Control(site=SITE, origin="console", version=version, effective_from_ms=version, change=end)
    desk._take_control(record(topics.CONTROLS, encode(control)))
    desk.step(clock.now_ms + 2000)
    assert registry.standing(SITE)["detector"].candidate is None
    last = parts.store.audit.page()[0]
    assert (last.action, last.who, json.loads(last.details)["why"]) == (
        "model_rolled_back",
        "rollout-guard",
        end.reason,
    )


def test_differences_are_added_up_and_shown_for_cameras_that_one_sees(
    parts: Parts, ada: Browser, desk: ModelDesk, clock: Clock
) -> None:
    sam = signed_in(parts, ada, "sam", "viewer", ["gate"])
    for camera in ("gate", "hall", "gate"):
        compared = Compared(
            camera=camera,
            candidate="detector@2",
            in_service="detector@1",
            frames=10,
            boxes={"person": 8},
            gained={"bag": 2},
            lost={"person": 1},
        )
        report = ModelReport(
            site=SITE,
            process="p1",
            at_ms=clock.now_ms,
            in_service="detector@1",
            candidate="detector@2",
            stage="shadow",
            compared=(compared,),
        )
        desk._take_report(record(topics.MODEL_REPORTS, encode(report)))
    seen = sam.get("/api/models").json()
    assert [
        (one["camera"], one["label"], one["frames"], one["boxes"], one["gained"], one["lost"])
        for one in seen["differences"]
    ] == [
        ("gate", "bag", 20, 0, 4, 0),
        ("gate", "person", 20, 16, 0, 2),
    ]
    assert {one["camera"] for one in ada.get("/api/models").json()["differences"]} == {"gate", "hall"}
    (process,) = seen["running"]
    assert (process["in_service"], process["candidate"], process["stage"]) == ("detector@1", "detector@2", "shadow")
    clock.now_ms += 60_000
    assert ada.get("/api/models").json()["running"] == [], "it has not spoken for a minute"


def test_a_registry_that_is_away_is_said(ada: Browser, tmp_path: Path) -> None:
    log = tmp_path / "registry/_log"
    log.rename(tmp_path / "gone")
    log.mkdir()
    (log / "00000001.json").mkdir()
    reply = ada.get("/api/models")
    assert reply.status_code == 503
    assert "can't be read" in reply.json()["error"]


def test_without_a_registry_there_is_nothing_to_decide(tmp_path: Path, clock: Clock) -> None:
    place = Place("127.0.0.1:1", tmp_path / "c", f"sqlite:///{tmp_path}/c/console.db", "http://testserver")
    parts = build(parse(CONFIG), place, clock)
    parts.store.open()
    secret = parts.gate.first_link(clock())
    assert secret is not None
    ada = browser(parts).enter(parts, "ada", secret)
    assert ada.get("/api/models").json()["place"] == ""
    reply = ada.post("/api/models/detector@2/promote", json={"stage": "shadow"})
    assert reply.status_code == 422
    assert "models.folder" in reply.json()["error"]
    parts.store.close()
