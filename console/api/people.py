"""People: who is enrolled, enrolment with its quality check, what operators say of a face, unknown people."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from msgspec import Meta

from console.api.base import WithParts, body, needs, reply, spec
from console.people.enrolling import Examination, NewPerson, NewPicture, ToExamine
from console.people.errors import NobodyError
from console.people.parts import Standing
from console.people.register import Group, Name
from console.people.saying import Denied
from console.people.unknowns import Command, UnknownView
from console.people.views import PersonDetail, PersonView
from console.rights import Who

router = APIRouter(prefix="/api/people", tags=["people"])

Viewer = Annotated[Who, Depends(needs("see_people"))]
Enroller = Annotated[Who, Depends(needs("enrol"))]
Answerer = Annotated[Who, Depends(needs("answer"))]


class PeopleList(msgspec.Struct, frozen=True):
    """Enrolled people, by name."""

    people: tuple[PersonView, ...]


class ChangedPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's name and group."""

    name: Name
    group: Group = ""


class NotPerson(msgspec.Struct, frozen=True):
    """The alert whose face is not the person whom it names."""

    alert: Annotated[str, Meta(min_length=1, max_length=200)]


class IsPerson(msgspec.Struct, frozen=True, kw_only=True):
    """The alert whose face is this person."""

    alert: Annotated[str, Meta(min_length=1, max_length=200)]
    sure: bool = False


class UnknownList(msgspec.Struct, frozen=True):
    """Unknown people, the last seen first."""

    unknowns: tuple[UnknownView, ...]


class Said(msgspec.Struct, frozen=True):
    """What an operator says of unknown people."""

    command: Command


@router.get("/standing", **spec(Standing))
def standing(parts: WithParts, who: Viewer) -> Response:
    """Whether people can be enrolled here, and how long what is removed stays anywhere."""
    return reply(parts.people.standing())


@router.get("", **spec(PeopleList))
def people(
    parts: WithParts,
    who: Viewer,
    text: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Response:
    """Who is enrolled: those whose name or group holds `text`. The look is audited."""
    details = {"text": bool(text)}
    parts.store.audit.record(at_ms=parts.clock_ms(), who=who.name, action="look", subject="people", details=details)
    return reply(PeopleList(tuple(parts.people.register.people(who, text, limit))))


@router.post("", **spec(PersonDetail, takes=NewPerson, errors=(404, 409), status=201))
def enrol(parts: WithParts, who: Enroller, given: Annotated[NewPerson, Depends(body(NewPerson))]) -> Response:
    """Enrol somebody; a picture that won't do is a 422 that says why."""
    return reply(parts.people.enrolling.enrol(who, given), 201)


@router.post("/examine", **spec(Examination, takes=ToExamine, errors=(404, 409)))
def examine(parts: WithParts, who: Enroller, given: Annotated[ToExamine, Depends(body(ToExamine))]) -> Response:
    """Look at a picture as the enrolment would; nothing is kept."""
    return reply(parts.people.enrolling.examine(who, given))


@router.post("/denials", **spec(Denied, takes=NotPerson, errors=(404, 409), status=201))
def deny(parts: WithParts, who: Answerer, given: Annotated[NotPerson, Depends(body(NotPerson))]) -> Response:
    """Not this person: from now on this look matches them no more, nobody else is affected."""
    return reply(parts.people.saying.deny(who, given.alert), 201)


@router.get("/unknowns", **spec(UnknownList))
def unknowns(parts: WithParts, who: Viewer) -> Response:
    """Unknown people who were seen."""
    return reply(UnknownList(tuple(parts.people.unknowns.all(who))))


@router.post("/unknowns/commands", **spec(takes=Said, errors=(404, 409), status=204))
def command(parts: WithParts, who: Enroller, given: Annotated[Said, Depends(body(Said))]) -> Response:
    """Merge two unknown people, split one, or forget one."""
    parts.people.unknowns.say(who, given.command)
    return Response(status_code=204)


@router.get("/unknowns/{pseudonym}/face", **spec(str, errors=(404,), media="image/jpeg"))
def unknown_face(
    pseudonym: str, parts: WithParts, who: Viewer, track: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """An unknown person's face, of the best visit or of one, while its frame is there. Looks are audited."""
    return Response(parts.people.unknowns.face(who, pseudonym, track), media_type="image/jpeg")


@router.get("/{person_id}", **spec(PersonDetail, errors=(404,)))
def person(person_id: str, parts: WithParts, who: Viewer) -> Response:
    """One person with pictures and denials."""
    return reply(parts.people.register.detail(who, person_id))


@router.put("/{person_id}", **spec(PersonDetail, takes=ChangedPerson, errors=(404, 409)))
def change(
    person_id: str, parts: WithParts, who: Enroller, given: Annotated[ChangedPerson, Depends(body(ChangedPerson))]
) -> Response:
    """Change name or group."""
    return reply(parts.people.register.change(who, person_id, given.name, given.group))


@router.delete("/{person_id}", **spec(Standing, errors=(404, 409)))
def remove(person_id: str, parts: WithParts, who: Enroller) -> Response:
    """Remove a person; the answer says when nothing of them is left anywhere."""
    parts.people.register.remove(who, person_id)
    return reply(parts.people.standing())


@router.post("/{person_id}/pictures", **spec(PersonDetail, takes=NewPicture, errors=(404, 409), status=201))
def add_picture(
    person_id: str, parts: WithParts, who: Enroller, given: Annotated[NewPicture, Depends(body(NewPicture))]
) -> Response:
    """One more picture; one that won't do is a 422 that says why."""
    return reply(parts.people.enrolling.add(who, person_id, given), 201)


@router.post("/{person_id}/is", **spec(PersonDetail, takes=IsPerson, errors=(404, 409), status=201))
def is_person(
    person_id: str, parts: WithParts, who: Enroller, given: Annotated[IsPerson, Depends(body(IsPerson))]
) -> Response:
    """An alert's face is this person: one more picture, if it is good enough, and an answer to the alert."""
    return reply(parts.people.saying.this_is(who, given.alert, person_id, sure=given.sure), 201)


@router.get("/{person_id}/pictures/{picture_id}", **spec(str, errors=(404, 409), media="image/jpeg"))
def picture(person_id: str, picture_id: str, parts: WithParts, who: Viewer) -> Response:
    """An enrolled picture. Looks are audited."""
    data = parts.people.register.picture(who, person_id, picture_id)
    if not data:
        raise NobodyError("this look has no picture: only what was seen of the face is kept")
    return Response(data, media_type="image/jpeg")


@router.delete("/{person_id}/pictures/{picture_id}", **spec(PersonDetail, errors=(404, 409)))
def remove_picture(person_id: str, picture_id: str, parts: WithParts, who: Enroller) -> Response:
    """Remove a picture, not the last one."""
    return reply(parts.people.register.remove_picture(who, person_id, picture_id))


@router.delete("/{person_id}/denials/{denial_id}", **spec(status=204, errors=(404, 409)))
def undo_denial(person_id: str, denial_id: str, parts: WithParts, who: Answerer) -> Response:
    """Take a "not this person" back."""
    parts.people.saying.undo(who, person_id, denial_id)
    return Response(status_code=204)
