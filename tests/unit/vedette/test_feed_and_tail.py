"""What the terminal shows: alerts as lines, topics as JSON, tracks as MOTChallenge text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.codec import encode
from contracts.errors import VedetteError
from contracts.messages import Alert, Frame, FrameRef, FrameTracks, TrackedObject
from vedette import tail
from vedette.feed import FeedOptions, line
from vedette.replay import mot_lines

T0_MS = 1_767_225_600_000
OPTIONS = FeedOptions("localhost:1", Path("evidence"), "Europe/Berlin")


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
    shown = line(alert(), Path("snapshot.jpg"), OPTIONS)
    assert shown.splitlines() == [
        "01:00:00  high      gate         intruder: person entered yard",
        "                    snapshot.jpg",
    ]


def test_an_alert_without_a_picture_is_one_line() -> None:
    assert "\n" not in line(alert(), None, OPTIONS)


def test_an_end_is_told_as_such() -> None:
    over = alert(state="end", at_ms=T0_MS + 9_000, why="person entered yard; over after 7 s")
    assert line(over, None, OPTIONS) == "01:00:09  ended     gate         intruder: person entered yard; over after 7 s"


def test_colour_only_where_it_is_wanted() -> None:
    assert "\033" not in line(alert(), None, OPTIONS)
    coloured = FeedOptions("localhost:1", Path("evidence"), "UTC", colour=True)
    assert "\033[31mhigh" in line(alert(), None, coloured)


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
