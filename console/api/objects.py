"""Zones, lines, rules and arming: what is in force, and changing it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from msgspec import Meta

from console.api.base import WithParts, body, needs, reply, spec
from console.api.versions import Note, Version, add_history
from console.changes import ObjectView
from console.previews import RulePreview
from console.rights import Who
from console.store.objects import Kind, ObjectKey
from contracts.config import Arming, Line, Rule, Zone

router = APIRouter(prefix="/api", tags=["cameras, zones, rules"])

Viewer = Annotated[Who, Depends(needs("see"))]
Editor = Annotated[Who, Depends(needs("configure"))]
Armer = Annotated[Who, Depends(needs("arm"))]
Place = Literal["zones", "lines"]
ARMING = ObjectKey("arming", "", "")


class ObjectList(msgspec.Struct, frozen=True):
    """Objects in force."""

    objects: tuple[ObjectView, ...]


class NewZone(msgspec.Struct, frozen=True):
    """A zone; `expected` is the version that it was changed on (0: none)."""

    zone: Zone
    note: Note = ""
    expected: Version | None = None


class NewLine(msgspec.Struct, frozen=True):
    """A line; `expected` is the version that it was changed on (0: none)."""

    line: Line
    note: Note = ""
    expected: Version | None = None


class NewRule(msgspec.Struct, frozen=True):
    """A rule; `expected` is the version that it was changed on (0: none)."""

    rule: Rule
    note: Note = ""
    expected: Version | None = None


class Tried(msgspec.Struct, frozen=True):
    """A rule that is not saved yet, and how many hours it is tried over."""

    rule: Rule
    hours: Annotated[float, Meta(gt=0, le=24)] = 1.0


class NewArming(msgspec.Struct, frozen=True):
    """When the site's rules may alert; `expected` is the version that it was changed on."""

    arming: Arming
    note: Note = ""
    expected: Version | None = None


class Maintenance(msgspec.Struct, frozen=True):
    """Whether somebody works on a camera: its rules are silent meanwhile."""

    maintenance: bool
    note: Note = ""


def _of_place(camera: str, place: Place, name: str) -> ObjectKey:
    return ObjectKey("zone" if place == "zones" else "line", camera, name)


def _of_rule(name: str) -> ObjectKey:
    return ObjectKey("rule", "", name)


def _of_site() -> ObjectKey:
    return ARMING


@router.get("/objects", **spec(ObjectList))
def objects(
    parts: WithParts,
    who: Viewer,
    kind: Annotated[list[Kind], Query()] = [],  # noqa: B006
) -> Response:
    """Cameras (for who may configure), zones, lines, rules and arming in force, with their origin and version."""
    return reply(ObjectList(tuple(one for one in parts.changes.views(who) if not kind or one.kind in kind)))


@router.put("/cameras/{camera}/zones/{name}", **spec(ObjectView, takes=NewZone, errors=(404, 409)))
def put_zone(
    camera: str, name: str, parts: WithParts, who: Editor, given: Annotated[NewZone, Depends(body(NewZone))]
) -> Response:
    """Draw a zone, or change it."""
    key = ObjectKey("zone", camera, name)
    return reply(parts.changes.put(who, key, given.zone, note=given.note, expected=given.expected))


@router.put("/cameras/{camera}/lines/{name}", **spec(ObjectView, takes=NewLine, errors=(404, 409)))
def put_line(
    camera: str, name: str, parts: WithParts, who: Editor, given: Annotated[NewLine, Depends(body(NewLine))]
) -> Response:
    """Draw a line, or change it."""
    key = ObjectKey("line", camera, name)
    return reply(parts.changes.put(who, key, given.line, note=given.note, expected=given.expected))


@router.put("/rules/{name}", **spec(ObjectView, takes=NewRule, errors=(404, 409)))
def put_rule(name: str, parts: WithParts, who: Editor, given: Annotated[NewRule, Depends(body(NewRule))]) -> Response:
    """Write a rule, or change it: its open alerts end."""
    key = ObjectKey("rule", "", name)
    return reply(parts.changes.put(who, key, given.rule, note=given.note, expected=given.expected))


@router.post("/rules/{name}/preview", **spec(RulePreview, takes=Tried))
def preview_rule(name: str, parts: WithParts, who: Editor, given: Annotated[Tried, Depends(body(Tried))]) -> Response:
    """How often a rule would have alerted over the tracks of the last hours, beside the one in force; saves nothing."""
    return reply(parts.previews.ask(who, name, given.rule, given.hours))


@router.put("/arming", **spec(ObjectView, takes=NewArming, errors=(404, 409)))
def put_arming(parts: WithParts, who: Armer, given: Annotated[NewArming, Depends(body(NewArming))]) -> Response:
    """Arm or disarm the site, or zones of it; its schedule; maintenance of the whole site."""
    return reply(parts.changes.put(who, ARMING, given.arming, note=given.note, expected=given.expected))


@router.put("/cameras/{camera}/maintenance", **spec(ObjectView, takes=Maintenance, errors=(404,)))
def put_maintenance(
    camera: str, parts: WithParts, who: Armer, given: Annotated[Maintenance, Depends(body(Maintenance))]
) -> Response:
    """Say that somebody works on a camera, or is done."""
    key = ObjectKey("arming", camera, "")
    return reply(parts.changes.put(who, key, Arming(maintenance=given.maintenance), note=given.note))


@router.delete("/cameras/{camera}/{place}/{name}", **spec(status=204, errors=(404, 409)))
def remove_place(camera: str, place: Place, name: str, parts: WithParts, who: Editor) -> Response:
    """Remove a zone or line that no rule needs."""
    parts.changes.remove(who, _of_place(camera, place, name))
    return Response(status_code=204)


@router.delete("/rules/{name}", **spec(status=204, errors=(404, 409)))
def remove_rule(name: str, parts: WithParts, who: Editor) -> Response:
    """Remove a rule."""
    parts.changes.remove(who, ObjectKey("rule", "", name))
    return Response(status_code=204)


@router.post("/cameras/{camera}/{place}/{name}/adopt", **spec(ObjectView, errors=(404,)))
def adopt_place(parts: WithParts, who: Editor, key: Annotated[ObjectKey, Depends(_of_place)]) -> Response:
    """Take a zone or line over from the file, to change it here."""
    return reply(parts.changes.adopt(who, key))


@router.post("/rules/{name}/adopt", **spec(ObjectView, errors=(404,)))
def adopt_rule(parts: WithParts, who: Editor, key: Annotated[ObjectKey, Depends(_of_rule)]) -> Response:
    """Take a rule over from the file, to change it here."""
    return reply(parts.changes.adopt(who, key))


add_history(router, "/cameras/{camera}/{place}/{name}", _of_place, "a zone or line")
add_history(router, "/rules/{name}", _of_rule, "a rule")
add_history(router, "/arming", _of_site, "when the site is armed", changed_by="arm")
