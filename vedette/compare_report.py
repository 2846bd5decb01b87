"""The report of a comparison: one HTML file with its pictures in it, and the same as JSON."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

import msgspec

from archive.evidence.draw import Caption, drawn
from contracts import codec
from contracts.messages import Alert
from vedette.html_page import encoded, img, page, small
from vedette.incidents import Comparison, Pair


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One run: its name, what it found, how fast it was, and the JPEGs of its incidents by (camera, alert id).

    `heats` are those with what its model saw, of some that only this run has; `not_explained` is why some are lacking.
    """

    name: str
    config: str
    time_zone: str
    incidents: int
    frames: int
    took_s: float
    faster_than_real_time: float
    pictures: Mapping[tuple[str, str], bytes]
    heats: Mapping[tuple[str, str], bytes] = {}
    not_explained: str = ""


def write_report(folder: Path, found: Comparison, sides: tuple[Side, Side]) -> None:
    """Write `report.html` and `report.json`."""
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(as_json(found, sides)), indent=2))
    (folder / "report.html").write_text(as_html(found, sides), encoding="utf-8")


def as_json(found: Comparison, sides: tuple[Side, Side]) -> dict[str, object]:
    """The comparison as plain values; alerts stand as they do on their topic."""

    def alert(one: Alert) -> msgspec.Raw:
        return msgspec.Raw(codec.encode(one))

    def pairs(several: Iterable[Pair]) -> list[dict[str, object]]:
        return [{"a": alert(one.a), "b": alert(one.b), "moved": one.moved} for one in several]

    told = ("name", "config", "incidents", "frames", "took_s", "faster_than_real_time", "not_explained")
    return {name: {key: getattr(side, key) for key in told} for name, side in zip(("a", "b"), sides, strict=True)} | {
        "same": len(found.same),
        "moved": pairs(found.moved),
        "lost": [alert(one) for one in found.lost],
        "gained": [alert(one) for one in found.gained],
    }


def as_html(found: Comparison, sides: tuple[Side, Side]) -> str:
    """The report as one HTML page that needs nothing else."""
    a, b = sides
    head = "".join(
        f"<tr><th scope='row'>{letter}</th><td>{escape(side.name)}</td><td class='n'>{side.frames}</td>"
        f"<td class='n'>{side.incidents}</td><td class='n'>{side.faster_than_real_time:.1f}</td></tr>"
        for letter, side in (("A", a), ("B", b))
    )
    return page(
        f"{a.name} and {b.name}",
        f"<h1>{escape(b.name)} instead of {escape(a.name)}</h1>"
        f"<p>Of {a.incidents} incidents {len(found.same)} are the same, {len(found.moved)} moved and "
        f"{len(found.lost)} are lost; {len(found.gained)} are gained.</p>"
        "<table><thead><tr><th></th><th>run</th><th class='n'>frames</th><th class='n'>incidents</th>"
        f"<th class='n'>times real time, start included</th></tr></thead><tbody>{head}</tbody></table>{_by_rule(found)}"
        f"{''.join(map(_not_explained, sides))}"
        f"<h2>Gained</h2>{_grid((_figure(one, b) for one in found.gained), found.gained)}"
        f"<h2>Lost</h2>{_grid((_figure(one, a) for one in found.lost), found.lost)}"
        f"<h2>Moved</h2>{_grid((_pair(one, a, b) for one in found.moved), found.moved)}",
    )


def _not_explained(side: Side) -> str:
    why = escape(f"Where {side.name} saw it can't be shown everywhere: {side.not_explained}")
    return f"<p>{why}</p>" if side.not_explained else ""


def _by_rule(found: Comparison) -> str:
    counts = {
        "same": Counter((one.a.camera, one.a.rule) for one in found.same),
        "moved": Counter((one.a.camera, one.a.rule) for one in found.moved),
        "lost": Counter((one.camera, one.rule) for one in found.lost),
        "gained": Counter((one.camera, one.rule) for one in found.gained),
    }
    rows = "".join(
        f"<tr><td>{escape(camera)}</td><td>{escape(rule)}</td>"
        + "".join(f"<td class='n'>{one[camera, rule]}</td>" for one in counts.values())
        + "</tr>"
        for camera, rule in sorted({key for one in counts.values() for key in one})
    )
    heads = "".join(f"<th class='n'>{name}</th>" for name in counts)
    return f"<table><thead><tr><th>camera</th><th>rule</th>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _grid(figures: Iterable[str], of: tuple[object, ...]) -> str:
    return f"<div class='grid'>{''.join(figures)}</div>" if of else "<p>None.</p>"


def _pair(one: Pair, a: Side, b: Side) -> str:
    return f"<div><p>{escape(one.moved)}</p><div class='pair'>{_figure(one.a, a)}{_figure(one.b, b)}</div></div>"


def _figure(alert: Alert, side: Side) -> str:
    jpeg = side.pictures.get((alert.camera, alert.id))
    words = escape(f"{_clock(alert, side)} · {alert.camera} · {alert.rule}: {alert.why}")
    if jpeg is None:
        return f"<figure><figcaption>{words} (no picture)</figcaption></figure>"
    heat = side.heats.get((alert.camera, alert.id))
    where = escape(f"Where {alert.model or side.name} saw it")
    shown = img(words, _snapshot(jpeg, alert, side)) + (img(where, encoded(small(heat))) if heat else "")
    return f"<figure>{shown}<figcaption>{words}{f'. Below: {where}.' if heat else ''}</figcaption></figure>"


def _snapshot(jpeg: bytes, alert: Alert, side: Side) -> bytes:
    caption = Caption(alert.rule, alert.why, _clock(alert, side), alert.camera)
    return encoded(drawn(small(jpeg), alert, caption))


def _clock(alert: Alert, side: Side) -> str:
    local = dt.datetime.fromtimestamp(alert.started_at_ms / 1000, zoneinfo.ZoneInfo(side.time_zone))
    return f"{local:%Y-%m-%d %H:%M:%S}"
