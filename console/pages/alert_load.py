"""Analytics, first view: the load of alerts over time, by camera and rule, and how many of them were wanted."""

from __future__ import annotations

from archive.history.search import visible
from console.pages import parts
from console.pages.asked import Asked
from console.pages.charts import chart, floored, label, width_of
from console.pages.desk import Visit, blocking
from console.pages.texts import ANALYTICS, COMMON
from console.pages.times import lasting
from console.store.load import Bucket, Judgement, Waits
from console.store.rows import SEVERITIES

COLOURS = {"critical": "#e5484d", "high": "#f5843c", "medium": "#e0b52c", "low": "#2ba899", "info": "#7d93a8"}
VERDICTS = {"true": "#46a758", "false": "#e5484d", "nuisance": "#e0b52c", "": "#7d93a8"}
TOP = 12


async def alert_load(visit: Visit, asked: Asked) -> None:
    """Alerts that began in the time, of the camera asked for, or of all that somebody may see."""
    desk = visit.desk
    since_ms, until_ms = asked.span(desk.now_ms(), desk.zone)
    width_ms = width_of(until_ms - since_ms)
    since_ms = floored(since_ms, width_ms, desk.zone)
    seen = visible(asked.camera, visit.who.cameras)
    cameras = None if seen is None else frozenset(seen)
    load = desk.store.load
    buckets = await blocking(load.over_time, since_ms, until_ms, width_ms, cameras)
    by_camera = await blocking(load.judged, "camera", since_ms, until_ms, cameras)
    by_rule = await blocking(load.judged, "rule", since_ms, until_ms, cameras)
    waits = await blocking(load.waits, since_ms, until_ms, cameras)
    named = [one._replace(name=desk.camera_name(one.name)) for one in by_camera]
    _figures(by_rule, waits, max(until_ms - since_ms, 1) / 3_600_000)
    with parts.card(ANALYTICS["over_time"]):
        _over_time(buckets, since_ms, until_ms, width_ms, desk.zone)
    with parts.element("div", classes="halves"):
        with parts.card(ANALYTICS["by_camera"]):
            _judged(named, ANALYTICS["by_camera"])
        with parts.card(ANALYTICS["by_rule"]):
            _judged(by_rule, ANALYTICS["by_rule"])


def _figures(judged: list[Judgement], waits: Waits, hours: float) -> None:
    total = sum(one.total for one in judged)
    answered = sum(one.total - one.counts.get("", 0) for one in judged)
    unwanted = sum(one.counts.get("false", 0) + one.counts.get("nuisance", 0) for one in judged)
    with parts.element("div", classes="cards figures"):
        parts.figure(ANALYTICS["total"], f"{total:,}", ANALYTICS["an_hour"].format(rate=f"{total / hours:.1f}"))
        parts.figure(ANALYTICS["answered"], f"{answered:,}", f"{answered / total:.0%}" if total else "")
        parts.figure(ANALYTICS["nuisance"], f"{unwanted / answered:.0%}" if answered else "–", ANALYTICS["of_answered"])
        parts.figure(
            ANALYTICS["waits"],
            lasting(waits.median_s * 1000) if waits.acknowledged else "–",
            ANALYTICS["p95"].format(time=lasting(waits.p95_s * 1000)) if waits.acknowledged else "",
        )


def _over_time(buckets: list[Bucket], since_ms: int, until_ms: int, width_ms: int, zone: str) -> None:
    starts = list(range(since_ms, until_ms, width_ms))
    counts = {(one.start_ms, one.severity): one.alerts for one in buckets}
    names = [label(start, width_ms, zone) for start in starts]
    series = [
        {
            "name": COMMON[f"severity_{severity}"],
            "type": "bar",
            "stack": "alerts",
            "color": COLOURS[severity],
            "data": [counts.get((start, severity), 0) for start in starts],
        }
        for severity in SEVERITIES
    ]
    chart(series, {"type": "category", "data": names}, {"type": "value", "minInterval": 1}, ANALYTICS["over_time"])
    with parts.element("details", classes="numbers"):
        parts.element("summary", ANALYTICS["as_table"])
        heads = [ANALYTICS["begin"], *(COMMON[f"severity_{one}"] for one in SEVERITIES)]
        rows = [
            (name, *(counts.get((start, severity), 0) for severity in SEVERITIES))
            for name, start in zip(names, starts, strict=True)
            if any((start, severity) in counts for severity in SEVERITIES)
        ]
        parts.table(heads, rows, numbers=range(1, 6), caption=ANALYTICS["over_time"])


def _judged(judged: list[Judgement], caption: str) -> None:
    if not judged:
        parts.element("p", ANALYTICS["nothing"], "dim")
        return
    top = judged[:TOP][::-1]
    series = [
        {
            "name": ANALYTICS[f"verdict_{verdict or 'none'}"],
            "type": "bar",
            "stack": "alerts",
            "color": colour,
            "barMaxWidth": 22,
            "data": [one.counts.get(verdict, 0) for one in top],  # type: ignore[call-overload]
        }
        for verdict, colour in VERDICTS.items()
    ]
    axis = {
        "type": "category",
        "data": [one.name for one in top],
        "axisLabel": {"width": 150, "overflow": "truncate"},
    }
    chart(series, {"type": "value", "minInterval": 1}, axis, caption, height=80 + 34 * len(top))
    rows = [(one.name, one.total, "–" if (share := one.nuisance_share) is None else f"{share:.0%}") for one in judged]
    with parts.element("details", classes="numbers"):
        parts.element("summary", ANALYTICS["as_table"])
        parts.table((caption, ANALYTICS["total"], ANALYTICS["nuisance"]), rows, numbers=(1, 2), caption=caption)
