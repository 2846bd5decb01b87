"""One plain sentence for what a rule saw, for the operator."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.messages import Condition, Event

BASELINE = "baseline"
"""The condition that says how much an anomaly's baseline has seen; no news for a sentence."""


def sentence(event: Event) -> str:  # noqa: C901  one case a kind
    """E.g. `person in yard for 12 s (limit 10 s)`; figures come from the event's trace."""
    who, where = event.label or "things", f" in {event.zone}" if event.zone else ""
    match event.kind:
        case "zone_entry":
            return f"{who} entered {event.zone}"
        case "loitering":
            limit = _wanted(event.trace, "dwell_s")
            return f"{who}{where} for {event.score:.0f} s (limit {limit} s)"
        case "line_crossing":
            return f"{who} crossed {event.zone} ({_got(event.trace, 'direction')})"
        case "wrong_way":
            return f"{who}{where} goes the wrong way (heading {_got(event.trace, 'heading')} degrees)"
        case "crowd":
            return f"{event.score:.0f} at once{where} (limit {_wanted(event.trace, 'count')})"
        case "running":
            name = next(c.name for c in event.trace if c.name.startswith("speed_"))
            unit = {"speed_heights_s": "body heights/s", "speed_metres_s": "m/s"}[name]
            return f"{who} running{where} at {_got(event.trace, name)} {unit} (limit {_wanted(event.trace, name)})"
        case "absence":
            return f"no {event.label or 'thing'}{where} for {event.score:.0f} s"
        case "left_object":
            limit = _wanted(event.trace, "owner_gone_s")
            return f"{who} left behind{where}, alone for {event.score:.0f} s (limit {limit} s)"
        case "camera_down":
            silent = _got(event.trace, "agent_silent_s")
            return (
                f"the agent has been silent for {silent} s" if silent else f"the camera is {_got(event.trace, 'state')}"
            )
        case "tamper":
            return f"the picture is {_got(event.trace, 'picture')}"
        case _:
            found = ", ".join(
                f"{c.name} {c.got}, usually {c.wanted}" for c in event.trace if c.met and c.name != BASELINE
            )
            return f"unusual{where}: {found}" if found else f"unusual{where}, score {event.score:.1f}"


def _got(trace: Sequence[Condition], name: str) -> str:
    return next((condition.got for condition in trace if condition.name == name), "")


def _wanted(trace: Sequence[Condition], name: str) -> str:
    return next((condition.wanted for condition in trace if condition.name == name), "").removeprefix(">= ")
