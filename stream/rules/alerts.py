"""The alert policy: the events of one camera in, one alert for each incident out, new → update → end.

An incident is what one rule sees at a stretch: other things that do the same join it, also within `cooldown_s` after
the last one has stopped, and it ends when nothing has happened for that long. So a cooldown never hides anything. A
thing left behind is an incident of its own, and so is each known person. What silencing.py keeps silent doesn't come
here, but once, when it is to leave the incident that it is in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from contracts.config import Anomaly
from contracts.messages import Alert, Event, FrameDetections
from stream.rules.habits import LIVING
from stream.rules.model import ActiveRule, CameraRules
from stream.rules.people import another, why_over
from stream.rules.schedule import why_silent
from stream.rules.telling import MAX_TRACKS, incident_id
from stream.rules.things import worth
from stream.rules.words import ended, told

STATE_VERSION = 1
UPDATE_MS = 5_000
MAX_WAITING = 100

OFF_FRAMES = ("camera_down", "tamper", "anomaly")
"""Kinds whose events come on another clock than the frames': the agent's, or a window's end."""


class Incident(msgspec.Struct, frozen=True, array_like=True):
    """An alert that has not ended: as it was told last, the events that go on, and how long ago what was.

    `alert` is always complete; `quiet_ms` runs while no event goes on, `untold_ms` since the last revision. `stale`
    means that there is something to tell.
    """

    alert: Alert
    events: tuple[Event, ...]
    quiet_ms: int = 0
    untold_ms: int = 0
    stale: bool = False
    over_at_ms: int = 0


class PolicyState(msgspec.Struct, frozen=True, kw_only=True):
    """One camera's lane. `incidents` are at most one a rule (and a thing left behind), deleted at their end.

    `waiting` are events that go on but must not alert now; deleted at their end, at most MAX_WAITING. The times are
    those of the last step with a frame, and without.
    """

    v: int = STATE_VERSION
    at_ms: int = 0
    off_frames_at_ms: int = 0
    incidents: tuple[Incident, ...] = ()
    waiting: tuple[Event, ...] = ()


def alerts_of(state: PolicyState) -> dict[str, str]:
    """The ids of the alerts that events which go on are in, by the id of the event that began each."""
    return {_start_of(event): one.alert.id for one in state.incidents for event in one.events}


class AlertPolicy:
    """The alerts of one camera under its rules; `step` is a pure function of its arguments."""

    def __init__(self, rules: CameraRules) -> None:
        self._rules = rules

    def step(
        self, state: PolicyState, events: Sequence[Event], *, at_ms: int, frame: FrameDetections | None
    ) -> tuple[PolicyState, tuple[Alert, ...]]:
        """The alerts' revisions that the events at `at_ms` lead to.

        Call it for every frame, with its events, and with `frame=None` for every status and every event of another
        job, since time passes for incidents of the frames only with frames, and for the others only without.
        """
        turn = _Turn(self._rules, state, at_ms, frame)
        turn.pass_time()
        turn.end_changed()
        for event in events:
            turn.take(event)
        turn.arm()
        turn.tell()
        if frame is not None and frame.last:
            turn.end_all("source ended")
        return turn.state(), tuple(turn.alerts)


class _Turn:
    """One step of the policy on working copies of its state's parts."""

    def __init__(self, rules: CameraRules, state: PolicyState, at_ms: int, frame: FrameDetections | None) -> None:
        self._rules, self._before, self._at_ms, self._frame = rules, state, at_ms, frame
        self._incidents = list(state.incidents)
        self._waiting = list(state.waiting)
        self.alerts: list[Alert] = []

    def state(self) -> PolicyState:
        """The state after the step."""
        on_frames = self._frame is not None
        return PolicyState(
            at_ms=self._at_ms if on_frames else self._before.at_ms,
            off_frames_at_ms=self._before.off_frames_at_ms if on_frames else self._at_ms,
            incidents=tuple(self._incidents),
            waiting=tuple(self._waiting[-MAX_WAITING:]),
        )

    def pass_time(self) -> None:
        """Let the incidents of this clock age; a clock that goes back stands still."""
        last_ms = self._before.at_ms if self._frame is not None else self._before.off_frames_at_ms
        passed_ms = max(0, self._at_ms - last_ms) if last_ms else 0
        for i, one in enumerate(self._incidents):
            if self._concerns(one.alert.kind):
                quiet_ms = 0 if one.events else one.quiet_ms + passed_ms
                self._incidents[i] = replace(one, quiet_ms=quiet_ms, untold_ms=one.untold_ms + passed_ms)

    def end_changed(self) -> None:
        """End the alerts of rules that are changed or no more: the words of an alert are those of its rule."""
        names = {rule.name for rule in self._rules.active}
        for one in list(self._incidents):
            if self._rules.find(one.alert.rule, one.alert.rule_version) is None:
                self._end(one, "rule changed" if one.alert.rule in names else "rule removed")
        self._waiting = [e for e in self._waiting if self._rules.find(e.rule, e.rule_version) is not None]

    def take(self, event: Event) -> None:
        """Take one event in: it begins, goes on, ends, or is over at once."""
        if event.kind == "anomaly" and not event.rule:
            for bound in self._bound(event):
                self.take(bound)
        elif event.suppressed_by:
            self._silenced(event)
        elif event.opened_by and event.ended:
            self._over(event)
        elif event.opened_by:
            self._goes_on(event)
        else:
            rule = self._rules.find(event.rule, event.rule_version)
            if rule is not None:
                self._begins(event, rule)

    def arm(self) -> None:
        """Open what may alert by now, and end what must not: somebody who is inside when a zone is armed counts.

        Things don't: what stood there before is not news.
        """
        for one in list(self._incidents):
            rule = self._rules.find(one.alert.rule, one.alert.rule_version)
            reason = why_silent(self._rules, rule, self._at_ms) if rule and self._concerns(rule.kind) else ""
            if reason:
                self._waiting += one.events
                self._end(one, reason)
        for event in list(self._waiting):
            rule = self._rules.find(event.rule, event.rule_version)
            lively = not event.track_ids or event.label in ("", *LIVING)
            if rule and lively and self._concerns(rule.kind) and not why_silent(self._rules, rule, self._at_ms):
                self._waiting.remove(event)
                self._begins(event, rule)

    def tell(self) -> None:
        """End the incidents that have been quiet for their cooldown, and tell what is new of the others."""
        for one in list(self._incidents):
            rule = self._rules.find(one.alert.rule, one.alert.rule_version)
            if rule is None or not self._concerns(rule.kind):
                continue
            # An anomaly's windows are longer than a cooldown, and its job has nothing to say in between.
            quiet_enough = one.quiet_ms >= rule.rule.cooldown_s * 1000 or rule.kind == "anomaly"
            if not one.events and quiet_enough:
                self._end(one, "over")
            elif one.stale and one.untold_ms >= UPDATE_MS:
                self._update(one)

    def end_all(self, reason: str) -> None:
        """End every incident of the frames."""
        for one in list(self._incidents):
            if self._concerns(one.alert.kind):
                self._end(one, reason)
        self._waiting = [event for event in self._waiting if not self._concerns(event.kind)]

    def _concerns(self, kind: str) -> bool:
        return (kind in OFF_FRAMES) == (self._frame is None)

    def _bound(self, event: Event) -> Iterable[Event]:
        """The anomaly under each rule that listens: its beginning, one more window of it, or its end."""
        for rule in self._rules.active:
            spec = rule.rule
            if not isinstance(spec, Anomaly) or spec.zone not in ("", event.zone):
                continue
            own = replace(event, rule=rule.name, rule_version=rule.version, area=rule.area)
            going = [e for one in self._incidents for e in one.events] + self._waiting
            mine = [e for e in going if (e.rule, e.zone, e.label) == (rule.name, event.zone, event.label)]
            unusual = not event.ended and event.score >= spec.score
            if mine:
                yield from (replace(own, opened_by=_start_of(e), ended=not unusual) for e in mine)
            elif unusual and (not spec.labels or event.label in spec.labels):
                yield own

    def _begins(self, event: Event, rule: ActiveRule) -> None:
        place = self._find(event)
        if place is not None:
            self._incidents[place] = _joined(self._incidents[place], event, goes_on=not event.ended)
        elif why_silent(self._rules, rule, self._at_ms):
            self._waiting += [] if event.ended else [event]
        else:
            self._open(event, rule)

    def _open(self, event: Event, rule: ActiveRule) -> None:
        """A new incident. One that waited for its zone to be armed begins when it is armed."""
        started_at_ms = event.at_ms if event.at_ms == self._at_ms or event.kind in OFF_FRAMES else self._at_ms
        track = min(event.track_ids, default=0)
        alert = Alert(
            id=incident_id(event.site, event.camera, event.rule, event.rule_version, started_at_ms, track),
            revision=1,
            state="new",
            site=event.site,
            camera=event.camera,
            rule=event.rule,
            rule_version=event.rule_version,
            kind=event.kind,
            severity=rule.rule.severity,
            started_at_ms=started_at_ms,
            at_ms=self._at_ms,
            instructions=rule.rule.instructions,
            model=self._frame.model if self._frame is not None else "",
            config_version=self._rules.config_version,
            late=event.lane == "late",
        )
        alert = _shown(alert, event)
        self._incidents.append(Incident(alert, () if event.ended else (event,), over_at_ms=event.at_ms))
        self.alerts.append(alert)

    def _find(self, event: Event) -> int | None:
        """The incident that an event belongs to: its rule's, for a thing left behind or a known person their own."""
        for i, one in enumerate(self._incidents):
            same = (one.alert.rule, one.alert.rule_version) == (event.rule, event.rule_version)
            apart = event.kind == "left_object" and not {*event.track_ids} & {*one.alert.track_ids}
            apart = apart or (event.kind == "known_person" and another(one.alert.identity, event.identity))
            if same and not apart:
                return i
        return None

    def _goes_on(self, event: Event) -> None:
        for i, one in enumerate(self._incidents):
            if any(_start_of(e) == event.opened_by for e in one.events):
                events = tuple(event if _start_of(e) == event.opened_by else e for e in one.events)
                self._incidents[i] = replace(_joined(one, event, goes_on=False), events=events)
        self._waiting = [event if _start_of(e) == event.opened_by else e for e in self._waiting]

    def _over(self, event: Event) -> None:
        for i, one in enumerate(list(self._incidents)):
            rest = tuple(e for e in one.events if _start_of(e) != event.opened_by)
            if len(rest) < len(one.events):
                self._incidents[i] = replace(one, events=rest, over_at_ms=event.at_ms)
                if not rest and another(one.alert.identity, event.identity):
                    self._end(self._incidents[i], why_over(event))
                    break
        self._waiting = [e for e in self._waiting if _start_of(e) != event.opened_by]

    def _silenced(self, event: Event) -> None:
        """What an answer took out: an incident of nothing else ends, so that what comes next is a new one."""
        for i, one in enumerate(list(self._incidents)):
            rest = tuple(e for e in one.events if _start_of(e) != event.opened_by)
            if len(rest) < len(one.events):
                self._incidents[i] = replace(one, events=rest, over_at_ms=event.at_ms)
                if not rest:
                    self._end(self._incidents[i], "silenced")
                break
        self._waiting = [e for e in self._waiting if _start_of(e) != event.opened_by]

    def _update(self, one: Incident) -> None:
        alert = replace(one.alert, revision=one.alert.revision + 1, state="update", at_ms=self._at_ms)
        self._incidents[self._incidents.index(one)] = replace(one, alert=alert, untold_ms=0, stale=False)
        self.alerts.append(alert)

    def _end(self, one: Incident, reason: str) -> None:
        """The last revision; it says when the last event was over, or now when one still goes on."""
        self._incidents.remove(one)
        last = replace(
            one.alert,
            revision=one.alert.revision + 1,
            state="end",
            at_ms=self._at_ms,
            ended_at_ms=self._at_ms if one.events else one.over_at_ms,
            end_reason=reason,
        )
        self.alerts.append(replace(last, why=ended(last)))


def _start_of(event: Event) -> str:
    return event.opened_by or event.id


def _joined(one: Incident, event: Event, *, goes_on: bool) -> Incident:
    """The incident with one more event in it, which it waits for if that goes on; what shows it best is kept."""
    tracks = tuple(sorted({*one.alert.track_ids, *event.track_ids})[-MAX_TRACKS:])
    alert, better = one.alert, worth(event.evidence) > worth(one.alert.evidence) or event.score > one.alert.score
    if better:
        alert = _shown(alert, event)
    events = (*one.events, event) if goes_on else one.events
    stale = better or tracks != one.alert.track_ids or one.stale
    over_at_ms = event.at_ms if event.ended else one.over_at_ms
    alert = replace(alert, track_ids=tracks)
    alert = replace(alert, why=told(alert))
    return replace(one, alert=alert, events=events, quiet_ms=0, stale=stale, over_at_ms=over_at_ms)


def _shown(alert: Alert, event: Event) -> Alert:
    """The alert as this event shows it."""
    shown = replace(
        alert,
        label=event.label,
        zone=event.zone,
        track_ids=event.track_ids,
        score=event.score,
        trace=event.trace,
        area=event.area,
        trail=event.trail,
        # Of somebody whose face counts, the frame is that of the face.
        evidence=event.evidence if event.identity or worth(event.evidence) >= worth(alert.evidence) else alert.evidence,
        identity=event.identity,
        attributes=event.attributes,
    )
    return replace(shown, why=told(shown))
