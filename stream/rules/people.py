"""Rules about who somebody is: of a watch-list, or nobody who is enrolled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from contracts.config import KnownPerson, UnknownPerson
from contracts.identity import Identified
from contracts.messages import Condition, Event
from contracts.naming import mention
from stream.rules.model import ActiveRule
from stream.rules.scene import Readings, Scene, Who, of_thing
from stream.rules.state import Thing

KINDS = ("known_person", "unknown_person")

TAKEN_BACK = {"known_person": "the name was taken back", "unknown_person": "no longer unknown"}
"""Why an alert ends when the same track is said to be somebody else by now ..."""

TAKEN_OVER = Condition("face", "the same person's", "another person's")
"""... but that it was so before is not wrong where this is in the trace: somebody else has the track now."""


def known_person(rule: ActiveRule, spec: KnownPerson, scene: Scene) -> Readings:
    """Everybody who is identified as one of those whom the rule means."""
    found = {}
    for thing, who in _seen(rule, spec.zone, scene):
        said = who.identified
        if said.decision == "identified" and meant(spec, who):
            conditions = (
                Condition("person", _wanted(spec), named(said)),
                Condition("likeness", f">= {said.threshold:.3f}", f"{said.score:.3f}"),
                Condition("strangers_so_alike", "", f"{said.strangers:.2g}"),
            )
            reading = of_thing(scene, rule, thing, said.score, *conditions, Condition("looks", "", str(said.looks)))
            found[thing.uid] = replace(reading, evidence=who.evidence, identity=said)
    return found


def unknown_person(rule: ActiveRule, spec: UnknownPerson, scene: Scene) -> Readings:
    """Everybody whose face was good enough to be known by, and who is nobody of the gallery."""
    found = {}
    for thing, who in _seen(rule, spec.zone, scene):
        said = who.identified
        if said.decision == "unknown":
            conditions = (Condition("person", "nobody enrolled", "unknown"), Condition("looks", "", str(said.looks)))
            reading = of_thing(scene, rule, thing, said.quality, *conditions)
            found[thing.uid] = replace(reading, evidence=who.evidence, identity=said)
    return found


def meant(spec: KnownPerson, who: Who) -> bool:
    """Whether the rule is about this person, whom it may name by id or by name."""
    said = who.identified
    if said.group and said.group in spec.except_groups:
        return False
    if not spec.people and not spec.groups:
        return True
    by_name = bool(who.name) and who.name in spec.people
    return by_name or said.person_id in spec.people or (bool(said.group) and said.group in spec.groups)


def named(said: Identified) -> str:
    """A person as sentences have it: `person/<id> (banned)`, which is shown as `Ann (banned)`."""
    return f"{mention(said.person_id)} ({said.group})" if said.group else mention(said.person_id)


def another(before: Identified | None, now: Identified | None) -> bool:
    """Whether the same track is said to be somebody else by now."""
    if before is None or now is None:
        return False
    return (before.decision, before.person_id) != (now.decision, now.person_id)


def taken_back(opened: Event, thing: Thing | None, scene: Scene) -> Who | None:
    """Who the thing of an event about people is said to be by now, if that is somebody else.

    A thing that was lost and found has a new track, of which nothing is known at first: that takes no name back.
    """
    who = scene.who(thing) if thing is not None and opened.kind in KINDS else None
    if thing is None or who is None or not another(opened.identity, who.identified):
        return None
    same = thing.track_id in opened.track_ids
    return who if same or who.identified.decision == "identified" else None


def why_over(event: Event) -> str:
    """Why the alert of an event about people ends."""
    return "another person's face is on this track now" if TAKEN_OVER in event.trace else TAKEN_BACK[event.kind]


def _seen(rule: ActiveRule, zone: str, scene: Scene) -> Iterator[tuple[Thing, Who]]:
    """The rule's things of whose face something was seen, in its zone where it has one."""
    inside = {thing.uid for thing, _ in scene.inside(rule.rule, zone)} if zone else None
    for thing in scene.of(rule.rule):
        who = scene.who(thing)
        if who is not None and (inside is None or thing.uid in inside):
            yield thing, who


def _wanted(spec: KnownPerson) -> str:
    """Whom the rule names stands in the rule; here it would be a name on the wire."""
    people = ["one of those whom it names"] if spec.people else []
    wanted = " or ".join((*people, *(f"group {name}" for name in spec.groups))) or "anybody enrolled"
    return f"{wanted}, not {' or '.join(spec.except_groups)}" if spec.except_groups else wanted
