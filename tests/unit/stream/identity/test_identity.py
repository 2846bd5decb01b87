"""Open-set identification on people whose geometry is known exactly."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stream.identity import (
    Denial,
    FusedState,
    Gallery,
    Identifier,
    IdentifierConfig,
    IdentityState,
    Look,
    Person,
    Tail,
    fit_tail,
    fuse,
    rising,
)
from stream.identity.calibrate import calibrate
from stream.identity.index import CodeIndex
from tests.unit.stream.identity import people as world


@pytest.fixture(scope="module")
def calibration():
    rng = np.random.default_rng(1)
    known = world.directions(300, rng)
    return calibrate(world.tracks(known, 8, 0.2, 0.9, rng), world.pictures(known, 2, 0.8, rng))


def enrolled(count, rng, quality=0.8):
    directions = world.directions(count, rng)
    vectors = [world.looks(direction, np.full(1, quality), rng) for direction in directions]
    people = [Person(f"p{number}", f"Person {number}") for number in range(count)]
    return directions, Gallery.of(dict(zip(people, vectors, strict=True)))


def follow(identifier, gallery, vectors, qualities):
    """The decisions of a track that is looked at so often."""
    state, last, names = IdentityState(), None, set()
    for vector, quality in zip(vectors, qualities, strict=True):
        state, identity = identifier.step(state, [Look(vector, float(quality))], gallery)
        if identity is not None:
            last = identity
            names.add(state.person_id)
    return last, names - {""}


class TestTail:
    @pytest.mark.parametrize("shape", [-0.2, 0.0, 0.3])
    def test_the_fit_finds_the_distribution_again(self, shape):
        truth = Tail(start=0.3, share=0.01, scale=0.05, shape=shape)
        rng = np.random.default_rng(2)
        excess = [truth.score(0.01 * u) for u in rng.uniform(1e-6, 1, 5000)]
        scores = np.concatenate((np.full(495_000, 0.3), excess))
        fitted = fit_tail(scores)
        for rate in (1e-3, 1e-4):
            assert fitted.rate(truth.score(rate)) == pytest.approx(rate, rel=0.25)

    def test_rate_and_score_are_each_other_s_inverse(self):
        tail = Tail(start=0.3, share=0.01, scale=0.04, shape=-0.1)
        assert tail.rate(tail.score(1e-5)) == pytest.approx(1e-5)
        assert tail.score(0.5) == 0.3
        assert tail.rate(0.1) == 0.01
        assert tail.rate(0.95) == 0.0  # beyond the end of a tail that has one

    def test_too_few_scores_are_refused(self):
        with pytest.raises(ValueError, match="50 are needed"):
            fit_tail(np.linspace(0, 1, 1000))


class TestFusion:
    def test_strength_is_the_cosine_that_the_fused_vector_really_has(self):
        rng = np.random.default_rng(3)
        real, said = [], []
        for direction in world.directions(200, rng):
            qualities = rng.uniform(0.2, 0.7, 10)
            state = FusedState()
            for vector, quality in zip(world.looks(direction, qualities, rng, 0.3), qualities, strict=True):
                state = fuse(state, vector, float(quality))
            real.append(float(state.vector @ direction))
            said.append(state.strength(0.3))
        assert np.mean(said) == pytest.approx(np.mean(real), abs=0.03)

    def test_a_blurred_look_hardly_moves_a_sharp_one(self):
        a, b = world.unit(np.eye(world.D)[:2])
        state = fuse(fuse(FusedState(), a, 0.9), b, 0.1)
        assert state.vector @ a > 0.999

    def test_nothing_seen_has_no_vector(self):
        with pytest.raises(ValueError, match="nothing was seen"):
            _ = FusedState().vector


class TestGallery:
    def test_the_nearest_picture_of_each_person_counts(self):
        rng = np.random.default_rng(4)
        vectors = world.directions(5, rng)
        ann, bob = Person("a", "Ann"), Person("b", "Bob")
        gallery = Gallery.of({ann: vectors[:2], bob: vectors[2:]})
        first, second = gallery.nearest(vectors[4], 5)
        assert (first.person, first.score) == (bob, pytest.approx(1.0))
        assert second.person == ann
        assert second.score == pytest.approx(float((vectors[:2] @ vectors[4]).max()))

    def test_equal_scores_come_in_the_gallery_s_order(self):
        row = world.directions(1, np.random.default_rng(5))
        gallery = Gallery.of({Person(name, name): row for name in "cab"})
        assert [match.person.id for match in gallery.nearest(row[0], 2)] == ["c", "a"]

    def test_a_look_that_was_enrolled_first_and_denied_then_is_denied(self):
        _, gallery = enrolled(50, np.random.default_rng(3))
        picture = gallery.vectors[7]
        denied = replace(gallery, denials=(Denial("p7", picture.astype("<f2")),))
        assert gallery.nearest(picture, 1)[0].person.id == "p7"
        assert denied.nearest(picture, 1)[0].person.id != "p7"

    def test_a_look_like_the_denied_one_matches_no_more_though_the_picture_is_nearer(self):
        rng = np.random.default_rng(8)
        directions, _ = enrolled(50, rng)
        first, again = world.looks(directions[7], np.full(2, 0.9), rng, 0.9)
        people = {Person("x", "X"): again[None], Person("y", "Y"): directions[8][None]}
        with_picture = Gallery.of(people, (Denial("x", first),))
        near = float(first @ again)
        assert replace(with_picture, alike=near + 0.01).scores(again)[0] > 0.99
        assert replace(with_picture, alike=near - 0.01).scores(again)[0] == -1
        assert replace(with_picture, alike=near - 0.01).scores(directions[8])[1] > 0.99

    def test_a_denied_look_no_longer_matches_and_nobody_else_is_touched(self):
        rng = np.random.default_rng(6)
        directions, gallery = enrolled(50, rng)
        stranger = world.looks(directions[7], np.full(2, 0.6), rng, 0.9)
        assert gallery.nearest(stranger[1], 1)[0].person.id == "p7"
        denied = replace(gallery, denials=(Denial("p7", stranger[0]),))
        assert denied.nearest(stranger[1], 1)[0].person.id != "p7"
        for number, direction in enumerate(directions):
            own = world.looks(direction, np.full(1, 0.8), rng)[0]
            assert denied.nearest(own, 1)[0].person.id == f"p{number}"

    @pytest.mark.parametrize("number", [0, 7, 40, 49])
    def test_many_denials_at_once_are_as_many_one_by_one(self, number):
        rng = np.random.default_rng(16)
        directions, gallery = enrolled(50, rng)
        look = world.looks(directions[number], np.full(1, 0.7), rng)[0]
        near = [world.looks(directions[place], np.full(1, 0.6), rng)[0] for place in range(0, 50, 2)]
        denials = (*(Denial(f"p{2 * place}", vector) for place, vector in enumerate(near)), Denial("p40", look))
        one_by_one = gallery.scores(look)
        for denial in (*denials, Denial("nobody", look)):
            one_by_one = np.minimum(one_by_one, with_denials(gallery, denial).scores(look))
        assert with_denials(gallery, *denials).scores(look).tolist() == one_by_one.tolist()

    def test_with_an_index_the_best_are_the_same_and_changes_since_count(self):
        rng = np.random.default_rng(17)
        directions, gallery = enrolled(400, rng)
        index = CodeIndex(gallery.vectors, [person.id for person in gallery.people])
        gone = {person: gallery.vectors[[place]] for place, person in enumerate(gallery.people) if place != 9}
        now = Gallery.of(gone | {Person("new", "New"): directions[[11]], gallery.people[5]: directions[[390]]})
        indexed = now.indexed(index, frozenset({"new", "p5", "p9"}))
        for number in range(0, 400, 5):
            look = world.looks(directions[number], np.full(1, 0.6), rng)[0]
            assert indexed.nearest(look, 2) == now.nearest(look, 2)
        assert indexed.nearest(gallery.vectors[9], 1)[0].person.id != "p9"
        denied = with_denials(now, Denial("p3", gallery.vectors[3])).indexed(index, frozenset())
        assert "p3" not in {match.person.id for match in denied.nearest(gallery.vectors[3], 3)}

    def test_empty(self):
        assert Gallery.of({}).nearest(world.directions(1, np.random.default_rng(0))[0], 3) == ()

    @pytest.mark.parametrize(
        "vectors", [np.zeros((0, 4), np.float32), np.ones((1, 4), np.float32), np.ones(4, np.float32) / 2]
    )
    def test_what_is_no_set_of_unit_vectors_is_refused(self, vectors):
        with pytest.raises(ValueError, match="p1"):
            Gallery.of({Person("p1", "x"): vectors})


def with_denials(gallery: Gallery, *denials: Denial) -> Gallery:
    return replace(gallery, denials=denials)


class TestIdentifier:
    def test_strangers_are_named_as_rarely_as_wanted(self, calibration):
        rng = np.random.default_rng(7)
        _, gallery = enrolled(200, rng)
        identifier = Identifier(calibration, IdentifierConfig(wanted_rate=0.05))
        named = 0
        for direction in world.directions(600, rng):
            qualities = rng.uniform(0.2, 0.9, 12)
            named += bool(follow(identifier, gallery, world.looks(direction, qualities, rng, 0.3), qualities)[1])
        assert 0.01 <= named / 600 <= 0.08  # of 600: 30 wanted, a standard deviation of 5

    def test_fusing_a_track_halves_the_misses_at_least(self, calibration):
        rng = np.random.default_rng(8)
        directions, gallery = enrolled(200, rng)
        identifier = Identifier(calibration)
        single = fused = 0
        for number, direction in enumerate(directions):
            qualities = rng.uniform(0.3, 0.6, 10)
            vectors = world.looks(direction, qualities, rng, 0.3)
            one, _ = follow(identifier, gallery, vectors[:1], qualities[:1])
            whole, names = follow(identifier, gallery, vectors, qualities)
            single += one.decision != "identified"
            fused += whole.decision != "identified"
            assert names <= {f"p{number}"}
        assert fused <= single / 2

    def test_too_blurred_is_unsure_and_a_clear_stranger_unknown(self, calibration):
        rng = np.random.default_rng(9)
        _, gallery = enrolled(100, rng)
        identifier = Identifier(calibration)
        stranger = world.directions(1, rng)[0]
        blurred, _ = follow(identifier, gallery, world.looks(stranger, np.full(1, 0.25), rng), [0.25])
        clear, _ = follow(identifier, gallery, world.looks(stranger, np.full(6, 0.85), rng), [0.85] * 6)
        assert blurred.decision == "unsure"
        assert clear.decision == "unknown"
        assert clear.person is None

    def test_two_who_look_alike_are_not_told_apart_by_a_guess(self, calibration):
        rng = np.random.default_rng(10)
        twin = world.directions(1, rng)[0]
        vectors = world.looks(twin, np.full(2, 0.99), rng)
        gallery = Gallery.of({Person("a", "Ann"): vectors[:1], Person("b", "Bea"): vectors[1:]})
        identity, names = follow(Identifier(calibration), gallery, world.looks(twin, np.full(1, 0.8), rng), [0.8])
        assert abs(identity.runners_up[0].score - identity.runners_up[1].score) < 0.03
        assert (identity.decision, names) == ("unsure", set())

    def test_a_person_who_leaves_the_gallery_is_no_longer_named(self, calibration):
        rng = np.random.default_rng(11)
        directions, gallery = enrolled(20, rng)
        identifier = Identifier(calibration)
        state, identity = identifier.step(
            IdentityState(), [Look(world.looks(directions[3], np.full(1, 0.9), rng)[0], 0.9)], gallery
        )
        assert identity.person.id == "p3"
        people = {person: gallery.vectors[number : number + 1] for number, person in enumerate(gallery.people)}
        del people[gallery.people[3]]
        state, identity = identifier.test(state, Gallery.of(people))
        assert identity.decision == "unknown"
        assert state.person_id == ""

    def test_a_stranger_who_takes_a_track_over_loses_the_name_of_whoever_had_it(self, calibration):
        rng = np.random.default_rng(13)
        directions, gallery = enrolled(50, rng)
        identifier = Identifier(calibration)
        freed = 0
        for number, stranger in enumerate(world.directions(50, rng)):
            own, others = (world.looks(one, np.full(12, 0.8), rng, 0.3) for one in (directions[number], stranger))
            state, said = IdentityState(), []
            for vector in (*own, *others[:3]):
                state, _ = identifier.step(state, [Look(vector, 0.8)], gallery)
                said.append(state.person_id)
            assert said[11:13] == [f"p{number}"] * 2  # one odd look takes no name back
            freed += said[13:] == ["", ""] and (state.turn, state.fused.looks) == (1, 3)
        assert freed >= 47  # of 100 strangers one looks more like the person, at each of the two looks

    def test_odd_looks_among_a_person_s_own_do_not_begin_anew(self, calibration):
        rng = np.random.default_rng(14)
        directions, gallery = enrolled(50, rng)
        strangers = world.directions(5, rng)
        state = IdentityState()
        for own, odd in zip(world.looks(directions[3], np.full(5, 0.8), rng), strangers, strict=True):
            for vector in (own, odd):
                state, _ = Identifier(calibration).step(state, [Look(vector, 0.8)], gallery)
        for odd in world.directions(5, rng):  # nor do five that are five different people's
            state, _ = Identifier(calibration).step(state, [Look(odd, 0.8)], gallery)
        assert (state.person_id, state.turn, state.fused.looks) == ("p3", 0, 5)

    def test_the_looks_of_one_person_are_not_taken_for_two_people_s(self, calibration):
        rng = np.random.default_rng(15)
        _, gallery = enrolled(5, rng)
        turns = 0
        for direction in world.directions(300, rng):
            state, qualities = IdentityState(), rng.uniform(0.2, 0.9, 12)
            for vector, quality in zip(world.looks(direction, qualities, rng), qualities, strict=True):
                state, _ = Identifier(calibration).step(state, [Look(vector, float(quality))], gallery)
            turns += state.turn
        assert turns <= 3

    def test_worthless_looks_are_no_test(self, calibration):
        rng = np.random.default_rng(12)
        _, gallery = enrolled(5, rng)
        state, identity = Identifier(calibration).step(
            IdentityState(), [Look(world.directions(1, rng)[0], 0.0)], gallery
        )
        low = calibration.cosine(0.0)
        assert (identity is None) == (low < IdentifierConfig().min_cosine)
        assert state.fused.looks == (0 if low < IdentifierConfig().min_cosine else 1)


class TestCalibration:
    def test_it_finds_what_the_looks_were_made_with(self, calibration):
        assert calibration.cosine(0.5) == pytest.approx(0.5, abs=0.05)
        assert calibration.correlation == pytest.approx(0.3, abs=0.1)

    def test_more_pictures_need_a_higher_score(self, calibration):
        low, high = (calibration.threshold(0.8, 0.01, pictures) for pictures in (10, 10_000))
        assert low < high
        assert calibration.threshold(0.8, 0.01, 0) == math.inf

    def test_rising_pools_what_falls(self):
        assert rising([1, 3, 2, 4]) == (1, 2.5, 2.5, 4)
