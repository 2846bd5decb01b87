"""Signing in and out, and the one-time links: plain HTML forms, since a session begins with a cookie."""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from console.auth.gate import AccountError, Entered, LoginError, TooOftenError
from console.auth.guard import COOKIE, address_of, caller_of
from console.pages.desk import Desk, blocking
from console.pages.layout import HEAD, MARK
from console.pages.texts import COMMON, SIGN_IN
from console.store.accounts import Invitation

REFUSALS = (LoginError, AccountError, TooOftenError)


def routes(desk: Desk) -> APIRouter:
    """The forms' addresses."""
    router = APIRouter(include_in_schema=False)
    _add_login(router, desk)
    _add_links(router, desk)
    return router


def _add_login(router: APIRouter, desk: Desk) -> None:
    @router.get("/login")
    async def login(request: Request, next: str = "/") -> Response:
        if caller_of(request).who is not None:
            return RedirectResponse(inside(next), 303)
        return door(SIGN_IN["title"], _login_form(desk, inside(next)))

    @router.post("/login")
    async def sign_in(request: Request) -> Response:
        form = await request.form()
        name, password, back = (str(form.get(field, "")) for field in ("name", "password", "next"))
        try:
            entered = await blocking(
                desk.parts.gate.login, name, password, address=address_of(request.scope), now_ms=desk.now_ms()
            )
        except REFUSALS as error:
            return door(SIGN_IN["title"], _login_form(desk, inside(back), name, str(error)), 401)
        return let_in(desk, entered, inside(back))

    @router.post("/logout")
    async def sign_out(request: Request) -> Response:
        user = await blocking(desk.parts.gate.logout, request.cookies.get(COOKIE, ""), desk.now_ms())
        elsewhere = desk.parts.oidc is not None and user is not None and user.subject
        answer = RedirectResponse("/login/oidc/out" if elsewhere else "/login", 303)
        answer.delete_cookie(COOKIE)
        return answer


def _add_links(router: APIRouter, desk: Desk) -> None:
    @router.get("/enter/{secret}")
    async def enter(secret: str) -> Response:
        invitation = await blocking(desk.parts.gate.invited, secret, desk.now_ms())
        if invitation is None:
            return door(SIGN_IN["stale_title"], f'<p class="note bad">{escape(SIGN_IN["stale"])}</p>{to_login()}', 404)
        return door(_title(invitation), _invited_form(invitation))

    @router.post("/enter/{secret}")
    async def accept(request: Request, secret: str) -> Response:
        form = await request.form()
        name, password, again = (str(form.get(field, "")) for field in ("name", "password", "again"))
        invitation = await blocking(desk.parts.gate.invited, secret, desk.now_ms())
        if invitation is None:
            return await enter(secret)
        if password != again:
            return door(_title(invitation), _invited_form(invitation, name, SIGN_IN["differ"]), 400)
        address, now_ms = address_of(request.scope), desk.now_ms()
        try:
            entered = await blocking(desk.parts.gate.accept, secret, name, password, address=address, now_ms=now_ms)
        except REFUSALS as error:
            return door(_title(invitation), _invited_form(invitation, name, str(error)), 400)
        return let_in(desk, entered, "/")


def let_in(desk: Desk, entered: Entered, path: str) -> Response:
    """On to `path`, with the session's cookie."""
    answer = RedirectResponse(path, 303)
    seconds = (entered.session.expires_at_ms - entered.session.created_at_ms) // 1000
    answer.set_cookie(COOKIE, entered.secret, max_age=seconds, httponly=True, samesite="lax", secure=desk.parts.secure)
    return answer


def inside(path: str) -> str:
    """A path of this console, whatever was asked for: `next` may come from anywhere."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def _title(invitation: Invitation) -> str:
    return SIGN_IN["invited_title"] if invitation.name else SIGN_IN["first_title"]


def _login_form(desk: Desk, back: str, name: str = "", error: str = "") -> str:
    return f"""{error_note(error)}<form method="post" action="/login" class="stack">
<input type="hidden" name="next" value="{escape(back)}">{_name(name)}
<label class="field">{escape(SIGN_IN["password"])}
<input type="password" name="password" required autocomplete="current-password"></label>
<button class="button primary">{escape(SIGN_IN["sign_in"])}</button></form>{_by_provider(desk, back)}"""


def _by_provider(desk: Desk, back: str) -> str:
    """The button beside the form, where there is a provider."""
    if desk.parts.oidc is None:
        return ""
    # A link: the answer to a form may not lead to another site.
    title = escape(desk.parts.config.console.oidc.title)
    return f'<a class="button" href="/login/oidc?{escape(urlencode({"next": back}))}">{title}</a>'


def _invited_form(invitation: Invitation, name: str = "", error: str = "") -> str:
    hint = "" if invitation.name else f'<p class="dim">{escape(SIGN_IN["first_hint"])}</p>'
    return f"""{error_note(error)}{hint}<form method="post" class="stack">
{_name(invitation.name or name, fixed=invitation.name)}
<label class="field">{escape(SIGN_IN["password"])}
<input type="password" name="password" required minlength="12" autocomplete="new-password">
<span class="dim">{escape(SIGN_IN["password_hint"])}</span></label>
<label class="field">{escape(SIGN_IN["repeat"])}
<input type="password" name="again" required minlength="12" autocomplete="new-password"></label>
<button class="button primary">{escape(SIGN_IN["make"])}</button></form>"""


def _name(name: str, fixed: str = "") -> str:
    how = "readonly" if fixed else "autofocus"
    return f"""<label class="field">{escape(SIGN_IN["name"])}
<input name="name" value="{escape(name)}" required autocomplete="username" autocapitalize="none" {how}></label>"""


def error_note(error: str) -> str:
    """What went wrong, as a note; nothing where nothing did."""
    return f'<p class="note bad" role="alert">{escape(error[:1].upper() + error[1:])}.</p>' if error else ""


def to_login() -> str:
    """The way to the form."""
    return f'<p><a href="/login">{escape(SIGN_IN["sign_in"])}</a></p>'


def door(title: str, body: str, status: int = 200) -> HTMLResponse:
    """A page for who is not signed in."""
    text = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>{escape(title)} – {COMMON["product"]}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/favicon.ico">{HEAD}</head>
<body class="door"><main class="card"><p class="doormark">{MARK}<span>{COMMON["product"]}</span></p>
<h1>{escape(title)}</h1>{body}</main></body></html>"""
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})
