"""Agents that enrol, as kept: the certificate that each has, and the one-time tokens, as hashes."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, select, update

from console.store.database import Database
from console.store.tables import agent_tokens, agents


class AgentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One agent. `certificate` is PEM; `revoked_at_ms` 0: it may renew. `address` and `version` are its last words."""

    name: str
    certificate: str
    enrolled_at_ms: int
    renewed_at_ms: int
    expires_at_ms: int
    revoked_at_ms: int = 0
    address: str = ""
    version: str = ""


class AgentToken(msgspec.Struct, frozen=True, kw_only=True):
    """What lets one agent enrol once; `secret` is SHA-256 of what the agent says."""

    secret: str
    agent: str
    expires_at_ms: int


class AgentStore:
    """Agents of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[AgentRow]:
        """Everyone that ever enrolled, by name."""
        with self._database.read() as connection:
            return [_agent(row) for row in connection.execute(select(agents).order_by(agents.c.name))]

    def certificates(self) -> dict[str, int]:
        """When the certificates end (ms) of those who may still renew them, by the agents' names."""
        return {agent.name: agent.expires_at_ms for agent in self.all() if not agent.revoked_at_ms}

    def get(self, name: str) -> AgentRow | None:
        """One agent."""
        with self._database.read() as connection:
            row = connection.execute(select(agents).where(agents.c.name == name)).first()
        return _agent(row) if row else None

    def save(self, connection: Connection, agent: AgentRow) -> None:
        """An agent has enrolled, for the first time or anew."""
        connection.execute(delete(agents).where(agents.c.name == agent.name))
        connection.execute(agents.insert().values(msgspec.structs.asdict(agent)))

    def renew(self, connection: Connection, before: AgentRow, after: AgentRow) -> bool:
        """A certificate takes another's place; False when that one is not in use any more."""
        same = (agents.c.name == before.name, agents.c.certificate == before.certificate, agents.c.revoked_at_ms == 0)
        return bool(connection.execute(update(agents).where(*same).values(msgspec.structs.asdict(after))).rowcount)

    def revoke(self, connection: Connection, name: str, at_ms: int) -> bool:
        """An agent may renew no more, nor enrol by a token of before; False when there is none that might."""
        connection.execute(delete(agent_tokens).where(agent_tokens.c.agent == name))
        may = (agents.c.name == name, agents.c.revoked_at_ms == 0)
        return bool(connection.execute(update(agents).where(*may).values(revoked_at_ms=at_ms)).rowcount)

    def add_token(self, connection: Connection, token: AgentToken) -> None:
        """A new token; an earlier one of the same agent is void."""
        connection.execute(delete(agent_tokens).where(agent_tokens.c.agent == token.agent))
        connection.execute(agent_tokens.insert().values(msgspec.structs.asdict(token)))

    def token(self, secret: str, now_ms: int) -> AgentToken | None:
        """A token that is still good."""
        good = (agent_tokens.c.secret == secret, agent_tokens.c.expires_at_ms > now_ms)
        with self._database.read() as connection:
            row = connection.execute(select(agent_tokens).where(*good)).first()
        return AgentToken(**row._mapping) if row else None

    def open_tokens(self, now_ms: int) -> list[AgentToken]:
        """Those that are still good and nobody has used."""
        good = select(agent_tokens).where(agent_tokens.c.expires_at_ms > now_ms)
        with self._database.read() as connection:
            return [AgentToken(**row._mapping) for row in connection.execute(good)]

    def take_token(self, connection: Connection, secret: str) -> bool:
        """Use a token up; False when somebody was faster."""
        return bool(connection.execute(delete(agent_tokens).where(agent_tokens.c.secret == secret)).rowcount)

    def remove_token(self, connection: Connection, agent: str, now_ms: int) -> bool:
        """Make an agent's token void; False when it has none that is still good."""
        good = (agent_tokens.c.agent == agent, agent_tokens.c.expires_at_ms > now_ms)
        return bool(connection.execute(delete(agent_tokens).where(*good)).rowcount)

    def expire(self, now_ms: int) -> None:
        """Delete tokens whose time is over."""
        with self._database.write() as connection:
            connection.execute(delete(agent_tokens).where(agent_tokens.c.expires_at_ms <= now_ms))


def _agent(row: Row[*tuple[Any, ...]]) -> AgentRow:
    return AgentRow(**row._mapping)
