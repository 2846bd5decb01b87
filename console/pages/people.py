"""The people page: who is enrolled, enrolment, unknown people. It asks the API, as other software does."""

from __future__ import annotations

import msgspec

from console.auth.guard import caller_of
from console.pages import texts
from console.pages.desk import Visit
from console.pages.panel import Panel


class People(Panel, component="people.js"):
    """Watch-lists, people, enrolment, unknown people."""


async def people_page(visit: Visit) -> None:
    """What is at /people; `alert` in the address begins the enrolment of an alert's face."""
    desk, query = visit.desk, visit.request.query_params
    session = caller_of(visit.request).session
    start = {
        "csrf": session.csrf if session else "",
        "standing": msgspec.to_builtins(desk.parts.people.standing()),
        "cameras": {name: desk.camera_name(name) for name in desk.config.cameras},
        "may_enrol": visit.who.may("enrol") and visit.who.cameras is None,
        "may_search": visit.who.may("search_people"),
        "alert": query.get("alert", ""),
        "person": query.get("person", ""),
    }
    People({}, visit.check, visit.props(texts.PEOPLE, start))
