"""Sightings on disk and found again: the same answer as an exact search, whatever form they are in."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from archive.sightings import Query, Search
from archive.sightings.folder import IDLE_S, SEGMENT, TAIL, SightingsFolder
from archive.sightings.parts import Part, coded
from contracts.codec import encode
from tests.sighting_tools import DAY, MODEL, T0_MS, D, day_keys, directions, looking, sighting

CAMERAS = frozenset({"gate", "yard"})
DAY_MS = 86_400_000
LONG_AFTER_MS = 10**15


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def sealed_folder(root, keys, sightings):
    """A folder whose tails all became segments."""
    folder = SightingsFolder(root, keys)
    folder.add(sightings)
    folder.tidy(0, 10**6)
    for tail in root.rglob(f"*{TAIL}"):
        os.utime(tail, (0, 0))
    folder.tidy(T0_MS, 10**6)
    return folder


def query(vector, **changes):
    return Query(**({"vector": vector, "model": MODEL, "cameras": CAMERAS, "least": -1.0} | changes))


@pytest.mark.parametrize("form", ["tail", "segment"])
def test_the_order_is_that_of_an_exact_search(tmp_path: Path, rng, form: str) -> None:
    keys = day_keys()
    person = directions(1, rng)[0]
    vectors = np.concatenate((directions(700, rng), [looking(person, c, rng) for c in (0.9, 0.5, 0.7)]))
    sightings = [sighting(n, v, keys, T0_MS + n) for n, v in enumerate(vectors)]
    SightingsFolder(tmp_path, keys).add(sightings) if form == "tail" else sealed_folder(tmp_path, keys, sightings)
    assert {path.suffix for path in tmp_path.rglob("*.*")} == {TAIL if form == "tail" else SEGMENT}
    found = Search(tmp_path, keys).find(query(person, most=20))
    exact = vectors.astype("<f2").astype(np.float32) @ person
    assert [one.sighting.track for one in found] == [f"gate/live/1/{n}" for n in np.argsort(-exact)[:20]]
    assert [one.score for one in found] == pytest.approx(sorted(exact, reverse=True)[:20], abs=1e-6)
    assert found[0].sighting.track == "gate/live/1/700"
    assert found[0].sighting.at_ms == T0_MS + 700


def test_only_cameras_that_are_allowed_and_times_that_are_wanted(tmp_path: Path, rng) -> None:
    keys = day_keys(DAY, DAY + 1)
    (person,) = directions(1, rng)
    made = [
        sighting(n, looking(person, 0.8, rng), keys, T0_MS + n * 3_600_000, camera=("gate", "yard", "vault")[n % 3])
        for n in range(48)
    ]
    SightingsFolder(tmp_path, keys).add(made)
    search = Search(tmp_path, keys)
    assert {one.sighting.camera for one in search.find(query(person))} == CAMERAS
    assert search.find(query(person, cameras=frozenset())) == ()
    window = query(person, since_ms=T0_MS + DAY_MS, until_ms=T0_MS + DAY_MS + 2 * 3_600_000)
    assert {one.sighting.at_ms for one in search.find(window)} == {T0_MS + n * 3_600_000 for n in (24, 25)}
    assert search.find(query(person, least=0.95)) == ()
    assert search.find(query(person, model="another@1")) == ()


def test_a_track_is_found_once_by_what_was_known_last(tmp_path: Path, rng) -> None:
    keys = day_keys()
    (person,) = directions(1, rng)
    folder = SightingsFolder(tmp_path, keys)
    folder.add([sighting(1, looking(person, c, rng), keys, T0_MS + n) for n, c in enumerate((0.5, 0.9))])
    (found,) = Search(tmp_path, keys).find(query(person))
    assert found.sighting.at_ms == T0_MS + 1
    assert found.score == pytest.approx(0.9, abs=1e-3)


def test_what_was_added_is_found_and_what_is_gone_is_not(tmp_path: Path, rng) -> None:
    keys = day_keys(DAY, DAY + 1)
    (person,) = directions(1, rng)
    folder, search = SightingsFolder(tmp_path, keys), Search(tmp_path, keys)
    assert search.find(query(person)) == ()
    folder.add([sighting(1, person, keys), sighting(2, person, keys, T0_MS + DAY_MS)])
    assert len(search.find(query(person))) == 2
    folder.add([sighting(3, person, keys)])
    assert len(search.find(query(person))) == 3
    keys.drop(DAY)  # at once, whether or not its folder is gone already
    assert [one.sighting.track for one in search.find(query(person))] == ["gate/live/1/2"]
    folder.drop(DAY)
    assert [path.name for path in tmp_path.iterdir()] == ["2026-01-02"]


def test_old_days_go_and_tails_become_segments(tmp_path: Path, rng) -> None:
    keys = day_keys(DAY, DAY + 1)
    (person,) = directions(1, rng)
    folder = SightingsFolder(tmp_path, keys)
    folder.add([sighting(1, person, keys), sighting(2, person, keys, T0_MS + DAY_MS)])
    written_ms = int((tmp_path / "2026-01-02" / f"1{TAIL}").stat().st_mtime * 1000)
    folder.tidy(written_ms, 10**6)
    assert not list(tmp_path.rglob(f"*{SEGMENT}"))
    folder.tidy(written_ms + int(IDLE_S * 1000) + 1000, 10**6)
    assert len(list(tmp_path.rglob(f"*{SEGMENT}"))) == 2
    assert not list(tmp_path.rglob(f"*{TAIL}"))
    folder.add([sighting(3, person, keys)])
    assert sorted(path.name for path in (tmp_path / "2026-01-01").iterdir()) == [f"1{SEGMENT}", f"2{TAIL}"]
    folder.tidy(T0_MS + 31 * DAY_MS + 1, 30)
    assert [path.name for path in tmp_path.iterdir()] == ["2026-01-02"]


def test_what_a_kill_left_behind_is_mended(tmp_path: Path, rng) -> None:
    keys = day_keys()
    (person,) = directions(1, rng)
    folder = SightingsFolder(tmp_path, keys)
    folder.add([sighting(1, person, keys)])
    tail = tmp_path / "2026-01-01" / f"1{TAIL}"
    whole = tail.read_bytes()
    tail.write_bytes(whole + whole[: len(whole) // 2])
    assert len(Search(tmp_path, keys).find(query(person))) == 1
    folder = SightingsFolder(tmp_path, keys)
    folder.add([sighting(2, person, keys)])
    assert len(Search(tmp_path, keys).find(query(person))) == 2
    # Killed between the segment and the end of its tail: both are there, the segment counts.
    kept = tail.read_bytes()
    os.utime(tail, (0, 0))
    folder.tidy(T0_MS, 10**6)
    tail.write_bytes(kept)
    assert len(Search(tmp_path, keys).find(query(person))) == 2
    SightingsFolder(tmp_path, keys).tidy(T0_MS, 10**6)
    assert not tail.exists()


def test_what_can_t_be_opened_is_found_by_nobody_and_stops_nothing(tmp_path: Path, rng) -> None:
    keys = day_keys()
    (person,) = directions(1, rng)
    good = sighting(1, person, keys)
    folder = SightingsFolder(tmp_path, keys)
    folder.add([good, *(msgspec.structs.replace(good, track=f"bad/{n}", sealed=s) for n, s in enumerate(
        (b"", b"garbage", day_keys().seal(T0_MS, person.astype("<f2").tobytes()), keys.seal(T0_MS, bytes(2 * D)))
    ))])  # fmt: skip
    assert [one.sighting.track for one in Search(tmp_path, keys).find(query(person))] == [good.track]
    os.utime(tmp_path / "2026-01-01" / f"1{TAIL}", (0, 0))
    folder.tidy(T0_MS, 10**6)
    assert [one.sighting.track for one in Search(tmp_path, keys).find(query(person))] == [good.track]


@pytest.mark.parametrize("form", ["tail", "segment"])
def test_a_deleted_person_s_sightings_are_written_no_more(tmp_path: Path, rng, form: str) -> None:
    keys = day_keys()
    people = directions(2, rng)
    made = [
        sighting(n, people[n % 2], keys, T0_MS + n, decision="identified", person_id=f"p-{n % 2}") for n in range(200)
    ]
    folder = SightingsFolder(tmp_path, keys)
    folder.add(made)
    if form == "segment":
        os.utime(tmp_path / "2026-01-01" / f"1{TAIL}", (0, 0))
        folder.tidy(T0_MS, 10**6)
    search = Search(tmp_path, keys)
    assert len(search.find(query(people[0], least=0.9, most=200))) == 100
    assert folder.forget(lambda one: one.person_id == "p-0") == 100
    assert search.find(query(people[0], least=0.9, most=200)) == ()
    assert len(search.find(query(people[1], least=0.9, most=200))) == 100
    assert folder.forget(lambda one: one.person_id == "p-0") == 0


def test_nothing_on_disk_shows_a_vector(tmp_path: Path, rng) -> None:
    keys = day_keys()
    (person,) = directions(1, rng)
    sealed_folder(tmp_path / "sealed", keys, [sighting(1, person, keys)])
    SightingsFolder(tmp_path / "tail", keys).add([sighting(1, person, keys)])
    for path in (path for path in tmp_path.rglob("*.*") if path.is_file()):
        content = path.read_bytes()
        for form in ("<f2", "<f4"):
            plain = person.astype(form).tobytes()
            assert not any(plain[start : start + 8] in content for start in range(0, len(plain) - 8))
    assert encode(sighting(1, person, keys))[:20] not in next((tmp_path / "sealed").rglob(f"*{SEGMENT}")).read_bytes()


def test_codes_are_off_by_no_more_than_they_say(rng) -> None:
    vectors, others = directions(500, rng), directions(20, rng)
    codes, scales, error = coded(vectors)
    part = Part(MODEL, codes, scales, error, np.zeros(500, np.int64), np.zeros(500, np.uint16), Path())
    for other in others:
        assert np.abs(part.scores(other) - vectors @ other).max() <= error
    assert error < 0.015


def test_a_track_that_was_told_many_times_hides_no_other(tmp_path: Path, rng) -> None:
    keys = day_keys()
    (person,) = directions(1, rng)
    often = [sighting(1, looking(person, 0.9, rng), keys) for _ in range(60)]
    once = [sighting(n, looking(person, 0.8, rng), keys) for n in (2, 3, 4)]
    SightingsFolder(tmp_path, keys).add([*often, *once])
    found = Search(tmp_path, keys).find(query(person, cameras=None, most=4))
    assert len({one.sighting.track for one in found}) == 4
