"""What search and analytics are narrowed by: as it stands in the address, in a form, and for the history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import asdict, replace

from archive.history.search import Wanted
from console.pages import parts
from console.pages.texts import COMMON, SEARCH
from console.pages.times import SPANS
from contracts.config import LABELS, Config

MOST = 50
"""Values of one kind in an address: what is more was not made by the page."""

COLOURS = ("black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
LISTS = ("camera", "zone", "label", "colour", "person", "rule", "attribute")
SILENCED = {"yes": True, "no": False}
ONE_OF: dict[str, Collection[str]] = {"last": SPANS, "silenced": SILENCED}
_LOCAL = "%Y-%m-%dT%H:%M"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The filter as the page shows it. `last` is relative to now; `since` and `until` are local times and go before."""

    camera: tuple[str, ...] = ()
    zone: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    colour: tuple[str, ...] = ()
    person: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    attribute: tuple[str, ...] = ()
    silenced: str = ""
    last: str = "24h"
    since: str = ""
    until: str = ""

    def span(self, now_ms: int, zone: str) -> tuple[int, int]:
        """From when until when, ms."""
        until_ms = instant(self.until, zone) or now_ms
        since_ms = instant(self.since, zone) or until_ms - SPANS[self.last]
        return min(since_ms, until_ms), until_ms

    def wanted(self, now_ms: int, zone: str) -> Wanted:
        """For the history; cameras are limited to those that somebody may see elsewhere."""
        since_ms, until_ms = self.span(now_ms, zone)
        return Wanted(
            cameras=self.camera or None,
            zones=self.zone,
            labels=self.label,
            colours=self.colour,
            persons=self.person,
            rules=self.rule,
            attributes=tuple(pair_of(one) for one in self.attribute),
            silenced=SILENCED.get(self.silenced),
            since_ms=since_ms,
            until_ms=until_ms,
        )

    def address(self, **more: str) -> str:
        """The query of an address that asks for the same, with more or other values; "" takes one away."""
        pairs = [(name, value) for name, values in asdict(self).items() for value in _many(values) if name not in more]
        return "?" + urlencode([pair for pair in (*pairs, *more.items()) if pair[1]])


def from_address(query: Iterable[tuple[str, str]]) -> Asked:
    """The filter in an address's query. What makes no sense is left out: addresses are typed and cut off by people."""
    given: dict[str, Any] = {}
    for name, value in query:
        if name in LISTS and value:
            given[name] = (*given.get(name, ()), value[:200])[:MOST]
        elif (name in ONE_OF and value in ONE_OF[name]) or (name in ("since", "until") and instant(value, "UTC")):
            given[name] = value
    return Asked(**given)


def pair_of(text: str) -> str:
    """An attribute as the history has it, however it was typed: `Hard hat: no` is `hard_hat:no`."""
    name, found, value = text.partition(":")
    return f"{name.strip().lower().replace(' ', '_')}:{value.strip()}" if found else text.strip()


def instant(text: str, zone: str) -> int:
    """The instant (ms) of a local time as a browser's field says it, 0 for none."""
    try:
        return int(dt.datetime.strptime(text, _LOCAL).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


def choices_of(config: Config, sees: Sequence[str]) -> dict[str, dict[str, str]]:
    """What each list may be narrowed to: value → text, of the cameras that somebody sees."""
    cameras = {name: config.cameras[name] for name in sees}
    rules = {
        name: name
        for name, rule in config.rules.items()
        if not rule.cameras or any(camera in cameras for camera in rule.cameras)
    }
    return {
        "camera": {name: camera.friendly_name or name for name, camera in cameras.items()},
        "zone": {zone: zone for camera in cameras.values() for zone in camera.zones},
        "label": {label: label for label in LABELS},
        "colour": {colour: SEARCH[f"colour_{colour}"] for colour in COLOURS},
        "rule": rules,
    }


def form(asked: Asked, choices: Mapping[str, Mapping[str, str]], shown: Sequence[str], **kept: str) -> None:
    """The filter as a form that puts it into the address: works without scripts. `kept` goes along unseen."""
    with parts.element("form", classes="card filters", role="search"):
        for name, value in kept.items():
            parts.element("input", type="hidden", name=name, value=value)
        for name in shown:
            _field(asked, name, choices.get(name))
        if "silenced" in choices:
            _select("silenced", SEARCH["silenced"], {"": COMMON["any"]} | dict(choices["silenced"]), asked.silenced)
        _select("last", SEARCH["last"], {span: SEARCH[f"last_{span}"] for span in SPANS}, asked.last)
        for name in ("since", "until"):
            with parts.element("label"):
                parts.element("span", SEARCH[name])
                parts.element("input", type="datetime-local", name=name, value=getattr(asked, name))
        parts.element("button", SEARCH["find"], "button primary")
        left = {name: value for name, value in kept.items() if value}
        parts.element("a", SEARCH["clear"], "button", href="?" + urlencode(left))


def _field(asked: Asked, name: str, choices: Mapping[str, str] | None) -> None:
    chosen = getattr(asked, name)
    if choices is None:
        with parts.element("label"):
            parts.element("span", SEARCH[name])
            given, hint = chosen[0] if chosen else "", SEARCH.get(f"hint_{name}", "")
            parts.element("input", name=name, value=given, maxlength="200", placeholder=hint)
        return
    known = dict(choices) | {value: value for value in chosen if value not in choices}
    _select(name, SEARCH[name], {"": COMMON["any"]} | known, chosen[0] if chosen else "")


def _select(name: str, title: str, choices: Mapping[str, str], chosen: str) -> None:
    with parts.element("label"):
        parts.element("span", title)
        with parts.element("select", name=name):
            for value, text in choices.items():
                made = parts.element("option", text, value=value)
                if value == chosen:
                    made._props["selected"] = True


def _many(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,)


def only(asked: Asked, names: Iterable[str]) -> Asked:
    """The filter without the lists that a page doesn't show."""
    return replace(asked, **{name: () for name in LISTS if name not in names})
