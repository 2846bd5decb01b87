"""What guards every request: who it is, no forged ones, none too large or too many, safe headers on every answer."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, cookie_parser
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.auth.gate import Gate
from console.auth.limits import Limit, network_of
from console.rights import Who
from console.store.accounts import Session

COOKIE = "vedette_session"
CSRF_HEADER = "x-csrf-token"
MAX_BODY = 1024 * 1024
MAX_PICTURE = 12 * 1024 * 1024
"""8 MB of picture in base64, and what is around it."""
PICTURES = ("/api/people", "/api/sightings")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

# NiceGUI's pages are Vue templates that are compiled in the browser: they need inline scripts and eval, of our own
# pages only. Nothing may come from, or go to, anywhere else.
CONTENT_SECURITY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "connect-src 'self' ws: wss:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}

HEADERS_OF_TLS = {"strict-transport-security": "max-age=31536000"}


@dataclass(frozen=True)
class Caller:
    """Who makes a request: nobody, a session (with a cookie), or a token (without)."""

    who: Who | None = None
    session: Session | None = None
    secret: str = ""


def caller_of(connection: HTTPConnection) -> Caller:
    """What the guard found out about a request."""
    found = connection.scope.get("vedette.caller")
    return found if isinstance(found, Caller) else Caller()


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, gate: Gate, clock_ms: Callable[[], int], *, address: str) -> None:
        self._app = app
        self._gate = gate
        self._clock_ms = clock_ms
        own = urlsplit(address)
        self._own_host = own.netloc
        self._headers = HEADERS | (HEADERS_OF_TLS if own.scheme == "https" else {})
        # A page asks for a hundred files at once; 50 a second is far beyond any person.
        self._rate = Limit(burst=600, per_s=50)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        caller = Caller()
        if refusal is None:
            caller = await asyncio.to_thread(self._caller, headers)
            refusal = self._forged(scope, headers, caller)
        scope["vedette.caller"] = caller
        if scope["type"] == "websocket":
            if refusal is not None:
                await send({"type": "websocket.close", "code": 1008})
                return
            return await self._app(scope, receive, send)
        guarded = self._with_headers(scope, send)
        if refusal is not None:
            return await refusal(scope, receive, guarded)
        await self._app(scope, _bounded(receive, _most(scope)), guarded)

    def _caller(self, headers: Headers) -> Caller:
        """By token or by cookie; a token that is void is nobody, whatever the cookie says."""
        now_ms = self._clock_ms()
        kind, _, credentials = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return Caller(self._gate.by_token(credentials.strip(), now_ms))
        secret = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        found = self._gate.by_cookie(secret, now_ms) if secret else None
        return Caller(found[1], found[0], secret) if found else Caller()

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Too much or too often."""
        length = headers.get("content-length", "0")
        most = _most(scope)
        if not length.isdecimal() or int(length) > most:
            return _problem(413, f"more than {most} bytes")
        wait_s = self._rate.wait_s(network_of(address_of(scope)), self._clock_ms())
        if wait_s:
            return _problem(429, "too many requests", {"retry-after": str(max(1, round(wait_s)))})
        return None

    def _forged(self, scope: Scope, headers: Headers, caller: Caller) -> Response | None:
        """A request that another site made this browser send: it has our cookie, but not our origin, nor our token."""
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if not changes or (caller.who is not None and caller.session is None):
            return None
        origin = headers.get("origin")
        # A proxy may ask us by another name than browsers ask it.
        if origin is not None and urlsplit(origin).netloc not in (headers.get("host"), self._own_host):
            return _problem(403, "this request comes from another site")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return _problem(403, "this request comes from another site")
        if scope["type"] == "websocket" or caller.session is None or not scope["path"].startswith("/api/"):
            return None
        if not hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), caller.session.csrf.encode()):
            return _problem(403, "the header X-CSRF-Token is missing or wrong; GET /api/session tells it")
        return None

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        return guarded


def address_of(scope: Scope) -> str:
    """The peer's address; behind a proxy that is what uvicorn made of the proxy's headers."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _most(scope: Scope) -> int:
    """The longest body that is taken, bytes."""
    return MAX_PICTURE if scope["path"].startswith(PICTURES) else MAX_BODY


def _bounded(receive: Receive, most: int) -> Receive:
    """A body without a length is cut off where it is too long: the reader sees a client that went away."""
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > most else message

    return bounded


def _problem(status: int, error: str, headers: dict[str, Any] | None = None) -> Response:
    return JSONResponse({"error": error}, status, headers)
