"""The alert budget's page: load and nuisance against what is wanted, and thresholds that hold it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from console.budget.outcomes import Outcome
from console.budget.plan import RulePlan, has_budget
from console.budget.service import Budgeted, apply, budgeted
from console.pages import parts
from console.pages.alert_load import VERDICTS
from console.pages.charts import chart
from console.pages.desk import Visit, blocking
from console.pages.texts import ANALYTICS, BUDGET
from console.store.load import Judgement
from contracts.config import AlertBudget
from contracts.errors import VedetteError

TOP = 12


async def budget_page(visit: Visit) -> None:
    """What is at /budget."""
    desk, cameras = visit.desk, visit.who.cameras
    wanted = desk.parts.config.console.budget
    found = await blocking(budgeted, desk.store, desk.parts.changes, visit.who, desk.now_ms())
    by_rule = await blocking(desk.store.load.judged, "rule", found.since_ms, desk.now_ms() + 1, cameras)
    by_camera = await blocking(desk.store.load.judged, "camera", found.since_ms, desk.now_ms() + 1, cameras)
    named = {desk.camera_name(name): most for name, most in wanted.cameras.items()}
    with parts.element("div", classes="page"):
        with parts.element("header"):
            parts.element("h1", BUDGET["title"])
        _figures(by_rule, wanted, found.hours)
        said = parts.element("div", role="status")
        _suggested(visit, found, wanted, said)
        with parts.element("div", classes="halves"):
            with parts.card(BUDGET["by_rule"]):
                _loads(by_rule, wanted.rules, found.hours, "rule")
            with parts.card(BUDGET["by_camera"]):
                seen = [one._replace(name=desk.camera_name(one.name)) for one in by_camera]
                _loads(seen, named, found.hours, "camera")


def _figures(judged: Sequence[Judgement], wanted: AlertBudget, hours: float) -> None:
    total = sum(one.total for one in judged)
    unwanted, answered = sum(map(_unwanted, judged)), sum(map(_answered, judged))
    most = wanted.alerts_per_hour
    with parts.element("div", classes="cards figures"):
        note = BUDGET["wanted"].format(most=f"{most:g}") if most is not None else BUDGET["no_wanted"]
        parts.figure(BUDGET["load"], f"{total / hours:.1f}", note)
        share = f"{unwanted / answered:.0%}" if answered else "–"
        parts.figure(BUDGET["nuisance"], share, BUDGET["of_answered"].format(count=f"{answered:,}"))
        part = f"{answered / total:.0%}" if total else "–"
        parts.figure(BUDGET["answers"], f"{answered:,}", BUDGET["answers_note"].format(share=part))
        parts.figure(BUDGET["span"], BUDGET["span_value"].format(hours=f"{hours:,.0f}"), BUDGET["span_note"])


def _suggested(visit: Visit, found: Budgeted, wanted: AlertBudget, said: ui.element) -> None:
    """The plan is of all cameras: it is shown to who sees them all."""
    with parts.card(BUDGET["suggestions"]):
        if not has_budget(wanted):
            parts.element("p", BUDGET["no_budget"])
            parts.element("p", BUDGET["no_budget_hint"], "dim")
            return
        if visit.who.cameras is not None:
            parts.element("p", BUDGET["may_not"], "dim")
            return
        parts.element("p", BUDGET["suggestions_hint"], "dim")
        if found.plan.unmet:
            names = ", ".join(BUDGET["site"] if one == "site" else one for one in found.plan.unmet)
            parts.element("p", BUDGET["unmet"].format(names=names), "note warn")
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


def _loads(judged: Sequence[Judgement], wanted: Mapping[str, float], hours: float, kind: str) -> None:
    if not judged:
        parts.element("p", BUDGET["nothing"], "dim")
        return
    top = list(judged[:TOP])[::-1]
    parted = {
        "true": [one.counts.get("true", 0) for one in top],
        "unwanted": [_unwanted(one) for one in top],
        "none": [one.counts.get("", 0) for one in top],
    }
    colours = {"true": VERDICTS["true"], "unwanted": VERDICTS["false"], "none": VERDICTS[""]}
    bars: list[dict[str, Any]] = [
        {
            "name": BUDGET[f"series_{name}"],
            "type": "bar",
            "stack": "load",
            "color": colours[name],
            "barMaxWidth": 22,
            "data": [round(count / hours, 3) for count in counts],
        }
        for name, counts in parted.items()
    ]
    marks = [[wanted[one.name], one.name] for one in top if one.name in wanted]
    mark = {"name": BUDGET["series_budget"], "type": "scatter", "symbol": "rect", "symbolSize": [5, 30], "z": 5}
    bars += [mark | {"color": "#3b82f6", "data": marks}] if marks else []
    label = {"width": 150, "overflow": "truncate"}
    names = {"type": "category", "data": [one.name for one in top], "axisLabel": label}
    title = BUDGET[f"by_{kind}"]
    chart(bars, {"type": "value"}, names, title, height=80 + 34 * len(top))
    rows = [_load_row(one, wanted.get(one.name), hours) for one in judged]
    with parts.element("details", classes="numbers"):
        parts.element("summary", ANALYTICS["as_table"])
        heads = [BUDGET[name] for name in (kind, "an_hour", "budget", "share")]
        parts.table(heads, rows, numbers=(1, 2, 3), caption=title)


def _load_row(one: Judgement, most: float | None, hours: float) -> tuple[object, ...]:
    rate = one.total / hours
    share = "–" if one.nuisance_share is None else f"{one.nuisance_share:.0%}"
    over = most is not None and rate > most
    return one.name, (f"{rate:.2f}", "bad" if over else ""), "–" if most is None else f"{most:g}", share


def _rate(one: Outcome, hours: float) -> str:
    return f"{one.total / hours:.1f}"


def _unwanted(one: Judgement) -> int:
    return one.counts.get("false", 0) + one.counts.get("nuisance", 0)


def _answered(one: Judgement) -> int:
    return one.total - one.counts.get("", 0)
