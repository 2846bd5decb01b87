"""Accounts that come from elsewhere: an OpenID Connect provider, and what its groups may do here."""

from __future__ import annotations

from typing import Literal

from contracts.config.base import Spec

Role = Literal["viewer", "operator", "supervisor", "administrator"]


class OidcRole(Spec, frozen=True, kw_only=True):
    """What whoever has `group` among the provider's groups may do; `cameras` null means all."""

    group: str
    role: Role
    cameras: tuple[str, ...] | None = None


class Oidc(Spec, frozen=True, kw_only=True):
    """Signing in by an OpenID Connect provider, beside the local accounts; off without an `issuer`.

    `client_secret` is {ENV_NAME}, or empty for a public client. Of `roles` the first counts whose group is in the
    claim `groups_claim`; nobody else is let in. `name_claim` is what people are called here.
    """

    issuer: str = ""
    client_id: str = ""
    client_secret: str = ""
    title: str = "Single sign-on"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    roles: tuple[OidcRole, ...] = ()
