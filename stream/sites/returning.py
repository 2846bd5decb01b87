"""Alerts on unknown people who come again and again: one a rule and coming, new → update → end.

The alert ends once the person has not been seen for so long that the next time would be another coming.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from contracts.config import ReturningUnknown
from contracts.identity import Identified
from contracts.messages import Alert, Condition, Evidence
from contracts.people import Sighting
from stream.rules.model import ActiveRule, CameraRules
from stream.rules.schedule import why_silent
from stream.rules.telling import incident_id
from stream.rules.words import span
from stream.sites.unknowns import DAY_MS, UnknownPerson

KIND = "returning_unknown"
UPDATE_MS = 5_000
MAX_OPEN = 1000
"""Incidents at a time, each some 2 KB; the oldest end first."""

RulesOf = Callable[[str], CameraRules]
"""The rules of a camera as they are in force now."""


class Returned(msgspec.Struct, frozen=True, array_like=True):
    """An alert that has not ended, as it was told last, and when the person was seen and it was told."""

    alert: Alert
    quiet_ms: int
    seen_at_ms: int
    told_at_ms: int
    stale: bool = False

    @property
    def pseudonym(self) -> str:
        """Whom it is about."""
        return self.alert.identity.pseudonym if self.alert.identity else ""


class ReturningState(msgspec.Struct, frozen=True, kw_only=True):
    """What has not ended, at most MAX_OPEN, in the order in which it began."""

    v: int = 1
    open: tuple[Returned, ...] = ()


Stepped = tuple[ReturningState, tuple[Alert, ...]]


class Returning:
    """The alerts of a site; each method is a pure function of its arguments. `gap_s` parts two comings."""

    def __init__(self, gap_s: float) -> None:
        self._gap_ms = round(gap_s * 1000)

    def seen(self, state: ReturningState, person: UnknownPerson, sighting: Sighting, rules: CameraRules) -> Stepped:
        """A sighting is this person's: what the rules of its camera say of that."""
        kept, alerts = list(state.open), []
        for rule in rules.active:
            if not isinstance(rule.rule, ReturningUnknown) or sighting.quality < rule.rule.min_confidence:
                continue
            count = person.came_since(sighting.at_ms - round(rule.rule.days * DAY_MS), rule.rule.cameras)
            place = _place(kept, rule, person.id)
            if place is not None:
                kept[place] = _joined(kept[place], person, sighting, rule.rule, count)
                if kept[place].stale and sighting.at_ms - kept[place].told_at_ms >= UPDATE_MS:
                    kept[place] = _told_again(kept[place], sighting.at_ms)
                    alerts.append(kept[place].alert)
            elif count >= rule.rule.times and not why_silent(rules, rule, sighting.at_ms):
                alert = _opened(person, sighting, rules, rule, count)
                quiet_ms = max(self._gap_ms, round(rule.rule.cooldown_s * 1000))
                kept.append(Returned(alert, quiet_ms, sighting.at_ms, sighting.at_ms))
                alerts.append(alert)
        while len(kept) > MAX_OPEN:
            alerts.append(_end(kept.pop(0), sighting.at_ms, "too many at once"))
        return ReturningState(open=tuple(kept)), tuple(alerts)

    def passed(self, state: ReturningState, at_ms: int, rules_of: RulesOf) -> Stepped:
        """It is `at_ms` for the cameras: what is over ends, and so does what may not alert any more."""
        ends = {one: why for one in state.open if (why := _why_over(one, at_ms, rules_of))}
        # One that is over by itself ended when it was quiet for long enough, whenever that was noticed.
        alerts = [
            _end(one, one.seen_at_ms + one.quiet_ms if why == "over" else at_ms, why) for one, why in ends.items()
        ]
        return ReturningState(open=tuple(one for one in state.open if one not in ends)), tuple(alerts)

    def gone(self, state: ReturningState, pseudonym: str, at_ms: int, reason: str) -> Stepped:
        """A pseudonym is no more: nor are its alerts."""
        ended = tuple(_end(one, at_ms, reason) for one in state.open if one.pseudonym == pseudonym)
        return ReturningState(open=tuple(one for one in state.open if one.pseudonym != pseudonym)), ended


def _place(kept: list[Returned], rule: ActiveRule, pseudonym: str) -> int | None:
    for place, one in enumerate(kept):
        if (one.alert.rule, one.alert.rule_version, one.pseudonym) == (rule.name, rule.version, pseudonym):
            return place
    return None


def _opened(person: UnknownPerson, sighting: Sighting, rules: CameraRules, rule: ActiveRule, count: int) -> Alert:
    assert isinstance(rule.rule, ReturningUnknown)
    number = sighting.track.rpartition("/")[2].partition("+")[0]
    track = int(number) if number.isdecimal() else 0
    alert = Alert(
        id=incident_id(rules.site, sighting.camera, rule.name, rule.version, sighting.at_ms, track),
        revision=1,
        state="new",
        site=rules.site,
        camera=sighting.camera,
        rule=rule.name,
        rule_version=rule.version,
        kind=rule.kind,
        severity=rule.rule.severity,
        started_at_ms=sighting.at_ms,
        at_ms=sighting.at_ms,
        label="person",
        track_ids=(track,),
        instructions=rule.rule.instructions,
        model=sighting.model,
        config_version=rules.config_version,
        late=sighting.lane == "late",
    )
    return _shown(alert, person, sighting, rule.rule, count)


def _joined(one: Returned, person: UnknownPerson, sighting: Sighting, rule: ReturningUnknown, count: int) -> Returned:
    """The incident with one more sighting: the picture is that of the best look on the camera that it began with."""
    known = one.alert.identity
    same = sighting.camera == one.alert.camera
    better = same and known is not None and sighting.quality > known.quality
    alert = _shown(one.alert, person, sighting, rule, count) if better else one.alert
    if count > alert.score:
        alert = replace(alert, score=float(count), trace=_trace(rule, count))
        alert = replace(alert, why=_why(alert, count, rule.days))
    stale = one.stale or alert is not one.alert
    return replace(one, alert=alert, seen_at_ms=max(one.seen_at_ms, sighting.at_ms), stale=stale)


def _shown(alert: Alert, person: UnknownPerson, sighting: Sighting, rule: ReturningUnknown, count: int) -> Alert:
    shown = replace(
        alert,
        score=float(count),
        trace=_trace(rule, count),
        evidence=Evidence(
            ref=sighting.ref,
            captured_at_ms=sighting.ref_at_ms or sighting.at_ms,
            width=sighting.width,
            height=sighting.height,
            xyxy=sighting.xyxy or sighting.face,
            confidence=sighting.quality,
            detail=True,
        ),
        identity=Identified(
            decision="unknown",
            score=sighting.score,
            strangers=sighting.strangers,
            looks=sighting.looks,
            quality=sighting.quality,
            runners_up=sighting.runners_up,
            face=sighting.face,
            sealed=sighting.sealed,
            pseudonym=person.id,
            visits=person.came,
        ),
    )
    return replace(shown, why=_why(shown, count, rule.days))


def _trace(rule: ReturningUnknown, count: int) -> tuple[Condition, ...]:
    return (Condition("times", f">= {rule.times}", str(count)), Condition("days", f"{rule.days:g}", f"{rule.days:g}"))


def _why(alert: Alert, count: int, days: float) -> str:
    wanted = next((condition.wanted.removeprefix(">= ") for condition in alert.trace if condition.name == "times"), "")
    return f"the same unknown person came {count} times in {span(round(days * 86_400))} (limit {wanted})"


def _told_again(one: Returned, at_ms: int) -> Returned:
    alert = replace(one.alert, revision=one.alert.revision + 1, state="update", at_ms=at_ms)
    return replace(one, alert=alert, told_at_ms=at_ms, stale=False)


def _why_over(one: Returned, at_ms: int, rules_of: RulesOf) -> str:
    rules = rules_of(one.alert.camera)
    rule = rules.find(one.alert.rule, one.alert.rule_version)
    if rule is None:
        return "rule changed" if _named(rules, one.alert.rule) else "rule removed"
    if at_ms - one.seen_at_ms >= one.quiet_ms:
        return "over"
    return why_silent(rules, rule, at_ms)


def _named(rules: CameraRules, name: str) -> bool:
    return any(rule.name == name for rule in rules.active)


def _end(one: Returned, at_ms: int, reason: str) -> Alert:
    alert = replace(
        one.alert,
        revision=one.alert.revision + 1,
        state="end",
        at_ms=at_ms,
        ended_at_ms=one.seen_at_ms,
        end_reason=reason,
    )
    lasted_s = (alert.ended_at_ms - alert.started_at_ms) / 1000
    after = f" after {span(round(lasted_s))}" if lasted_s >= 1 else ""
    over = f"; over{after}" if reason == "over" else f"; ended{after}: {reason}"
    return replace(alert, why=alert.why + over)
