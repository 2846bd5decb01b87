"""People through the API: real pictures in, refusals with their reason, the rights of each role, bounded bodies."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from archive.evidence import paths
from console.auth.guard import MAX_BODY, MAX_PICTURE
from console.parts import Parts
from console.rights import Role
from console.wiring import api
from tests.builders import drawn_face, jpeg_of, solid
from tests.console_tools import person, take
from tests.people_tools import Clock, a_master, look, named_alert, people_parts, portrait


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    clock = Clock()
    parts = people_parts(tmp_path, clock, a_master())
    parts.people.step(clock.now_ms)
    yield parts
    parts.store.close()


def signed_in(parts: Parts, name: str, role: Role = "supervisor", cameras: tuple[str, ...] | None = None) -> TestClient:
    user = person(parts.store, name, role, cameras)
    with parts.store.database.write() as connection:
        entered = parts.gate._enter(connection, user, "test", parts.clock_ms())
    headers = {"X-CSRF-Token": entered.session.csrf, "Cookie": f"vedette_session={entered.secret}"}
    return TestClient(api(parts), headers=headers)


def upload(jpeg: bytes, face: int | None = None) -> dict[str, Any]:
    return {"from": "upload", "picture": base64.b64encode(jpeg).decode(), "face": face}


def test_from_a_picture_to_a_person_and_back_to_nothing(parts: Parts) -> None:
    anna = signed_in(parts, "anna")
    looked = anna.post("/api/people/examine", json={"source": upload(portrait())}).json()
    assert (looked["refusal"], looked["chosen"]) == (None, 0)
    assert len(looked["faces"]) == 1
    made = anna.post("/api/people", json={"name": "Bea", "group": "banned", "source": upload(portrait())})
    assert made.status_code == 201, made.text
    person_id, face_id = made.json()["person"]["id"], made.json()["pictures"][0]["id"]
    assert anna.get(f"/api/people/{person_id}/pictures/{face_id}").content.startswith(b"\xff\xd8")
    assert [one["name"] for one in anna.get("/api/people", params={"text": "be"}).json()["people"]] == ["Bea"]
    again = anna.post("/api/people", json={"name": "Bea again", "source": upload(portrait())})
    assert again.status_code == 422
    assert "too like Bea" in again.json()["error"]
    assert anna.put(f"/api/people/{person_id}", json={"name": "Bea B."}).json()["person"]["name"] == "Bea B."
    gone = anna.delete(f"/api/people/{person_id}").json()
    assert (gone["stops_within_s"], gone["forgotten_within_s"]) == (1.0, 3600.0)
    assert anna.get(f"/api/people/{person_id}").status_code == 404
    entries = parts.store.audit.page()
    assert [one.action for one in entries if one.who == "anna"] == [
        "remove person",
        "change person",
        "compare",
        "look",
        "look",
        "enrol",
        "compare",
    ]
    assert [one.subject for one in entries if one.action == "compare"] == [f"person/{person_id}", "person/"]


def test_a_refusal_says_the_reason_and_shows_the_faces(parts: Parts) -> None:
    anna = signed_in(parts, "anna")
    two = jpeg_of(drawn_face(drawn_face(solid(900, 520, (150, 160, 170)), (240, 260), 300), (660, 260), 300))
    refused = anna.post("/api/people/examine", json={"source": upload(two)}).json()
    assert refused["refusal"]["reason"] == "several_faces"
    assert len(refused["faces"]) == 2
    left = min((0, 1), key=lambda number: refused["faces"][number]["xyxy"][0])
    chosen = anna.post("/api/people/examine", json={"source": upload(two, left)}).json()
    assert (chosen["refusal"], chosen["chosen"]) == (None, left)
    bad = anna.post("/api/people/examine", json={"source": upload(b"no picture")})
    assert (bad.status_code, "can be read" in bad.json()["error"]) == (422, True)


def test_pictures_may_be_large_but_not_any_size(parts: Parts) -> None:
    anna = signed_in(parts, "anna")
    large = portrait() + bytes(2 * MAX_BODY)
    assert anna.post("/api/people/examine", json={"source": upload(large)}).status_code == 200
    assert anna.post("/api/people/examine", content=b"x" * (MAX_PICTURE + 1)).status_code == 413


def test_the_face_of_an_alert_is_enrolled_and_denied(parts: Parts) -> None:
    anna, otto = signed_in(parts, "anna"), signed_in(parts, "otto", "operator")
    alert = named_alert(parts, "", look(3))
    take(parts.store, alert)
    place = paths.place_of(alert)
    parts.files.write(place.file(paths.FRAME), jpeg_of(solid(640, 480)))
    source = {"from": "alert", "alert": alert.id}
    assert anna.post("/api/people/examine", json={"source": source}).json()["refusal"] is None
    bea = anna.post("/api/people", json={"name": "Bea", "source": source}).json()["person"]["id"]
    take(parts.store, named_alert(parts, bea, look(3, seed=8), 1))
    denied = otto.post("/api/people/denials", json={"alert": "alert-1"})
    assert denied.status_code == 201
    assert otto.delete(f"/api/people/{bea}/denials/{denied.json()['id']}").status_code == 204
    assert otto.delete(f"/api/people/{bea}/denials/{denied.json()['id']}").status_code == 404


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_may_not_see_people_sees_nobody(parts: Parts, role: Role) -> None:
    somebody = signed_in(parts, "somebody", role)
    for path in ("", "/standing", "/unknowns", "/p-1", "/p-1/pictures/f-1", "/unknowns/u-1/face"):
        assert somebody.get(f"/api/people{path}").status_code == 403, path
    assert somebody.post("/api/people/examine", json={"source": upload(b"")}).status_code == 403


def test_a_supervisor_of_one_camera_enrols_nobody(parts: Parts) -> None:
    hal = signed_in(parts, "hal", cameras=("hall",))
    assert hal.get("/api/people").status_code == 200
    refused = hal.post("/api/people", json={"name": "X", "source": upload(portrait())})
    assert (refused.status_code, "all cameras" in refused.json()["error"]) == (403, True)


def test_without_a_master_key_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    parts = people_parts(tmp_path, Clock())
    anna = signed_in(parts, "anna")
    assert anna.get("/api/people/standing").json()["on"] is False
    off = anna.post("/api/people", json={"name": "X", "source": upload(portrait())})
    assert (off.status_code, "vedette faces key" in off.json()["error"]) == (409, True)
    parts.store.close()
