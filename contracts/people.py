"""The messages about people: who is enrolled, the keys of days, who was seen where, and who unknown people are.

No vector is readable in any of them. A person's pictures are sealed under the person's own key, which travels wrapped
by the site's master key; what cameras saw is sealed under the site's key of that day (`vault`). A removal is a value,
like everywhere; what it replaces is gone from the topic after COMPACTED_WITHIN_MS (contracts/topics.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contracts.fields import Count, Id, IdentityDecision, Lane, Millis, Real, Share, Size, Xyxy
from contracts.identity import RunnerUp
from contracts.messages import FrameRef, Message


class PersonSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed in SetPerson: the name, and a unit vector (float16[D]) for each picture, by which embedder."""

    name: str
    model: str
    vectors: tuple[bytes, ...]


class SetPerson(msgspec.Struct, frozen=True, kw_only=True, tag="person"):
    """Somebody is enrolled, or has other pictures, another name or group.

    `wrapped` is the person's key under the master key, named `person/<id>`; `sealed` is PersonSecret as msgpack
    under that key, about `person/<id>`.
    """

    id: Id
    group: Annotated[str, Meta(max_length=100)]
    wrapped: bytes
    sealed: bytes


class SetDenial(msgspec.Struct, frozen=True, kw_only=True, tag="denial"):
    """An operator's word that a look is not this person; its vector (float16[D]) is sealed under the person's key.

    It is about `denial/<id>`.
    """

    id: Id
    person_id: Id
    model: str
    sealed: bytes


class RemovedPerson(msgspec.Struct, frozen=True, kw_only=True, tag="removed"):
    """A person (with all denials about them) or one denial is no more."""

    kind: Literal["person", "denial"]
    id: Id


GalleryContent = SetPerson | SetDenial | RemovedPerson


class GalleryChange(Message, frozen=True, kw_only=True):
    """One change of who is enrolled; a higher `version` of the same key wins."""

    site: Id
    version: Count
    change: GalleryContent


def gallery_key(change: GalleryContent) -> str:
    """The record key on the topic `gallery`: `kind/id`, so that a removal replaces what it removes."""
    match change:
        case SetPerson(id=person_id):
            return f"person/{person_id}"
        case SetDenial(id=denial_id):
            return f"denial/{denial_id}"
        case RemovedPerson(kind=kind, id=removed_id):
            return f"{kind}/{removed_id}"


class FaceKey(Message, frozen=True, kw_only=True):
    """The site's key of one day (days since the epoch, UTC), wrapped by the master key under `day/<site>/<day>`.

    Without `wrapped` the key was thrown away: what was seen on that day can't be read any more. The record key is
    `<site>/<day>`.
    """

    site: Id
    day: Count
    wrapped: bytes = b""


class Sighting(Message, frozen=True, kw_only=True):
    """What a camera knows of a track's face by now; the last one of a track has `final`.

    `track` is unique at the site (camera, lane, session, number; then `+n` for the nth person who took it over).
    `sealed` is the fused unit vector (float16[D]) under the day's key of `at_ms`, `strength` the cosine that it is
    expected to have with the person's true direction. `ref`, `face` and `quality` are of the best look, in pixels of
    that camera's picture; `ref_at_ms` is that frame's time and `xyxy` the person in it.
    """

    site: Id
    camera: Id
    lane: Lane
    track: Id
    first_at_ms: Millis
    at_ms: Millis
    decision: IdentityDecision
    model: str
    sealed: bytes
    strength: Share
    looks: Count
    quality: Share
    ref: FrameRef
    face: Xyxy
    width: Size
    height: Size
    person_id: str = ""
    score: Real = 0.0
    strangers: Share = 1.0
    runners_up: tuple[RunnerUp, ...] = ()
    zones: tuple[str, ...] = ()
    final: bool = False
    ref_at_ms: Millis = 0
    xyxy: Xyxy | None = None


class UnknownVisit(msgspec.Struct, frozen=True, kw_only=True):
    """One track of an unknown person and its best look."""

    track: Id
    camera: Id
    at_ms: Millis
    strength: Share
    ref: FrameRef
    face: Xyxy


class UnknownSeen(Message, frozen=True, kw_only=True):
    """An unknown person as the site knows them by now; the record key is the pseudonym, a later one replaces it.

    `came` counts visits, of which `visits` are the kept ones. `sealed` is what all of them have in common (float16[D])
    under the day's key of `last_at_ms`. With `gone` the pseudonym is no more; `merged_into` says whose it is now.
    """

    site: Id
    pseudonym: Id
    first_at_ms: Millis
    last_at_ms: Millis
    came: Count
    model: str = ""
    visits: tuple[UnknownVisit, ...] = ()
    sealed: bytes = b""
    gone: bool = False
    merged_into: str = ""


class MergeUnknowns(msgspec.Struct, frozen=True, kw_only=True, tag="merge"):
    """An operator says that these two pseudonyms are one person: `other` becomes `keep`."""

    keep: Id
    other: Id


class SplitUnknown(msgspec.Struct, frozen=True, kw_only=True, tag="split"):
    """An operator says that these tracks of a pseudonym are somebody else's."""

    pseudonym: Id
    tracks: tuple[Id, ...]


class ForgetUnknown(msgspec.Struct, frozen=True, kw_only=True, tag="forget"):
    """This pseudonym is to be forgotten: an operator says so, or the person was enrolled."""

    pseudonym: Id


class PeopleCommand(Message, frozen=True, kw_only=True):
    """What an operator said of unknown people; a reader takes one of each `id`."""

    id: Id
    site: Id
    at_ms: Millis
    by: str
    command: MergeUnknowns | SplitUnknown | ForgetUnknown
