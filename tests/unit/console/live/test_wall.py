"""What counts as live, and that boxes are those of the very picture."""

import pytest

from console.live.wall import GRACE_MS, PATIENCE_MS, STATUS_MS, Wall, standing_of
from contracts.edge_messages import EdgeStatus
from contracts.messages import Frame, FrameRef, FrameTracks, TrackedObject

AT_MS = 1_767_571_200_000


def frame(index, at_ms=AT_MS, session=1):
    return Frame(
        site="home",
        camera="gate",
        session=session,
        index=index,
        captured_at_ms=at_ms,
        width=640,
        height=480,
        detail=False,
        motion=0.0,
        sha256="",
        jpeg=b"",
    )


def tracks(index, at_ms=AT_MS):
    thing = TrackedObject(track_id=1, xyxy=(0, 0, 1, 1), confidence=0.9, label="person", first_seen_at_ms=1)
    return FrameTracks(
        site="home",
        camera="gate",
        lane="live",
        session=1,
        index=index,
        captured_at_ms=at_ms,
        interval_ms=0,
        width=640,
        height=480,
        ref=FrameRef("frames.home", 0, index),
        model="m@1",
        tracks=(thing,),
    )


def status(state="up", **more):
    return EdgeStatus(site="home", camera="gate", agent="a", session=1, at_ms=AT_MS, state=state, **more)


@pytest.mark.parametrize(
    ("word", "heard_ms_ago", "picture_ms_ago", "standing"),
    [
        (status(), 500, 100, "live"),
        # one picture a heartbeat is all that comes while nothing moves
        (status(), 500, 5_000 + GRACE_MS, "live"),
        (status(), 500, 5_001 + GRACE_MS, "old"),
        # whatever the picture's age: nobody knows how the camera is
        (status(), STATUS_MS + 1, 100, "silent"),
        (None, 0, 100, "silent"),
        (None, 0, None, "waiting"),
        (status("down"), 500, 100, "down"),
        (status("ended"), 500, 100, "ended"),
        (status("starting"), 500, 100, "waiting"),
        (status(), 500, None, "waiting"),
    ],
)
def test_standing(word, heard_ms_ago, picture_ms_ago, standing):
    picture_at_ms = AT_MS - picture_ms_ago if picture_ms_ago is not None else 0
    assert standing_of(word, AT_MS - heard_ms_ago, picture_at_ms, AT_MS, heartbeat_s=5.0) == standing


def shown(wall, now_ms):
    return wall.pictures(now_ms, frozenset({"gate"})).get("gate")


def test_a_picture_waits_for_its_own_boxes():
    wall = Wall({"gate": 5.0})
    wall.take(frame(1), AT_MS)
    assert shown(wall, AT_MS + 10) is None
    wall.take(tracks(1), AT_MS + 50)
    picture = shown(wall, AT_MS + 60)
    assert (picture.frame.index, picture.tracks.index) == (1, 1)
    # the next one has none yet: the one before stays
    wall.take(frame(2), AT_MS + 100)
    assert shown(wall, AT_MS + 150).frame.index == 1


def test_a_picture_without_boxes_is_shown_after_a_while_and_gets_them_late():
    wall = Wall({"gate": 5.0})
    wall.take(frame(1), AT_MS)
    picture = shown(wall, AT_MS + PATIENCE_MS)
    assert (picture.frame.index, picture.tracks) == (1, None)
    wall.take(tracks(1), AT_MS + PATIENCE_MS + 20)
    assert shown(wall, AT_MS + PATIENCE_MS + 30).tracks.index == 1


def test_older_pictures_are_passed_over():
    wall = Wall({"gate": 5.0})
    for index in (1, 2, 3):
        wall.take(frame(index), AT_MS)
    wall.take(tracks(3), AT_MS + 10)
    assert shown(wall, AT_MS + 20).frame.index == 3
    # and one that comes after a newer one is not shown
    wall.take(frame(2), AT_MS + 30)
    assert shown(wall, AT_MS + 1000).frame.index == 3


def test_state_takes_the_agents_clock_into_account():
    wall = Wall({"gate": 5.0})
    # the agent's clock is ten minutes fast: its pictures come from what it calls the future
    wall.take(status(clock_offset_ms=600_000), AT_MS)
    wall.take(frame(1, AT_MS + 600_000), AT_MS)
    wall.take(tracks(1, AT_MS + 600_000), AT_MS + 80)
    state = wall.state("gate", AT_MS + 300)
    assert (state.standing, state.age_ms, state.delay_ms) == ("live", 300, 80)
    assert wall.state("gate", AT_MS + 60_000).standing == "silent"


def test_the_agents_word_stands_for_a_picture_that_nobody_watched():
    wall = Wall({"gate": 5.0})
    wall.take(status(last_frame_at_ms=AT_MS - 200), AT_MS)
    state = wall.state("gate", AT_MS)
    assert (state.standing, state.age_ms, state.delay_ms) == ("live", 200, None)


def test_a_camera_that_is_not_of_this_site_is_ignored():
    wall = Wall({"hall": 5.0})
    wall.take(frame(1), AT_MS)
    assert wall.pictures(AT_MS, frozenset({"gate", "hall"})) == {}
