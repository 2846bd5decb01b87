"""People in the real jobs: nobody, a watch-list match, a name taken back, and kill -9 with somebody in the picture."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from contracts import topics
from contracts.messages import DeadLetter, FrameDetections
from contracts.people import Sighting
from tests.face_tools import readable_forms, seen
from tests.jobs.face_world import FacesUnderTest, config, enrolment_vector, kept_bytes
from tests.jobs.world import SiteUnderTest

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(600)]


def test_people_are_named_only_while_they_are_enrolled(tmp_path: Path) -> None:
    vector = enrolment_vector()
    with SiteUnderTest(tmp_path, config()) as site:
        world = FacesUnderTest(site)
        # Nobody is enrolled, then ten others are: none is named. (Against 50 the first look alone would be "unsure".)
        world.come()
        world.go()
        world.wait_for_tracks()
        for number in range(10):
            world.put(world.enrolling.person(f"other{number}", [seen(number)], group="banned"))
        time.sleep(1.0)
        world.come()
        world.go()
        world.wait_for_tracks()
        assert world.said() == {("unknown", "")}
        assert not world.alerts("watch")
        assert len({alert.id for alert in world.alerts("unknown")}) == 2

        # Enrolled: the next visit is a watch-list match, with the frame of the face.
        world.put(world.enrolling.person("ann", [vector], "Ann", "banned"))
        time.sleep(1.0)
        first = world.index
        world.come()
        world.wait_for_tracks()
        assert world.said(first) == {("identified", "ann")}
        (alert,) = world.alerts("watch")
        assert alert.why.startswith("person/ann (banned) seen; ")
        assert alert.identity is not None
        assert alert.evidence is not None
        assert alert.evidence.ref.offset >= first
        fused = np.frombuffer(world.keys.open(alert.identity.sealed), "<f2").astype(np.float32)
        assert fused @ vector > 0.8

        # Removed while the track runs: within a second its name is taken back.
        world.put(world.enrolling.removal("ann"))
        time.sleep(1.0)
        first = world.index
        world.come(count=10)
        world.go()
        world.wait_for_tracks()
        assert world.said(first) == {("unknown", "")}
        assert [(a.state, a.end_reason) for a in world.alerts("watch")] == [
            ("new", ""),
            ("end", "the name was taken back"),
        ]

        # Enrolled again, and kill -9 of the jobs: the gallery is there before the first frame.
        world.put(world.enrolling.person("ann", [vector], "Ann", "banned", version=3))
        site.send_raw(topics.GALLERY, b"person/nobody", b"\xff")
        site.kill_flink()
        first = world.index
        world.come()
        world.go()
        world.wait_for_tracks()
        assert world.said(first) == {("identified", "ann")}
        site.wait("the dead letter", lambda: bool(site.messages(topics.DEAD_LETTERS, DeadLetter)))
        assert {letter.topic for letter in site.messages(topics.DEAD_LETTERS, DeadLetter)} == {topics.GALLERY}

        sightings = site.messages(topics.SIGHTINGS, Sighting)
        ends = [(one.decision, one.person_id) for one in sightings if one.final]
        assert sorted(set(ends)) == [("identified", "ann"), ("unknown", "")]
        assert {one.zones for one in sightings if one.final} == {("left",)}

        # A camera that identifies nobody has no looks; and nowhere is a vector that could be read.
        world.come("yard", 10)
        world.wait_for_tracks("yard")
        detections = site.messages(topics.DETECTIONS, FrameDetections)
        faces = {d.camera for d in detections for box in d.detections if any(look.kind == "face" for look in box.looks)}
        assert faces == {"gate"}
        plain = [*readable_forms(vector), *readable_forms(fused)]
        for data in kept_bytes(site):
            assert not any(part in data for part in plain)
