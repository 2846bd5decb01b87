"""People in a real browser: enrolled from a picture, refused with the reason, denied at an alert, merged."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from bus.reader import Reader
from console.people.sealing import half
from contracts import topics
from contracts.codec import decode
from contracts.identity import Identified, RunnerUp
from contracts.messages import Feedback, Frame, FrameRef
from contracts.naming import mention
from contracts.people import (
    FaceKey,
    GalleryChange,
    MergeUnknowns,
    PeopleCommand,
    RemovedPerson,
    SetDenial,
    UnknownSeen,
    UnknownVisit,
)
from tests.browser.test_accessibility import findings
from tests.builders import drawn_face, jpeg_of, solid
from tests.console_scene import frame_of, now_ms
from tests.console_site import ConsoleSite
from tests.people_tools import look, portrait
from tests.sighting_tools import MODEL
from vault import DayKeys

Opened = Callable[..., Page]
Shot = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def days(site: ConsoleSite) -> DayKeys:
    """The site's day keys, as a job has them."""
    keys = DayKeys("harbour")
    for message in site.read(topics.FACE_KEYS, FaceKey, 8):
        keys.take(message, site.master)
    return keys


def picture_file(folder: Path, name: str, data: bytes) -> Path:
    file = folder / f"{name}.jpg"
    file.write_bytes(data)
    return file


def enrol(page: Page, file: Path, name: str, group: str) -> None:
    page.get_by_role("button", name="Enrol a person").first.click()
    page.get_by_label("Choose a picture").set_input_files(file)
    expect(page.get_by_text("Good picture")).to_be_visible(timeout=30_000)  # the models are opened at the first
    page.get_by_role("dialog").get_by_label("Name").fill(name)
    page.get_by_role("dialog").get_by_label("Group").fill(group)


def test_a_person_is_enrolled_changed_and_removed(
    site: ConsoleSite, opened: Opened, shot: Shot, tmp_path: Path
) -> None:
    page = opened("/people")
    expect(page.get_by_role("heading", name="Nobody is enrolled yet")).to_be_visible()
    began = time.monotonic()
    enrol(page, picture_file(tmp_path, "bea", portrait()), "Bea Winter", "banned")
    page.get_by_role("button", name="Where was this face seen?").click()
    expect(page.get_by_text("No camera saw a face like this one")).to_be_visible()
    shot(page, "people-enrol")
    assert findings(page) == []
    page.get_by_role("dialog").get_by_role("button", name="Enrol", exact=True).click()
    expect(page.get_by_text("Bea Winter is enrolled")).to_be_visible()
    assert time.monotonic() - began < 60
    side = page.get_by_label("Bea Winter", exact=True)
    expect(side.get_by_role("img")).to_be_visible()
    expect(page.locator(".faces .thumb img")).to_have_count(1)
    shot(page, "people")
    assert findings(page) == []

    page.get_by_role("button", name="Enrol a person").first.click()
    page.get_by_label("Choose a picture").set_input_files(picture_file(tmp_path, "again", portrait()))
    expect(page.get_by_text("This picture won't do")).to_be_visible()
    expect(page.get_by_role("dialog")).to_contain_text("too like Bea Winter")
    shot(page, "people-refused")
    page.get_by_role("button", name="Another picture").click()
    blurred = cv2.GaussianBlur(drawn_face(solid(640, 520, (150, 160, 170)), (320, 260), 300), (0, 0), 11)
    page.get_by_label("Choose a picture").set_input_files(picture_file(tmp_path, "blurred", jpeg_of(blurred)))
    expect(page.get_by_role("dialog")).to_contain_text("too blurred")
    page.get_by_role("button", name="Another picture").click()
    two = drawn_face(drawn_face(solid(900, 520, (150, 160, 170)), (240, 260), 300), (660, 260), 280)
    page.get_by_label("Choose a picture").set_input_files(picture_file(tmp_path, "two", jpeg_of(two)))
    expect(page.get_by_text("Whose face is meant?")).to_be_visible()
    shot(page, "people-several")
    page.get_by_role("button", name="Face 2").click()
    expect(page.get_by_text("Whose face is meant?")).to_have_count(0)
    page.get_by_role("button", name="Cancel").click()

    side.get_by_label("Name").fill("Bea Sommer")
    side.get_by_role("button", name="Save").click()
    expect(page.locator(".faces")).to_contain_text("Bea Sommer")
    side = page.get_by_label("Bea Sommer", exact=True)
    side.get_by_role("button", name="Remove person").click()
    expect(page.get_by_role("dialog")).to_contain_text("within 1 s")
    shot(page, "people-remove")
    page.get_by_role("button", name="Remove for good").click()
    expect(page.get_by_role("heading", name="Nobody is enrolled yet")).to_be_visible()
    gone = [one for one in site.read(topics.GALLERY, GalleryChange, 99, 3) if isinstance(one.change, RemovedPerson)]
    assert "person" in {one.change.kind for one in gone}


def test_not_this_person_is_said_and_taken_back(
    site: ConsoleSite, opened: Opened, shot: Shot, days: DayKeys, tmp_path: Path
) -> None:
    page = opened("/people")
    enrol(page, picture_file(tmp_path, "carl", portrait()), "Carl", "staff")
    page.get_by_role("dialog").get_by_role("button", name="Enrol", exact=True).click()
    expect(page.get_by_text("Carl is enrolled")).to_be_visible()
    carl = site.api("GET", "/api/people?text=Carl")["people"][0]["id"]
    said = Identified(
        decision="identified",
        person_id=carl,
        group="staff",
        score=0.61,
        threshold=0.47,
        strangers=0.0002,
        looks=5,
        quality=0.75,
        runners_up=(RunnerUp("p-2", "", 0.31),),
        face=(300.0, 140.0, 318.0, 164.0),
        sealed=days.seal(now_ms(), half(look(5).vector)),
    )
    alert = site.alert(why=f"{mention(carl)} in the lawn", identity=said, rule="known-person", kind="known_person")
    page = opened(f"/?alert={alert.id}")
    who = page.get_by_label("Who")
    expect(who).to_contain_text("Carl")
    expect(who).to_contain_text("1 in 5,000")
    expect(who).to_contain_text("Nobody else is alike")  # the runner-up was removed meanwhile
    shot(page, "alert-identity")
    assert findings(page) == []
    page.keyboard.press("p")
    expect(who).to_contain_text("An operator said: not this person")
    expect(page.locator(".history")).to_contain_text("said: not this person")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".history")).to_contain_text("took “not this person” back")
    changes = [one.change for one in site.read(topics.GALLERY, GalleryChange, 99, 3)]
    denial = next(one for one in changes if isinstance(one, SetDenial))
    assert (denial.person_id, changes[-1]) == (carl, RemovedPerson(kind="denial", id=denial.id))
    answers = [one for one in site.read(topics.FEEDBACK, Feedback, 99, 3) if one.alert == alert.id]
    assert [one.action for one in answers] == ["not_person", "denial_undone"]
    page.keyboard.press("i")
    page.get_by_role("dialog").get_by_label("Name or group").fill("car")
    page.get_by_role("dialog").get_by_role("button", name="Carl").click()
    expect(page.get_by_text("This is Carl")).to_be_visible()
    shot(page, "alert-this-is")


def test_operators_see_who_it_is_but_not_who_is_enrolled(site: ConsoleSite, opened: Opened, days: DayKeys) -> None:
    said = Identified(decision="unknown", looks=3, quality=0.7, sealed=days.seal(now_ms(), half(look(6).vector)))
    alert = site.alert(why="Somebody unknown", identity=said)
    site.cookie("otto")
    page = opened(f"/?alert={alert.id}", "otto")
    expect(page.get_by_label("Who")).to_contain_text("Unknown person")
    expect(page.get_by_role("link", name="People")).to_have_count(0)
    expect(page.get_by_role("link", name="Enrol")).to_have_count(0)
    page.goto("/people")
    expect(page.get_by_role("heading", name="People is not open to you")).to_be_visible()


def place_of(site: ConsoleSite, jpeg: bytes) -> FrameRef:
    """Where the frame with this picture lies."""
    with Reader(site.bootstrap, topics.frames("harbour")) as reader:
        for record in reader.held():
            if decode(record.value or b"", Frame).jpeg == jpeg:
                return FrameRef(record.topic, record.partition, record.offset)
    raise AssertionError("the frame is not there")


def test_unknown_people_are_merged_and_get_a_name(site: ConsoleSite, opened: Opened, shot: Shot, days: DayKeys) -> None:
    for number, pseudonym in enumerate(("a1b2c3-first", "d4e5f6-other")):
        at_ms = now_ms() - number * 60_000
        jpeg = portrait(220 + 40 * number)
        frame = replace(frame_of("hall", 1, at_ms), jpeg=jpeg, width=640, height=520)
        site.send(topics.frames("harbour"), frame, "hall")
        place = place_of(site, jpeg)
        visits = tuple(
            UnknownVisit(
                track=f"hall/live/{number}/{visit}",
                camera="hall",
                at_ms=at_ms - visit * 3_600_000,
                strength=0.8 - visit / 10,
                ref=place,
                face=(240.0, 150.0, 400.0, 370.0),
            )
            for visit in range(2)
        )
        seen = UnknownSeen(
            site="harbour",
            pseudonym=pseudonym,
            first_at_ms=at_ms - 7_200_000,
            last_at_ms=at_ms,
            came=3,
            model=MODEL,
            visits=visits,
            sealed=days.seal(at_ms, half(look(20 + number).vector)),
        )
        site.send(topics.UNKNOWNS, seen, pseudonym)
    page = opened("/people")
    page.get_by_role("tab", name="Unknown people").click()
    expect(page.locator(".card.unknown")).to_have_count(2)
    loaded = "[...document.querySelectorAll('.card.unknown .thumb img')].filter((one) => one.naturalWidth > 0).length"
    page.wait_for_function(f"{loaded} === 2")
    page.get_by_label("Choose Unknown a1b2c3").check()
    page.get_by_label("Choose Unknown d4e5f6").check()
    shot(page, "people-unknown")
    assert findings(page) == []
    page.get_by_role("button", name="Merge the two").click()
    expect(page.get_by_text("Merged: both are one person now.")).to_be_visible()
    page.get_by_label("Unknown a1b2c3", exact=True).get_by_role("button", name="Give a name").click()
    expect(page.get_by_text("Good picture")).to_be_visible(timeout=30_000)  # the models are opened at the first
    page.get_by_role("dialog").get_by_label("Name").fill("Emil")
    shot(page, "people-unknown-named")
    page.get_by_role("dialog").get_by_role("button", name="Enrol", exact=True).click()
    expect(page.get_by_text("Emil is enrolled")).to_be_visible()
    commands = [one.command for one in site.read(topics.PEOPLE_COMMANDS, PeopleCommand, 2)]
    assert MergeUnknowns(keep="a1b2c3-first", other="d4e5f6-other") in commands
    assert len(commands) == 2
