"""For tests of agents that enrol: a site that has two, and an agent's way to the console without a network."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec.structs import replace
from starlette.testclient import TestClient

from console.parts import Parts
from console.rights import Who
from contracts.config import Agents, Config
from contracts.config_file import parse
from contracts.enrolment import ENROL_PATH, Enrol, Renew
from contracts.errors import VedetteError
from edge.identity import Ask, Enrolment, EnrolmentError, Identity
from tests.console_process import CONFIG

ADA = Who("ada", "administrator")
SITE, ADDRESS = "home", "10.0.0.7"
HOUR_MS = 3_600_000


def config_of(folder: Path) -> Config:
    """The site with two agents; certificates of six hours."""
    config = parse(CONFIG)
    agents = Agents(
        signer=str(folder / "s"),
        bootstrap_servers=("kafka:9094",),
        broker_ca=str(folder / "ca.crt"),
        certificate_days=0.25,
    )
    return replace(
        config, edge=replace(config.edge, agents=("north", "south")), console=replace(config.console, agents=agents)
    )


def asks(parts: Parts) -> Ask:
    """The agent's way to the console, without a network."""

    def ask(path: str, body: bytes) -> bytes:
        try:
            if path == ENROL_PATH:
                return msgspec.json.encode(parts.agents.enrol(msgspec.json.decode(body, type=Enrol), ADDRESS))
            return msgspec.json.encode(parts.agents.renew(msgspec.json.decode(body, type=Renew), ADDRESS))
        except VedetteError as error:
            raise EnrolmentError(str(error)) from error

    return ask


def token_for(parts: Parts, name: str = "north") -> str:
    return parts.agents.token(ADA, name, HOUR_MS)


def enrolled(parts: Parts, agent: Identity, name: str = "north") -> Enrolment:
    enrolment = agent.enrol(asks(parts), token_for(parts, name), "https://console", "", SITE, "1.0")
    parts.clock_ms.now_ms += 60_000  # type: ignore[attr-defined]  attempts are limited
    return enrolment


def told(parts: Parts) -> list[tuple[str, str]]:
    """What the audit says of agents, the first first."""
    return [(one.action, one.subject) for one in reversed(parts.store.audit.page()) if "agent" in one.action]


def over_http(client: TestClient, path: str, asked: Enrol | Renew) -> int:
    body = msgspec.json.encode(asked)
    return int(client.post(path, content=body, headers={"content-type": "application/json"}).status_code)
