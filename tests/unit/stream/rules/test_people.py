"""Rules about who somebody is: whom they mean, what is one incident, and what takes a name back."""

from __future__ import annotations

import pytest

from contracts.config import KnownPerson
from contracts.fields import IdentityDecision
from contracts.identity import Identified
from contracts.messages import Event, Evidence, FrameRef
from stream.rules import AlertPolicy, EngineState, PolicyState, RuleEngine, Who
from stream.rules.people import meant
from stream.rules.words import sentence
from tests.rule_scenes import SQUARE, T0_MS, Walker, frames_of, rules_of, times_of

WATCH = {"watch": {"kind": "known_person", "cooldown_s": 2}}
IN_YARD = {"watch": {"kind": "known_person", "cooldown_s": 2, "zone": "yard"}}
UNKNOWN = {"strangers": {"kind": "unknown_person", "cooldown_s": 2}}
STANDING = Walker(((0, 320, 240), (30, 330, 240)))
BESIDE = Walker(((0, 520, 240), (30, 530, 240)))


def said(decision: IdentityDecision = "identified", person: str = "ann", group: str = "banned", **more: object) -> Who:
    name = {"person_id": person, "group": group} if decision == "identified" else {}
    identified = Identified(decision=decision, score=0.7, threshold=0.5, looks=3, face=(1, 1, 9, 9), **name | more)
    evidence = Evidence(
        ref=FrameRef("frames.site", 0, 77),
        captured_at_ms=T0_MS,
        width=640,
        height=480,
        xyxy=(300, 100, 340, 240),
        confidence=0.9,
        detail=True,
    )
    return Who(identified, evidence, person.title() if decision == "identified" else "")


ANN, BOB, NOBODY, UNSURE = said(), said(person="bob"), said("unknown"), said("unsure")


@pytest.mark.parametrize(
    ("rule", "who", "expected"),
    [
        ({}, ANN, True),  # anybody enrolled
        ({"people": ["ann"]}, ANN, True),  # by id
        ({"people": ["Ann"]}, ANN, True),  # by name
        ({"people": ["bob"]}, ANN, False),
        ({"groups": ["banned"]}, ANN, True),
        ({"groups": ["vip"]}, ANN, False),
        ({"people": ["ann"], "groups": ["vip"]}, ANN, True),  # either
        ({"except_groups": ["banned"]}, ANN, False),
        ({"people": ["ann"], "except_groups": ["banned"]}, ANN, False),
        ({"groups": [""]}, said(group=""), False),  # no group is no group's name
        ({"except_groups": ["staff"]}, said(group=""), True),
    ],
)
def test_whom_a_rule_means(rule: dict[str, list[str]], who: Who, expected: bool) -> None:
    spec = KnownPerson(**{name: tuple(values) for name, values in rule.items()})
    assert meant(spec, who) == expected


def alerts_of(rules: dict, story: dict[float, tuple[Who | None, ...]], walkers=(STANDING,)) -> list[tuple]:
    """Rule, state, whom the alert names and why it ended; `story` is from when on each track is said to be whom."""
    engine, policy, found = EngineState(), PolicyState(), []
    camera = rules_of(rules, {"yard": SQUARE})
    for frame, tracks in frames_of(walkers, times_of(12, 10), end=True):
        since_s = (frame.captured_at_ms - T0_MS) / 1000
        who = [now for start, now in sorted(story.items()) if start <= since_s]
        people = {
            (track.track_id, track.first_seen_at_ms): one
            for track, one in zip(tracks, who[-1] if who else (), strict=False)
            if one is not None
        }
        engine, _, events = RuleEngine(camera).step(engine, frame, tracks, people)
        policy, alerts = AlertPolicy(camera).step(policy, events, at_ms=frame.captured_at_ms, frame=frame)
        found += alerts
    return [
        (one.state, one.identity.person_id if one.identity else "", one.end_reason)
        for one in found
        if one.state != "update"
    ]


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ({1: (ANN,)}, [("new", "ann", ""), ("end", "ann", "source ended")]),
        ({1: (UNSURE,), 3: (NOBODY,)}, []),
        ({1: (ANN,), 3: (UNSURE,)}, [("new", "ann", ""), ("end", "ann", "the name was taken back")]),
        (
            {1: (ANN,), 3: (BOB,)},
            [
                ("new", "ann", ""),
                ("end", "ann", "the name was taken back"),
                ("new", "bob", ""),
                ("end", "bob", "source ended"),
            ],
        ),
        ({1: (ANN,), 3: ()}, [("new", "ann", ""), ("end", "ann", "over")]),  # the face is no longer known: no word
    ],
    ids=["named", "never named", "taken back", "somebody else", "forgotten"],
)
def test_an_alert_goes_with_the_name(story: dict, expected: list[tuple]) -> None:
    assert alerts_of(WATCH, story) == expected


def test_each_known_person_is_an_incident_of_their_own_and_unknown_ones_are_one() -> None:
    both = alerts_of(WATCH, {1: (ANN, BOB)}, (STANDING, BESIDE))
    assert sorted(both) == [
        ("end", "ann", "source ended"),
        ("end", "bob", "source ended"),
        ("new", "ann", ""),
        ("new", "bob", ""),
    ]
    strangers = alerts_of(UNKNOWN, {1: (NOBODY, NOBODY)}, (STANDING, BESIDE))
    assert [state for state, *_ in strangers] == ["new", "end"]


def test_who_was_unknown_and_is_known_after_all_ends_the_alert() -> None:
    assert alerts_of(UNKNOWN, {1: (NOBODY,), 4: (ANN,)}) == [("new", "", ""), ("end", "", "no longer unknown")]


@pytest.mark.parametrize(("walker", "alerts"), [(STANDING, 2), (Walker(((0, 30, 60), (30, 30, 62))), 0)])
def test_with_a_zone_only_who_is_in_it_counts(walker: Walker, alerts: int) -> None:
    assert len(alerts_of(IN_YARD, {1: (ANN,)}, (walker,))) == alerts


@pytest.mark.parametrize(
    ("strangers", "expected"),
    [
        (0.00023, "person/ann (banned) seen; 1 of 4,300 strangers looks so alike"),
        (0.0099, "person/ann (banned) seen; 1 of 100 strangers looks so alike"),
        (1.0, "person/ann (banned) seen; 1 of 1 strangers looks so alike"),
        (0.0, "person/ann (banned) seen; fewer than 1 of 100,000 strangers look so alike"),
    ],
)
def test_the_sentence_says_who_and_how_rare_that_is(strangers: float, expected: str) -> None:
    event = Event(
        id="1",
        site="s",
        camera="gate",
        lane="live",
        kind="known_person",
        rule="watch",
        rule_version=1,
        at_ms=0,
        label="person",
        identity=said(strangers=strangers).identified,
    )
    assert sentence(event) == expected
