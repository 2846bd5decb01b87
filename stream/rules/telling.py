"""From readings to events: which begin, go on and end, with ids that a replay gives again."""

from __future__ import annotations

import uuid

from msgspec.structs import replace

from contracts.fields import Lane, Point
from contracts.messages import Event, Evidence
from stream.rules.habits import Habits
from stream.rules.model import ActiveRule, CameraRules
from stream.rules.people import TAKEN_OVER
from stream.rules.scene import Reading, Who
from stream.rules.state import Open
from stream.rules.things import worth

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://vedette.org/alert")


def incident_id(site: str, camera: str, rule: str, version: int, at_ms: int, track_id: int) -> str:
    """The id of what a rule sees begin: of the event, and of the alert that this event opens."""
    return str(uuid.uuid5(NAMESPACE, f"{site}/{camera}/{rule}/{version}/{at_ms}/{track_id}"))


class Teller:
    """Makes the events of one camera at one moment: `at_ms` is the events' time, `ms` the observed clock."""

    def __init__(self, rules: CameraRules, lane: Lane, at_ms: int, ms: int, habits: Habits) -> None:
        self._rules, self._lane, self._at_ms, self._ms, self._habits = rules, lane, at_ms, ms, habits

    def begin(
        self, rule: ActiveRule, reading: Reading, trail: tuple[Point, ...], last_frame: Evidence | None, *, once: bool
    ) -> Event:
        """The event of a condition that has just come true; `once` when it is over with this frame."""
        site, camera = self._rules.site, self._rules.camera
        first_track = min(reading.track_ids, default=0)
        return Event(
            id=incident_id(site, camera, rule.name, rule.version, self._at_ms, first_track),
            site=site,
            camera=camera,
            lane=self._lane,
            kind=rule.kind,
            rule=rule.name,
            rule_version=rule.version,
            at_ms=self._at_ms,
            ended=once,
            track_ids=reading.track_ids,
            label=reading.label,
            zone=rule.place,
            score=reading.score,
            trace=reading.trace,
            area=rule.area,
            trail=trail,
            evidence=reading.evidence or last_frame,
            identity=reading.identity,
            attributes=reading.attributes,
        )

    def go_on(
        self, opened: Open, reading: Reading, trail: tuple[Point, ...], last_frame: Evidence | None, *, counts: bool
    ) -> tuple[Open, Event | None]:
        """The event told again when there is something better to tell: evidence, or more things (`counts`)."""
        old = opened.event
        evidence = reading.evidence or (last_frame if counts else None)
        better = worth(evidence) >= self._habits.tell_better * worth(old.evidence) and evidence is not None
        more = counts and reading.score > old.score
        if not (better or more) or self._ms - opened.told_ms < self._habits.tell_ms:
            return opened, None
        event = replace(
            old,
            id=str(uuid.uuid5(uuid.UUID(opened.start_id), str(self._at_ms))),
            at_ms=self._at_ms,
            opened_by=opened.start_id,
            track_ids=tuple(sorted({*old.track_ids, *reading.track_ids})[-MAX_TRACKS:]),
            score=reading.score,
            trace=reading.trace,
            trail=trail or old.trail,
            evidence=evidence if better or counts else old.evidence,
            identity=reading.identity if better or counts else old.identity,
            attributes=reading.attributes or old.attributes,
        )
        return Open(opened.start_id, opened.subject, self._ms, event), event

    def end(self, opened: Open, trail: tuple[Point, ...] = (), now: Who | None = None) -> Event:
        """The event that ends `opened`; `now` where its thing is said to be somebody else by now."""
        taken_over = now is not None and now.since_ms > opened.event.at_ms
        return replace(
            opened.event,
            id=str(uuid.uuid5(uuid.UUID(opened.start_id), "end")),
            at_ms=self._at_ms,
            ended=True,
            opened_by=opened.start_id,
            trail=trail or opened.event.trail,
            identity=now.identified if now is not None else opened.event.identity,
            trace=(*opened.event.trace, TAKEN_OVER) if taken_over else opened.event.trace,
        )


MAX_TRACKS = 50
"""So many tracks of one event or alert are named; a crowd that changes for hours has more."""
