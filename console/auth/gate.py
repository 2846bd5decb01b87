"""The gate: lets people in by password, link or token, and says who is behind a request."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from sqlalchemy import Connection

from console.auth import passwords
from console.auth.identity import Identity, is_name
from console.auth.limits import Limit, network_of
from console.rights import SCOPES, Role, Scope, Who
from console.store.accounts import Invitation, Session, Token, User
from console.store.audit import AuditAction
from console.store.store import Store
from contracts.errors import VedetteError

HOUR_MS = 3_600_000
LINK_MS = 24 * HOUR_MS
TOKEN_PREFIX = "vdt_"  # noqa: S105  so that one is known where it stands by mistake
MAX_TOKEN_DAYS = 3650
LOCAL = "local system"
"""Nobody's name: names have no spaces."""

FREE_FAILURES = 5
"""Wrong passwords before an account is locked; then 30 s, and twice as long each time, up to 15 minutes."""
LOCK_MS = 30_000
MAX_LOCK_MS = 15 * 60_000


class LoginError(VedetteError):
    """Not let in. Says the same whether the name or the password is wrong."""


class TooOftenError(VedetteError):
    """Asked too often; `wait_s` is how long to wait."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many attempts; try again in {max(1, round(wait_s))} s")
        self.wait_s = wait_s


class AccountError(VedetteError):
    """That account can't be made or changed so."""


@dataclass(frozen=True)
class Entered:
    """Somebody who has just been let in: the cookie's secret, their session and who they are."""

    secret: str
    session: Session
    who: Who


class Gate:
    """Accounts with their rules. All times are given (ms)."""

    def __init__(self, store: Store, session_hours: float) -> None:
        self._store = store
        self._session_ms = round(session_hours * HOUR_MS)
        # By address: 10 at once, then one in 6 s. Names have their own lock-out.
        self._attempts = Limit(burst=10, per_s=1 / 6)
        self._local = ""

    def first_link(self, now_ms: int) -> str | None:
        """The secret of the link that makes the first administrator; None when there is one already."""
        with self._store.database.write() as connection:
            if self._store.accounts.administrators(connection):
                return None
            return self._invite(connection, "", "administrator", None, now_ms)

    def invite(self, who: Who, name: str, role: Role, cameras: tuple[str, ...] | None, now_ms: int) -> str:
        """Make an account that waits for its password, or give one a new password; returns the link's secret."""
        who.need("manage_accounts")
        _check_name(name)
        with self._store.database.write() as connection:
            user = self._store.accounts.user_in(connection, name)
            if user is None:
                user = User(name=name, role=role, cameras=cameras, created_at_ms=now_ms)
                self._store.accounts.save(connection, user)
            elif (user.role, user.cameras) != (role, cameras):
                raise AccountError(f"{name} has an account already, as {user.role}")
            secret = self._invite(connection, name, role, cameras, now_ms)
            self._audit(connection, now_ms, who.name, "invite", name, role=role, cameras=cameras)
        return secret

    def invited(self, secret: str, now_ms: int) -> Invitation | None:
        """What a link is for, None when it is used up or too old."""
        return self._store.accounts.invitation(_digest(secret), now_ms)

    def accept(self, secret: str, name: str, password: str, *, address: str, now_ms: int) -> Entered:
        """Use a link: set the password and come in. Raises LoginError, AccountError, TooOftenError."""
        self.attempt(address, now_ms)
        invitation = self.invited(secret, now_ms)
        if invitation is None or (invitation.name and name != invitation.name):
            raise LoginError("this link was used already, or is too old")
        _check_name(name)
        if wrong := passwords.fault(password, name):
            raise AccountError(wrong)
        encoded = passwords.hashed(password)
        with self._store.database.write() as connection:
            if not self._store.accounts.take_invitation(connection, _digest(secret)):
                raise LoginError("this link was used already, or is too old")
            user = self._store.accounts.user_in(connection, name)
            if user is not None and not invitation.name:
                raise AccountError(f"{name} has an account already")
            user = user or User(name=name, role=invitation.role, cameras=invitation.cameras, created_at_ms=now_ms)
            user = replace(user, password=encoded, failures=0, locked_until_ms=0)
            self._store.accounts.save(connection, user)
            self._store.accounts.end_all(connection, name)
            self._audit(connection, now_ms, name, "accept", name, address=address)
            return self._enter(connection, user, address, now_ms)

    def login(self, name: str, password: str, *, address: str, now_ms: int) -> Entered:
        """Come in by name and password. Raises LoginError, TooOftenError."""
        self.attempt(address, now_ms)
        user = self._store.accounts.user(name)
        if user is not None and user.locked_until_ms > now_ms:
            raise TooOftenError((user.locked_until_ms - now_ms) / 1000)
        good = passwords.matches(password, user.password if user else "")
        with self._store.database.write() as connection:
            user = self._store.accounts.user_in(connection, name)
            if user is not None and good and not user.disabled:
                self._store.accounts.save(connection, replace(user, failures=0, locked_until_ms=0))
                self._audit(connection, now_ms, name, "login", name, address=address)
                return self._enter(connection, user, address, now_ms)
            if user is not None and not good:
                self._store.accounts.save(connection, _failed(user, now_ms))
            self._audit(connection, now_ms, "", "login refused", name, address=address)
        raise LoginError("wrong name or password")

    def enter_by_provider(self, identity: Identity, *, address: str, now_ms: int) -> Entered:
        """Come in as the provider says: it makes the account at the first time, and gives it its role each time.

        An account is known by the provider's own word for the person, never by its name alone: nobody becomes somebody
        who is known here by being called so there. Raises LoginError.
        """
        role, cameras = identity.role.role, identity.role.cameras
        with self._store.database.write() as connection:
            user = self._store.accounts.by_subject(connection, identity.subject)
            if user is None and self._store.accounts.user_in(connection, identity.name) is not None:
                raise LoginError(f"the name {identity.name} belongs to another account here")
            if user is None:
                user = User(name=identity.name, role=role, created_at_ms=now_ms, subject=identity.subject)
            if user.disabled:
                raise LoginError(f"the account {user.name} is disabled")
            user = replace(user, role=role, cameras=cameras)
            self._store.accounts.save(connection, user)
            details = {"address": address, "role": role, "cameras": cameras, "group": identity.role.group}
            self._audit(connection, now_ms, user.name, "login", user.name, **details)
            return self._enter(connection, user, address, now_ms)

    def refused_by_provider(self, why: str, *, address: str, now_ms: int) -> None:
        """Somebody came by the provider, and was not let in."""
        with self._store.database.write() as connection:
            self._audit(connection, now_ms, "", "login refused", "by provider", address=address, why=why)

    def logout(self, secret: str, now_ms: int) -> User | None:
        """End a session; returns whose it was."""
        found = self._store.accounts.session(_digest(secret), now_ms)
        if found is not None:
            with self._store.database.write() as connection:
                self._store.accounts.end(connection, _digest(secret))
                self._audit(connection, now_ms, found[1].name, "logout", found[1].name)
        return found[1] if found else None

    def by_cookie(self, secret: str, now_ms: int) -> tuple[Session, Who] | None:
        """Who has this session, None when it is over."""
        found = self._store.accounts.session(_digest(secret), now_ms)
        return (found[0], _who(found[1])) if found else None

    def local_token(self) -> str:
        """A token of whoever owns the state folder, for the command beside the console: new at each start, kept nowhere
        else, good for people and agents only."""
        self._local = TOKEN_PREFIX + secrets.token_urlsafe(32)
        return self._local

    def by_token(self, secret: str, now_ms: int) -> Who | None:
        """Who has this API token, None when it is void."""
        if self._local and hmac.compare_digest(secret.encode(), self._local.encode()):
            return Who(LOCAL, "administrator", None, frozenset({"people", "agents"}))
        found = self._store.accounts.token(_digest(secret), now_ms) if secret.startswith(TOKEN_PREFIX) else None
        return _who(found[1], frozenset(found[0].scopes)) if found else None

    def change_password(self, who: Who, old: str, new: str, session: Session, now_ms: int) -> None:
        """Set an own new password; other sessions of the person end. Raises LoginError, AccountError, TooOftenError."""
        self.attempt(who.name, now_ms)
        user = self._store.accounts.user(who.name)
        if user is None or not passwords.matches(old, user.password):
            raise LoginError("the old password is wrong")
        if wrong := passwords.fault(new, who.name):
            raise AccountError(wrong)
        encoded = passwords.hashed(new)
        with self._store.database.write() as connection:
            self._store.accounts.save(connection, replace(user, password=encoded))
            self._store.accounts.end_all(connection, who.name, but=session.secret)
            self._audit(connection, now_ms, who.name, "change password", who.name)

    def change(
        self, who: Who, name: str, *, role: Role, cameras: tuple[str, ...] | None, disabled: bool, now_ms: int
    ) -> User:
        """Change what a person may do. Raises AccountError when nobody would be left to manage accounts."""
        who.need("manage_accounts")
        with self._store.database.write() as connection:
            user = self._store.accounts.user_in(connection, name)
            if user is None:
                raise AccountError(f"there is nobody called {name}")
            user = replace(user, role=role, cameras=cameras, disabled=disabled)
            self._store.accounts.save(connection, user)
            self._still_managed(connection)
            if disabled:
                self._store.accounts.end_all(connection, name)
            self._audit(connection, now_ms, who.name, "change account", name, role=role, cameras=cameras, off=disabled)
        return user

    def remove(self, who: Who, name: str, now_ms: int) -> bool:
        """Delete an account; False when there is none."""
        who.need("manage_accounts")
        with self._store.database.write() as connection:
            if self._store.accounts.user_in(connection, name) is None:
                return False
            self._store.accounts.remove(connection, name)
            self._still_managed(connection)
            self._audit(connection, now_ms, who.name, "remove account", name)
        return True

    def add_token(self, who: Who, title: str, scopes: Sequence[Scope], days: int, now_ms: int) -> tuple[str, Token]:
        """Make an own API token; returns its secret, which is shown once. A token makes none of more scopes."""
        who.need("own_tokens")
        missing = set(scopes) - who.scopes
        if missing:
            raise AccountError(f"you don't have the scope {', '.join(sorted(missing))} yourself")
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = Token(
            id=str(uuid.uuid4()),
            secret=_digest(secret),
            user=who.name,
            title=title.replace("\0", "\ufffd"),
            scopes=tuple(one for one in SCOPES if one in scopes),
            created_at_ms=now_ms,
            expires_at_ms=now_ms + days * 24 * HOUR_MS,
        )
        with self._store.database.write() as connection:
            self._store.accounts.add_token(connection, token)
            self._audit(connection, now_ms, who.name, "add token", token.id, title=token.title, scopes=token.scopes)
        return secret, token

    def remove_token(self, who: Who, token_id: str, now_ms: int) -> bool:
        """Make a token void: an own one, or anybody's for who manages accounts."""
        who.need("own_tokens")
        owner = None if who.may("manage_accounts") else who.name
        with self._store.database.write() as connection:
            removed = self._store.accounts.remove_token(connection, token_id, owner)
            if removed:
                self._audit(connection, now_ms, who.name, "remove token", token_id)
        return removed

    def attempt(self, key: str, now_ms: int) -> None:
        """Count one attempt of an address (its network) or a name; raises TooOftenError."""
        wait_s = self._attempts.wait_s(network_of(key), now_ms)
        if wait_s:
            raise TooOftenError(wait_s)

    def _invite(
        self, connection: Connection, name: str, role: Role, cameras: tuple[str, ...] | None, now_ms: int
    ) -> str:
        secret = secrets.token_urlsafe(32)
        invitation = Invitation(
            secret=_digest(secret), name=name, role=role, cameras=cameras, expires_at_ms=now_ms + LINK_MS
        )
        self._store.accounts.invite(connection, invitation)
        return secret

    def _enter(self, connection: Connection, user: User, address: str, now_ms: int) -> Entered:
        secret = secrets.token_urlsafe(32)
        session = Session(
            secret=_digest(secret),
            user=user.name,
            csrf=secrets.token_urlsafe(32),
            created_at_ms=now_ms,
            expires_at_ms=now_ms + self._session_ms,
            address=address,
        )
        self._store.accounts.begin(connection, session)
        return Entered(secret, session, _who(user))

    def _still_managed(self, connection: Connection) -> None:
        if not self._store.accounts.administrators(connection):
            raise AccountError("somebody has to be left who can manage accounts")

    def _audit(
        self, connection: Connection, now_ms: int, who: str, action: AuditAction, subject: str, **details: object
    ) -> None:
        self._store.audit.add(connection, at_ms=now_ms, who=who, action=action, subject=subject, details=details)


def link_path(secret: str) -> str:
    """Where a one-time link leads."""
    return f"/enter/{secret}"


def _digest(secret: str) -> str:
    """Secrets have 256 random bits: what is kept of them needs no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _who(user: User, scopes: frozenset[Scope] = frozenset(SCOPES)) -> Who:
    return Who(user.name, user.role, None if user.cameras is None else frozenset(user.cameras), scopes)


def _failed(user: User, now_ms: int) -> User:
    failures = user.failures + 1
    over = failures - FREE_FAILURES
    lock_ms = min(LOCK_MS * 2 ** min(over, 16), MAX_LOCK_MS) if over >= 0 else 0
    return replace(user, failures=failures, locked_until_ms=now_ms + lock_ms)


def _check_name(name: str) -> None:
    if not is_name(name):
        raise AccountError("a name begins with a letter or digit and has up to 64 letters, digits or . @ + - _")
