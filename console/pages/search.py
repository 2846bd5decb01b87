"""The search page: tracks and events of the history, narrowed in the address, and one track in full."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from archive.history.rows import PLACES, TrackRow
from archive.history.search import Place, PlaceError
from console.history import FoundEvent, FoundTrack
from console.pages import parts
from console.pages.asked import SILENCED, Asked, choices_of, form, from_address, only
from console.pages.desk import Visit, blocking
from console.pages.texts import SEARCH
from console.pages.times import lasting, stamp

PAGE = 40
SHOWN = {
    "tracks": ("camera", "zone", "label", "colour", "attribute", "rule", "person"),
    "events": ("camera", "zone", "label", "attribute", "rule"),
}
ASKED_OF_EVENTS = {"silenced": {name: SEARCH[f"silenced_{name}"] for name in SILENCED}}


async def search_page(visit: Visit) -> None:
    """What is at /search."""
    query = visit.request.query_params
    kind = "events" if query.get("kind") == "events" else "tracks"
    shown = [name for name in SHOWN[kind] if name != "person" or visit.who.may("search_people")]
    asked = only(from_address(query.multi_items()), shown)
    config = await blocking(visit.desk.parts.changes.config)
    sees = [name for name in config.cameras if visit.who.sees(name)]
    with parts.element("div", classes="page"):
        with parts.element("header"):
            parts.element("h1", SEARCH["title"])
            kinds = [(asked.address(kind=one), SEARCH[one], one == kind) for one in SHOWN]
            parts.links(kinds, SEARCH["kind"])
            parts.element("span", classes="grow")
            export_links(visit, f"/api/search/{kind}/export", asked)
        names = await blocking(visit.desk.person_names) if "person" in shown else {}
        choices = choices_of(config, sees) | {"person": names} | (ASKED_OF_EVENTS if kind == "events" else {})
        form(asked, choices, shown, kind=kind)
        if query.get("track"):
            await _track(visit, query["track"], asked.address(kind=kind), names)
        await _found(visit, kind, asked, query.get("after", ""), names)


def export_links(visit: Visit, path: str, asked: Asked) -> None:
    """Links that take away what is asked for; only for who may."""
    if not visit.who.may("export"):
        return
    wanted = asked.wanted(visit.desk.now_ms(), visit.desk.zone)
    given = f"{asked.address(last='', since='', until='')}&since_ms={wanted.since_ms}&until_ms={wanted.until_ms}"
    for form_ in ("csv", "parquet"):
        address = f"{path}{given}&format={form_}"
        parts.element("a", SEARCH[f"as_{form_}"], "button small", href=address, download="")


async def _found(visit: Visit, kind: str, asked: Asked, after: str, names: Mapping[str, str]) -> None:
    desk, history = visit.desk, visit.desk.parts.history
    wanted = asked.wanted(desk.now_ms(), desk.zone)
    try:
        place = Place.parse(after) if after else None
    except PlaceError:
        place = None
    with parts.element("section", classes="card", aria_label=SEARCH["found"]):
        if kind == "tracks":
            tracks = await blocking(history.tracks, visit.who, wanted, place, PAGE, desk.now_ms())
            _list([_track_row(visit, one, asked, names) for one in tracks.tracks])
            following = tracks.next
        else:
            events = await blocking(history.events, visit.who, wanted, place, PAGE)
            _list([_event_row(visit, one) for one in events.events])
            following = events.next
    with parts.element("nav", classes="row", aria_label=SEARCH["pages"]):
        if place is not None:
            parts.element("a", SEARCH["first"], "button", href=asked.address(kind=kind))
        if following:
            parts.element("a", SEARCH["next"], "button", href=asked.address(kind=kind, after=following))


Row = tuple[str, str, str, str, str, str]
"""Picture's address or "", where the row leads, title, what is told about it, when, for how long."""


def _list(rows: list[Row]) -> None:
    if not rows:
        parts.element("p", SEARCH["nothing"], "dim")
        return
    with parts.element("ul", classes="found"):
        for picture, leads, title, told, when, how_long in rows:
            with parts.element("li"), parts.element("a", classes="hit", href=leads):
                if picture:
                    parts.element("img", src=picture, alt="", loading="lazy")
                else:
                    parts.element("span", SEARCH["no_picture"], "noimage")
                with parts.element("span", classes="told"):
                    parts.element("b", title)
                    parts.element("span", told or "–", "dim")
                with parts.element("span", classes="when"):
                    parts.element("span", when)
                    parts.element("span", how_long, "dim")


def _track_row(visit: Visit, one: FoundTrack, asked: Asked, names: Mapping[str, str]) -> Row:
    seen = dict(zip(one.zones, one.dwell_ms, strict=False))
    zones = ", ".join(f"{zone} {lasting(ms)}" for zone, ms in seen.items())
    told = [
        colours_of(one.label, one.upper, one.lower),
        *_attributes(one.attributes),
        zones,
        *_crossed(one.crossed),
        *one.rules,
    ]
    return (
        f"/pictures/{quote(one.alert)}/small.jpg" if one.snapshot else "",
        asked.address(kind="tracks", track=one.id),
        f"{_who(one.person, names) or one.label} · {visit.desk.camera_name(one.camera)}",
        " · ".join(part for part in told if part),
        stamp(one.first_ms, visit.desk.zone),
        lasting(one.last_ms - one.first_ms),
    )


def _event_row(visit: Visit, one: FoundEvent) -> Row:
    what = f"{one.rule} · {visit.desk.camera_name(one.camera)}"
    silenced = [SEARCH["is_silenced"]] if one.suppressed_by else []
    told = [*silenced, one.kind.replace("_", " "), one.label, one.zone, *_attributes(one.attributes)]
    return (
        f"/pictures/{quote(one.alert)}/small.jpg" if one.snapshot else "",
        f"/?alert={quote(one.alert)}" if one.alert else f"/search?kind=tracks&rule={quote(one.rule)}",
        what,
        " · ".join(part for part in told if part),
        stamp(one.at_ms, visit.desk.zone),
        "",
    )


def colours_of(label: str, upper: str, lower: str) -> str:
    """The colours in words: `red above, black below` of people, one for things."""
    if label != "person" or upper == lower:
        return SEARCH[f"colour_{upper or lower}"] if upper or lower else ""
    halves = {"above": upper, "below": lower}
    return ", ".join(SEARCH[half].format(colour=SEARCH[f"colour_{one}"]) for half, one in halves.items() if one)


def _who(person: str, names: Mapping[str, str]) -> str:
    """A person's name; the id of one who is enrolled no more."""
    return names.get(person, person)


def _attributes(pairs: tuple[str, ...]) -> list[str]:
    """`hard_hat:no` as `hard hat: no`."""
    return [f"{name.replace('_', ' ')}: {value}" for name, _, value in (one.partition(":") for one in pairs)]


def _crossed(crossed: tuple[str, ...]) -> list[str]:
    return [f"{line} ({way})" for line, _, way in (one.rpartition(":") for one in crossed)]


async def _track(visit: Visit, unique: str, back: str, names: Mapping[str, str]) -> None:
    row = await blocking(visit.desk.parts.history.track, visit.who, unique)
    with parts.element("section", classes="card track", aria_label=SEARCH["track"]):
        with parts.element("header", classes="row"):
            parts.element("h2", SEARCH["track"])
            parts.element("span", classes="grow")
            parts.element("a", SEARCH["close"], "button small", href=back)
        if row is None:
            parts.element("p", SEARCH["no_track"], "dim")
            return
        with parts.element("div", classes="halves"):
            _path(row)
            _values(visit, row, names)


def _path(row: TrackRow) -> None:
    """Its way, drawn over the camera's picture of now."""
    points = [(x / PLACES, y / PLACES) for x, y in zip(row.path_x, row.path_y, strict=False)]
    with parts.element("div", classes="over"):
        parts.element("img", src=f"/live/picture/{quote(row.camera)}.jpg", alt="")
        with parts.element("svg", viewBox="0 0 1 1", preserveAspectRatio="none", role="img", aria_label=SEARCH["way"]):
            text = " ".join(f"{x:.4f},{y:.4f}" for x, y in points)
            parts.element("polyline", classes="way under", points=text)
            parts.element("polyline", classes="way", points=text)
        for name, (x, y) in zip(("from", "to"), (points[0], points[-1]) if points else (), strict=False):
            parts.element("span", SEARCH[name], f"end {name}").style(f"left: {100 * x:.2f}%; top: {100 * y:.2f}%")


def _values(visit: Visit, row: TrackRow, names: Mapping[str, str]) -> None:
    zone = visit.desk.zone
    with parts.element("div"):
        parts.values(
            (SEARCH[name], value)
            for name, value in (
                ("camera", visit.desk.camera_name(row.camera)),
                ("label", f"{row.label} ({row.confidence:.0%})"),
                ("colour", colours_of(row.label, row.upper, row.lower)),
                ("person", _who(row.person, names) or row.decision),
                ("attribute", ", ".join(_attributes(row.attributes))),
                ("first_seen", stamp(row.first_ms, zone)),
                ("last_seen", stamp(row.last_ms, zone)),
                ("still", lasting(row.still_ms)),
                ("crossed", ", ".join(_crossed(row.crossed))),
                ("rule", ", ".join(row.rules)),
            )
        )
        if row.zones:
            visits = zip(row.zones, row.entered_ms, row.dwell_ms, strict=False)
            rows = [(name, stamp(entered, zone), lasting(dwell)) for name, entered, dwell in visits]
            parts.table([SEARCH[name] for name in ("zone", "entered", "dwell")], rows, caption=SEARCH["visits"])
        for alert in row.alerts:
            parts.element("a", SEARCH["alert"], "button small", href=f"/?alert={quote(alert)}")
