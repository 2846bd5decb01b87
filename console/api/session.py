"""Signing in and out, links, the own password and API tokens."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from msgspec import Meta

from console.api.base import Signed, WithParts, body, needs, reply, spec
from console.auth.gate import MAX_TOKEN_DAYS, Entered
from console.auth.guard import COOKIE, address_of
from console.auth.passwords import MAX_LENGTH
from console.parts import Parts
from console.rights import Role, Scope, Who
from console.store.accounts import Session, Token

router = APIRouter(prefix="/api", tags=["session"])

PersonName = Annotated[str, Meta(min_length=1, max_length=200)]
Password = Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH)]


class Login(msgspec.Struct, frozen=True):
    """Name and password."""

    name: PersonName
    password: Password


class Acceptance(msgspec.Struct, frozen=True):
    """What a one-time link leads to: a name (given by the link, or chosen) and a new password."""

    secret: Annotated[str, Meta(min_length=1, max_length=200)]
    name: PersonName
    password: Password


class PasswordChange(msgspec.Struct, frozen=True):
    """The old password and the new one."""

    old: Password
    new: Password


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who is signed in. `csrf` goes into the header X-CSRF-Token of every request that changes something."""

    name: str
    role: Role
    cameras: tuple[str, ...] | None
    scopes: tuple[Scope, ...]
    csrf: str = ""
    expires_at_ms: int = 0


class NewToken(msgspec.Struct, frozen=True):
    """What an API token is for."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1)]
    days: Annotated[int, Meta(ge=1, le=MAX_TOKEN_DAYS)] = 365


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """An API token as lists show it; `secret` only in the answer to its making."""

    id: str
    user: str
    title: str
    scopes: tuple[Scope, ...]
    created_at_ms: int
    expires_at_ms: int
    secret: str = ""


class TokenList(msgspec.Struct, frozen=True):
    """API tokens."""

    tokens: tuple[TokenView, ...]


@router.post("/session", **spec(Me, takes=Login))
def sign_in(request: Request, parts: WithParts, given: Annotated[Login, Depends(body(Login))]) -> Response:
    """Sign in; the answer sets the cookie."""
    address = address_of(request.scope)
    return _entered(parts, parts.gate.login(given.name, given.password, address=address, now_ms=parts.clock_ms()))


@router.post("/invitations/accept", **spec(Me, takes=Acceptance))
def accept(request: Request, parts: WithParts, given: Annotated[Acceptance, Depends(body(Acceptance))]) -> Response:
    """Use a one-time link: set the password and sign in."""
    address, now_ms = address_of(request.scope), parts.clock_ms()
    return _entered(parts, parts.gate.accept(given.secret, given.name, given.password, address=address, now_ms=now_ms))


@router.get("/session", **spec(Me))
def me(caller: Signed) -> Response:
    """Who is signed in."""
    assert caller.who is not None
    return reply(_me(caller.who, caller.session))


@router.delete("/session", **spec(status=204))
def sign_out(parts: WithParts, caller: Signed) -> Response:
    """Sign out."""
    parts.gate.logout(caller.secret, parts.clock_ms())
    gone = Response(status_code=204)
    gone.delete_cookie(COOKIE)
    return gone


@router.put("/session/password", **spec(takes=PasswordChange, status=204))
def change_password(
    parts: WithParts, caller: Signed, given: Annotated[PasswordChange, Depends(body(PasswordChange))]
) -> Response:
    """Change the own password: only signed in with the old one, not by a token."""
    if caller.who is None or caller.session is None:
        raise HTTPException(403, "a token can't change a password")
    parts.gate.change_password(caller.who, given.old, given.new, caller.session, parts.clock_ms())
    return Response(status_code=204)


@router.get("/tokens", **spec(TokenList))
def tokens(parts: WithParts, who: Annotated[Who, Depends(needs("own_tokens"))]) -> Response:
    """The own API tokens; everybody's for who manages accounts."""
    owner = None if who.may("manage_accounts") else who.name
    return reply(TokenList(tuple(_token(one) for one in parts.store.accounts.tokens(owner))))


@router.post("/tokens", **spec(TokenView, takes=NewToken, status=201))
def add_token(
    parts: WithParts,
    who: Annotated[Who, Depends(needs("own_tokens"))],
    given: Annotated[NewToken, Depends(body(NewToken))],
) -> Response:
    """Make an API token. Its secret is told only now."""
    secret, token = parts.gate.add_token(who, given.title, given.scopes, given.days, parts.clock_ms())
    return reply(_token(token, secret), 201)


@router.delete("/tokens/{token_id}", **spec(status=204, errors=(404,)))
def remove_token(token_id: str, parts: WithParts, who: Annotated[Who, Depends(needs("own_tokens"))]) -> Response:
    """Make an API token void."""
    if not parts.gate.remove_token(who, token_id, parts.clock_ms()):
        raise HTTPException(404, "there is no such token")
    return Response(status_code=204)


def _entered(parts: Parts, entered: Entered) -> Response:
    answer = reply(_me(entered.who, entered.session))
    answer.set_cookie(
        COOKIE,
        entered.secret,
        max_age=(entered.session.expires_at_ms - entered.session.created_at_ms) // 1000,
        httponly=True,
        samesite="lax",
        secure=parts.secure,
    )
    return answer


def _me(who: Who, session: Session | None) -> Me:
    return Me(
        name=who.name,
        role=who.role,
        cameras=None if who.cameras is None else tuple(sorted(who.cameras)),
        scopes=tuple(sorted(who.scopes)),
        csrf=session.csrf if session else "",
        expires_at_ms=session.expires_at_ms if session else 0,
    )


def _token(token: Token, secret: str = "") -> TokenView:
    return TokenView(
        id=token.id,
        user=token.user,
        title=token.title,
        scopes=token.scopes,
        created_at_ms=token.created_at_ms,
        expires_at_ms=token.expires_at_ms,
        secret=secret,
    )
