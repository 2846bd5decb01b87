"""One row a track: what it passed through, where it went, and when it is over."""

from __future__ import annotations

import pytest

from archive.history.gather import Gatherer, GatherState
from archive.history.passages import END_MS, MOST_POINTS, PART_MS, SILENT_MS
from archive.history.rows import TrackRow
from contracts.identity import TrackIdentity
from contracts.messages import FrameTracks
from tests.history_tools import AT_MS, alert, event, thing, tracks, window

LATER = END_MS // 1000 + 1


def rows_of(*frames: FrameTracks) -> list[TrackRow]:
    gatherer = Gatherer(GatherState())
    return [row for frame in frames for row in gatherer.take(frame, AT_MS) if isinstance(row, TrackRow)]


def test_a_track_is_a_row_once_it_is_over() -> None:
    seen = [
        tracks(0, thing(x=10.0, entered=("",))),
        tracks(1, thing(x=60.0, confidence=0.9, entered=("yard",), zones=("yard",))),
        tracks(2, thing(x=110.0, crossed=("fence:in",), zones=("yard",), stationary=True)),
        tracks(3, thing(x=160.0, left=("yard",), dwell_ms=(2000,), entered=("door",), zones=("door",))),
        tracks(4, thing(x=160.0, confidence=0.0, left=("door", ""), dwell_ms=(500, 3000))),
    ]
    assert rows_of(*seen) == []
    (row,) = rows_of(*seen, tracks(4 + LATER))
    assert (row.first_ms, row.last_ms, row.confidence) == (AT_MS, AT_MS + 3000, 0.9)
    assert (row.zones, row.dwell_ms) == (("yard", "door"), (2000, 500))
    assert row.entered_ms == (AT_MS + 1000, AT_MS + 3000)
    assert (row.crossed, row.still_ms) == (("fence:in",), 1000)
    assert (row.path_ms, row.path_x) == ((0, 1000, 2000, 3000), (500, 3000, 5500, 8000))
    assert row.path_y == (5000,) * 4


def test_a_stay_that_never_ended_lasts_until_the_track_does() -> None:
    (row,) = rows_of(tracks(0, thing(entered=("yard",))), tracks(5, thing()), tracks(5 + LATER))
    assert (row.zones, row.dwell_ms) == (("yard",), (5000,))


@pytest.mark.parametrize(
    ("frames", "count"),
    [
        ([tracks(0, thing()), tracks(1, thing(), last=True)], 1),  # the source ends
        ([tracks(0, thing(1), thing(2)), tracks(LATER, thing(2))], 1),  # only one is away
        ([tracks(0, thing()), tracks(0, thing()), tracks(LATER), tracks(LATER)], 1),  # repeats of a restart
        ([tracks(0, thing(confidence=0.0, left=("",), dwell_ms=(1,))), tracks(LATER)], 0),  # gone before it came
    ],
)
def test_how_many_rows(frames: list[FrameTracks], count: int) -> None:
    assert len(rows_of(*frames)) == count


@pytest.mark.parametrize(
    ("seen", "upper", "lower"),
    [
        ([("red", "blue")] * 3 + [()] * 5 + [("pink", "blue")], "red", "blue"),
        ([("red", ""), ("red", ""), ("red", "black")], "red", ""),
        ([("red", "blue"), ("pink", "grey"), ("brown", "black")], "", ""),
        ([()], "", ""),
    ],
    ids=["most looks", "mostly nothing to say", "a look each", "never looked at"],
)
def test_looks_vote_on_the_colours(seen: list[tuple[str, ...]], upper: str, lower: str) -> None:
    frames = [tracks(n, thing(colours=colours)) for n, colours in enumerate(seen)]
    (row,) = rows_of(*frames, tracks(100))
    assert (row.upper, row.lower) == (upper, lower)


def test_the_last_word_on_who_it_is_counts() -> None:
    said = (TrackIdentity(decision="unsure"), TrackIdentity(decision="identified", person_id="p-1"), None)
    (row,) = rows_of(*(tracks(n, thing(identity=one)) for n, one in enumerate(said)), tracks(100))
    assert (row.person, row.decision) == ("p-1", "identified")


def test_a_long_track_is_a_row_an_hour_with_a_short_path() -> None:
    hours = 3 * PART_MS // 1000
    frames = [tracks(n, thing(entered=("yard",) if n == 0 else ())) for n in range(0, hours, 2)]
    found = rows_of(*frames, tracks(hours + LATER))
    assert [row.first_ms for row in found] == sorted({row.first_ms for row in found})
    assert len(found) == 3
    assert all(row.zones == ("yard",) and len(row.path_ms) <= MOST_POINTS for row in found)
    assert len({row.id for row in found}) == 3


def test_a_silent_camera_loses_its_tracks() -> None:
    gatherer = Gatherer(GatherState())
    gatherer.take(tracks(0, thing()), AT_MS)
    assert gatherer.expire(AT_MS + SILENT_MS) == ()
    (row,) = gatherer.expire(AT_MS + SILENT_MS + 1)
    assert row.track_id == 1
    assert gatherer.expire(AT_MS + 10 * SILENT_MS) == ()


@pytest.mark.parametrize("early", [True, False], ids=["before the track", "after it"])
def test_rules_and_alerts_are_linked(early: bool) -> None:
    gatherer = Gatherer(GatherState())
    said = (event(1), alert(1), alert(1, revision=2, state="end"), event(1, id="event-b", rule="loitering"))
    for message in (*said, tracks(0, thing())) if early else (tracks(0, thing()), *said):
        gatherer.take(message, AT_MS)
    (row,) = [one for one in gatherer.take(tracks(LATER), AT_MS) if isinstance(one, TrackRow)]
    assert set(row.rules) == {"yard-at-night", "loitering"}
    assert row.alerts == ("alert-1",)


def test_events_and_windows_are_rows_once() -> None:
    gatherer = Gatherer(GatherState())
    messages = (event(1), window(1), event(1), window(1), event(2), window(1, part=1))
    assert [len(gatherer.take(one, AT_MS)) for one in messages] == [1, 1, 0, 0, 1, 1]
