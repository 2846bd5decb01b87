"""A real OpenID Connect provider for tests: discovery, keys, code with PKCE, tokens; and every way to be wrong."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "vedette", "provider-secret-of-the-test"


@dataclass
class Provider:
    """Whoever comes is let in at once as `user`. `spoiled` replaces claims of the next ID token."""

    url: str = ""
    user: dict[str, Any] = field(default_factory=lambda: {"sub": "u-1", "preferred_username": "rosa"})
    groups: list[str] = field(default_factory=list)
    groups_in_token: bool = True
    spoiled: dict[str, Any] = field(default_factory=dict)
    denies: bool = False
    keys: list[RSAKey] = field(default_factory=list)
    published: list[RSAKey] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def rotate(self, *, published: bool = True) -> None:
        """Sign with a new key from now on; unless it is `published`, nobody can know it."""
        key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"})
        self.keys = [key]
        if published:
            self.published = [key]

    async def discovery(self, _: Request) -> Response:
        """What the provider says of itself."""
        named = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "end_session": "logout"}
        endpoints = {f"{name}_endpoint": f"{self.url}/{path}" for name, path in named.items()}
        return JSONResponse({"issuer": self.url, "jwks_uri": f"{self.url}/jwks"} | endpoints)

    async def jwks(self, _: Request) -> Response:
        """The public keys."""
        return JSONResponse(KeySet(list(self.published)).as_dict(private=False))

    async def authorize(self, request: Request) -> Response:
        """Let the person in, and send them back."""
        asked = dict(request.query_params)
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        assert asked["code_challenge_method"] == "S256"
        answer = {"state": asked["state"], "iss": self.url}
        if self.denies:
            answer |= {"error": "access_denied", "error_description": "the person said no"}
        else:
            code = secrets.token_urlsafe(16)
            self.codes[code] = asked
            answer["code"] = code
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 302)

    async def token(self, request: Request) -> Response:
        """Codes work once, for who has the client's secret and the verifier of the challenge."""
        form = await request.form()
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self.codes.pop(str(form.get("code")), None)
        digest = hashlib.sha256(str(form.get("code_verifier", "")).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            return JSONResponse({"error": "invalid_client"}, 401)
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form.get("redirect_uri"):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.user}
        claims |= ({"groups": self.groups} if self.groups_in_token else {}) | self.spoiled
        self.spoiled = {}
        key = self.keys[0]
        signed = jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)
        return JSONResponse({"access_token": "at", "token_type": "Bearer", "expires_in": 300, "id_token": signed})

    async def userinfo(self, request: Request) -> Response:
        """What else is known of the person."""
        assert request.headers["authorization"] == "Bearer at"
        return JSONResponse(self.user | {"groups": self.groups})

    async def logout(self, _: Request) -> Response:
        """The end."""
        return PlainTextResponse("signed out")


@contextmanager
def provider() -> Iterator[Provider]:
    """The provider on a port that is free."""
    made = Provider()
    made.rotate()
    routes = [
        Route("/.well-known/openid-configuration", made.discovery),
        *(Route(f"/{name}", getattr(made, name)) for name in ("jwks", "authorize", "userinfo", "logout")),
        Route("/token", made.token, methods=["POST"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), "127.0.0.1", 0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    made.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield made
    server.should_exit = True
    thread.join()
