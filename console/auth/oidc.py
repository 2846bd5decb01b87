"""Signing in by an OpenID Connect provider: authorization code with PKCE, and what its claims mean here.

OpenID Connect Core 1.0 (sections 3.1.2 and 3.1.3.7 say what is checked), RFC 7636 (PKCE), RFC 9207 (issuer).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets as random
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from console.auth.identity import Identity, is_name
from console.secrets import Secrets
from contracts.config import Oidc, OidcRole
from contracts.decoding import convert
from contracts.errors import VedetteError

log = logging.getLogger(__name__)

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by the provider's own keys only: none, and HMAC with what the client knows, are not among them."""
TIMEOUT_S = 10.0
LOGIN_MS = 600_000
"""So long a login may take at the provider."""
MAX_LOGINS = 10_000
KEEP_MS = 3_600_000
LEEWAY_S = 60
REFUSED = "the provider's answer was refused: {why}"


class OidcError(VedetteError):
    """Nobody was let in by the provider; the text is for the person."""


class NoRoleError(OidcError):
    """The provider knows the person, but nothing here is for them."""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider says of itself (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Begun(NamedTuple):
    """A login that began: where the browser goes, and the secret that it keeps in a cookie."""

    url: str
    secret: str


@dataclass(frozen=True)
class _Login:
    nonce: str
    verifier: str
    browser: str  # SHA-256 of the cookie's secret: whoever sends the answer must be who began
    back: str
    expires_at_ms: int


def role_of(roles: Sequence[OidcRole], groups: object) -> OidcRole | None:
    """The first role whose group is among `groups`, a claim: a list, or one text of groups with blanks between."""
    named = groups.split() if isinstance(groups, str) else groups if isinstance(groups, list) else []
    return next((role for role in roles if role.group in named), None)


def name_of(claims: Mapping[str, Any], wanted: str) -> str:
    """What the person is called here: the wanted claim, else their mail address, else `sub`; raises OidcError."""
    for claim in (wanted, "email", "sub"):
        name = claims.get(claim)
        if isinstance(name, str) and is_name(name):
            return name
    raise OidcError(f"the provider gives no usable name: {wanted} is missing, or has characters that no name may have")


class OidcClient:
    """This console at its provider. Logins that began are kept in memory: a restart only makes people begin again."""

    def __init__(self, config: Oidc, address: str, secrets: Secrets) -> None:
        self._config = config
        self._address = address
        self._secrets = secrets
        self._logins: OrderedDict[str, _Login] = OrderedDict()
        self._lock = threading.Lock()
        self._provider: tuple[Provider, int] | None = None
        self._keys: KeySet | None = None

    def begin(self, back: str, now_ms: int) -> Begun:
        """Begin a login that ends at the path `back`. Raises OidcError where the provider does not answer."""
        provider = self._discovered(now_ms)
        state, secret = random.token_urlsafe(32), random.token_urlsafe(32)
        login = _Login(random.token_urlsafe(32), random.token_urlsafe(48), _digest(secret), back, now_ms + LOGIN_MS)
        with self._lock:
            self._logins[state] = login
            while len(self._logins) > MAX_LOGINS:
                self._logins.popitem(last=False)
        with self._session(provider) as session:
            url, _ = session.create_authorization_url(
                provider.authorization_endpoint, state=state, code_verifier=login.verifier, nonce=login.nonce
            )
        return Begun(url, secret)

    def finish(self, answer: Mapping[str, str], secret: str, now_ms: int) -> tuple[Identity, str]:
        """Who came back with the provider's `answer`, and the path where they go on. Raises OidcError, NoRoleError."""
        with self._lock:
            login = self._logins.pop(answer.get("state", ""), None)
        mine = login is not None and hmac.compare_digest(login.browser, _digest(secret))
        if login is None or not mine or login.expires_at_ms <= now_ms:
            raise OidcError("this login was begun elsewhere, or too long ago; begin again")
        if "code" not in answer:
            raise OidcError(REFUSED.format(why=answer.get("error_description") or answer.get("error") or "no code"))
        provider = self._discovered(now_ms)
        if answer.get("iss", provider.issuer) != provider.issuer:
            raise OidcError(REFUSED.format(why="it comes from another issuer"))
        tokens = self._exchanged(provider, answer["code"], login.verifier)
        claims = self._verified(provider, str(tokens.get("id_token", "")), login.nonce, now_ms)
        if self._config.groups_claim not in claims and provider.userinfo_endpoint:
            claims = self._with_userinfo(provider, claims, str(tokens.get("access_token", "")))
        role = role_of(self._config.roles, claims.get(self._config.groups_claim))
        name = name_of(claims, self._config.name_claim)
        if role is None:
            raise NoRoleError(f"{name} is in no group that has a role here")
        return Identity(f"{provider.issuer} {claims['sub']}", name, role), login.back

    def sign_out_url(self, now_ms: int) -> str:
        """Where the provider signs people out (RP-Initiated Logout 1.0), "" where it can't."""
        try:
            endpoint = self._discovered(now_ms).end_session_endpoint
        except OidcError as error:
            log.warning("nobody is signed out at the provider: %s", error)
            return ""
        query = {"client_id": self._config.client_id, "post_logout_redirect_uri": f"{self._address}/login"}
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}" if endpoint else ""

    def _discovered(self, now_ms: int) -> Provider:
        if self._provider is not None and now_ms < self._provider[1]:
            return self._provider[0]
        said = self._get(self._config.issuer.rstrip("/") + "/.well-known/openid-configuration")
        try:
            provider = convert(said, Provider)
        except msgspec.ValidationError as error:
            raise OidcError(f"the provider's description is none: {error}") from error
        if provider.issuer.rstrip("/") != self._config.issuer.rstrip("/"):
            raise OidcError("the provider calls itself by another name than console.oidc.issuer")
        self._provider = (provider, now_ms + KEEP_MS)
        return provider

    def _session(self, provider: Provider) -> OAuth2Session:
        secret = self._secrets.fill(self._config.client_secret, "console.oidc.client_secret")
        methods = provider.token_endpoint_auth_methods_supported
        basic = "client_secret_basic" in methods or "client_secret_post" not in methods
        return OAuth2Session(
            self._config.client_id,
            secret or None,
            token_endpoint_auth_method=("client_secret_basic" if basic else "client_secret_post") if secret else "none",
            scope=" ".join(self._config.scopes),
            redirect_uri=f"{self._address}/login/oidc/done",
            code_challenge_method="S256",
        )

    def _exchanged(self, provider: Provider, code: str, verifier: str) -> Mapping[str, Any]:
        try:
            with self._session(provider) as session:
                tokens: Mapping[str, Any] = session.fetch_token(
                    provider.token_endpoint, code=code, code_verifier=verifier, timeout=TIMEOUT_S
                )
        except (AuthlibBaseError, requests.RequestException, ValueError) as error:
            raise OidcError(f"the provider gives no tokens: {self._secrets.redact(str(error))[:200]}") from error
        return tokens

    def _verified(self, provider: Provider, token: str, nonce: str, now_ms: int) -> dict[str, Any]:
        """The claims of the ID token, after everything that section 3.1.3.7 asks for."""
        rules = jwt.JWTClaimsRegistry(
            now=now_ms // 1000,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": provider.issuer},
            aud={"essential": True, "value": self._config.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = self._decoded(provider, token)
            rules.validate(claims)
        except (JoseError, ValueError) as error:
            raise OidcError(REFUSED.format(why=str(error) or type(error).__name__)) from error
        if claims.get("azp", self._config.client_id) != self._config.client_id:
            raise OidcError(REFUSED.format(why="it is for another client"))
        return dict(claims)

    def _decoded(self, provider: Provider, token: str) -> dict[str, Any]:
        """With the keys that are known; with new ones where the provider has changed its keys."""
        if self._keys is not None:
            try:
                return jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims
            except (InvalidKeyIdError, BadSignatureError):
                log.info("the provider's keys are read again")
        self._keys = KeySet.import_key_set(self._get(provider.jwks_uri))
        return jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims

    def _with_userinfo(self, provider: Provider, claims: dict[str, Any], access_token: str) -> dict[str, Any]:
        more = self._get(provider.userinfo_endpoint, {"Authorization": f"Bearer {access_token}"})
        if not isinstance(more, dict) or more.get("sub") != claims["sub"]:  # section 5.3.2
            raise OidcError(REFUSED.format(why="its words on the person are of somebody else"))
        return more | claims

    def _get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        try:
            answer = requests.get(url, headers=dict(headers or {}), timeout=TIMEOUT_S, allow_redirects=False)
            answer.raise_for_status()
            return answer.json()
        except (requests.RequestException, ValueError) as error:
            log.warning("the provider does not answer: %s", error)
            raise OidcError("the provider does not answer; sign in with a password, or try again later") from error


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
