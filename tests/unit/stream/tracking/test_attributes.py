"""The vote over a track: when something is said, when not yet, when it is taken back."""

from __future__ import annotations

import pytest

from stream.tracking.attributes import AttributeLook, Believed, VoteConfig, Voter, VoteState

T0_MS = 1_767_225_600_000
TRACK = (7, T0_MS)
VOTER = Voter(VoteConfig({"hat": Believed({"default": 0.7, "no": 0.8})}))


def look(no: float, weight: float = 0.9, track: tuple[int, int] = TRACK, model: str = "hat@1") -> AttributeLook:
    return AttributeLook(track, "hat", model, {"no": no, "yes": 1 - no}, weight)


def said(*looks: AttributeLook, every_ms: int = 500) -> list[str]:
    """What is said of TRACK after each look."""
    state, values = VoteState(), []
    for number, one in enumerate(looks):
        state, found = VOTER.step(state, [one], {TRACK}, T0_MS + every_ms * number)
        values += [one.value for one in found.get(TRACK, ())]
    return values


@pytest.mark.parametrize(
    ("looks", "wanted"),
    [
        ([look(0.95), look(0.95)], ["", "no"]),
        ([look(0.05), look(0.05)], ["", "yes"]),
        ([look(0.75)] * 6, [""] * 6),
        ([look(0.95, weight=0.2)] * 7, [""] * 6 + ["no"]),
        ([look(0.95), look(0.2), look(0.95), look(0.9), look(0.95), look(0.95), look(0.9)], [""] * 5 + ["no"] * 2),
    ],
    ids=["two clear looks", "of the other", "never clear", "poor looks count less", "one doubt"],
)
def test_a_value_is_said_when_the_looks_allow_it(looks: list[AttributeLook], wanted: list[str]) -> None:
    assert said(*looks) == wanted


def test_what_was_said_stays_through_one_bad_look_and_goes_with_many() -> None:
    values = said(*[look(0.95)] * 4, look(0.3), *[look(0.05)] * 40)
    assert values[1:5] == ["no"] * 4
    assert values[-1] == "yes"
    changed = [value for value, before in zip(values[1:], values, strict=False) if value != before]
    assert changed == ["no", "", "yes"]


def test_old_looks_count_less() -> None:
    often = Voter(VoteConfig({"hat": Believed(memory_s=1e9)}))
    state, found = VoteState(), {}
    for number in range(20):
        state, found = often.step(state, [look(1.0 if number < 10 else 0.0)], {TRACK}, T0_MS + 1000 * number)
    assert found[TRACK][0].confidence == pytest.approx(0.5, abs=0.01)
    assert said(*[look(1.0)] * 10, *[look(0.0)] * 10, every_ms=5000)[-1] == "yes"


def test_another_model_begins_anew() -> None:
    assert said(look(0.95), look(0.95), look(0.05, model="hat@2")) == ["", "no", ""]


def test_a_look_brings_the_thresholds_of_its_model() -> None:
    strict = [look(0.85, model="hat@2")._replace(thresholds={"no": 0.9})] * 3
    assert said(*strict) == [""] * 3
    assert said(*[look(0.85)] * 3) == ["", "no", "no"]


def test_votes_go_with_their_track_and_of_others_nothing_is_kept() -> None:
    other = (8, T0_MS)
    state, _ = VOTER.step(VoteState(), [look(0.9), look(0.1, track=other)], {TRACK, other}, T0_MS)
    assert len(state.votes) == 2
    state, found = VOTER.step(state, [look(0.9, track=(9, T0_MS))], {other}, T0_MS + 100)
    assert [one.track for one in state.votes] == [other]
    assert set(found) == {other}


def test_looks_of_an_attribute_that_is_no_more_in_the_config_are_passed_over() -> None:
    state, found = VOTER.step(VoteState(), [look(0.9)._replace(name="vest")], {TRACK}, T0_MS)
    assert (state.votes, found) == ((), {})


def test_a_frame_without_looks_says_what_was_said() -> None:
    state, _ = VOTER.step(VoteState(), [look(0.95)], {TRACK}, T0_MS)
    state, before = VOTER.step(state, [look(0.95)], {TRACK}, T0_MS + 500)
    after, found = VOTER.step(state, [], {TRACK}, T0_MS + 60_000)
    assert found == before
    assert after == state
    assert (found[TRACK][0].value, found[TRACK][0].looks) == ("no", 2)
