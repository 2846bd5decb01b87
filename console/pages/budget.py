"""The alert budget's page: load and nuisance against what is wanted, and thresholds that hold it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nicegui import ui

from console.budget.outcomes import Outcome
from console.budget.plan import RulePlan, has_budget
from console.budget.service import Budgeted, apply, budgeted
from console.overlay import BUDGET as BUDGET_KEY
from console.pages import parts
from console.pages.charts import floored, width_of
from console.pages.desk import Visit, blocking
from console.pages.loads import Span, load_over_time, loads
from console.pages.settings import Form, settings
from console.pages.texts import BUDGET, BUDGETING
from console.store.load import Judgement, nuisance_share
from contracts.config import AlertBudget
from contracts.errors import VedetteError


async def budget_page(visit: Visit) -> None:
    """What is at /budget."""
    with parts.element("div", classes="page"):
        with parts.element("header"):
            parts.element("h1", BUDGET["title"])
        top = parts.element("div", classes="stack figures")

        async def show() -> None:
            for one in (top, below):
                one.clear()
            await _shown(visit, top, below)

        await settings(visit, Form(BUDGET_KEY, AlertBudget, BUDGETING), show)
        below = parts.element("div", classes="stack budget")
        await show()


async def _shown(visit: Visit, top: ui.element, below: ui.element) -> None:
    """The figures, and below the form what hangs on the budget."""
    desk, cameras = visit.desk, visit.who.cameras
    wanted, now_ms = desk.config.console.budget, desk.now_ms()
    found = await blocking(budgeted, desk.store, desk.parts.changes, visit.who, now_ms)
    by_rule = await blocking(desk.store.load.judged, "rule", found.since_ms, now_ms + 1, cameras)
    by_camera = await blocking(desk.store.load.judged, "camera", found.since_ms, now_ms + 1, cameras)
    width_ms = width_of(now_ms - found.since_ms)
    first_ms = floored(found.since_ms, width_ms, desk.zone)
    over_time = await blocking(desk.store.load.judged_over_time, first_ms, now_ms + 1, width_ms, cameras)
    named = {desk.camera_name(name): most for name, most in wanted.cameras.items()}
    with top:
        _figures(by_rule, wanted, found.hours)
    with below:
        with parts.card(BUDGET["over_time"]):
            load_over_time(over_time, Span(first_ms, now_ms, width_ms, desk.zone), wanted.alerts_per_hour)
        said = parts.element("div", role="status")
        _suggested(visit, found, wanted, said)
        with parts.element("div", classes="halves"):
            with parts.card(BUDGET["by_rule"]):
                loads(by_rule, wanted.rules, found.hours, "rule")
            with parts.card(BUDGET["by_camera"]):
                seen = [one._replace(name=desk.camera_name(one.name)) for one in by_camera]
                loads(seen, named, found.hours, "camera")


def _figures(judged: Sequence[Judgement], wanted: AlertBudget, hours: float) -> None:
    total = sum(one.total for one in judged)
    answered, share = total - sum(one.counts.get("", 0) for one in judged), nuisance_share(one.counts for one in judged)
    most = wanted.alerts_per_hour
    with parts.element("div", classes="cards figures"):
        note = BUDGET["wanted"].format(most=f"{most:g}") if most is not None else BUDGET["no_wanted"]
        parts.figure(BUDGET["load"], f"{total / hours:.1f}", note)
        said = "–" if share is None else f"{share:.0%}"
        parts.figure(BUDGET["nuisance"], said, BUDGET["of_answered"].format(count=f"{answered:,}"))
        part = f"{answered / total:.0%}" if total else "–"
        parts.figure(BUDGET["answers"], f"{answered:,}", BUDGET["answers_note"].format(share=part))
        parts.figure(BUDGET["span"], BUDGET["span_value"].format(hours=f"{hours:,.0f}"), BUDGET["span_note"])


def _suggested(visit: Visit, found: Budgeted, wanted: AlertBudget, said: ui.element) -> None:
    """The plan is of all cameras: it is shown to who sees them all."""
    with parts.card(BUDGET["suggestions"]):
        if not has_budget(wanted):
            parts.element("p", BUDGET["no_budget"])
            may = visit.who.may("configure") and visit.who.cameras is None
            parts.element("p", BUDGET["no_budget_hint" if may else "no_budget_told"], "dim")
            return
        if visit.who.cameras is not None:
            parts.element("p", BUDGET["may_not"], "dim")
            return
        parts.element("p", BUDGET["suggestions_hint"], "dim")
        if found.plan.unmet:
            names = ", ".join(BUDGET["site"] if one == "site" else one for one in found.plan.unmet)
            parts.element("p", BUDGET["unmet"].format(names=names), "note warn")
        if found.silent:
            parts.element("p", BUDGET["silenced"].format(count=found.silent), "dim")
        changed = [one for one in found.plan.rules if one.changed]
        if not changed:
            parts.element("p", BUDGET["none"])
        with parts.element("div", classes="cards suggestions"):
            for one in changed:
                _suggestion(visit, found, one, said)


def _suggestion(visit: Visit, found: Budgeted, one: RulePlan, said: ui.element) -> None:
    now, then = one.now, one.then
    made = parts.element("article", classes="card stack")
    with made:
        parts.element("h3", one.name)
        for name, before in now.setting._asdict().items():
            after = getattr(then.setting, name)
            if after != before:
                text = BUDGET["change"].format(name=BUDGET[name], before=f"{before:g}", after=f"{after:g}")
                parts.element("b", text)
        loads = {"before": _rate(now, found.hours), "after": _rate(then, found.hours)}
        parts.element("p", BUDGET["load_change"].format(**loads))
        kept = {"kept": then.true, "all": now.true, "lost": now.true - then.true}
        parts.element("p", BUDGET["lost"].format(**kept), "warn" if kept["lost"] else "")
        parts.element("p", BUDGET["spared"].format(spared=now.unwanted - then.unwanted, all=now.unwanted))
        if visit.who.may("configure"):
            label = BUDGET["apply_to"].format(rule=one.name)
            with parts.element("div", classes="row"):
                button = parts.element("button", BUDGET["apply"], "button primary", aria_label=label)
            button.on("click", _applier(visit, found, one, made, said))
        else:
            parts.element("p", BUDGET["may_not"], "dim")


def _applier(visit: Visit, found: Budgeted, one: RulePlan, shown: ui.element, said: ui.element) -> Callable[[], object]:
    """What the button does."""
    loads = {"load": _rate(one.then, found.hours), "before": _rate(one.now, found.hours)}

    async def act() -> None:
        version, note = found.rules[one.name].version, BUDGET["note"].format(**loads)
        try:
            await visit.check()
            changes = visit.desk.parts.changes
            await blocking(apply, changes, visit.who, one.name, one.then.setting, version, note)
        except VedetteError as error:
            text, classes = str(error), "note bad"
        else:
            text, classes = BUDGET["applied"].format(rule=one.name), "note"
            shown.delete()
        said.clear()
        with said:
            parts.element("p", text, classes)

    return act


def _rate(one: Outcome, hours: float) -> str:
    return f"{one.total / hours:.1f}"
