"""Versions of an object and the way back to one: the same two endpoints for everything that has versions."""

# No `from __future__ import annotations`: FastAPI has to see the dependencies below, which are made for each path.

from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response
from msgspec import Meta

from console.api.base import WithParts, body, needs, reply, spec
from console.rights import Permission, Who
from console.store.objects import ObjectKey, ObjectVersion

Note = Annotated[str, Meta(max_length=1000)]
Version = Annotated[int, Meta(ge=0, le=2**31)]


class VersionList(msgspec.Struct, frozen=True):
    """Versions of one object, the latest first; none for one that is still the file's."""

    versions: tuple[ObjectVersion, ...]


class Undo(msgspec.Struct, frozen=True):
    """Which version is to be in force again: null is the one before the last, 0 what was before the first."""

    version: Version | None = None


def add_history(
    router: APIRouter,
    path: str,
    key_of: Callable[..., ObjectKey],
    what: str,
    *,
    seen_by: Permission = "see",
    changed_by: Permission = "configure",
) -> None:
    """Add `path/versions` and `path/undo`; `key_of` is a dependency that makes the key of what stands in the path."""
    Key = Annotated[ObjectKey, Depends(key_of)]
    Given = Annotated[Undo, Depends(body(Undo))]

    def versions(parts: WithParts, who: Annotated[Who, Depends(needs(seen_by))], key: Key) -> Response:
        return reply(VersionList(tuple(parts.changes.versions(who, key))))

    def undo(parts: WithParts, who: Annotated[Who, Depends(needs(changed_by))], key: Key, given: Given) -> Response:
        return reply(parts.changes.undo(who, key, given.version))

    told = spec(VersionList, errors=(404,))
    router.get(f"{path}/versions", description=f"Who changed {what}, and how.", **told)(versions)
    told = spec(ObjectVersion, takes=Undo, errors=(404, 409))
    router.post(f"{path}/undo", description=f"Bring back an earlier version of {what}.", **told)(undo)
