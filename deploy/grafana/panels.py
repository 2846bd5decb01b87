"""The few kinds of panels that Vedette's dashboards are made of, on Grafana's own builders."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog import builder as cogbuilder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Panel,
    RowPanel,
    Threshold,
    ThresholdsMode,
    VariableHide,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
PICKED = {
    "{here": '{namespace=~"$namespace"',
    "{camera": '{namespace=~"$namespace", camera=~"$camera"',
}
"""What expressions say for short. The namespace's choice "All" is everything, also of a machine that has none."""

Item = cogbuilder.Builder[Panel] | cogbuilder.Builder[RowPanel]

Query = tuple[str, str]
"""An expression and the legend of its series."""

Limits = tuple[float, float]
"""From where on a value is orange, and red; the other way round where few is bad."""

HEIGHT = 8
WIDTH = 24


def quantiles(metric: str, picked: str = "here", shares: Sequence[float] = (0.5, 0.95)) -> list[Query]:
    """Quantiles of a histogram of seconds."""
    rate = f"sum by (le) (rate({metric}_bucket{{{picked}}}[$__rate_interval]))"
    return [(f"histogram_quantile({share}, {rate})", f"p{round(100 * share)}") for share in shares]


def rate(metric: str, by: str, picked: str = "here") -> Query:
    """A counter by one of its labels, a second."""
    return f"sum by ({by}) (rate({metric}{{{picked}}}[$__rate_interval]))", f"{{{{{by}}}}}"


def share(metric: str, by: str, chosen: str, within: str, picked: str = "here") -> Query:
    """The chosen part of a counter, of all of it, by one of its labels."""
    part, whole = (f"sum by ({by}) (increase({metric}{{{one}}}[{within}]))" for one in (f"{picked}, {chosen}", picked))
    return f"{part} / {whole}", f"{{{{{by}}}}}"


def lines(
    title: str,
    *queries: Query,
    unit: str = "short",
    limits: Limits | None = None,
    runbook: str = "",
    about: str = "",
    width: int = 12,
) -> timeseries.Panel:
    """Values over time, with a line where they become bad."""
    legend = common.VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.TABLE)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .height(HEIGHT)
        .span(width)
        .fill_opacity(8)
        .legend(legend.placement(LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"]))
    )
    if limits is None or limits[0] <= limits[1]:
        panel.axis_soft_min(0)
    if limits is not None:
        panel.thresholds(_thresholds(limits))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    if runbook:
        panel.links([_runbook(runbook)])
    for count, (expression, legend_format) in enumerate(queries):
        query = _query(expression, legend_format, count)
        if expression.startswith("histogram_quantile"):
            query.exemplar(True)  # dots that lead to traces
        panel.with_target(query)
    return panel


def number(
    title: str, expression: str, *, unit: str = "short", limits: Limits | None = None, runbook: str = "", width: int = 4
) -> stat.Panel:
    """One value as it is now, coloured by its limits."""
    panel = (
        stat.Panel()
        .title(title)
        .datasource(SOURCE)
        .unit(unit)
        .height(4)
        .span(width)
        .no_value("-")
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE if limits is None else BigValueColorMode.BACKGROUND)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query(expression, title))
    )
    if limits is not None:
        panel.thresholds(_thresholds(limits))
    if runbook:
        panel.links([_runbook(runbook)])
    return panel


def states(title: str, query: Query, *, runbook: str = "", width: int = WIDTH) -> statetimeline.Panel:
    """0 and 1 over time: red and green."""
    panel = (
        statetimeline.Panel()
        .title(title)
        .datasource(SOURCE)
        .height(HEIGHT)
        .span(width)
        .min(0)
        .max(1)
        .thresholds(_thresholds((1, 1), (("red", None), ("green", 1.0))))
        .with_target(_query(*query))
    )
    return panel.links([_runbook(runbook)]) if runbook else panel


def rows_of(title: str, expression: str, *, about: str = "", width: int = WIDTH) -> table.Panel:
    """Series as a table of their labels."""
    query = _query(expression, "").instant().format(PromQueryFormat.TABLE)
    return (
        table.Panel().title(title).description(about).datasource(SOURCE).height(HEIGHT).span(width).with_target(query)
    )


def board(uid: str, title: str, about: str, *items: Item, cameras: bool = False) -> dashboard.Dashboard:
    """A dashboard with its variables, the way to the others, and its panels under their rows."""
    made = (
        dashboard.Dashboard(f"Vedette: {title}")
        .uid(f"vedette-{uid}")
        .description(about)
        .tags(["vedette"])
        .readonly()
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Vedette")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["vedette"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .with_variable(_choice("namespace", "Site", "label_values(up, namespace)"))
    )
    if cameras:
        made.with_variable(_choice("camera", "Camera", "label_values(vedette_camera_up{here}, camera)", multi=True))
    # Where Prometheus' external label says that docs/ can be read: links to runbooks begin with it.
    docs = _choice("docs", "Address of docs/", 'label_values(ALERTS{alertname="Heartbeat"}, docs)', all_of_them=False)
    made.with_variable(docs.hide(VariableHide.HIDE_VARIABLE))
    for item in items:
        if isinstance(item, dashboard.Row):
            made.with_row(item)
        else:
            made.with_panel(item)
    return made


def _choice(
    name: str, label: str, query: str, *, multi: bool = False, all_of_them: bool = True
) -> dashboard.QueryVariable:
    choice = (
        dashboard.QueryVariable(name)
        .label(label)
        .query(_filled(query))
        .datasource(SOURCE)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(multi)
    )
    if not all_of_them:
        return choice
    everything = VariableOption(selected=True, text="All", value="$__all")
    return choice.include_all(True).all_value(".*").current(everything)


def _query(expression: str, legend: str, number: int = 0) -> prometheus.Dataquery:
    query = prometheus.Dataquery().datasource(SOURCE).expr(_filled(expression)).legend_format(legend)
    return query.ref_id("ABCDEFGH"[number])


def _filled(expression: str) -> str:
    for short, full in PICKED.items():
        expression = expression.replace(short, full)
    return expression


def _thresholds(limits: Limits, steps: Sequence[tuple[str, float | None]] | None = None) -> dashboard.ThresholdsConfig:
    first, last = limits
    if steps is None and first <= last:
        steps = (("green", None), ("orange", first), ("red", last))
    elif steps is None:
        steps = (("red", None), ("orange", last), ("green", first))
    made = [Threshold(value=value, color=color) for color, value in steps]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def _runbook(alert: str) -> dashboard.DashboardLink:
    link = dashboard.DashboardLink(f"Runbook {alert}").type(DashboardLinkType.LINK).target_blank(True)
    return link.url(f"${{docs}}/runbooks/{alert}.md")
