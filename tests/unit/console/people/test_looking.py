"""Search back in time: by a picture, an alert or an unknown person, on one's own cameras, and never unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from archive.sightings.folder import SightingsFolder
from archive.sightings.thread import sightings_root
from console.parts import Parts
from console.people.errors import NobodyError, RefusedPictureError
from console.people.looking import Sought
from console.people.sources import FromAlert, FromUnknown, Upload
from console.rights import ForbiddenError, Who
from tests.builders import jpeg_of, solid
from tests.console_tools import take
from tests.people_tools import ANNA, OTTO, Clock, a_master, an_unknown, look, named_alert, people_parts, portrait
from tests.sighting_tools import sighting
from tests.unit.console.people.test_api import signed_in, upload

HAL = Who("hal", "supervisor", frozenset({"hall"}))
HOUR_MS = 3_600_000


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """Person 1 was seen by three cameras, 200 others by the gate; and whoever is in the portrait in the hall."""
    clock = Clock()
    clock.now_ms += 5 * HOUR_MS
    parts = people_parts(tmp_path, clock, a_master())
    parts.people.step(clock.now_ms)
    keys, now_ms = parts.people.days.keys, clock.now_ms
    made = [sighting(n, look(n).vector, keys, now_ms, site="home") for n in range(2, 202)]
    for number, (camera, cosine) in enumerate((("gate", 0.7), ("hall", 0.9), ("cellar", 0.8))):
        vector, at_ms = look(1, cosine, 10 + number).vector, now_ms - number * HOUR_MS
        made.append(sighting(300 + number, vector, keys, at_ms, site="home", camera=camera))
    (face,) = parts.people.looking._models.faces(portrait_picture())
    made.append(sighting(400, np.asarray(face.vector), keys, now_ms, site="home", camera="hall"))
    SightingsFolder(sightings_root(tmp_path / "archive"), keys).add(made)
    parts.people.unknown.take(an_unknown(parts, "u-1", look(1, 0.95), ("gate", "hall")))
    yield parts
    parts.store.close()


def portrait_picture() -> np.ndarray:
    return cv2.imdecode(np.frombuffer(portrait(), np.uint8), cv2.IMREAD_COLOR)


def cameras(parts: Parts, who: Who, **sought: object) -> list[str]:
    return [one.camera for one in parts.people.looking.find(who, Sought(source=FromUnknown("u-1"), **sought))]


def test_an_unknown_person_is_found_on_all_cameras_the_most_alike_first(parts: Parts) -> None:
    found = parts.people.looking.find(ANNA, Sought(source=FromUnknown("u-1")))
    assert [one.camera for one in found] == ["hall", "cellar", "gate"]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert found[0].strangers <= found[-1].strangers <= 0.01
    (entry, *_) = parts.store.audit.page()
    assert (entry.who, entry.action, entry.subject) == ("anna", "search", "sightings")
    details = msgspec.json.decode(entry.details)
    assert (details["source"], details["found"]) == ("unknown/u-1", 3)


def test_an_alert_and_a_picture_find_the_same_person_again(parts: Parts) -> None:
    alert = named_alert(parts, "", look(1, 0.95))
    take(parts.store, alert)
    found = parts.people.looking.find(ANNA, Sought(source=FromAlert(alert.id)))
    assert [one.camera for one in found] == ["hall", "cellar", "gate"]
    found = parts.people.looking.find(ANNA, Sought(source=Upload(portrait()), most=1))
    assert [(one.camera, one.track) for one in found] == [("hall", "hall/live/1/400")]
    assert found[0].score > 0.99


def test_only_one_s_own_cameras_and_the_wanted_times_are_searched(parts: Parts) -> None:
    assert cameras(parts, HAL) == ["hall"]
    assert cameras(parts, HAL, cameras=("gate",)) == []
    assert cameras(parts, ANNA, cameras=("gate", "hall")) == ["hall", "gate"]
    assert cameras(parts, ANNA, most=1) == ["hall"]
    now_ms = parts.clock_ms()
    assert cameras(parts, ANNA, since_ms=now_ms - HOUR_MS) == ["hall", "gate"]
    assert cameras(parts, ANNA, until_ms=now_ms - HOUR_MS) == ["hall", "cellar"]
    assert cameras(parts, ANNA, least=0.8) == ["hall"]


def test_who_may_not_search_and_what_shows_no_face_is_refused(parts: Parts) -> None:
    with pytest.raises(ForbiddenError):
        cameras(parts, OTTO)
    with pytest.raises(RefusedPictureError, match="face"):
        parts.people.looking.find(ANNA, Sought(source=Upload(jpeg_of(solid(300, 300, (90, 90, 90))))))


def test_the_api_answers_the_same(parts: Parts) -> None:
    anna = signed_in(parts, "anna")
    found = anna.post("/api/sightings/search", json={"source": {"from": "unknown", "pseudonym": "u-1"}, "most": 2})
    assert [one["camera"] for one in found.json()["sightings"]] == ["hall", "cellar"]
    by_picture = anna.post("/api/sightings/search", json={"source": upload(portrait()), "most": 1})
    assert [one["track"] for one in by_picture.json()["sightings"]] == ["hall/live/1/400"]
    nobody = anna.post("/api/sightings/search", json={"source": {"from": "unknown", "pseudonym": "u-9"}})
    assert nobody.status_code == 404
    otto = signed_in(parts, "otto", "operator")
    assert (
        otto.post("/api/sightings/search", json={"source": {"from": "unknown", "pseudonym": "u-1"}}).status_code == 403
    )


def test_from_an_alert_of_somebody_who_was_removed_it_is_said_so(parts: Parts) -> None:
    person = parts.people.register.enrol(ANNA, "Bea", "banned", look(2), source="upload").person.id
    take(parts.store, named_alert(parts, person, look(2, 0.95)))
    assert parts.people.looking.find(ANNA, Sought(source=FromAlert("alert-0")))
    parts.people.register.remove(ANNA, person)
    with pytest.raises(NobodyError, match="was removed"):
        parts.people.looking.find(ANNA, Sought(source=FromAlert("alert-0")))
