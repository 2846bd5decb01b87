"""Inputs for tests of people: the parts with a master key, looks of known directions, alerts that name somebody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from archive.people import Candidate
from console.parts import Parts
from console.people.sealing import half
from console.rights import Who
from console.wiring import Place, build
from contracts.codec import decode
from contracts.config_file import parse
from contracts.identity import Identified, RunnerUp
from contracts.messages import Alert, Feedback, FrameRef
from contracts.naming import mention
from contracts.people import FaceKey, GalleryChange, PeopleCommand, UnknownSeen, UnknownVisit
from tests.builders import drawn_face, jpeg_of, solid
from tests.console_process import CONFIG
from tests.console_tools import AT_MS, alert_of
from tests.sighting_tools import MODEL
from tests.unit.stream.identity import people as world
from vault import MasterKey, new_key

ANNA = Who("anna", "supervisor")
OTTO = Who("otto", "operator")
KINDS = {
    "gallery": GalleryChange,
    "face-keys": FaceKey,
    "people-commands": PeopleCommand,
    "feedback": Feedback,
}


class Clock:
    """A clock that is moved by hand."""

    now_ms = AT_MS

    def __call__(self) -> int:
        return self.now_ms


def people_parts(
    folder: Path,
    clock: Callable[[], int],
    master: MasterKey | None = None,
    bootstrap: str = "127.0.0.1:1",
    database: str = "",
    more: str = "",
) -> Parts:
    """The console without broker and pages; `more` is config."""
    database = database or f"sqlite:///{folder}/console/console.db"
    place = Place(bootstrap, folder / "console", database, "http://testserver", master)
    parts = build(parse(CONFIG + more), place, clock)
    parts.store.open()
    return parts


def a_master() -> MasterKey:
    return MasterKey(new_key())


def look(number: int, cosine: float = 0.8, seed: int = 1) -> Candidate:
    """A look at person `number` of a thousand, with a picture."""
    direction = world.directions(1000, np.random.default_rng(3))[number]
    vector = world.looks(direction, np.full(1, cosine), np.random.default_rng((number, seed)))[0]
    return Candidate(vector, cosine, jpeg_of(solid(40, 40, (number % 255, 90, 90))))


def told(parts: Parts, topic: str) -> list:
    """What waits for a topic, as messages."""
    return [decode(one.value, KINDS[topic]) for one in parts.store.answers.unsent(10_000) if one.topic == topic]


def named_alert(parts: Parts, person_id: str, candidate: Candidate, number: int = 0, **changes: object) -> Alert:
    """An alert that says who it is, with the look sealed under its day's key."""
    said = Identified(
        decision="identified",
        person_id=person_id,
        group="banned",
        score=0.71,
        threshold=0.46,
        strangers=0.0003,
        looks=4,
        quality=0.8,
        runners_up=(RunnerUp("other", "", 0.3),),
        face=(10.0, 10.0, 60.0, 70.0),
        sealed=parts.people.days.keys.seal(parts.clock_ms(), half(candidate.vector)),
    )
    alert = alert_of(number, kind="known_person", why=f"{mention(person_id)} came into the yard")
    return replace(alert, identity=said, **changes)


def an_unknown(parts: Parts, pseudonym: str, candidate: Candidate, cameras: tuple[str, ...] = ("gate",)) -> UnknownSeen:
    """An unknown person, a visit at each camera."""
    visits = tuple(
        UnknownVisit(
            track=f"{camera}/live/1/{number}",
            camera=camera,
            at_ms=parts.clock_ms() - 1000 * number,
            strength=0.8,
            ref=FrameRef("frames.home", 0, number),
            face=(10.0, 10.0, 60.0, 70.0),
        )
        for number, camera in enumerate(cameras)
    )
    return UnknownSeen(
        site="home",
        pseudonym=pseudonym,
        first_at_ms=AT_MS,
        last_at_ms=parts.clock_ms(),
        came=len(cameras),
        model=MODEL,
        visits=visits,
        sealed=parts.people.days.keys.seal(parts.clock_ms(), half(candidate.vector)),
    )


def portrait(height: int = 300, skin: tuple[int, int, int] = (150, 160, 170)) -> bytes:
    """A JPEG of a drawn face that is good enough to be enrolled."""
    return jpeg_of(drawn_face(solid(640, 520, skin), (320, 260), height))
