"""The own account's page: a new password, and the API tokens that one has made."""

from __future__ import annotations

from typing import Any

from console.auth.gate import LoginError
from console.auth.guard import COOKIE
from console.pages import texts
from console.pages.desk import Visit, blocking
from console.pages.panel import Answer, Panel, Refused
from console.rights import LEAST_ROLE, NEEDED_SCOPE, SCOPES, Scope, Who
from console.store.accounts import Token

DAYS = (30, 90, 365)
"""How long a token may be good for, to choose from."""

MOST_TITLE = 200


class Own(Panel, component="own.js"):
    """The forms for password and tokens."""


async def own_page(visit: Visit) -> None:
    """What is at /account."""
    desk, who = visit.desk, visit.who
    gate, accounts, now_ms = desk.parts.gate, desk.store.accounts, desk.now_ms

    async def tokens() -> list[dict[str, Any]]:
        if not who.may("own_tokens"):
            return []
        kept = await blocking(accounts.tokens, who.name)
        return [_shown(one) for one in kept]

    async def password(old: str, new: str) -> None:
        found = await blocking(gate.by_cookie, visit.request.cookies.get(COOKIE, ""), now_ms())
        if found is None:
            raise LoginError(texts.COMMON["ended"])
        await blocking(gate.change_password, who, old, new, found[0], now_ms())

    async def add(title: str, scopes: list[str], days: int) -> dict[str, Any]:
        if not title.strip() or len(title) > MOST_TITLE or days not in DAYS:
            raise Refused(texts.OWN["token_needs"])
        secret, _ = await blocking(gate.add_token, who, title.strip(), _scopes(who, scopes), days, now_ms())
        return {"tokens": await tokens(), "secret": secret}

    async def remove(token: str) -> dict[str, Any]:
        await blocking(gate.remove_token, who, token, now_ms())
        return {"tokens": await tokens()}

    calls: dict[str, Answer] = {"password": password, "add": add, "remove": remove}
    user = await blocking(accounts.user, who.name)
    start = {
        "tokens": await tokens(),
        "scopes": useful(who) if who.may("own_tokens") else (),
        "days": DAYS,
        "provider": user is not None and not user.password,
    }
    Own(calls, visit.check, visit.props(texts.OWN, start))


def useful(who: Who) -> tuple[Scope, ...]:
    """Scopes by which a token of this person can do anything at all."""
    return tuple(one for one in SCOPES if any(NEEDED_SCOPE[may] == one and who.may(may) for may in LEAST_ROLE))


def _shown(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "title": token.title,
        "scopes": token.scopes,
        "created_at_ms": token.created_at_ms,
        "expires_at_ms": token.expires_at_ms,
    }


def _scopes(who: Who, names: list[str]) -> tuple[Scope, ...]:
    chosen = tuple(one for one in useful(who) if one in names)
    if not chosen or len(chosen) != len(names):
        raise Refused(texts.OWN["token_for_nothing"])
    return chosen
