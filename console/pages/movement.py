"""Analytics, second view: how full zones were and for how long people stayed, where they went and over which lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from archive.history import figures
from archive.history.figures import Stay, Way
from console.history import seen_by
from console.pages import parts
from console.pages.asked import Asked
from console.pages.charts import PALETTE, chart, floored, label, width_of
from console.pages.desk import Visit, blocking
from console.pages.texts import ANALYTICS
from console.pages.times import lasting


async def movement(visit: Visit, asked: Asked) -> None:
    """What the windows and tracks of the time add up to."""
    desk, search = visit.desk, visit.desk.parts.history.search
    wanted = seen_by(visit.who, asked.wanted(desk.now_ms(), desk.zone))
    width_ms = width_of(wanted.until_ms - wanted.since_ms)
    wanted = replace(wanted, since_ms=floored(wanted.since_ms, width_ms, desk.zone))
    stays = await blocking(figures.stays, search, wanted, wanted.since_ms, width_ms)
    zones = await blocking(figures.flows, search, wanted)
    lines = await blocking(figures.crossings, search, wanted)
    starts = list(range(wanted.since_ms, wanted.until_ms, width_ms))
    names = [label(start, width_ms, desk.zone) for start in starts]
    with parts.card(ANALYTICS["occupancy"]):
        parts.element("p", ANALYTICS["occupancy_hint"], "dim")
        _over_time(stays, starts, names, lambda one: round(one.occupancy, 2), ANALYTICS["occupancy"])
    with parts.element("div", classes="halves"):
        with parts.card(ANALYTICS["dwell"]):
            _over_time(stays, starts, names, lambda one: round(one.dwell_s, 1) or None, ANALYTICS["dwell"])
        with parts.card(ANALYTICS["stays"]):
            _totals(stays)
        with parts.card(ANALYTICS["between"]):
            _flows(zones)
        with parts.card(ANALYTICS["over_lines"]):
            _lines(lines)


def _over_time(
    stays: list[Stay], starts: list[int], names: list[str], value: Callable[[Stay], float | None], title: str
) -> None:
    if not stays:
        parts.element("p", ANALYTICS["nothing_seen"], "dim")
        return
    found = {(one.zone, one.start_ms): value(one) for one in stays}
    zones = sorted({one.zone for one in stays}, key=lambda zone: (zone == "", zone))
    series: list[dict[str, Any]] = [
        {
            "name": zone or ANALYTICS["whole_picture"],
            "type": "line",
            "symbolSize": 5,  # a value with gaps on both sides is a point
            "color": PALETTE[place % len(PALETTE)],
            "lineStyle": {"type": "solid" if zone else "dashed"},
            "data": [found.get((zone, start)) for start in starts],
        }
        for place, zone in enumerate(zones)
    ]
    chart(series, {"type": "category", "data": names}, {"type": "value", "min": 0}, title, legend_scrolls=True)


def _totals(stays: list[Stay]) -> None:
    """One line a zone: how many came and went, the greatest number at once, the mean stay."""
    if not stays:
        parts.element("p", ANALYTICS["nothing_seen"], "dim")
        return
    zones: dict[str, list[Stay]] = defaultdict(list)
    for one in stays:
        zones[one.zone].append(one)
    rows = []
    for zone in sorted(zones, key=lambda zone: (zone == "", zone)):
        left = sum(one.left for one in zones[zone])
        dwell_s = sum(one.dwell_s * one.left for one in zones[zone]) / max(left, 1)
        entered, most = sum(one.entered for one in zones[zone]), max(one.most for one in zones[zone])
        rows.append((zone or ANALYTICS["whole_picture"], entered, left, most, lasting(dwell_s * 1000) if left else "–"))
    heads = [ANALYTICS[name] for name in ("zone", "entered", "left", "most", "dwell")]
    parts.table(heads, rows, numbers=range(1, 5), caption=ANALYTICS["stays"])


def _flows(ways: list[Way]) -> None:
    if not ways:
        parts.element("p", ANALYTICS["ways_none"], "dim")
        return
    rows = [(f"{one.start} → {one.end}", one.tracks) for one in ways]
    _bars([(name, {ANALYTICS["tracks"]: tracks}) for name, tracks in rows[:12]], ANALYTICS["between"])
    with parts.element("details", classes="numbers"):
        parts.element("summary", ANALYTICS["as_table"])
        parts.table((ANALYTICS["between"], ANALYTICS["tracks"]), rows, numbers=(1,), caption=ANALYTICS["between"])


def _lines(ways: list[Way]) -> None:
    if not ways:
        parts.element("p", ANALYTICS["lines_none"], "dim")
        return
    lines: dict[str, dict[str, int]] = {}
    for one in ways:
        lines.setdefault(one.start, {})[ANALYTICS[f"way_{one.end}"]] = one.tracks
    _bars(list(lines.items()), ANALYTICS["over_lines"])
    ends = (ANALYTICS["way_in"], ANALYTICS["way_out"])
    rows = [(line, *(counts.get(end, 0) for end in ends)) for line, counts in lines.items()]
    with parts.element("details", classes="numbers"):
        parts.element("summary", ANALYTICS["as_table"])
        parts.table((ANALYTICS["line"], *ends), rows, numbers=(1, 2), caption=ANALYTICS["over_lines"])


def _bars(rows: list[tuple[str, dict[str, int]]], title: str) -> None:
    """Lying bars, the most at the top; each row has a value of each series that it knows."""
    rows = rows[::-1]
    names = list(dict.fromkeys(name for _, values in rows for name in values))
    series = [
        {
            "name": name,
            "type": "bar",
            "barMaxWidth": 18,
            "color": PALETTE[place],
            "data": [values.get(name, 0) for _, values in rows],
        }
        for place, name in enumerate(sorted(names))
    ]
    axis = {
        "type": "category",
        "data": [name for name, _ in rows],
        "axisLabel": {"width": 170, "overflow": "truncate"},
    }
    chart(series, {"type": "value", "minInterval": 1}, axis, title, height=80 + 26 * len(rows) * len(series))
