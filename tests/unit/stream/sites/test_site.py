"""The site's decisions: who takes part, what operators' words do, and alerts on people who come again and again."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from contracts.config import Config
from contracts.config_file import parse
from contracts.errors import ContractError
from contracts.people import ForgetUnknown, MergeUnknowns, PeopleCommand, SplitUnknown
from stream.identity.calibrate import calibrate
from stream.rules import Rulebook
from stream.sites import Returning, Site, SiteState, Unknowns
from tests.sighting_tools import DAY, T0_MS, day_keys, looking, sighting
from tests.unit.stream.identity import people as world

HOUR_MS = 3_600_000
GAP_MS = 300_000
CONFIG = """
site: {name: site, time_zone: UTC}
cameras:
  gate: {inputs: [{url: a.mp4}], faces: {identify: true, purpose: test}}
  yard: {inputs: [{url: b.mp4}], faces: {identify: true, purpose: test}}
rules:
  again: {kind: returning_unknown, times: 3, days: 7, severity: high, instructions: Ask them}
"""


@pytest.fixture(scope="module")
def logic():
    rng = np.random.default_rng(1)
    known = world.directions(300, rng)
    calibration = calibrate(world.tracks(known, 8, 0.2, 0.9, rng), world.pictures(known, 2, 0.8, rng))
    return Site(Unknowns(calibration), Returning(GAP_MS / 1000))


class Story:
    """A site that is told one thing after the other."""

    def __init__(self, logic: Site, config: str = CONFIG, seed: int = 2) -> None:
        self.logic, self.rng = logic, np.random.default_rng(seed)
        self.keys = day_keys(DAY, DAY + 1)
        self.config: Config = parse(config)
        self.rulebook = Rulebook(self.config)
        self.state = SiteState()
        self.number = 0
        self.at_ms = T0_MS

    def rules_of(self, camera):
        return self.rulebook.at(camera, self.at_ms, ())

    def sees(self, direction, at_ms, track=None, cosine=0.85, **changes):
        self.number += 1
        self.at_ms = T0_MS + at_ms
        vector = looking(direction, cosine, self.rng)
        one = sighting(track or self.number, vector, self.keys, self.at_ms, **({"strength": cosine} | changes))
        self.state, told = self.logic.sighting(self.state, one, vector, self.rules_of)
        return told

    def says(self, command, number=1):
        word = PeopleCommand(id=f"c-{number}", site="site", at_ms=self.at_ms, by="ann", command=command)
        self.state, told = self.logic.command(self.state, word)
        return told

    def passes(self, at_ms):
        self.at_ms = T0_MS + at_ms
        self.state, told = self.logic.passed(self.state, self.at_ms, self.rules_of)
        return told


@pytest.fixture
def people():
    return world.directions(3, np.random.default_rng(5))


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({"decision": "unknown"}, True),
        ({"decision": "identified", "person_id": "p-1"}, False),
        ({"decision": "unsure"}, False),
        ({"decision": "unsure", "cosine": 0.9}, True),
        ({"decision": "unknown", "cosine": 0.3}, False),
    ],
    ids=["unknown", "identified", "unsure", "unsure but strong", "too little of a face"],
)
def test_who_takes_part(logic, people, changes, known):
    story = Story(logic)
    cosine = changes.pop("cosine", 0.7)
    told = story.sees(people[0], 0, cosine=cosine, **changes)
    assert len(told.changed) == len(story.state.people.people) == known


def test_who_is_identified_after_all_is_no_unknown_person(logic, people):
    story = Story(logic)
    (before,) = story.sees(people[0], 0, track=1).changed
    told = story.sees(people[0], 1000, track=1, decision="identified", person_id="p-1")
    assert [(gone.person.id, gone.merged_into) for gone in told.gone] == [(before.id, "")]
    assert story.state.people.people == ()


def test_operators_merge_split_and_forget(logic, people):
    story = Story(logic)
    (one,) = story.sees(people[0], 0).changed
    (two,) = story.sees(people[1], HOUR_MS).changed
    told = story.says(MergeUnknowns(keep=one.id, other=two.id), 1)
    assert [person.id for person in told.changed] == [one.id]
    assert [(gone.person.id, gone.merged_into) for gone in told.gone] == [(two.id, one.id)]
    told = story.says(SplitUnknown(pseudonym=one.id, tracks=("gate/live/1/2",)), 2)
    assert {len(person.visits) for person in told.changed} == {1}
    assert story.says(SplitUnknown(pseudonym=one.id, tracks=("gate/live/1/2",)), 2) == ((), (), ())  # told twice
    told = story.says(ForgetUnknown(pseudonym=one.id), 3)
    assert [(gone.person.id, gone.merged_into) for gone in told.gone] == [(one.id, "")]
    with pytest.raises(ContractError, match=one.id):
        story.says(ForgetUnknown(pseudonym=one.id), 4)


def test_the_same_unknown_person_alerts_at_the_third_coming(logic, people):
    story = Story(logic)
    assert story.sees(people[0], 0).alerts == ()
    assert story.sees(people[1], 1000).alerts == ()
    assert story.sees(people[0], HOUR_MS, camera="yard").alerts == ()
    assert story.sees(people[0], HOUR_MS + 60_000).alerts == ()  # not gone meanwhile
    (new,) = story.sees(people[0], 2 * HOUR_MS, camera="yard").alerts
    assert (new.state, new.revision, new.camera, new.kind, new.severity) == (
        "new",
        1,
        "yard",
        "returning_unknown",
        "high",
    )
    assert new.why == "the same unknown person came 3 times in 168 h (limit 3)"
    assert new.identity.pseudonym == story.state.people.people[0].id
    assert (new.identity.visits, new.score, new.instructions) == (3, 3.0, "Ask them")
    assert new.evidence.ref.offset == 5
    # A better look at them on that camera is told; the next ones are not news.
    (update,) = story.sees(people[0], 2 * HOUR_MS + 10_000, camera="yard", quality=0.95).alerts
    assert (update.id, update.state, update.revision, update.identity.quality) == (new.id, "update", 2, 0.95)
    assert story.sees(people[0], 2 * HOUR_MS + 20_000).alerts == ()
    assert story.passes(2 * HOUR_MS + 20_000 + GAP_MS - 1).alerts == ()
    (end,) = story.passes(2 * HOUR_MS + 20_000 + GAP_MS + 5000).alerts
    assert (end.id, end.state, end.revision, end.end_reason) == (new.id, "end", 3, "over")
    assert end.ended_at_ms == T0_MS + 2 * HOUR_MS + 20_000
    assert end.at_ms == end.ended_at_ms + GAP_MS  # whenever that was noticed
    assert end.why == "the same unknown person came 3 times in 168 h (limit 3); over after 20 s"
    (fourth,) = story.sees(people[0], 3 * HOUR_MS).alerts
    assert (fourth.id == new.id, fourth.score) == (False, 4.0)


def test_comings_to_other_cameras_and_long_ago_don_t_count(logic, people):
    story = Story(logic, CONFIG.replace("days: 7", "days: 0.1, cameras: [gate]"))
    for hour, camera in enumerate(("gate", "yard", "gate", "yard", "yard")):
        assert story.sees(people[0], hour * HOUR_MS, camera=camera).alerts == ()
    assert story.sees(people[0], 5 * HOUR_MS, camera="gate").alerts == ()
    assert story.sees(people[0], 6 * HOUR_MS, camera="gate").alerts == ()
    assert len(story.sees(people[0], 7 * HOUR_MS, camera="gate").alerts) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"schedule": [{"from": "01:00", "until": "01:30"}]},
        {"min_confidence": 0.9},
    ],
    ids=["off", "another time", "worse looks"],
)
def test_a_rule_that_does_not_apply_raises_nothing(logic, people, change):
    rule = msgspec.json.encode({"kind": "returning_unknown", "times": 3} | change).decode()
    story = Story(logic, CONFIG[: CONFIG.index("rules:")] + f"rules: {{again: {rule}}}")
    assert [story.sees(people[0], n * 2 * HOUR_MS).alerts for n in range(4)] == [()] * 4


def test_an_alert_ends_with_its_rule_and_with_its_pseudonym(logic, people):
    story = Story(logic)
    for hour in range(3):
        told = story.sees(people[0], hour * HOUR_MS)
    (new,) = told.alerts
    (other,) = story.sees(people[1], 2 * HOUR_MS).changed
    before = story.state
    told = story.says(MergeUnknowns(keep=other.id, other=new.identity.pseudonym))
    assert [(end.id, end.state, end.end_reason) for end in told.alerts] == [
        (new.id, "end", "merged with another person")
    ]
    story.state = before
    story.rulebook = Rulebook(msgspec.structs.replace(story.config, rules={}))
    (end,) = story.passes(2 * HOUR_MS + 1000).alerts
    assert (end.id, end.end_reason) == (new.id, "rule removed")


def test_a_day_without_key_is_not_remembered(logic, people):
    story = Story(logic)
    (one,) = story.sees(people[0], 0).changed
    (two,) = story.sees(people[1], 25 * HOUR_MS).changed
    story.state, told = logic.keys_gone(story.state, frozenset({DAY + 1}))
    assert [gone.person.id for gone in told.gone] == [one.id]
    assert [person.id for person in story.state.people.people] == [two.id]


def test_the_same_story_gives_the_same_alerts_and_late_frames_don_t_move_the_clock(logic, people):
    first, second = Story(logic), Story(logic)
    for story in (first, second):
        for hour in range(4):
            story.sees(people[0], hour * HOUR_MS)
        story.sees(people[1], 20 * HOUR_MS, lane="late")
    assert [one.alert.id for one in first.state.returning.open] == [one.alert.id for one in second.state.returning.open]
    assert first.state.clock_ms == T0_MS + 3 * HOUR_MS
