"""The site's agents: who reads what; how those outside are let in, by one-time tokens, renew, and are taken out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from console.auth.gate import Gate
from console.auth.limits import Limit, network_of
from console.live.fleet import Fleet, Heard
from console.rights import Who
from console.signer.signing import Signing
from console.store.agents import AgentRow, AgentToken
from console.store.audit import AuditAction
from console.store.store import Store
from contracts import metrics
from contracts.assignment import agents_of, cameras_of
from contracts.config import Config
from contracts.enrolment import Enrol, Enrolled, Renew
from contracts.errors import VedetteError
from contracts.metrics import Metrics
from vault import Certificate, Request, VaultError

TOKEN_PREFIX = "vda_"  # noqa: S105  so that one is known where it stands by mistake
FRESH_MS = 10 * 60_000
"""A request to renew that is older, or from so far ahead, is refused: the agent's clock is wrong, or it is a replay."""
LINE_S, LINES_S = 60.0, 2.0
"""A refusal stands in the audit once a minute of each network, and once in two seconds of all: an audit only grows."""
VOID = "this token was used already, or is too old"


class NoAgentError(VedetteError):
    """There is no agent of that name, or none that could be taken out."""


class AgentsOffError(VedetteError):
    """Agents can't enrol at this console."""


class RefusedError(VedetteError):
    """An agent's request is not granted. Says to the agent no more than it needs."""


class Agent(Struct, frozen=True, kw_only=True):
    """One agent; times are 0 until it has enrolled, `revoked_at_ms` while it may renew, `token_until_ms` without one.

    `named`: it is in `edge.agents`, without which it neither enrols nor renews. `cameras` are its own by the config,
    `reads` those that it says it reads now; `runs` is the version that it said last, `heard_at_ms` when that was (0:
    not since the console's start), `spool_bytes` what waited on its disk.
    """

    name: str
    cameras: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    runs: str = ""
    heard_at_ms: int = 0
    spool_bytes: int = 0
    named: bool = True
    token_until_ms: int = 0
    enrolled_at_ms: int = 0
    renewed_at_ms: int = 0
    expires_at_ms: int = 0
    revoked_at_ms: int = 0
    address: str = ""
    version: str = ""


class AgentDesk:
    """Tokens, agents and their certificates. `signer` None: nobody enrols here."""

    def __init__(
        self,
        config: Config,
        in_force: Callable[[], Config],
        store: Store,
        fleet: Fleet,
        gate: Gate,
        signer: Signing | None,
        measured: Metrics,
        clock_ms: Callable[[], int],
    ) -> None:
        self._config, self._in_force, self._fleet, self._metrics = config, in_force, fleet, measured
        self._lines, self._all_lines, self._untold = Limit(1, 1 / LINE_S), Limit(20, 1 / LINES_S), 0
        self._store, self._gate, self._signer, self._clock_ms = store, gate, signer, clock_ms

    @property
    def names(self) -> tuple[str, ...]:
        """The agents that may enrol, as the config has them."""
        return self._config.edge.agents

    @property
    def enrols(self) -> bool:
        """Whether agents can enrol at this console at all."""
        return self._signer is not None

    def agents(self, who: Who) -> tuple[Agent, ...]:
        """All of the config, who was enrolled before and who was heard, by name. Raises ForbiddenError."""
        who.need("manage_agents")
        now_ms, config = self._clock_ms(), self._in_force()
        rows = {row.name: row for row in self._store.agents.all()}
        tokens = {one.agent: one.expires_at_ms for one in self._store.agents.open_tokens(now_ms)}
        heard, known = self._fleet.agents(now_ms), agents_of(config)
        agents = []
        for name in sorted({*known, *rows, *heard}):
            own = cameras_of(config, name) if name in known else ()
            agent = Agent(name=name, cameras=own, named=name in self.names, token_until_ms=tokens.get(name, 0))
            agents.append(_with_words(_with_row(agent, rows.get(name)), heard.get(name)))
        return tuple(agents)

    def readers(self, who: Who) -> dict[str, tuple[str, ...]]:
        """Which agents say that they read each camera that is switched on: one should. Raises ForbiddenError."""
        who.need("manage_agents")
        found = self._fleet.readers(self._clock_ms())
        return {name: found.get(name, ()) for name, camera in self._in_force().cameras.items() if camera.enabled}

    def token(self, who: Who, agent: str, valid_ms: int) -> str:
        """Make what lets `agent` enrol once; shown once, kept as a hash. Raises ForbiddenError, NoAgentError."""
        who.need("manage_agents")
        self._on()
        if agent not in self.names:
            raise NoAgentError(f"the config's edge.agents has no {agent!r}")
        secret, now_ms = TOKEN_PREFIX + secrets.token_urlsafe(32), self._clock_ms()
        token = AgentToken(secret=_digest(secret), agent=agent, expires_at_ms=now_ms + valid_ms)
        with self._store.database.write() as connection:
            self._store.agents.add_token(connection, token)
            self._audit(connection, who.name, "add agent token", agent, until_ms=token.expires_at_ms)
        return secret

    def take_back(self, who: Who, agent: str) -> None:
        """Make the token void that lets `agent` enrol. Raises ForbiddenError, NoAgentError."""
        who.need("manage_agents")
        with self._store.database.write() as connection:
            if not self._store.agents.remove_token(connection, agent, self._clock_ms()):
                raise NoAgentError(f"agent {agent!r} has no token that could be used")
            self._audit(connection, who.name, "remove agent token", agent)

    def revoke(self, who: Who, agent: str) -> None:
        """Its certificate is renewed no more, its token void. Raises ForbiddenError, NoAgentError."""
        who.need("manage_agents")
        with self._store.database.write() as connection:
            if not self._store.agents.revoke(connection, agent, self._clock_ms()):
                raise NoAgentError(f"no agent {agent!r} is enrolled")
            self._audit(connection, who.name, "revoke agent", agent)

    def enrol(self, asked: Enrol, address: str) -> Enrolled:
        """Give a certificate for a token. Raises RefusedError, TooOftenError, SignerError."""
        signer, now_ms = self._on(), self._clock_ms()
        self._gate.attempt(address, now_ms)
        token = self._store.agents.token(_digest(asked.token), now_ms)
        if token is None or token.agent not in self.names:
            raise self._refused(asked, "", address, VOID)
        self._request(asked, token.agent, address)
        # Signed before the token is used up, so that it outlives a signer that is away.
        made = Certificate(signer.issue(token.agent, asked.csr))
        agent = AgentRow(
            name=token.agent,
            certificate=made.pem,
            enrolled_at_ms=now_ms,
            renewed_at_ms=now_ms,
            expires_at_ms=made.expires_at_ms,
            address=address,
            version=asked.version,
        )
        with self._store.database.write() as connection:
            if taken := self._store.agents.take_token(connection, token.secret):
                self._store.agents.save(connection, agent)
                self._audit(connection, "", "enrol agent", agent.name, serial=made.serial, address=address)
        if not taken:
            raise self._refused(asked, token.agent, address, VOID)
        return self._answer(agent)

    def renew(self, asked: Renew, address: str) -> Enrolled:
        """Give the next certificate to who has the one in use. Raises RefusedError, TooOftenError, SignerError.

        An answer that was lost is given again, to who shows by the request itself that the key is theirs.
        """
        signer, now_ms = self._on(), self._clock_ms()
        self._gate.attempt(address, now_ms)
        agent = self._store.agents.get(asked.agent)
        if agent is None or agent.revoked_at_ms or agent.name not in self.names:
            known = asked.agent if agent is not None or asked.agent in self.names else ""
            raise self._refused(asked, known, address, "it may not renew; it needs a new token")
        if agent.expires_at_ms <= now_ms:
            raise self._refused(asked, agent.name, address, "its certificate has ended; it needs a new token")
        request, current = self._request(asked, agent.name, address), Certificate(agent.certificate)
        if request.public == current.public:
            return self._answer(agent)
        if abs(asked.at_ms - now_ms) > FRESH_MS:
            raise self._refused(asked, agent.name, address, "its clock is minutes away from the console's")
        if not current.signed(asked.proof(), _signature(asked)):
            raise self._refused(asked, agent.name, address, "not signed by the certificate that is in use")
        made = Certificate(signer.issue(agent.name, asked.csr))
        last = {"renewed_at_ms": now_ms, "address": address, "version": asked.version}
        renewed = replace(agent, certificate=made.pem, expires_at_ms=made.expires_at_ms, **last)
        with self._store.database.write() as connection:
            if taken := self._store.agents.renew(connection, agent, renewed):
                self._audit(connection, "", "renew agent", agent.name, serial=made.serial, address=address)
        if not taken:
            raise self._refused(asked, agent.name, address, "it was renewed or taken out meanwhile")
        return self._answer(renewed)

    def _on(self) -> Signing:
        if self._signer is None:
            raise AgentsOffError("no agent enrols here: console.agents.signer is not set")
        return self._signer

    def _request(self, asked: Enrol | Renew, agent: str, address: str) -> Request:
        """What is to be signed, of an agent of this site."""
        if asked.site != self._config.site.name:
            raise self._refused(asked, agent, address, f"this console is of the site {self._config.site.name}")
        try:
            return Request(asked.csr)
        except VaultError as error:
            raise self._refused(asked, agent, address, str(error)) from error

    def _refused(self, asked: Enrol | Renew, agent: str, address: str, why: str) -> RefusedError:
        """Count it, and remember it where that doesn't help to fill the disk: two who have one key show by this.

        `agent` is "" for nobody who is known: what somebody calls themselves isn't repeated.
        """
        self._metrics.counter(metrics.AGENTS_REFUSED, "enrol" if isinstance(asked, Enrol) else "renew").inc()
        now_ms = self._clock_ms()
        # An agent's refusals have room of their own, which nobody takes away by making up tokens.
        if self._lines.wait_s(f"{network_of(address)} {agent}", now_ms) or self._all_lines.wait_s(agent, now_ms):
            self._untold += 1
        else:
            untold, self._untold = self._untold, 0
            with self._store.database.write() as connection:
                self._audit(connection, "", "refuse agent", agent, address=address, why=why, untold=untold)
        return RefusedError(f"{agent or 'agent'}: {why}")

    def _answer(self, agent: AgentRow) -> Enrolled:
        kafka, told = self._config.kafka, self._config.console.agents
        ca = told.broker_ca or (kafka.tls.ca if kafka.tls is not None else "")
        try:
            authority = Path(ca).read_text()
        except OSError as error:
            raise AgentsOffError(f"{ca}: {error.strerror}") from error
        servers = told.bootstrap_servers or kafka.bootstrap_servers
        return Enrolled(agent=agent.name, certificate=agent.certificate, ca=authority, bootstrap_servers=servers)

    def _audit(self, connection: Connection, who: str, action: AuditAction, agent: str, **details: object) -> None:
        at_ms = self._clock_ms()
        self._store.audit.add(connection, at_ms=at_ms, who=who, action=action, subject=agent, details=details)


def _with_row(agent: Agent, row: AgentRow | None) -> Agent:
    if row is None:
        return agent
    return replace(
        agent, **{field: getattr(row, field) for field in AgentRow.__struct_fields__ if field != "certificate"}
    )


def _with_words(agent: Agent, heard: Heard | None) -> Agent:
    if heard is None:
        return agent
    return replace(
        agent, reads=heard.cameras, runs=heard.version, heard_at_ms=heard.at_ms, spool_bytes=heard.spool_bytes
    )


def _signature(asked: Renew) -> bytes:
    """What was sent as one; nobody's where it is no base64."""
    try:
        return base64.b64decode(asked.signature, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _digest(secret: str) -> str:
    """Tokens have 256 random bits: what is kept of them needs no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
