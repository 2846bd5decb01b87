"""Conditions over time: since when each has held, and which have held long enough."""

from __future__ import annotations

from stream.rules.scene import Readings
from stream.rules.state import Spell


def held(
    spells: tuple[Spell, ...], rule: str, version: int, readings: Readings, ms: int, slack_ms: int
) -> tuple[Spell, ...]:
    """The rule's spells after one frame: begun, gone on, or dropped after failing for more than `slack_ms`."""
    old = {spell.subject: spell for spell in spells if (spell.rule, spell.version) == (rule, version)}
    kept = {subject: spell for subject, spell in old.items() if ms - spell.last_ms <= slack_ms}
    for subject in readings:
        since_ms = old[subject].since_ms if subject in old else ms
        kept[subject] = Spell(rule, version, subject, since_ms, ms)
    return tuple(kept[subject] for subject in sorted(kept))


def long_enough(spell: Spell, after_ms: int) -> bool:
    """Whether the condition has held for `after_ms`, by what was seen."""
    return spell.last_ms - spell.since_ms >= after_ms
