"""The hand-over report: what the next shift has to know, on one page that can be printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from nicegui import ui

from console.pages import parts
from console.pages.desk import Visit, blocking
from console.pages.texts import ALERTS, ANALYTICS, COMMON, HANDOVER
from console.pages.times import SPANS, lasting, stamp
from console.rights import Who
from console.snoozes import SnoozedRule
from console.store.load import Bucket, Judgement, Waits
from console.store.rows import SEVERITIES, AlertRow, AnswerRow, Filter
from console.store.store import Store
from contracts.errors import VedetteError

MOST = 200
"""Open alerts and answers on the report; of more it says so."""


class Report(NamedTuple):
    """A shift in figures and lists."""

    buckets: list[Bucket]
    by_rule: list[Judgement]
    waits: Waits
    open: list[AlertRow]
    more_open: bool
    told: list[tuple[AnswerRow, AlertRow]]


def report_of(store: Store, who: Who, since_ms: int, until_ms: int) -> Report:
    """The report for what this person may see. Blocks."""
    open_page = store.alerts.page(Filter(statuses=("open", "acknowledged")), None, MOST, who.cameras)
    told = []
    for answer in store.answers.between(since_ms, until_ms):
        if answer.action not in ("comment", "escalate", "verdict"):
            continue
        row = store.alerts.get(answer.alert)
        if row is not None and who.sees(row.camera):
            told.append((answer, row))
    return Report(
        store.load.over_time(since_ms, until_ms, until_ms - since_ms, who.cameras),
        store.load.judged("rule", since_ms, until_ms, who.cameras),
        store.load.waits(since_ms, until_ms, who.cameras),
        list(open_page.rows),
        open_page.next is not None,
        [one for one in told if one[0].action != "verdict" or one[0].verdict == "true"][:MOST],
    )


async def handover_page(visit: Visit) -> None:
    """What is at /handover."""
    given = visit.request.query_params.get("last", "8h")
    span = given if given in ("8h", "24h", "7d") else "8h"
    desk = visit.desk
    now_ms = desk.now_ms()
    since_ms = now_ms - SPANS[span]
    report = await blocking(report_of, desk.store, visit.who, since_ms, now_ms)
    with parts.element("div", classes="page report"):
        with parts.element("header"):
            parts.element("h1", HANDOVER["title"])
            choices = [(f"?last={one}", ANALYTICS[f"last_{one}"], one == span) for one in ("8h", "24h", "7d")]
            parts.links(choices, ANALYTICS["time"])
            parts.element("span", classes="grow")
            parts.element("button", HANDOVER["print"], "button").on("click", js_handler="() => window.print()")
        period = HANDOVER["period"].format(
            site=desk.config.site.friendly_name or desk.config.site.name,
            since=stamp(since_ms, desk.zone),
            until=stamp(now_ms, desk.zone),
            who=visit.who.name,
        )
        parts.element("p", period, "dim")
        _figures(report)
        with parts.card(HANDOVER["open"]):
            _open(report, visit)
        with parts.element("div", classes="halves"):
            with parts.card(HANDOVER["told"]):
                _told(report, visit)
            with parts.element("div", classes="stack"):
                with parts.card(HANDOVER["snoozed"]):
                    snoozed = await blocking(desk.parts.snoozes.running, visit.who)
                    _snoozed(parts.element("div"), snoozed, visit)
                with parts.card(HANDOVER["cameras"]):
                    _cameras(visit, now_ms)


def _figures(report: Report) -> None:
    counts = {one.severity: one.alerts for one in report.buckets}
    verdicts = [one.counts for one in report.by_rule]
    with parts.element("div", classes="cards figures"):
        note = ", ".join(
            f"{counts[one]} {COMMON[f'severity_{one}'].lower()}" for one in reversed(SEVERITIES) if one in counts
        )
        parts.figure(HANDOVER["alerts"], f"{sum(counts.values()):,}", note)
        parts.figure(HANDOVER["true"], str(sum(one.get("true", 0) for one in verdicts)))
        false, nuisance = (sum(one.get(verdict, 0) for one in verdicts) for verdict in ("false", "nuisance"))
        parts.figure(HANDOVER["unwanted"], str(false + nuisance))
        wait = lasting(report.waits.median_s * 1000) if report.waits.acknowledged else "–"
        parts.figure(ANALYTICS["waits"], wait)


def _open(report: Report, visit: Visit) -> None:
    if not report.open:
        parts.element("p", HANDOVER["none_open"], "good")
        return
    rows = [
        (
            (COMMON[f"severity_{row.severity}"], f"sev {row.severity}"),
            stamp(row.started_at_ms, visit.desk.zone),
            visit.desk.camera_name(row.camera) + (f" · {row.zone}" if row.zone else ""),
            row.why,
            ALERTS[f"status_{row.status}"] + (f" · {row.acknowledged_by}" if row.acknowledged_by else ""),
            row.assigned_to or "–",
        )
        for row in report.open
    ]
    heads = [HANDOVER[name] for name in ("severity", "since", "where", "what", "state", "assigned")]
    parts.table(heads, rows, caption=HANDOVER["open"])
    if report.more_open:
        parts.element("p", HANDOVER["more_open"].format(count=MOST), "dim")


def _told(report: Report, visit: Visit) -> None:
    if not report.told:
        parts.element("p", HANDOVER["none_told"], "dim")
        return
    rows = [
        (
            stamp(answer.at_ms, visit.desk.zone),
            answer.operator or "–",
            visit.desk.camera_name(row.camera),
            answer.text
            or (ALERTS["verdict_true"] + ": " + row.why if answer.verdict else ALERTS["escalated"] + ": " + row.why),
        )
        for answer, row in report.told
    ]
    parts.table([HANDOVER[name] for name in ("at", "who", "where", "what")], rows, caption=HANDOVER["told"])


def _snoozed(shown: ui.element, snoozed: list[SnoozedRule], visit: Visit, error: str = "") -> None:
    """Fill `shown` with what is snoozed, each with the way back."""
    shown.clear()
    with shown:
        if error:
            parts.element("p", error, "note bad")
        if not snoozed:
            parts.element("p", HANDOVER["none_snoozed"], "dim")
            return
        rows = [
            (
                *(one.rule, visit.desk.camera_name(one.camera), stamp(one.until_ms, visit.desk.zone), one.operator),
                parts.Act(HANDOVER["end"], f"{HANDOVER['end']}: {one.rule}, {one.camera}", _ender(shown, visit, one)),
            )
            for one in snoozed
        ]
        heads = [HANDOVER[name] for name in ("rule", "camera", "until", "who", "end")]
        parts.table(heads, rows, caption=HANDOVER["snoozed"])


def _ender(shown: ui.element, visit: Visit, one: SnoozedRule) -> Callable[[], object]:
    """What the button does."""

    async def act() -> None:
        snoozes, said = visit.desk.parts.snoozes, ""
        try:
            await visit.check()
            await blocking(snoozes.end, visit.who, one.rule, one.camera)
        except VedetteError as error:
            said = str(error)
        _snoozed(shown, await blocking(snoozes.running, visit.who), visit, said)

    return act


def _cameras(visit: Visit, now_ms: int) -> None:
    not_well = [
        (
            visit.desk.camera_name(name),
            HANDOVER[f"camera_{state.standing}"],
            stamp(state.picture_at_ms, visit.desk.zone),
        )
        for name in visit.desk.wall.cameras()
        if visit.who.sees(name) and (state := visit.desk.wall.state(name, now_ms)).standing != "live"
    ]
    if not not_well:
        parts.element("p", HANDOVER["cameras_well"], "good")
        return
    parts.table([HANDOVER[name] for name in ("camera", "state", "last_picture")], not_well, caption=HANDOVER["cameras"])
