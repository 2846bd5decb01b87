"""What the types of the config's `console` can't say: addresses, names that refer to something, no secret in plain."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Sequence
from urllib.parse import SplitResult, urlsplit

from contracts.config import (
    AlertBudget,
    AlertmanagerChannel,
    AppriseChannel,
    Channel,
    Config,
    Console,
    Notifications,
    Oidc,
    WebhookChannel,
)
from contracts.config.periods import check_periods
from contracts.errors import ConfigError

DATABASES = ("sqlite", "postgresql+psycopg")
_SECRET = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
PLAIN = "holds a password; write {NAME} and set the environment variable NAME"


def check_console(config: Config) -> None:
    """Raise ConfigError at the first value of `console` that can't be meant."""
    console = config.console
    _server(console)
    _notifications(config, console.notifications)
    _budget(config, console.budget)
    _oidc(config, console.oidc)


def console_secrets(console: Console) -> dict[str, str]:
    """The texts of the console's config that may hold a {NAME}, by their paths; those that are off don't count."""
    texts = {"console.database": console.database, "console.oidc.client_secret": console.oidc.client_secret}
    for name, channel in console.notifications.channels.items():
        if channel.enabled:
            for key, text in channel_secrets(channel).items():
                texts[f"console.notifications.channels.{name}.{key}"] = text
    return texts


def channel_secrets(channel: Channel) -> dict[str, str]:
    """The texts of a channel that may hold a {NAME}, by their keys."""
    match channel:
        case AppriseChannel(url=url):
            return {"url": url}
        case WebhookChannel(url=url, secret=secret):
            return {"url": url, "secret": secret}
        case AlertmanagerChannel(url=url, token=token):
            return {"url": url, "token": token}


def _server(console: Console) -> None:
    if bool(console.tls_certificate) != bool(console.tls_key):
        missing = "tls_key" if console.tls_certificate else "tls_certificate"
        raise ConfigError(f"console.{missing}", "is missing: TLS needs both files")
    if not console.host.strip():
        raise ConfigError("console.host", "is empty; 127.0.0.1 for this machine only, 0.0.0.0 for all")
    if console.address and not re.fullmatch(r"https?://[^/?#@\s]+", console.address):
        raise ConfigError("console.address", f"`{console.address[:60]}` is not http(s)://HOST[:PORT]")
    if console.database:
        scheme, separator, rest = console.database.partition("://")
        if not separator or scheme not in DATABASES:
            raise ConfigError("console.database", f"begins with none of {', '.join(f'{one}://' for one in DATABASES)}")
        password = rest.rpartition("@")[0].partition(":")[2]
        if password and not _SECRET.fullmatch(password):
            raise ConfigError("console.database", PLAIN)


def _notifications(config: Config, given: Notifications) -> None:
    path = "console.notifications"
    for name, channel in given.channels.items():
        _channel(channel, f"{path}.channels.{name}")
    for i, route in enumerate(given.routes):
        here = f"{path}.routes[{i}]"
        if not route.channels:
            raise ConfigError(f"{here}.channels", "is empty")
        _known(route.channels, given.channels, f"{here}.channels", "channel")
        _known(route.cameras, config.cameras, f"{here}.cameras", "camera")
        check_periods(route.schedule, f"{here}.schedule")
        check_periods(route.quiet_hours, f"{here}.quiet_hours")


def _channel(channel: Channel, path: str) -> None:
    if isinstance(channel, AppriseChannel):
        scheme, separator, rest = channel.url.partition("://")
        if not separator or not re.fullmatch(r"[a-z][a-z0-9]*", scheme) or not rest:
            raise ConfigError(f"{path}.url", "is not SERVICE://..., as Apprise writes addresses")
        _no_password(rest, f"{path}.url")
        return
    _web_address(channel.url, f"{path}.url")
    _no_password(channel.url.partition("://")[2], f"{path}.url")
    key, secret = ("secret", channel.secret) if isinstance(channel, WebhookChannel) else ("token", channel.token)
    _only_named(secret, f"{path}.{key}", required=key == "secret")


def _budget(config: Config, budget: AlertBudget) -> None:
    _known(tuple(budget.cameras), config.cameras, "console.budget.cameras", "camera")


def _oidc(config: Config, oidc: Oidc) -> None:
    if not oidc.issuer:
        return
    issuer = _web_address(oidc.issuer, "console.oidc.issuer")
    if issuer.scheme == "http" and not _is_here(issuer.hostname or ""):
        raise ConfigError("console.oidc.issuer", "must be https:// (http:// only on this machine)")
    if not oidc.client_id:
        raise ConfigError("console.oidc.client_id", "is empty")
    if "openid" not in oidc.scopes:
        raise ConfigError("console.oidc.scopes", "`openid` is missing")
    if not oidc.roles:
        raise ConfigError("console.oidc.roles", "is empty: nobody could come in")
    _only_named(oidc.client_secret, "console.oidc.client_secret", required=False)
    for i, role in enumerate(oidc.roles):
        _known(role.cameras or (), config.cameras, f"console.oidc.roles[{i}].cameras", "camera")


def _web_address(text: str, path: str) -> SplitResult:
    try:
        parts = urlsplit(_SECRET.sub("x", text))
        well = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ConfigError(path, f"no URL: {error}") from error
    if not well:
        raise ConfigError(path, "is not http(s)://HOST...")
    return parts


def _no_password(rest: str, path: str) -> None:
    """`rest` is an address behind its scheme."""
    password = rest.partition("/")[0].rpartition("@")[0].partition(":")[2]
    if password and not _SECRET.search(password):
        raise ConfigError(path, PLAIN)


def _only_named(secret: str, path: str, *, required: bool) -> None:
    if required and not secret:
        raise ConfigError(path, "is empty; write {NAME} and set the environment variable NAME")
    if secret and not _SECRET.fullmatch(secret):
        raise ConfigError(path, "must be {NAME}; the secret itself is in the environment variable NAME")


def _known(names: Sequence[str], known: Collection[str], path: str, kind: str) -> None:
    for i, name in enumerate(names):
        if name not in known:
            raise ConfigError(f"{path}[{i}]", f"there is no {kind} `{name}`")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
