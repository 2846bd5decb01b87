"""Agents: who reads what, tokens for those outside the cluster, who is enrolled, and what agents themselves ask."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from msgspec import Meta

from console.agents import Agent
from console.api.base import WithParts, body, needs, reply, spec
from console.auth.guard import address_of
from console.rights import Who
from contracts.enrolment import ENROL_PATH, RENEW_PATH, Enrol, Enrolled, Renew, Short

router = APIRouter(tags=["agents"])

Manager = Annotated[Who, Depends(needs("manage_agents"))]
HOUR_S, WEEK_S = 3600, 7 * 86_400


class AgentList(msgspec.Struct, frozen=True):
    """All of the config, who was enrolled before and who was heard; and who says of each camera that they read it."""

    agents: tuple[Agent, ...]
    readers: dict[str, tuple[str, ...]]


class NewToken(msgspec.Struct, frozen=True):
    """Which agent is to enrol, within so many seconds."""

    agent: Short
    valid_s: Annotated[int, Meta(ge=60, le=WEEK_S)] = HOUR_S


class AgentSecret(msgspec.Struct, frozen=True):
    """What the agent needs, once; nobody can look it up again."""

    token: str


@router.get("/api/agents", **spec(AgentList))
def agents(parts: WithParts, who: Manager) -> Response:
    """Who reads which cameras, who may enrol, and how long their certificates last."""
    return reply(AgentList(parts.agents.agents(who), parts.agents.readers(who)))


@router.post("/api/agents/tokens", **spec(AgentSecret, takes=NewToken, status=201, errors=(404, 409)))
def token(parts: WithParts, who: Manager, given: Annotated[NewToken, Depends(body(NewToken))]) -> Response:
    """Let an agent enrol once; a token of before is void."""
    return reply(AgentSecret(parts.agents.token(who, given.agent, given.valid_s * 1000)), 201)


@router.delete("/api/agents/{name}/token", **spec(status=204, errors=(404,)))
def take_back(name: str, parts: WithParts, who: Manager) -> Response:
    """Make the token void that an agent has not used yet."""
    parts.agents.take_back(who, name)
    return Response(status_code=204)


@router.delete("/api/agents/{name}", **spec(status=204, errors=(404,)))
def revoke(name: str, parts: WithParts, who: Manager) -> Response:
    """Renew an agent's certificate no more; without its Kafka user it is out at once."""
    parts.agents.revoke(who, name)
    return Response(status_code=204)


@router.post(ENROL_PATH, **spec(Enrolled, takes=Enrol, errors=(409,)))
def enrol(parts: WithParts, request: Request, given: Annotated[Enrol, Depends(body(Enrol))]) -> Response:
    """Asked by an agent with its token: a certificate for its key."""
    return reply(parts.agents.enrol(given, address_of(request.scope)))


@router.post(RENEW_PATH, **spec(Enrolled, takes=Renew, errors=(409,)))
def renew(parts: WithParts, request: Request, given: Annotated[Renew, Depends(body(Renew))]) -> Response:
    """Asked by an agent with its certificate's key: the next certificate."""
    return reply(parts.agents.renew(given, address_of(request.scope)))
