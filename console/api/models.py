"""Versions of models, what is in service where, and the decisions about that."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response
from msgspec import Meta

from archive.registry import Decision
from archive.registry.log import SHARE
from console.api.alerts import Viewer
from console.api.base import WithParts, body, needs, reply, spec
from console.models.desk import ModelDetail, ModelsView
from console.rights import Who
from contracts.fields import Share, Stage

router = APIRouter(prefix="/api", tags=["models"])

Promoter = Annotated[Who, Depends(needs("promote"))]
Word = Annotated[str, Meta(max_length=1000)]


class Promotion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a version is to go. `forced` says why it goes past the gate, which administrators may."""

    stage: Stage
    cameras: tuple[str, ...] = ()
    share: Share = SHARE
    why: Word = ""
    forced: Word = ""


class Rollback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the candidate, or what is in service, is taken back; `model` is what is expected to go ("": whatever is)."""

    why: Word = ""
    model: str = ""


@router.get("/models", **spec(ModelsView))
def models(parts: WithParts, who: Viewer) -> Response:
    """All versions, and what is in service where."""
    return reply(parts.models.view(who))


@router.get("/models/{model}", **spec(ModelDetail, errors=(404,)))
def model(parts: WithParts, who: Viewer, model: str) -> Response:
    """One version (NAME@VERSION)."""
    return reply(parts.models.detail(who, model))


@router.post("/models/{model}/promote", **spec(Decision, takes=Promotion, errors=(404, 409)))
def promote(
    parts: WithParts, who: Promoter, model: str, wanted: Annotated[Promotion, Depends(body(Promotion))]
) -> Response:
    """Bring a version to a stage, from some seconds from now on."""
    decision = parts.models.promote(
        who, model, wanted.stage, wanted.cameras, share=wanted.share, why=wanted.why, forced=wanted.forced
    )
    return reply(decision)


@router.post("/models/slots/{slot}/rollback", **spec(Decision, takes=Rollback, errors=(409,)))
def rollback(
    parts: WithParts, who: Promoter, slot: str, wanted: Annotated[Rollback, Depends(body(Rollback))]
) -> Response:
    """Take the candidate back, or where there is none the last promotion. A slot is e.g. `detector`."""
    return reply(parts.models.rollback(who, slot, why=wanted.why, model=wanted.model))
