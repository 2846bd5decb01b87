"""Charts over time, drawn by ECharts in the browser, and the buckets of time that they show."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

FONT = '"Inter", "Segoe UI", system-ui, -apple-system, "Roboto", "Helvetica Neue", sans-serif'
"""The style's: what is drawn is also what was measured."""

WIDTHS_MS = (60_000, 300_000, 900_000, 3_600_000, 6 * 3_600_000, 86_400_000)
MOST_BUCKETS = 40
PALETTE = ("#3b82c4", "#2ba899", "#e0b52c", "#f5843c", "#9a6fd0", "#e5484d", "#6f9a3c", "#c06a9a", "#7d93a8")


def width_of(span_ms: int) -> int:
    """How wide the buckets of a span of time are: so that there are not more than MOST_BUCKETS, or whole days."""
    return next((width for width in WIDTHS_MS if span_ms <= width * MOST_BUCKETS), WIDTHS_MS[-1])


def chart(
    series: list[dict[str, Any]],
    x: dict[str, Any],
    y: dict[str, Any],
    label: str,
    height: int = 300,
    *,
    legend_scrolls: bool = False,
    more_y: dict[str, Any] | None = None,
) -> None:
    """A chart as SVG, so that its text takes the theme's colours from the style; `more_y` is an axis to the right."""
    plain = {"splitLine": {"lineStyle": {"opacity": 0.18}}, "axisTick": {"show": False}}
    # Names beside bars get less room than they take: a name of 105 px had 100 in Chromium, and lost its first letter.
    left = 24 if y.get("type") == "category" else 8
    options = {
        "animation": False,
        "aria": {"enabled": True},
        "backgroundColor": "transparent",
        "textStyle": {"fontFamily": FONT},
        "grid": {"left": left, "right": 16, "top": 40, "bottom": 8, "containLabel": True},
        "legend": {
            "type": "scroll" if legend_scrolls else "plain",
            "top": 0,
            "left": 0,
            "itemWidth": 12,
            "itemHeight": 12,
            "icon": "roundRect",
        },
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}, "confine": True},
        "xAxis": x | plain,
        "yAxis": y | plain if more_y is None else [y | plain, plain | more_y],
        "series": series,
    }
    made = ui.echart(options, renderer="svg").classes("chart").style(f"height: {height}px")
    made._props["role"] = "img"
    made._props["aria-label"] = label


def floored(at_ms: int, width_ms: int, zone: str) -> int:
    """The bucket's beginning: whole quarters, hours and days of the site's clock."""
    local = dt.datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    into_ms = int((local - midnight).total_seconds() * 1000)
    return int(midnight.timestamp() * 1000) + into_ms // width_ms * width_ms


def label(at_ms: int, width_ms: int, zone: str) -> str:
    """A bucket's beginning, as short as its width allows."""
    local = dt.datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
    if width_ms >= 86_400_000:
        return f"{local.day} {local:%b}"
    return f"{local:%H:%M}" if width_ms <= 3_600_000 else f"{local:%a %H:%M}"
