"""Load and nuisance as charts, with what is wanted as a mark: over time, by rule and by camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from console.pages import parts
from console.pages.alert_load import VERDICTS
from console.pages.charts import chart, label
from console.pages.texts import ANALYTICS, BUDGET
from console.store.load import JudgedBucket, Judgement, nuisance_share, unwanted

TOP = 12
HOUR_MS = 3_600_000
COLOURS = {"true": VERDICTS["true"], "unwanted": VERDICTS["false"], "none": VERDICTS[""]}
WANTED = "#3b82f6"
SHARE = "#c06a9a"


class Span(NamedTuple):
    """A time in buckets, labelled by the clock of a time zone."""

    since_ms: int
    until_ms: int
    width_ms: int
    zone: str


def load_over_time(judged: Sequence[JudgedBucket], span: Span, wanted: float | None) -> None:
    """Alerts an hour by verdict, the nuisance share of those answered, and the budget as a line; and as a table."""
    starts = list(range(span.since_ms, span.until_ms + 1, span.width_ms))
    counts = {one.start_ms: one.counts for one in judged}
    names = [label(start, span.width_ms, span.zone) for start in starts]
    found = [counts.get(start, {}) for start in starts]
    shares = [nuisance_share([one]) for one in found]
    hours = span.width_ms / HOUR_MS
    parted = {
        "true": [one.get("true", 0) / hours for one in found],
        "unwanted": [unwanted(one) / hours for one in found],
        "none": [one.get("", 0) / hours for one in found],
    }
    series: list[dict[str, Any]] = [
        {"name": BUDGET[f"series_{name}"], "type": "bar", "stack": "load", "color": COLOURS[name]}
        | {"data": [round(value, 3) for value in values]}
        for name, values in parted.items()
    ]
    line = {"type": "line", "symbolSize": 5, "lineStyle": {"width": 2}}
    percent = [None if share is None else round(share * 100, 1) for share in shares]
    series.append(line | {"name": BUDGET["series_share"], "yAxisIndex": 1, "color": SHARE, "data": percent})
    if wanted is not None:
        steady = {"symbol": "none", "lineStyle": {"width": 2, "type": "dashed"}, "data": [wanted] * len(starts)}
        series.append(line | steady | {"name": BUDGET["series_budget"], "color": WANTED})
    percents = {"type": "value", "min": 0, "max": 100, "splitLine": {"show": False}}
    chart(series, {"type": "category", "data": names}, {"type": "value"}, BUDGET["over_time"], more_y=percents)
    rows = [
        (name, f"{sum(one.values()) / hours:.2f}", "–" if share is None else f"{share:.0%}")
        for name, one, share in zip(names, found, shares, strict=True)
        if one
    ]
    with parts.element("details", classes="numbers"):
        parts.element("summary", ANALYTICS["as_table"])
        heads = [BUDGET[name] for name in ("begin", "an_hour", "share")]
        parts.table(heads, rows, numbers=(1, 2), caption=BUDGET["over_time"])


def loads(judged: Sequence[Judgement], wanted: Mapping[str, float], hours: float, kind: str) -> None:
    """Alerts an hour of each rule or camera by verdict, with its budget as a mark; and as a table."""
    if not judged:
        parts.element("p", BUDGET["nothing"], "dim")
        return
    top = list(judged[:TOP])[::-1]
    parted = {
        "true": [one.counts.get("true", 0) for one in top],
        "unwanted": [unwanted(one.counts) for one in top],
        "none": [one.counts.get("", 0) for one in top],
    }
    bars: list[dict[str, Any]] = [
        {
            "name": BUDGET[f"series_{name}"],
            "type": "bar",
            "stack": "load",
            "color": COLOURS[name],
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
