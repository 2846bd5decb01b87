"""The alert budget: what is wanted, load and nuisance against it, and thresholds that hold it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Response

from console.api.base import WithParts, body, needs, reply, spec
from console.api.objects import Editor
from console.api.versions import Note, Version, add_history
from console.budget.outcomes import Outcome
from console.budget.plan import RulePlan
from console.budget.service import HOUR_MS, Budgeted, apply, budgeted
from console.changes import NoObjectError, ObjectView
from console.overlay import BUDGET
from console.pages import texts
from console.rights import Who
from console.store.load import Judgement, nuisance_share
from console.store.objects import ObjectKey
from console.store.rows import Judged
from contracts.config import AlertBudget

router = APIRouter(prefix="/api/budget", tags=["alert budget"])

Reporter = Annotated[Who, Depends(needs("report"))]
Instant = Annotated[int | None, Query(ge=0, le=2**53)]
MOST_BUCKETS = 2000
NOTE = texts.BUDGET["note"]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts of one rule or camera by verdict; `wanted` is its budget, `nuisance_share` of those that were answered."""

    name: str
    alerts_per_hour: float
    wanted: float | None
    nuisance_share: float | None
    counts: dict[Judged, int]


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's thresholds, and what they would have told in the time: `after_s` null is the rule's own of its kind."""

    min_confidence: float
    after_s: float | None
    cooldown_s: float
    alerts_per_hour: float
    true: int
    unwanted: int


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds of a rule as they are and as they would hold the budget; `version` is the rule's that they are for."""

    rule: str
    version: int
    now: Thresholds
    then: Thresholds


class BudgetReport(msgspec.Struct, frozen=True, kw_only=True):
    """The budget against what was told since `since_ms`, over so many hours.

    `suggestions` and `unmet` (what no thresholds hold) are of all cameras: for who sees all of them.
    """

    budget: AlertBudget
    since_ms: int
    hours: float
    alerts_per_hour: float
    nuisance_share: float | None
    rules: tuple[Load, ...]
    cameras: tuple[Load, ...]
    suggestions: tuple[Suggestion, ...]
    unmet: tuple[str, ...]


class NewBudget(msgspec.Struct, frozen=True):
    """A budget; `expected` is the version that it was changed on (0: the file's)."""

    budget: AlertBudget
    note: Note = ""
    expected: Version | None = None


class Bucket(msgspec.Struct, frozen=True):
    """Alerts that began within one width of time; `nuisance_share` is null where none was answered."""

    start_ms: int
    alerts_per_hour: float
    nuisance_share: float | None
    counts: dict[Judged, int]


class BucketList(msgspec.Struct, frozen=True):
    """Load over time against what is wanted; times without alerts are left out."""

    wanted: float | None
    buckets: tuple[Bucket, ...]


class Wanted(msgspec.Struct, frozen=True):
    """Which version of the rule the suggestion was made for."""

    version: Version


@router.get("", **spec(BudgetReport))
def budget(parts: WithParts, who: Reporter) -> Response:
    """Load and nuisance by rule and camera against the budget, and thresholds that would hold it."""
    now_ms, wanted = parts.clock_ms(), parts.changes.config().console.budget
    found = budgeted(parts.store, parts.changes, who, now_ms)
    load = parts.store.load
    by_rule = load.judged("rule", found.since_ms, now_ms + 1, who.cameras)
    by_camera = load.judged("camera", found.since_ms, now_ms + 1, who.cameras)
    return reply(
        BudgetReport(
            budget=wanted,
            since_ms=found.since_ms,
            hours=found.hours,
            alerts_per_hour=sum(one.total for one in by_rule) / found.hours,
            nuisance_share=nuisance_share([one.counts for one in by_rule]),
            rules=tuple(_load(one, wanted.rules.get(one.name), found.hours) for one in by_rule),
            cameras=tuple(_load(one, wanted.cameras.get(one.name), found.hours) for one in by_camera),
            suggestions=_suggestions(found) if who.cameras is None else (),
            unmet=tuple(found.plan.unmet) if who.cameras is None else (),
        )
    )


@router.get("/load", **spec(BucketList))
def load_over_time(
    parts: WithParts,
    who: Reporter,
    since_ms: Instant = None,
    until_ms: Instant = None,
    width_s: Annotated[int, Query(ge=60, le=31 * 86_400)] = 3600,
) -> Response:
    """Load and nuisance over time (by default the budget's days up to now)."""
    wanted = parts.changes.config().console.budget
    until = parts.clock_ms() + 1 if until_ms is None else until_ms
    since = max(0, until - round(wanted.days * 24 * HOUR_MS)) if since_ms is None else since_ms
    width_ms = width_s * 1000
    if (until - since) / width_ms > MOST_BUCKETS:
        raise HTTPException(422, f"more than {MOST_BUCKETS} widths of time: ask for wider ones")
    made = (
        Bucket(one.start_ms, sum(one.counts.values()) * HOUR_MS / width_ms, nuisance_share([one.counts]), one.counts)
        for one in parts.store.load.judged_over_time(since, until, width_ms, who.cameras)
    )
    return reply(BucketList(wanted.alerts_per_hour, tuple(made)))


@router.put("", **spec(ObjectView, takes=NewBudget, errors=(409,)))
def put_budget(parts: WithParts, who: Editor, given: Annotated[NewBudget, Depends(body(NewBudget))]) -> Response:
    """Say how many alerts an hour are wanted."""
    return reply(parts.changes.put(who, BUDGET, given.budget, note=given.note, expected=given.expected))


@router.post("/suggestions/{rule}", **spec(ObjectView, takes=Wanted, errors=(404, 409)))
def apply_suggestion(
    rule: str, parts: WithParts, who: Editor, given: Annotated[Wanted, Depends(body(Wanted))]
) -> Response:
    """Give a rule the thresholds that are suggested for it now."""
    found = budgeted(parts.store, parts.changes, who, parts.clock_ms())
    one = next((one for one in found.plan.rules if one.name == rule and one.changed), None)
    if one is None:
        raise NoObjectError(f"nothing is suggested for rule {rule[:80]}")
    note = NOTE.format(load=f"{one.then.total / found.hours:.1f}", before=f"{one.now.total / found.hours:.1f}")
    return reply(apply(parts.changes, who, rule, one.then.setting, given.version, note))


def _of_budget() -> ObjectKey:
    return BUDGET


add_history(router, "", _of_budget, "the budget", seen_by="report")


def _load(one: Judgement, wanted: float | None, hours: float) -> Load:
    return Load(
        name=one.name,
        alerts_per_hour=one.total / hours,
        wanted=wanted,
        nuisance_share=one.nuisance_share,
        counts=one.counts,
    )


def _suggestions(found: Budgeted) -> tuple[Suggestion, ...]:
    def suggestion(one: RulePlan) -> Suggestion:
        now, then = _thresholds(one.now, found.hours), _thresholds(one.then, found.hours)
        return Suggestion(rule=one.name, version=found.rules[one.name].version, now=now, then=then)

    return tuple(suggestion(one) for one in found.plan.rules if one.changed)


def _thresholds(one: Outcome, hours: float) -> Thresholds:
    return Thresholds(**one.setting._asdict(), alerts_per_hour=one.total / hours, true=one.true, unwanted=one.unwanted)
