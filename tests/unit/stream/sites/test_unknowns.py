"""Pseudonyms on people whose geometry is known exactly."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from contracts.messages import FrameRef
from stream.identity.calibrate import calibrate
from stream.sites import Sighting, Unknowns, UnknownsConfig, UnknownsState, closed, reopened
from tests.unit.stream.identity import people as world

HOUR_MS = 3_600_000
SEALED = b"sealed:"
"""Stands for the day's key: what is behind it is what was sealed."""


@pytest.fixture(scope="module")
def calibration():
    rng = np.random.default_rng(1)
    known = world.directions(300, rng)
    return calibrate(world.tracks(known, 8, 0.2, 0.9, rng), world.pictures(known, 2, 0.8, rng))


def sighting(direction, number, at_ms, rng, strength=0.85, camera="gate"):
    vector = world.looks(direction, np.full(1, strength), rng)[0]
    ref, face = FrameRef("frames.site", 0, number), (1.0, 2.0, 3.0, 4.0)
    return Sighting(
        f"{camera}/1/{number}", camera, at_ms, vector, SEALED + vector.astype("<f2").tobytes(), strength, ref, face
    )


def seen(unknowns, sightings, state=None):
    state = state or UnknownsState()
    out = []
    for one in sightings:
        state, found = unknowns.step(state, one)
        out.append(found)
    return state, out


def test_people_are_known_again_over_visits_and_cameras_and_kept_apart(calibration):
    rng = np.random.default_rng(2)
    directions = world.directions(100, rng)
    order = rng.permutation(np.repeat(np.arange(100), 6))
    sightings = [
        sighting(directions[who], number, number * HOUR_MS, rng, camera=f"cam{number % 4}")
        for number, who in enumerate(order)
    ]
    unknowns = Unknowns(calibration, UnknownsConfig())
    state, found = seen(unknowns, sightings)
    first = {}
    wrong = sum(first.setdefault(one.person.id, who) != who for one, who in zip(found, order, strict=True))
    assert wrong <= 6  # 1 % of 600
    assert 100 <= len(state.people) + wrong <= 110
    assert max(person.came for person in state.people) <= 6 + wrong


def test_a_track_keeps_its_pseudonym_while_it_goes_on_and_is_one_visit(calibration):
    rng = np.random.default_rng(3)
    direction = world.directions(1, rng)[0]
    sightings = [sighting(direction, 1, at_ms, rng) for at_ms in (0, 1000, 2000)]
    state, found = seen(Unknowns(calibration), sightings)
    assert len({one.person.id for one in found}) == 1
    assert [one.new for one in found] == [True, False, False]
    (person,) = state.people
    assert (person.came, len(person.visits), person.last_at_ms) == (1, 1, 2000)


def test_coming_again_counts_after_the_gap_only(calibration):
    rng = np.random.default_rng(4)
    direction = world.directions(1, rng)[0]
    times = (0, 60_000, 60_000 + 301_000)
    _, found = seen(Unknowns(calibration), [sighting(direction, n, t, rng) for n, t in enumerate(times)])
    assert [one.came_again for one in found] == [False, False, True]
    assert found[-1].person.came == 2


def test_too_little_of_a_face_gets_none(calibration):
    rng = np.random.default_rng(5)
    state, found = seen(Unknowns(calibration), [sighting(world.directions(1, rng)[0], 1, 0, rng, strength=0.3)])
    assert found == [None]
    assert state.people == ()


def test_what_is_kept_is_bounded(calibration):
    rng = np.random.default_rng(6)
    unknowns = Unknowns(calibration, UnknownsConfig(max_people=10, max_visits=3))
    regular, *others = world.directions(30, rng)
    state, _ = seen(unknowns, [sighting(regular, n, n * HOUR_MS, rng) for n in range(6)])
    (person,) = state.people
    assert (person.came, len(person.visits)) == (6, 3)
    state, _ = seen(unknowns, [sighting(one, 100 + n, 6 * HOUR_MS, rng) for n, one in enumerate(others)], state)
    assert len(state.people) == 10
    assert any(known.id == person.id for known in state.people)  # who came often is not pushed out by passers-by


def test_a_clock_that_is_years_ahead_makes_nobody_forgotten(calibration):
    rng = np.random.default_rng(18)
    one, two = world.directions(2, rng)
    unknowns = Unknowns(calibration)
    state, _ = seen(unknowns, [sighting(one, 1, 0, rng), sighting(two, 2, 10**12, rng), sighting(one, 3, HOUR_MS, rng)])
    assert [person.came for person in state.people] == [2, 1]


def test_an_operator_merges_and_splits(calibration):
    rng = np.random.default_rng(7)
    unknowns = Unknowns(calibration)
    one, two = world.directions(2, rng)
    state, (a, b) = seen(unknowns, [sighting(one, 1, 0, rng), sighting(two, 2, HOUR_MS, rng)])
    merged = unknowns.merge(state, a.person.id, b.person.id)
    (both,) = merged.people
    assert (both.id, both.came, both.last_at_ms) == (a.person.id, 2, HOUR_MS)
    apart, other = unknowns.split(merged, both.id, ["gate/1/2"])
    assert {person.id for person in apart.people} == {a.person.id, other.id}
    _, again = unknowns.step(apart, sighting(two, 3, 2 * HOUR_MS, rng))
    assert again.person.id == other.id


@pytest.mark.parametrize("tracks", [["gate/1/9"], ["gate/1/1"]])
def test_a_split_that_makes_no_sense_is_refused(calibration, tracks):
    rng = np.random.default_rng(8)
    unknowns = Unknowns(calibration)
    state, (found,) = seen(unknowns, [sighting(world.directions(1, rng)[0], 1, 0, rng)])
    with pytest.raises(KeyError, match="split"):
        unknowns.split(state, found.person.id, tracks)


def test_an_unknown_pseudonym_can_t_be_merged(calibration):
    with pytest.raises(KeyError, match="nobody"):
        Unknowns(calibration).merge(UnknownsState(), "nobody", "nobody")


def test_the_same_sightings_give_the_same_pseudonyms_and_the_state_travels(calibration):
    rng = np.random.default_rng(9)
    sightings = [sighting(d, n, n * HOUR_MS, rng) for n, d in enumerate(world.directions(5, rng))]
    unknowns = Unknowns(calibration)
    state, found = seen(unknowns, sightings)
    halfway, _ = seen(unknowns, sightings[:3])
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(halfway), type=UnknownsState)
    again, _ = seen(unknowns, sightings[3:], packed)
    assert again == state
    assert len({one.person.id for one in found}) == 5


def test_a_track_that_turns_out_to_be_somebody_known_is_theirs(calibration):
    rng = np.random.default_rng(10)
    unknowns = Unknowns(calibration)
    (direction,) = world.directions(1, rng)
    state, (first,) = seen(unknowns, [sighting(direction, 1, 0, rng, 0.9)])
    # The first look at the second track shows too little to be sure, and begins somebody.
    poor = sighting(world.directions(1, rng)[0], 2, HOUR_MS, rng, 0.55)
    state, (second,) = seen(unknowns, [poor], state)
    assert second.new
    state, (better,) = seen(unknowns, [sighting(direction, 2, HOUR_MS + 1000, rng, 0.9)], state)
    assert better.person.id == first.person.id
    assert [person.id for person in state.people] == [first.person.id]
    assert better.person.came == 2


def test_whom_an_operator_split_off_stays_apart(calibration):
    rng = np.random.default_rng(11)
    unknowns = Unknowns(calibration)
    (direction,) = world.directions(1, rng)
    state, (one, _) = seen(unknowns, [sighting(direction, n, n * HOUR_MS, rng, 0.7) for n in range(2)])
    state, other = unknowns.split(state, one.person.id, ["gate/1/1"])
    _, (again,) = seen(unknowns, [sighting(direction, 1, HOUR_MS + 1000, rng, 0.95)], state)
    assert again.person.id == other.id


def test_comings_are_counted_by_time_and_camera_and_follow_merges_and_splits(calibration):
    rng = np.random.default_rng(12)
    unknowns = Unknowns(calibration)
    (direction,) = world.directions(1, rng)
    cameras = ("gate", "yard", "yard", "gate")
    sightings = [sighting(direction, n, n * HOUR_MS, rng, camera=camera) for n, camera in enumerate(cameras)]
    state, found = seen(unknowns, sightings)
    person = found[-1].person
    assert person.came_since(0, ()) == 4
    assert person.came_since(0, ("gate",)) == 2
    assert person.came_since(HOUR_MS, ("gate", "lobby")) == 1
    assert person.came_since(4 * HOUR_MS, ()) == 0
    state, other = unknowns.split(state, person.id, ["yard/1/1", "yard/1/2"])
    counts = {one.id: (one.came, one.came_since(0, ("gate",)), one.came_since(0, ("yard",))) for one in state.people}
    assert counts == {person.id: (2, 2, 0), other.id: (2, 0, 2)}
    (both,) = unknowns.merge(state, person.id, other.id).people
    assert (both.came, both.came_since(0, ())) == (4, 4)


def test_two_who_were_here_at_the_same_time_came_once_when_they_are_one(calibration):
    rng = np.random.default_rng(13)
    unknowns = Unknowns(calibration)
    one, two = world.directions(2, rng)
    state, (a, b) = seen(unknowns, [sighting(one, 1, 0, rng), sighting(two, 2, 60_000, rng, camera="yard")])
    (both,) = unknowns.merge(state, a.person.id, b.person.id).people
    assert (both.came, both.comings[0].cameras) == (1, ("gate", "yard"))


def test_without_their_visits_people_are_forgotten(calibration):
    rng = np.random.default_rng(14)
    unknowns = Unknowns(calibration)
    one, two = world.directions(2, rng)
    state, (a, b, _) = seen(
        unknowns, [sighting(one, 1, 0, rng), sighting(two, 2, HOUR_MS, rng), sighting(one, 3, 2 * HOUR_MS, rng)]
    )
    left = unknowns.without(state, lambda visit: visit.at_ms == 0)
    assert [(person.id, len(person.visits)) for person in left.people] == [(a.person.id, 1), (b.person.id, 1)]
    assert [person.id for person in unknowns.without(left, lambda visit: visit.track == "gate/1/2").people] == [
        a.person.id
    ]
    assert [person.id for person in unknowns.forget(state, a.person.id).people] == [b.person.id]


def test_what_is_written_down_shows_no_vector_and_is_the_same_again(calibration):
    rng = np.random.default_rng(15)
    unknowns = Unknowns(calibration)
    (direction,) = world.directions(1, rng)
    state, _ = seen(unknowns, [sighting(direction, n, n * HOUR_MS, rng) for n in range(3)])
    (person,) = state.people
    written = closed(person)
    assert written.centre == b""
    assert {visit.vector for visit in written.visits} == {b""}
    assert reopened(written, lambda sealed: sealed.removeprefix(SEALED)) == person
    first = written.visits[0].sealed
    partly = reopened(written, lambda sealed: None if sealed == first else sealed.removeprefix(SEALED))
    assert [visit.track for visit in partly.visits] == ["gate/1/1", "gate/1/2"]
    assert reopened(written, lambda _: None) is None


def test_a_split_off_track_that_began_the_person_gets_another_pseudonym(calibration):
    rng = np.random.default_rng(11)
    direction = world.directions(1, rng)[0]
    unknowns = Unknowns(calibration)
    state, (one, _) = seen(unknowns, [sighting(direction, n, n * 1000, rng) for n in (1, 2)])
    state, other = unknowns.split(state, one.person.id, ["gate/1/1"])
    assert other.id != one.person.id
    assert {person.id for person in state.people} == {one.person.id, other.id}


@pytest.mark.parametrize(
    ("camera", "first_at_ms", "people"),
    [("gate", 1000, 2), ("gate", 9500, 1), ("yard", 1000, 1)],
    ids=["beside each other", "one after the other", "on two cameras"],
)
def test_two_on_one_camera_at_the_same_time_are_two(calibration, camera, first_at_ms, people):
    rng = np.random.default_rng(12)
    direction = world.directions(1, rng)[0]
    one = sighting(direction, 1, 10_000, rng)._replace(first_at_ms=1)
    two = sighting(direction, 2, 20_000, rng, camera=camera)._replace(first_at_ms=first_at_ms)
    state, _ = seen(Unknowns(calibration), [one, two])
    assert len(state.people) == people


def test_a_track_that_is_seen_beside_its_person_is_parted_from_them_unless_an_operator_said_so(calibration):
    rng = np.random.default_rng(13)
    direction = world.directions(1, rng)[0]
    one = sighting(direction, 1, 1000, rng)._replace(first_at_ms=1)
    two = sighting(direction, 2, 2000, rng)._replace(first_at_ms=1900)
    unknowns = Unknowns(calibration)
    joined, _ = seen(unknowns, [one, two])
    assert len(joined.people) == 1  # each was told once, at another time
    later = [one._replace(at_ms=9000), two._replace(at_ms=9000)]
    state, _ = seen(unknowns, later, joined)
    ids = [person.id for person in state.people]
    assert len(ids) == 2
    merged = unknowns.merge(state, *ids)
    state, _ = seen(unknowns, [look._replace(at_ms=12_000) for look in later], merged)
    assert [person.id for person in state.people] == ids[:1]
