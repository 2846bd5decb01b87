"""Messages about people: who somebody is said to be, who is enrolled, who was seen, unknown people."""

from __future__ import annotations

from contracts.identity import Identified, RunnerUp, TrackIdentity
from contracts.messages import (
    Alert,
    Event,
    Feedback,
    FrameTracks,
    Message,
    TrackedObject,
)
from contracts.people import (
    FaceKey,
    ForgetUnknown,
    GalleryChange,
    GalleryContent,
    MergeUnknowns,
    PeopleCommand,
    RemovedPerson,
    SetDenial,
    SetPerson,
    Sighting,
    SplitUnknown,
    UnknownSeen,
    UnknownVisit,
)
from tests.golden.common import AT_MS, EVIDENCE, REF

IDENTITY = Identified(
    decision="identified",
    person_id="p-1",
    name="Ann",
    group="banned",
    score=0.75,
    threshold=0.5,
    strangers=0.0625,
    looks=4,
    quality=0.875,
    runners_up=(RunnerUp("p-2", "Bob", 0.25),),
    face=(1.0, 2.0, 3.0, 4.0),
    sealed=b"\x01\x00\xff",
    pseudonym="u-1",
    visits=3,
)


def _gallery(change: GalleryContent) -> GalleryChange:
    return GalleryChange(site="home", version=7, change=change)


def _people(name: str, command: MergeUnknowns | SplitUnknown | ForgetUnknown) -> PeopleCommand:
    return PeopleCommand(id=f"command-{name}", site="home", at_ms=AT_MS, by="olga", command=command)


PEOPLE: dict[str, Message] = {
    "feedback_identity": Feedback(
        id="answer-2",
        site="home",
        camera="gate",
        alert="alert-2",
        revision=1,
        action="not_person",
        operator="wächter",
        at_ms=AT_MS + 9000,
        kind="known_person",
        evidence=EVIDENCE,
        person_id="p-1",
        identity=IDENTITY,
    ),
    "frame_tracks_identity": FrameTracks(
        site="home",
        camera="gate",
        lane="live",
        session=3,
        index=45,
        captured_at_ms=AT_MS,
        interval_ms=100,
        width=1920,
        height=1080,
        ref=REF,
        model="vedette-nano@3",
        tracks=(
            TrackedObject(
                track_id=12,
                xyxy=(1.0, 2.0, 3.5, 4.5),
                confidence=0.875,
                label="person",
                first_seen_at_ms=AT_MS - 5000,
                identity=TrackIdentity(decision="identified", person_id="p-1"),
            ),
        ),
    ),
    "event_identity": Event(
        id="event-2",
        site="home",
        camera="gate",
        lane="live",
        kind="known_person",
        rule="banned",
        rule_version=2,
        at_ms=AT_MS,
        identity=IDENTITY,
    ),
    "alert_identity": Alert(
        id="alert-2",
        revision=1,
        state="new",
        site="home",
        camera="gate",
        rule="banned",
        rule_version=2,
        kind="known_person",
        severity="critical",
        started_at_ms=AT_MS,
        at_ms=AT_MS,
        identity=IDENTITY,
    ),
    "gallery_person": _gallery(SetPerson(id="p-1", group="vip", wrapped=b"\x00\x01", sealed=b"\x02\x03")),
    "gallery_denial": _gallery(SetDenial(id="d-1", person_id="p-1", model="face-embedder@1", sealed=b"\x04")),
    "gallery_removed": _gallery(RemovedPerson(kind="person", id="p-1")),
    "face_key": FaceKey(site="home", day=20_458, wrapped=b"\x05\x06"),
    "sighting": Sighting(
        site="home",
        camera="gate",
        lane="live",
        track="gate/live/3/12",
        first_at_ms=AT_MS - 5000,
        at_ms=AT_MS,
        decision="unknown",
        model="face-embedder@1",
        sealed=b"\x07",
        strength=0.75,
        looks=4,
        quality=0.5,
        ref=REF,
        face=(1.0, 2.0, 3.0, 4.0),
        width=1920,
        height=1080,
        person_id="p-1",
        score=0.25,
        strangers=0.5,
        runners_up=(RunnerUp("p-2", "Bob", 0.25),),
        zones=("yard",),
        final=True,
    ),
    "sighting_framed": Sighting(
        site="home",
        camera="gate",
        lane="live",
        track="gate/live/3/13",
        first_at_ms=AT_MS - 5000,
        at_ms=AT_MS,
        decision="unsure",
        model="face-embedder@1",
        sealed=b"\x07",
        strength=0.75,
        looks=4,
        quality=0.5,
        ref=REF,
        face=(1.0, 2.0, 3.0, 4.0),
        width=1920,
        height=1080,
        ref_at_ms=AT_MS - 2000,
        xyxy=(0.0, 1.0, 30.0, 40.0),
    ),
    "unknown_seen": UnknownSeen(
        site="home",
        pseudonym="u-1",
        first_at_ms=AT_MS - 5000,
        last_at_ms=AT_MS,
        came=3,
        model="face-embedder@1",
        visits=(
            UnknownVisit(
                track="gate/live/3/12", camera="gate", at_ms=AT_MS, strength=0.75, ref=REF, face=(1.0, 2.0, 3.0, 4.0)
            ),
        ),
        sealed=b"\x08",
        gone=True,
        merged_into="u-0",
    ),
    "people_merge": _people("merge", MergeUnknowns(keep="u-1", other="u-2")),
    "people_split": _people("split", SplitUnknown(pseudonym="u-1", tracks=("gate/live/3/12",))),
    "people_forget": _people("forget", ForgetUnknown(pseudonym="u-1")),
}
