"""One plain sentence for what a rule saw, for the operator: while it goes on, joined by others, and when it is over."""

from __future__ import annotations

import math
from collections.abc import Sequence

from contracts.attributes import words
from contracts.identity import Identified
from contracts.messages import Alert, Condition, Event
from stream.rules.people import named

BASELINE = "baseline"
"""The condition that says how much an anomaly's baseline has seen; no news for a sentence."""

JOINED = ("zone_entry", "loitering", "line_crossing", "wrong_way", "running", "unknown_person")
"""Kinds that speak of one thing: the others of the same incident are counted behind it."""

OVER = {"camera_down": "back", "tamper": "clear again", "anomaly": "as usual again"}
"""What it is called when the condition holds no more."""


RAREST = 1e-5
"""What is rarer than this nobody has measured."""


def told(alert: Alert) -> str:
    """The sentence of an alert that is new or goes on: what shows it best, and how many others do the same."""
    return sentence(alert) + _others(alert)


def ended(alert: Alert) -> str:
    """The sentence of an alert that has ended: what was, for how long, and why it is no more if not by itself."""
    lasted_s = (alert.ended_at_ms - alert.started_at_ms) / 1000
    by_itself = alert.end_reason == "over"
    after = f" after {span(round(lasted_s))}" if lasted_s >= 1 else ""
    was = sentence(alert, past=True) + _others(alert)
    if not by_itself:
        return f"{was}; ended{after}: {alert.end_reason}"
    return f"{was}; {OVER.get(alert.kind, 'over')}{after}" if after or alert.kind in OVER else was


def sentence(seen: Event | Alert, *, past: bool = False) -> str:  # noqa: C901  one case a kind
    """E.g. `person in yard for 12 s (limit 10 s)`; figures come from the trace. `past` tells it from the end."""
    known = words(seen.attributes)
    who, where = seen.label or "things", f" in {seen.zone}" if seen.zone else ""
    who = f"{who} ({known})" if known else who
    match seen.kind:
        case "zone_entry":
            return f"{who} entered {seen.zone}"
        case "loitering":
            limit = span(_limit(seen.trace, "dwell_s"))
            return f"{who} stayed{where} for more than {limit}" if past else f"{who}{where} for {_for(seen, limit)}"
        case "line_crossing":
            return f"{who} crossed {seen.zone} ({_got(seen.trace, 'direction')})"
        case "wrong_way":
            goes = "went" if past else "goes"
            return f"{who}{where} {goes} the wrong way (heading {_got(seen.trace, 'heading')} degrees)"
        case "crowd":
            return f"{seen.score:.0f} at once{where} (limit {_wanted(seen.trace, 'count')})"
        case "running":
            return f"{who} {'ran' if past else 'running'}{where} at {_speed(seen.trace)}"
        case "absence":
            return f"no {seen.label or 'thing'}{where} for {'more than ' if past else ''}{span(seen.score)}"
        case "left_object":
            limit = span(_limit(seen.trace, "owner_gone_s"))
            alone = f"for more than {limit}" if past else f"for {_for(seen, limit)}"
            return f"{who} left behind{where}, alone {alone}"
        case "known_person" if seen.identity is not None:
            return f"{named(seen.identity)} {'was ' if past else ''}seen{where}; {_rarity(seen.identity)}"
        case "unknown_person":
            return f"unknown {who} {'was ' if past else ''}seen{where}, nobody who is enrolled"
        case "returning_unknown":
            return f"the same unknown {who} came {seen.score:.0f} times (limit {_wanted(seen.trace, 'visits')})"
        case "camera_down" if _got(seen.trace, "agent_silent_s"):
            return "the agent was silent" if past else f"the agent has been silent for {span(round(seen.score))}"
        case "camera_down":
            return f"the camera {'was' if past else 'is'} {_got(seen.trace, 'state')}"
        case "question":
            return f"is this a {who}? The detector is {seen.score:.0%} sure"
        case "tamper":
            return f"the picture {'was' if past else 'is'} {_got(seen.trace, 'picture')}"
        case _:
            odd = [c for c in seen.trace if c.met and c.name != BASELINE]
            found = ", ".join(f"{c.name} {c.got}, usually {c.wanted}" for c in odd)
            return f"unusual{where}: {found}" if found else f"unusual{where}, score {seen.score:.1f}"


def span(seconds: float) -> str:
    """A time as people say it: `0.5 s`, `12 s`, `1 min 35 s`, `2 h 5 min`."""
    whole = round(seconds)
    if seconds < 10 and seconds != whole:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    if whole < 60:
        return f"{whole} s"
    big, small, names = (whole // 60, whole % 60, ("min", "s"))
    if whole >= 3600:
        big, small, names = (whole // 3600, whole % 3600 // 60, ("h", "min"))
    return f"{big} {names[0]} {small} {names[1]}" if small else f"{big} {names[0]}"


def _rarity(said: Identified) -> str:
    """How often a stranger would look so much like anybody enrolled, in two figures."""
    if said.strangers < RAREST:
        return f"fewer than 1 of {1 / RAREST:,.0f} strangers look so alike"
    often = 1 / said.strangers
    return f"1 of {round(often, 1 - math.floor(math.log10(often))):,.0f} strangers looks so alike"


def _for(seen: Event | Alert, limit: str) -> str:
    return f"{span(round(seen.score))} (limit {limit})"


def _speed(trace: Sequence[Condition]) -> str:
    name = next(c.name for c in trace if c.name.startswith("speed_"))
    unit = {"speed_heights_s": "body heights/s", "speed_metres_s": "m/s"}[name]
    return f"{_got(trace, name)} {unit} (limit {_wanted(trace, name)})"


def _others(alert: Alert) -> str:
    more = len(alert.track_ids) - 1 if alert.kind in JOINED else 0
    return f", and {more} more" if more > 0 else ""


def _got(trace: Sequence[Condition], name: str) -> str:
    return next((condition.got for condition in trace if condition.name == name), "")


def _wanted(trace: Sequence[Condition], name: str) -> str:
    return next((condition.wanted for condition in trace if condition.name == name), "").removeprefix(">= ")


def _limit(trace: Sequence[Condition], name: str) -> float:
    return float(_wanted(trace, name) or 0)
