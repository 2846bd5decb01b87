"""Heat maps in the console: made by a process of their own, once, for who may see, and in the audit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.evidence.chain import Chain
from archive.evidence.files import KEY_FILE
from archive.explain.question import Alike, Answer, Example
from console import explanations
from console.explanations import Explanations
from console.parts import Parts
from console.rights import Who
from console.wiring import Place, build
from contracts.config_file import parse
from contracts.messages import Alert
from tests.api_tools import Clock
from tests.console_process import CONFIG
from tests.console_tools import AT_MS, alert_of, take
from tests.explain_tools import keep, lamp_alert, manifest_in
from vault import SiteKey

ANNA = Who("anna", "operator")


@pytest.fixture
def parts(tmp_path: Path, database: str) -> Iterator[Parts]:
    """A console of a site with a model of its own, named relative to its config, and two alerts with evidence."""
    manifest_in(tmp_path)
    place = Place("127.0.0.1:1", tmp_path / "console", database, "http://testserver", folder=tmp_path)
    parts = build(parse(CONFIG + "\nstream: {model: manifest.json}\n"), place, Clock())
    parts.store.open()
    chain = Chain(parts.files, SiteKey({}, tmp_path / "archive" / KEY_FILE), lambda: AT_MS)
    for alert in (lamp_alert(), lamp_alert(1, model="gone@7")):
        take(parts.store, alert)
        keep(chain, alert)
    yield parts
    parts.store.close()


def alert(parts: Parts, name: str) -> Alert:
    found = parts.store.alerts.body(name)
    assert found is not None
    return found


def test_an_alert_is_explained_once_and_each_look_is_audited(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    made = parts.explanations.ask(ANNA, alert(parts, "alert-0"))
    assert made.error == ""
    assert made.overlay.startswith(b"\xff\xd8\xff")
    assert made.score > 0.9
    monkeypatch.setattr(explanations.subprocess, "run", None)  # nobody is asked any more
    assert parts.explanations.ask(Who("bob", "operator"), alert(parts, "alert-0")) == made
    looks = [(one.action, one.who) for one in parts.store.audit.page(limit=10)]
    assert looks.count(("explain", "anna")) == looks.count(("explain", "bob")) == 1
    assert ("look", "bob") in looks


def test_why_there_is_none_is_said(parts: Parts) -> None:
    assert "gone@7 is not here any more" in parts.explanations.ask(ANNA, alert(parts, "alert-1")).error
    take(parts.store, alert_of(2))
    assert "no picture" in parts.explanations.ask(ANNA, alert(parts, "alert-2")).error


def test_what_it_looks_like_is_shown_of_the_cameras_that_one_sees() -> None:
    examples = [
        Example(
            picture=f"{number}",
            camera=camera,
            captured_at_ms=AT_MS,
            xyxy=(0.0, 0.0, 1.0, 1.0),
            label="person",
            kind="confirmed",
            by="anna",
            likeness=0.5,
        )
        for number, camera in enumerate(("gate", "hall") * explanations.SHOWN)
    ]
    answer = Answer(alike=tuple(Alike(example=one, jpeg=b"\xff\xd8") for one in examples))
    shown = Explanations.alike(Who("otto", "operator", frozenset({"hall"})), answer)
    assert {one["camera"] for one in shown} == {"hall"}
    assert len(shown) == explanations.SHOWN
    assert shown[0]["jpeg"] == "data:image/jpeg;base64,/9g="
