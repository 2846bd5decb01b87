"""The whole config as a file: out as YAML, and in from Vedette's or Frigate's, first as a plan."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response
from msgspec import Meta

from console.api.base import YAML, WithParts, body, reply, spec
from console.api.objects import Editor
from console.exchange import Proposal

router = APIRouter(prefix="/api/config", tags=["cameras, zones, rules"])


class File(msgspec.Struct, frozen=True):
    """A config file's text; with `remove`, what it doesn't have goes."""

    text: Annotated[str, Meta(max_length=500_000)]
    remove: bool = False


class Agreed(msgspec.Struct, frozen=True):
    """The same file, and the digest of the plan that was looked at."""

    text: Annotated[str, Meta(max_length=500_000)]
    digest: str
    remove: bool = False


@router.get("", **spec(str, media=YAML))
def export(parts: WithParts, who: Editor) -> Response:
    """The config in force, file and console, as YAML that `vedette up` takes."""
    headers = {"Content-Disposition": f'attachment; filename="{parts.config.site.name}.yaml"'}
    return Response(parts.exchange.export(who), media_type=YAML, headers=headers)


@router.post("/plan", **spec(Proposal, takes=File))
def plan(parts: WithParts, who: Editor, given: Annotated[File, Depends(body(File))]) -> Response:
    """What a file would change; nothing is changed yet."""
    return reply(parts.exchange.plan(who, given.text, remove=given.remove))


@router.post("/apply", **spec(Proposal, takes=Agreed, errors=(409,)))
def apply(parts: WithParts, who: Editor, given: Annotated[Agreed, Depends(body(Agreed))]) -> Response:
    """Put a plan in force, all of it or nothing."""
    return reply(parts.exchange.apply(who, given.text, given.digest, remove=given.remove))
