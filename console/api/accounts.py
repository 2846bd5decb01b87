"""People: who has an account, links for new ones and new passwords, roles and cameras; and the audit."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Response
from msgspec import Meta

from console.api.base import WithParts, body, needs, reply, spec
from console.auth.gate import link_path
from console.rights import Role, Who
from console.store.accounts import User
from console.store.audit import AuditEntry

router = APIRouter(prefix="/api", tags=["accounts"])

Manager = Annotated[Who, Depends(needs("manage_accounts"))]
Auditor = Annotated[Who, Depends(needs("see_audit"))]
Cameras = Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=10_000)] | None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One person's account. `cameras` null: all; `waits`: the link was not used yet."""

    name: str
    role: Role
    cameras: tuple[str, ...] | None
    disabled: bool
    waits: bool
    locked_until_ms: int
    created_at_ms: int


class AccountList(msgspec.Struct, frozen=True):
    """Everybody."""

    accounts: tuple[Account, ...]


class NewAccount(msgspec.Struct, frozen=True):
    """Who is to have an account (or a new password, with role and cameras as they are)."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    role: Role
    cameras: Cameras = None


class Link(msgspec.Struct, frozen=True):
    """A link that works once, within a day, to set the password."""

    link: str


class AccountChange(msgspec.Struct, frozen=True):
    """What somebody may do from now on."""

    role: Role
    cameras: Cameras = None
    disabled: bool = False


class AuditPage(msgspec.Struct, frozen=True):
    """Entries, the latest first."""

    entries: tuple[AuditEntry, ...]


class AuditCheck(msgspec.Struct, frozen=True):
    """Whether the chain of entries is whole; `broken_at` is the first that is not as it was written, else null."""

    whole: bool
    broken_at: int | None


@router.get("/accounts", **spec(AccountList))
def accounts(parts: WithParts, who: Manager) -> Response:
    """Everybody who has an account."""
    return reply(AccountList(tuple(_account(one) for one in parts.store.accounts.users())))


@router.post("/accounts", **spec(Link, takes=NewAccount, status=201))
def invite(parts: WithParts, who: Manager, given: Annotated[NewAccount, Depends(body(NewAccount))]) -> Response:
    """Make an account, or a new link for one."""
    secret = parts.gate.invite(who, given.name, given.role, given.cameras, parts.clock_ms())
    return reply(Link(link_of(parts.address, secret)), 201)


@router.put("/accounts/{name}", **spec(Account, takes=AccountChange))
def change(
    name: str, parts: WithParts, who: Manager, given: Annotated[AccountChange, Depends(body(AccountChange))]
) -> Response:
    """Change what somebody may do."""
    user = parts.gate.change(
        who, name, role=given.role, cameras=given.cameras, disabled=given.disabled, now_ms=parts.clock_ms()
    )
    return reply(_account(user))


@router.delete("/accounts/{name}", **spec(status=204, errors=(404,)))
def remove(name: str, parts: WithParts, who: Manager) -> Response:
    """Delete an account with its sessions and tokens; what the person did stays in the audit."""
    if not parts.gate.remove(who, name, parts.clock_ms()):
        raise HTTPException(404, f"there is nobody called {name}")
    return Response(status_code=204)


@router.get("/audit", **spec(AuditPage))
def audit(
    parts: WithParts,
    auditor: Auditor,
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    who: Annotated[str, Query(max_length=200)] = "",
    action: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Who did or looked at what. `before` is the number of the last entry of the page before."""
    entries = parts.store.audit.page(before=before, limit=limit, who=who, action=action)
    return reply(AuditPage(tuple(entries)))


@router.get("/audit/check", **spec(AuditCheck))
def check(parts: WithParts, auditor: Auditor) -> Response:
    """Follow the chain of hashes through the whole audit."""
    broken = parts.store.audit.broken()
    return reply(AuditCheck(broken is None, broken))


def link_of(address: str, secret: str) -> str:
    """Where a one-time link leads; no request's path is ever logged."""
    return f"{address}{link_path(secret)}"


def _account(user: User) -> Account:
    return Account(
        name=user.name,
        role=user.role,
        cameras=user.cameras,
        disabled=user.disabled,
        waits=not user.password,
        locked_until_ms=user.locked_until_ms,
        created_at_ms=user.created_at_ms,
    )
