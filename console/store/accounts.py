"""People and what lets them in, as kept: users, one-time links, sessions and API tokens. Secrets only as hashes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, select, update

from console.rights import Role, Scope
from console.store.database import Database
from console.store.tables import invitations, sessions, tokens, users


class User(msgspec.Struct, frozen=True, kw_only=True):
    """One person. `cameras` None: all; `password` is Argon2's encoded hash.

    `subject` is who they are for the OpenID Connect provider, issuer and sub; "" where they are only known here.
    """

    name: str
    role: Role
    cameras: tuple[str, ...] | None = None
    password: str = ""
    disabled: bool = False
    created_at_ms: int = 0
    failures: int = 0
    locked_until_ms: int = 0
    subject: str = ""


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """What a one-time link is for; `name` "" lets the person choose."""

    secret: str
    name: str
    role: Role
    cameras: tuple[str, ...] | None
    expires_at_ms: int


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One login of a browser."""

    secret: str
    user: str
    csrf: str
    created_at_ms: int
    expires_at_ms: int
    address: str


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An API token of a user; it can do what both its scopes and its owner's role allow."""

    id: str
    secret: str
    user: str
    title: str
    scopes: tuple[Scope, ...]
    created_at_ms: int
    expires_at_ms: int


class Accounts:
    """Accounts of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def users(self) -> list[User]:
        """Everybody, by name."""
        with self._database.read() as connection:
            return [_user(row) for row in connection.execute(select(users).order_by(users.c.name))]

    def user(self, name: str) -> User | None:
        """One person."""
        with self._database.read() as connection:
            return self.user_in(connection, name)

    def user_in(self, connection: Connection, name: str) -> User | None:
        """One person, in the caller's transaction."""
        row = connection.execute(select(users).where(users.c.name == name)).first()
        return _user(row) if row else None

    def by_subject(self, connection: Connection, subject: str) -> User | None:
        """Who somebody of the provider is here."""
        row = connection.execute(select(users).where(users.c.subject == subject)).first()
        return _user(row) if row else None

    def save(self, connection: Connection, user: User) -> None:
        """A person is new or changed."""
        values = msgspec.structs.asdict(user) | {"cameras": json.dumps(user.cameras)}
        if not connection.execute(update(users).where(users.c.name == user.name).values(values)).rowcount:
            connection.execute(users.insert().values(values))

    def remove(self, connection: Connection, name: str) -> None:
        """A person is no more, nor are their sessions and tokens."""
        connection.execute(delete(users).where(users.c.name == name))

    def administrators(self, connection: Connection) -> int:
        """How many can manage accounts."""
        able = select(func.count()).where(users.c.role == "administrator", users.c.disabled.is_(False))
        return int(connection.execute(able).scalar_one())

    def invite(self, connection: Connection, invitation: Invitation) -> None:
        """A one-time link; an earlier one for the same name is void."""
        connection.execute(delete(invitations).where(invitations.c.name == invitation.name))
        values = msgspec.structs.asdict(invitation) | {"cameras": json.dumps(invitation.cameras)}
        connection.execute(invitations.insert().values(values))

    def invitation(self, secret: str, now_ms: int) -> Invitation | None:
        """What a link that is still good is for."""
        query = select(invitations).where(invitations.c.secret == secret, invitations.c.expires_at_ms > now_ms)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return Invitation(**{**row._mapping, "cameras": _cameras(row.cameras)}) if row else None

    def take_invitation(self, connection: Connection, secret: str) -> bool:
        """Use a link up; False when somebody was faster."""
        return bool(connection.execute(delete(invitations).where(invitations.c.secret == secret)).rowcount)

    def begin(self, connection: Connection, session: Session) -> None:
        """A browser has logged in."""
        connection.execute(sessions.insert().values(msgspec.structs.asdict(session)))

    def session(self, secret: str, now_ms: int) -> tuple[Session, User] | None:
        """A login that still lasts, and whose it is."""
        query = select(sessions).where(sessions.c.secret == secret, sessions.c.expires_at_ms > now_ms)
        with self._database.read() as connection:
            row = connection.execute(query).first()
            user = self.user_in(connection, row.user) if row else None
        return (Session(**row._mapping), user) if row and user and not user.disabled else None

    def end(self, connection: Connection, secret: str) -> None:
        """A browser has logged out."""
        connection.execute(delete(sessions).where(sessions.c.secret == secret))

    def end_all(self, connection: Connection, user: str, but: str = "") -> None:
        """All logins of a person end, but one."""
        connection.execute(delete(sessions).where(sessions.c.user == user, sessions.c.secret != but))

    def tokens(self, user: str | None = None) -> list[Token]:
        """API tokens, of one person or of all, the latest first."""
        query = select(tokens).order_by(tokens.c.created_at_ms.desc(), tokens.c.id)
        query = query.where(tokens.c.user == user) if user is not None else query
        with self._database.read() as connection:
            return [_token(row) for row in connection.execute(query)]

    def token(self, secret: str, now_ms: int) -> tuple[Token, User] | None:
        """A token that is still good, and whose it is."""
        query = select(tokens).where(tokens.c.secret == secret, tokens.c.expires_at_ms > now_ms)
        with self._database.read() as connection:
            row = connection.execute(query).first()
            user = self.user_in(connection, row.user) if row else None
        return (_token(row), user) if row and user and not user.disabled else None

    def add_token(self, connection: Connection, token: Token) -> None:
        """A new API token."""
        connection.execute(tokens.insert().values(msgspec.structs.asdict(token) | {"scopes": json.dumps(token.scopes)}))

    def remove_token(self, connection: Connection, token_id: str, user: str | None) -> bool:
        """A token is void; False when there is none of that id (of that person)."""
        query = delete(tokens).where(tokens.c.id == token_id)
        query = query.where(tokens.c.user == user) if user is not None else query
        return bool(connection.execute(query).rowcount)

    def expire(self, now_ms: int) -> None:
        """Delete sessions, links and tokens whose time is over."""
        with self._database.write() as connection:
            for table in (sessions, invitations, tokens):
                connection.execute(delete(table).where(table.c.expires_at_ms <= now_ms))


def _user(row: Row[*tuple[Any, ...]]) -> User:
    return User(**{**row._mapping, "cameras": _cameras(row.cameras)})


def _token(row: Row[*tuple[Any, ...]]) -> Token:
    return Token(**{**row._mapping, "scopes": tuple(json.loads(row.scopes))})


def _cameras(text: str) -> tuple[str, ...] | None:
    found = json.loads(text)
    return None if found is None else tuple(found)
