"""Signing in by the OpenID Connect provider: the way there, the way back, and out again."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from console.auth.gate import LoginError, TooOftenError
from console.auth.guard import address_of
from console.auth.oidc import LOGIN_MS, NoRoleError, OidcClient, OidcError
from console.pages.desk import Desk, blocking
from console.pages.login import door, error_note, inside, let_in, to_login
from console.pages.texts import SIGN_IN
from contracts.errors import ConfigError

COOKIE = "vedette_oidc"
BEGIN, DONE, OUT = "/login/oidc", "/login/oidc/done", "/login/oidc/out"


def routes(desk: Desk) -> APIRouter:
    """The addresses; none where the config names no provider."""
    router = APIRouter(include_in_schema=False)
    client = desk.parts.oidc
    if client is not None:
        _add_in(router, desk, client)
        _add_out(router, desk, client)
    return router


def _add_in(router: APIRouter, desk: Desk, client: OidcClient) -> None:
    @router.get(BEGIN)
    async def begin(request: Request, next: str = "/") -> Response:
        try:
            desk.parts.gate.attempt(address_of(request.scope), desk.now_ms())
            begun = await blocking(client.begin, inside(next), desk.now_ms())
        except (OidcError, ConfigError, TooOftenError) as error:
            return _refused(str(error), 502)
        answer = RedirectResponse(begun.url, 303)
        answer.set_cookie(
            COOKIE,
            begun.secret,
            max_age=LOGIN_MS // 1000,
            path=BEGIN,
            httponly=True,
            samesite="lax",  # the way back comes from the provider's site
            secure=desk.parts.secure,
        )
        return answer

    @router.get(DONE)
    async def done(request: Request) -> Response:
        address, now_ms = address_of(request.scope), desk.now_ms()
        secret = request.cookies.get(COOKIE, "")
        try:
            identity, back = await blocking(client.finish, dict(request.query_params), secret, now_ms)
            entered = await blocking(desk.parts.gate.enter_by_provider, identity, address=address, now_ms=now_ms)
        except NoRoleError as error:
            await blocking(desk.parts.gate.refused_by_provider, str(error), address=address, now_ms=now_ms)
            return _refused(str(error), 403, SIGN_IN["no_role_hint"])
        except (OidcError, ConfigError, LoginError) as error:
            await blocking(desk.parts.gate.refused_by_provider, str(error), address=address, now_ms=now_ms)
            return _refused(str(error), 401)
        answer = let_in(desk, entered, back)
        answer.delete_cookie(COOKIE, path=BEGIN)
        return answer


def _add_out(router: APIRouter, desk: Desk, client: OidcClient) -> None:
    @router.get(OUT)
    async def out() -> Response:
        """On to the provider, by a page: a form's answer may not lead to another site."""
        url = await blocking(client.sign_out_url, desk.now_ms())
        if not url:
            return RedirectResponse("/login", 303)
        link = f'<p><a href="{escape(url)}">{escape(SIGN_IN["out_link"])}</a></p>'
        answer = door(SIGN_IN["out_title"], f'<p class="dim">{escape(SIGN_IN["out_hint"])}</p>{link}')
        answer.headers["Refresh"] = f"0;url={url}"
        return answer


def _refused(error: str, status: int, hint: str = "") -> Response:
    more = f'<p class="dim">{escape(hint)}</p>' if hint else ""
    return door(SIGN_IN["refused_title"], error_note(error) + more + to_login(), status)
