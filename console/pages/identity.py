"""Who an alert is about, as it is shown when it is opened, and what its operator may say of that."""

from __future__ import annotations

from typing import Any

import msgspec

from console.pages.desk import Visit, blocking
from console.pages.panel import Answer
from contracts.messages import Alert


def identity_of(visit: Visit, alert: Alert) -> dict[str, Any] | None:
    """Who it is, with runners-up, and which answers make sense; None where nobody was looked for. Blocks."""
    said = alert.identity
    if said is None:
        return None
    people, who = visit.desk.parts.people, visit.who
    may_enrol = who.may("enrol") and who.cameras is None and people.standing().on
    denied = people.saying.denial_of(alert.id, said.person_id) if said.person_id else None
    told: dict[str, Any] = msgspec.to_builtins(
        {name: getattr(said, name) for name in said.__struct_fields__ if name != "sealed"}
    )
    return told | {
        "crop": f"/pictures/{alert.id}/face.jpg?v={alert.revision}" if said.face and alert.evidence else "",
        "denied": denied.id if denied else "",
        "may_deny": bool(said.person_id and said.sealed and not denied and who.may("answer") and people.standing().on),
        "may_say": may_enrol and who.may("answer"),
        "may_enrol": may_enrol,
    }


def identity_calls(visit: Visit) -> dict[str, Answer]:
    """What the alerts page asks about people."""
    people = visit.desk.parts.people

    async def deny(id: str) -> dict[str, Any]:
        denied = await blocking(people.saying.deny, visit.who, id)
        told: dict[str, Any] = msgspec.to_builtins(denied)
        return told

    async def undo_denial(person_id: str, denial_id: str) -> None:
        await blocking(people.saying.undo, visit.who, person_id, denial_id)

    async def this_is(id: str, person_id: str) -> None:
        await blocking(people.saying.this_is, visit.who, id, person_id)

    async def known_people(text: str) -> list[dict[str, Any]]:
        found = await blocking(people.register.people, visit.who, text, 50)
        return [{"id": one.id, "name": one.name, "group": one.group} for one in found]

    return {"deny": deny, "undo_denial": undo_denial, "this_is": this_is, "people": known_people}
