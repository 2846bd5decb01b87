"""Rules about the camera itself: down, silent, tampered with."""

from __future__ import annotations

from contracts.config import CameraDown, TamperRule
from contracts.edge_messages import EdgeStatus
from contracts.messages import Condition
from stream.rules.model import ActiveRule
from stream.rules.scene import Reading
from stream.rules.state import Health

KINDS = ("camera_down", "tamper")


def broker_ms(status: EdgeStatus) -> int:
    """When the agent said it, by the broker's clock as far as the agent knows it."""
    return status.at_ms - (status.clock_offset_ms or 0)


def heard(before: Health, status: EdgeStatus) -> Health:
    """What is known after a status. While a camera is starting, what was known of it stays: down until it is up."""
    state, reason = status.state, status.reason
    if state == "starting":
        state, reason = ("down", before.reason) if before.state == "down" else ("starting", "")
    return Health(broker_ms(status), state, reason, tuple(sorted(status.tamper)))


def missed(before: Health, at_ms: int) -> Health:
    """What is known when nobody spoke until `at_ms`; the first call starts the clock for an agent that never did."""
    if before.at_ms == 0:
        return Health(at_ms)
    return Health(before.at_ms, before.state, before.reason, before.tamper, silent=before.state != "ended")


def read(rule: ActiveRule, health: Health, at_ms: int) -> Reading | None:
    """The rule's reading of the camera's health, or None while it is well."""
    match rule.rule:
        case CameraDown(silent_s=silent_s):
            quiet_s = (at_ms - health.at_ms) / 1000
            if health.silent and quiet_s >= silent_s:
                return Reading(
                    score=round(quiet_s, 1),
                    trace=(Condition("agent_silent_s", f"< {silent_s:g}", f"{quiet_s:.1f}"),),
                )
            if health.state == "down":
                return Reading(score=1.0, trace=(Condition("state", "up", f"down: {health.reason or 'no picture'}"),))
        case TamperRule(states=states):
            found = [state for state in health.tamper if state in states]
            if found and health.state != "ended":
                return Reading(
                    score=float(len(found)),
                    trace=(Condition("picture", "clear", " and ".join(found)),),
                )
    return None
