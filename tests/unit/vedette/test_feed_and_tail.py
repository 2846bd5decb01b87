"""What the terminal shows: alerts as lines, topics as JSON, tracks as MOTChallenge text."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from archive.evidence.files import Folder
from bus.errors import BusError
from contracts.codec import encode
from contracts.errors import VedetteError
from contracts.identity import Identified
from contracts.messages import Alert, Frame, FrameRef, FrameTracks, TrackedObject
from vedette import tail
from vedette.feed import Feed, FeedOptions, line
from vedette.replay import mot_lines

T0_MS = 1_767_225_600_000
FILES = Folder(Path("evidence"))
OPTIONS = FeedOptions("localhost:1", FILES, "Europe/Berlin")


def alert(**changes: object) -> Alert:
    values = {
        "id": "1",
        "revision": 0,
        "state": "new",
        "site": "s",
        "camera": "gate",
        "rule": "intruder",
        "rule_version": 1,
        "kind": "zone_entry",
        "severity": "high",
        "started_at_ms": T0_MS,
        "at_ms": T0_MS,
        "why": "person entered yard",
    }
    return Alert(**(values | changes))


def test_a_new_alert_is_two_lines_in_the_sites_time() -> None:
    shown = line(alert(), "snapshot.jpg", OPTIONS)
    assert shown.splitlines() == [
        "01:00:00  high      gate         intruder: person entered yard",
        "                    snapshot.jpg",
    ]


def test_an_alert_without_a_picture_is_one_line() -> None:
    assert "\n" not in line(alert(), None, OPTIONS)


def test_people_are_named_where_they_are_shown() -> None:
    said = Identified(decision="identified", person_id="p-1")
    who = alert(why="person/p-1 (banned) seen, not person/p-2", identity=said)
    called = {"p-1": "Bea"}
    names = replace(OPTIONS, name_of=lambda person_id: called.get(person_id, ""))
    assert line(who, None, names).endswith("Bea (banned) seen, not removed person")
    shown = json.loads(tail.as_json(encode(who), Alert, names.name_of))
    assert (shown["why"], shown["identity"]["name"]) == ("Bea (banned) seen, not removed person", "Bea")
    assert "person/p-1 (banned)" in line(who, None, OPTIONS)  # without the master key


def test_an_end_is_told_as_such() -> None:
    over = alert(state="end", at_ms=T0_MS + 9_000, why="person entered yard; over after 7 s")
    assert line(over, None, OPTIONS) == "01:00:09  ended     gate         intruder: person entered yard; over after 7 s"


def test_colour_only_where_it_is_wanted() -> None:
    assert "\033" not in line(alert(), None, OPTIONS)
    coloured = FeedOptions("localhost:1", FILES, "UTC", colour=True)
    assert "\033[31mhigh" in line(alert(), None, coloured)


@pytest.mark.parametrize(
    ("at_ms", "now_ms", "words"),
    [
        (T0_MS, T0_MS + 100, ""),  # live
        (T0_MS, T0_MS + 30_000, "  (30 s ago)"),  # the jobs were behind
        (T0_MS - 300_000, T0_MS, "  (5 min ago, from before the start)"),
    ],
)
def test_an_alert_that_is_not_live_says_how_old_it_is(at_ms: int, now_ms: int, words: str) -> None:
    options = FeedOptions("localhost:1", FILES, "UTC", started_ms=T0_MS - 1000)
    shown = line(alert(at_ms=at_ms), None, options, now_ms)
    assert shown.partition("person entered yard")[2] == words


def test_what_a_crash_repeats_is_shown_once() -> None:
    said: list[str] = []
    feed = Feed(OPTIONS, said.append, lambda: T0_MS)
    for one in (alert(), alert(), alert(id="2"), alert(revision=1, state="update"), alert(revision=2, state="end")):
        feed.show(one)
    feed.show(alert(revision=2, state="end"))
    assert [shown.split()[1] for shown in said] == ["high", "high", "ended"]
    assert feed.count == 2


def test_a_feed_that_fails_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Failing:
        """Refuses at first, then gives one alert, then fails in the middle, then one more."""

        def __init__(self, *_: object) -> None:
            made.append("reader")
            if len(made) == 1:
                raise BusError("no broker")

        def __enter__(self) -> Failing:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def read(self, _timeout_s: float) -> list:
            made.append("read")
            if len(made) == 4:
                raise BusError("gone")
            return [SimpleNamespace(value=encode(alert(id=str(len(made)))))] if len(made) < 7 else []

    monkeypatch.setattr("vedette.feed.Reader", Failing)
    monkeypatch.setattr("vedette.feed.RETRY_S", 0.0)
    monkeypatch.setattr("vedette.feed.QUIET_S", 0.0)
    said: list[str] = []
    feed = Feed(OPTIONS, said.append, lambda: T0_MS)
    feed.start()
    deadline = time.monotonic() + 20
    while feed.count < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    feed.stop()
    assert [shown for shown in said if "fails" in shown] == [
        "reading alerts fails (no broker); it is tried again and again",
        "reading alerts fails (gone); it is tried again and again",
    ]
    assert feed.count == 2


def test_a_frame_is_shown_without_its_picture() -> None:
    frame = Frame(
        site="s",
        camera="gate",
        session=1,
        index=0,
        captured_at_ms=T0_MS,
        width=640,
        height=480,
        detail=True,
        motion=0.5,
        sha256="00",
        jpeg=b"\xff" * 1000,
    )
    shown = json.loads(tail.as_json(encode(frame), tail.kind_of("frames.s")))
    assert (shown["camera"], shown["jpeg"]) == ("gate", "1000 bytes")


@pytest.mark.parametrize("value", [None, b"", b"\xff\xff", b"{}"])
def test_what_is_no_message_is_shown_with_its_reason(value: bytes | None) -> None:
    assert "undecodable" in json.loads(tail.as_json(value, Alert))


def test_an_unknown_topic_is_refused() -> None:
    with pytest.raises(VedetteError, match="no topic 'frame'"):
        tail.kind_of("frame")


def test_tracks_as_motchallenge_text_from_frame_1_without_what_is_gone() -> None:
    here = TrackedObject(
        track_id=7, xyxy=(10.0, 20.0, 30.0, 60.0), confidence=0.5, label="person", first_seen_at_ms=T0_MS
    )
    gone = TrackedObject(track_id=8, xyxy=(0.0, 0.0, 1.0, 1.0), confidence=0.0, label="person", first_seen_at_ms=T0_MS)
    frame = FrameTracks(
        site="s",
        camera="gate",
        lane="live",
        session=1,
        index=0,
        captured_at_ms=T0_MS,
        interval_ms=0,
        width=640,
        height=480,
        ref=FrameRef("frames.s", 0, 0),
        model="m@1",
        tracks=(here, gone),
    )
    assert list(mot_lines(iter([frame]))) == ["1,7,10.00,20.00,20.00,40.00,0.5000,-1,-1,-1\n"]
