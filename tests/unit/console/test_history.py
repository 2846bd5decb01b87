"""The history through the API: what is found, who sees what, what is taken away and that the audit knows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import duckdb
import pytest
from PIL import Image

from archive.history import catalog
from archive.history.gather import GatherState
from archive.history.mirror import Mirror
from archive.history.parquet import ParquetWriter
from console.parts import Parts
from tests.api_tools import Browser, signed_in
from tests.console_tools import AT_MS, alert_of, take
from tests.history_tools import event_row, track_row, window_row

GATE, HALL = {"camera": "gate"}, {"camera": "hall"}


@pytest.fixture(autouse=True)
def kept(parts: Parts) -> None:
    """Tracks, events and windows of two cameras; an alert about the second track, which began with the event."""
    about = alert_of(900, camera="hall", rule="door", started_at_ms=AT_MS)
    take(parts.store, about)
    rows = [
        track_row(1, first_ms=AT_MS, upper="red", lower="", **GATE),
        track_row(2, first_ms=AT_MS + 1, alerts=(about.id,), rules=("door",), person="p-1", **HALL),
        event_row(1, at_ms=AT_MS, rule="yard", **GATE),
        event_row(2, at_ms=AT_MS, rule="door", **HALL),
        window_row(0, start_ms=AT_MS, **GATE),
        window_row(0, start_ms=AT_MS, id="w2", **HALL),
    ]
    root = parts.history.search.root
    catalog.commit(Mirror(root), catalog.Catalogue(files=ParquetWriter(Mirror(root)).write(rows)), GatherState())


def cameras_in(client: Browser, path: str, listed: str) -> set[str]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return {one["camera"] for one in answer.json()[listed]}


def test_tracks_and_events_are_found_with_their_alerts(ada: Browser) -> None:
    (track,) = ada.get("/api/search/tracks?rule=door").json()["tracks"]
    (event,) = ada.get("/api/search/events?rule=door").json()["events"]
    assert track["alert"] == event["alert"]
    assert track["snapshot"] == event["snapshot"] == f"/api/alerts/{track['alert']}/snapshot"
    full = ada.get(f"/api/search/tracks/{track['id']}").json()
    assert len(full["path_x"]) == len(full["path_ms"]) > 1
    assert cameras_in(ada, "/api/search/tracks?colour=red", "tracks") == {"gate"}
    assert ada.get("/api/search/tracks/none").status_code == 404


def test_pages_follow_each_other(ada: Browser) -> None:
    first = ada.get("/api/search/tracks?limit=1").json()
    second = ada.get("/api/search/tracks", params={"limit": 1, "after": first["next"]}).json()
    assert [one["track_id"] for page in (first, second) for one in page["tracks"]] == [2, 1]
    assert second["next"] == ""
    assert ada.get("/api/search/tracks?after=x").status_code == 422


def test_a_viewer_of_one_camera_never_sees_another(parts: Parts, ada: Browser) -> None:
    eve = signed_in(parts, ada, "eve", "viewer", ["gate"])
    other = ada.get("/api/search/tracks?camera=hall").json()["tracks"][0]["id"]
    for kind in ("tracks", "events"):
        assert cameras_in(eve, f"/api/search/{kind}", kind) == {"gate"}
        assert cameras_in(eve, f"/api/search/{kind}?camera=hall&camera=gate", kind) == {"gate"}
        assert cameras_in(eve, f"/api/search/{kind}?camera=hall", kind) == set()
    assert eve.get(f"/api/search/tracks/{other}").status_code == 404
    assert eve.get("/api/figures/heat?camera=hall").status_code == 404
    stays = {"since_ms": AT_MS, "until_ms": AT_MS + 60_000, "width_ms": 60_000}
    mine = eve.get("/api/figures/occupancy", params=stays).json()["stays"]
    assert [one["occupancy"] for one in mine] == [0.5]
    assert [one["occupancy"] for one in ada.get("/api/figures/occupancy", params=stays).json()["stays"]] == [1.0]
    assert eve.get("/api/figures/ways").json()["zones"] == [{"start": "yard", "end": "door", "tracks": 1}]
    assert eve.get("/api/search/tracks/export").status_code == 403
    sue = signed_in(parts, ada, "sue", "supervisor", ["gate"])
    for kind in ("tracks", "events", "windows"):
        text = sue.get(f"/api/search/{kind}/export").text
        assert "gate" in text
        assert "hall" not in text


@pytest.mark.parametrize("kind", ["search/tracks", "search/events", "search/windows", "alerts"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_is_taken_away_is_whole_and_in_the_audit(
    parts: Parts,
    ada: Browser,
    tmp_path: Path,
    kind: str,
    form: str,
) -> None:
    answer = ada.get(f"/api/{kind}/export", params={"format": form})
    assert answer.status_code == 200
    name = kind.rpartition("/")[2]
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.{form}"'
    (tmp_path / "file").write_bytes(answer.content)
    rows = duckdb.execute(f"SELECT camera FROM read_{form}(?)", [str(tmp_path / "file")]).fetchall()
    assert {row[0] for row in rows} == {"gate", "hall"}
    (entry,) = parts.store.audit.page(action="export")
    assert (entry.who, entry.subject) == ("ada", name)


def test_who_looks_for_a_person_is_in_the_audit(parts: Parts, ada: Browser) -> None:
    assert cameras_in(ada, "/api/search/tracks?person=p-1", "tracks") == {"hall"}
    (entry,) = parts.store.audit.page(action="search.person")
    assert (entry.who, entry.subject) == ("ada", "p-1")


def test_a_heat_map_is_a_picture_with_transparency(ada: Browser) -> None:
    answer = ada.get("/api/figures/heat?camera=gate")
    assert answer.headers["content-type"] == "image/png"
    cover = Image.open(io.BytesIO(answer.content)).getchannel("A")
    assert cover.getextrema()[0] == 0
    assert cover.getextrema()[1] > 150


def test_the_plan_is_a_supervisors(parts: Parts, ada: Browser) -> None:
    eve, sue = signed_in(parts, ada, "eve", "viewer"), signed_in(parts, ada, "sue", "supervisor")
    picture = io.BytesIO()
    Image.new("RGB", (4000, 100), "white").save(picture, "PNG")
    assert eve.get("/api/plan").status_code == 404
    assert eve.put("/api/plan", content=picture.getvalue()).status_code == 403
    assert sue.put("/api/plan", content=b"no picture").status_code == 422
    assert sue.put("/api/plan", content=picture.getvalue()).status_code == 204
    assert Image.open(io.BytesIO(eve.get("/api/plan").content)).size == (2400, 60)
    assert sue.delete("/api/plan").status_code == 204
    assert eve.get("/api/plan").status_code == 404
    assert [one.action for one in parts.store.audit.page(who="sue")][:2] == ["plan.remove", "plan.replace"]


@pytest.mark.parametrize("asked", [{"width_ms": 60_000, "since_ms": 1}, {"since_ms": -1}, {"width_ms": 1}])
def test_too_much_is_refused(ada: Browser, asked: dict[str, Any]) -> None:
    assert ada.get("/api/figures/occupancy", params=asked).status_code == 422


def test_who_it_was_is_for_those_who_may_look_for_people(parts: Parts, ada: Browser) -> None:
    eve = signed_in(parts, ada, "eve", "viewer")
    assert eve.get("/api/search/tracks?person=p-1").status_code == 403
    assert eve.get("/api/figures/ways?person=p-1").status_code == 403
    mine, hers = (one.get("/api/search/tracks?rule=door").json()["tracks"][0] for one in (eve, ada))
    assert (mine["person"], hers["person"]) == ("", "p-1")
    assert eve.get(f"/api/search/tracks/{mine['id']}").json()["person"] == ""
