"""What an open page is told, and looks that are audited: for as long as whoever opened it is signed in."""

from __future__ import annotations

import asyncio
import io

import pytest
from fastapi import Request
from PIL import Image
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from archive.evidence import paths
from archive.evidence.chain import as_json
from archive.evidence.writer import Seen
from archive.watch_list import WatchList
from console.auth.guard import COOKIE
from console.live.reader import LiveReader
from console.live.veil import Veil
from console.live.wall import Wall
from console.pages import live, pictures
from console.pages.desk import Desk, Visit
from console.pages.filters import Narrowed
from console.pages.queue import AlertsPage, Queue
from console.parts import Parts
from console.rights import Who
from console.store.accounts import Session
from console.store.rows import AlertRow
from console.wiring import api
from contracts.identity import Identified
from contracts.messages import Alert
from tests.api_tools import Browser
from tests.console_tools import AT_MS, alert_of, evidence_of, take


def desk_of(parts: Parts) -> Desk:
    """The console's parts with a wall on which nothing is live."""
    wall = Wall({"gate": 5.0, "hall": 5.0})
    reader = LiveReader("127.0.0.1:1", "home", wall, parts.fleet, parts.clock_ms)
    return Desk(parts, wall, reader, Veil(WatchList("home", {}), parts.people.faces))


def looks(parts: Parts) -> list[tuple[str, str, str]]:
    """Who looked at which alert, and at what of it."""
    return [(one.who, one.subject, one.details) for one in parts.store.audit.page(action="look")]


class Told(Queue):
    """The queue without a browser: what it is pushed."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    def push(self, method: str, *_: object) -> None:
        """Keep it."""
        self.methods.append(method)


async def fed(parts: Parts, page: AlertsPage, told: Told, row: AlertRow, secret: str) -> None:
    """An alert while they are signed in, and one when they are no more."""
    subscription = parts.hub.subscribe("ada")
    feed = asyncio.create_task(page._feed(subscription, told))
    parts.hub.publish([row])
    while not told.methods:
        await asyncio.sleep(0.01)
    assert parts.gate.logout(secret, AT_MS) is not None
    parts.hub.publish([row])
    await asyncio.wait_for(feed, 10)


def test_who_has_signed_out_is_told_of_no_more_alerts(
    parts: Parts, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.pages.queue.LOOK_S", 0.0)
    secret = ada.cookies[COOKIE]
    session = parts.gate.by_cookie(secret, AT_MS)
    row = parts.store.alerts.get("alert-0")
    assert session is not None
    assert row is not None
    request = Request({"type": "http", "headers": [(b"cookie", f"{COOKIE}={secret}".encode())]})
    told = Told()
    asyncio.run(fed(parts, AlertsPage(Visit(desk_of(parts), request, session[1]), Narrowed()), told, row, secret))
    assert told.methods == ["batch"]


def test_a_store_that_is_away_ends_no_feed(parts: Parts, ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.pages.queue.AWAY_S", 0.01)
    monkeypatch.setattr("console.pages.queue.LOOK_S", 0.0)
    secret = ada.cookies[COOKIE]
    session, row = parts.gate.by_cookie(secret, AT_MS), parts.store.alerts.get("alert-0")
    assert session is not None
    assert row is not None
    by_cookie, away = parts.gate.by_cookie, iter([True, True])

    def asked(secret: str, now_ms: int) -> tuple[Session, Who] | None:
        if next(away, False):
            raise OperationalError("SELECT 1", {}, Exception("away"))
        return by_cookie(secret, now_ms)

    monkeypatch.setattr(parts.gate, "by_cookie", asked)
    request = Request({"type": "http", "headers": [(b"cookie", f"{COOKIE}={secret}".encode())]})
    told = Told()
    asyncio.run(fed(parts, AlertsPage(Visit(desk_of(parts), request, session[1]), Narrowed()), told, row, secret))
    assert told.methods == ["reload"]


def kept(parts: Parts, alert: Alert) -> None:
    """An alert with its frame, as the evidence process keeps it."""
    take(parts.store, alert)
    seen = Seen(
        alert=alert.id,
        revision=0,
        site=alert.site,
        camera=alert.camera,
        label="person",
        evidence=evidence_of(1),
        session=1,
        index=1,
        sha256="0" * 64,
        model="",
        rule="",
        rule_version=0,
        config_version="",
    )
    jpeg = io.BytesIO()
    Image.new("RGB", (640, 480)).save(jpeg, "JPEG")
    parts.files.write(paths.place_of(alert).file(paths.SEEN), as_json(seen))
    parts.files.write(paths.place_of(alert).file(paths.FRAME), jpeg.getvalue())


@pytest.mark.parametrize(
    ("path", "what"),
    [("/pictures/alert-9/face.jpg", "face"), ("/live/picture/gate.jpg", "frame")],
    ids=["a face", "a kept frame to draw on"],
)
def test_pictures_of_people_and_evidence_are_looks(parts: Parts, ada: Browser, path: str, what: str) -> None:
    named = Identified(decision="identified", person_id="p-1", face=(10.0, 10.0, 60.0, 80.0))
    kept(parts, alert_of(9, identity=named))
    app, desk = api(parts), desk_of(parts)
    for router in (pictures.routes(desk), live.routes(desk)):
        app.include_router(router)
    here = TestClient(app, cookies=ada.cookies)
    before = len(looks(parts))
    assert here.get(path).headers["content-type"] == "image/jpeg"
    here.get(path)  # the same look
    found = looks(parts)
    assert len(found) == before + 1
    assert found[0] == ("ada", "alert-9", f'{{"camera": "gate", "picture": "{what}"}}')
