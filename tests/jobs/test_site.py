"""Unknown people in the real site job: the same over kill -9, operators' words, and a day whose key is thrown away."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
import pytest

from contracts import topics
from contracts.codec import encode
from contracts.face_models import BUNDLED
from contracts.manifest import load_manifest
from contracts.messages import Alert, DeadLetter
from contracts.people import ForgetUnknown, MergeUnknowns, PeopleCommand, Sighting, SplitUnknown, UnknownSeen
from tests.face_tools import SITE, face_key, readable_forms, seen
from tests.jobs.world import CONFIG, T0_MS, SiteUnderTest, story
from tests.sighting_tools import sighting
from vault import DayKeys, day_of, master_key, new_key
from vault.master import FILE_VARIABLE
from vedette.local import LocalOptions
from vedette.master_file import NAME

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(600)]

PEOPLE, TIMES = 12, 4
EMBEDDER = load_manifest(BUNDLED / "face-embedder.json").id
"""Sightings by any other are passed over."""
TOPICS = (topics.SIGHTINGS, topics.UNKNOWNS, topics.ALERTS, topics.FACE_KEYS, topics.DEAD_LETTERS)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def config(rules: Mapping[str, object] = MappingProxyType({})) -> dict[str, object]:
    """Two cameras that identify, the rule about who comes again, and `rules`."""
    faces = {"identify": True, "purpose": "who comes again"}
    cameras = {name: camera | {"faces": faces} for name, camera in CONFIG["cameras"].items()}  # type: ignore[attr-defined]
    rule = {"kind": "returning_unknown", "times": 3, "days": 7}
    return CONFIG | {"cameras": cameras, "rules": {"again": rule, **rules}}


class UnknownsUnderTest(SiteUnderTest):
    """The site job alone, unless `parts` are others: the test is decide and console."""

    def __init__(
        self, folder: Path, rules: Mapping[str, object] = MappingProxyType({}), parts: tuple[str, ...] = ("jobs",)
    ) -> None:
        super().__init__(folder, config(rules))
        self.system.options = LocalOptions(parts, keep_forever=True, jobs_arguments=("--jobs", "site"))
        self.keys = DayKeys(SITE)

    def __enter__(self) -> UnknownsUnderTest:
        super().__enter__()
        self.master = master_key({FILE_VARIABLE: str(self.system.state_dir / NAME)})
        assert self.master is not None
        for day in range(3):
            key = new_key()
            self.keys.put(day_of(T0_MS) + day, key)
            self.put(face_key(T0_MS + day * DAY_MS, key, master=self.master))
        return self

    def put(self, record) -> None:
        self.send_raw(record.topic, record.key, record.value)
        self.producer.flush()

    def tell(self, sightings: list[Sighting]) -> None:
        for one in sightings:
            self.send_raw(topics.SIGHTINGS, one.site.encode(), encode(one))
        self.producer.flush()

    def say(self, name: str, command: MergeUnknowns | SplitUnknown | ForgetUnknown) -> None:
        word = PeopleCommand(id=name, site=SITE, at_ms=T0_MS, by="ann", command=command)
        self.send_raw(topics.PEOPLE_COMMANDS, name.encode(), encode(word))
        self.producer.flush()

    def unknowns(self) -> dict[str, UnknownSeen]:
        """Of each pseudonym the last word."""
        return {one.pseudonym: one for one in self.messages(topics.UNKNOWNS, UnknownSeen)}

    def there(self) -> dict[str, tuple[int, tuple[str, ...]]]:
        """How often those who are remembered came, and by which tracks."""
        return {
            one.pseudonym: (one.came, tuple(visit.track for visit in one.visits))
            for one in self.unknowns().values()
            if not one.gone
        }

    def knows(self, track: str) -> bool:
        return any(track in tracks for _, tracks in self.there().values())


def comings(keys: DayKeys) -> list[Sighting]:
    """Each person some times, an hour apart, on one camera or the other; each track is told twice."""
    rng = random.Random(3)
    order = [who for who in range(PEOPLE) for _ in range(TIMES)]
    rng.shuffle(order)
    made = []
    for number, who in enumerate(order):
        camera, at_ms = rng.choice(("gate", "yard")), T0_MS + number * HOUR_MS
        for part in range(2):
            vector = seen(who, 0.88, 2 * number + part)
            looked = {"model": EMBEDDER, "camera": camera, "strength": 0.88, "final": part == 1}
            made.append(sighting(number, vector, keys, at_ms + part * 3000, **looked))
    return made


def run(site: UnknownsUnderTest, made: list[Sighting], kills: int) -> None:
    """Tell all sightings, and kill Flink so many times with some of them under way."""
    cuts = [len(made) * number // (kills + 1) for number in range(kills + 2)]
    for number, (start, end) in enumerate(itertools.pairwise(cuts)):
        site.tell(made[start:end])
        if number < kills:
            middle = made[(start + end) // 2].track
            site.wait(f"track {middle}", lambda track=middle: site.knows(track))  # type: ignore[misc]
            site.kill_flink()
    site.wait("the last track", lambda: site.knows(made[-1].track))


def outcome(site: UnknownsUnderTest) -> tuple[object, object]:
    """The alerts' story and who is remembered."""
    return story(site.messages(topics.ALERTS, Alert)), site.there()


def test_unknown_people_are_the_same_when_flink_is_killed(tmp_path: Path) -> None:
    with UnknownsUnderTest(tmp_path / "calm") as calm:
        made = comings(calm.keys)
        run(calm, made, kills=0)
        expected = outcome(calm)
        assert sorted(came for came, _ in calm.there().values()) == [TIMES] * PEOPLE
        alerts = calm.messages(topics.ALERTS, Alert)
        # Two of four comings of each are the third and the fourth.
        assert len({alert.id for alert in alerts}) == 2 * PEOPLE
        assert {alert.identity.visits for alert in alerts if alert.identity and alert.state == "new"} == {3, 4}
        check_another_embedder(calm, made)
        check_operators(calm)
        check_keys(calm, made)
    with UnknownsUnderTest(tmp_path / "disturbed") as disturbed:
        # The same tracks under other keys: pseudonyms and alerts don't hang on what is sealed.
        run(disturbed, comings(disturbed.keys), kills=2)
        assert outcome(disturbed) == expected


def check_another_embedder(site: UnknownsUnderTest, made: list[Sighting]) -> None:
    """What another embedder saw is read and not used, and that is said."""
    before = site.there()
    site.tell([msgspec.structs.replace(made[-1], model="another@1", track="gate/live/1/another")])
    site.wait("its word", lambda: f"another@1 are passed over: this site's embedder is {EMBEDDER}" in site.progress())
    site.wait("its place", lambda: f"vedette-site-sort to {len(made) + 1}" in site.progress())
    assert site.there() == before


def check_operators(site: UnknownsUnderTest) -> None:
    """What is merged and split is so, and what makes no sense is a dead letter."""
    one, two, *_ = sorted(site.there())
    tracks = site.there()[two][1]
    site.say("merge", MergeUnknowns(keep=one, other=two))
    site.wait("the merge", lambda: site.unknowns()[two].merged_into == one)
    assert set(tracks) <= set(site.there()[one][1])
    site.say("merge", MergeUnknowns(keep=one, other=two))  # told twice
    site.say("split", SplitUnknown(pseudonym=one, tracks=tracks[:1]))
    site.wait("the split", lambda: len(site.there()) == PEOPLE)
    site.say("forget", ForgetUnknown(pseudonym=one))
    site.wait("forgotten", lambda: site.unknowns()[one].gone)
    site.say("nobody", ForgetUnknown(pseudonym=one))
    site.wait("the dead letter", lambda: bool(site.messages(topics.DEAD_LETTERS, DeadLetter)))
    (letter,) = site.messages(topics.DEAD_LETTERS, DeadLetter)
    assert letter.topic == topics.PEOPLE_COMMANDS
    assert one in letter.reason


def check_keys(site: UnknownsUnderTest, made: list[Sighting]) -> None:
    """Of a day whose key was thrown away nothing is left in the checkpoints; of the others nothing can be read."""
    first = [one for one in made if one.at_ms < T0_MS + DAY_MS]
    assert any(one.sealed in data for one in first for data in checkpoints(site))
    site.put(face_key(T0_MS, None))
    kept = {one.track for one in made} - {one.track for one in first}
    site.wait("what is left", lambda: {track for _, tracks in site.there().values() for track in tracks} <= kept)
    site.wait(
        "two checkpoints later", lambda: not any(one.sealed in data for one in first for data in checkpoints(site))
    )
    plain = [np.frombuffer(site.keys.open(one.sealed), "<f2") for one in made]
    parts = [part for vector in plain for part in readable_forms(vector)]
    everything = [*checkpoints(site), *(record.value or b"" for topic in TOPICS for record in site.records(topic))]
    assert not any(part in data for part in parts for data in everything)


def checkpoints(site: UnknownsUnderTest) -> list[bytes]:
    found = []
    for file in (site.system.state_dir / "stream" / "checkpoints").rglob("*"):
        try:
            found += [file.read_bytes()] if file.is_file() else []
        except FileNotFoundError:
            continue  # replaced meanwhile
    return found
