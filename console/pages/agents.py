"""The agents' page: who reads which cameras; who is enrolled and until when, one-time tokens, and taking one out."""

from __future__ import annotations

from typing import Any

import msgspec

from console.pages import texts
from console.pages.desk import Visit, blocking
from console.pages.panel import Answer, Panel, Refused

VALID_S = (900, 3600, 86_400, 7 * 86_400)
SETTING = """edge:
  agents: [gatehouse, quay]
console:
  agents:
    signer: /run/signer/socket        # of python -m console.signer
    bootstrap_servers: ["kafka.example.net:9094"]
    broker_ca: /tls/ca.crt"""
COMMANDS = """echo {token} | python -m edge.enrol \\
  --config site.yaml --state .vedette/edge \\
  --console {console} --token-file /dev/stdin
python -m edge --config site.yaml --state .vedette/edge"""
"""For the agent's machine. `echo` is the shell's own, so that no list of processes shows the token."""


class Agents(Panel, component="agents.js"):
    """The list, the forms for a token, and what is said before an agent is taken out."""


async def agents_page(visit: Visit) -> None:
    """What is at /agents."""
    desk, who = visit.desk, visit.who
    agents = desk.parts.agents

    async def look() -> dict[str, Any]:
        found, readers = await blocking(agents.agents, who), await blocking(agents.readers, who)
        return {"agents": msgspec.to_builtins(found), "readers": readers}

    async def token(agent: str, valid_s: int) -> dict[str, Any]:
        if valid_s not in VALID_S:
            raise Refused(texts.AGENTS["token_needs"])
        secret = await blocking(agents.token, who, agent, valid_s * 1000)
        return await look() | {"commands": COMMANDS.format(token=secret, console=desk.parts.address)}

    async def revoke(agent: str) -> dict[str, Any]:
        await blocking(agents.revoke, who, agent)
        return await look()

    async def take_back(agent: str) -> dict[str, Any]:
        await blocking(agents.take_back, who, agent)
        return await look()

    calls: dict[str, Answer] = {"look": look, "token": token, "take_back": take_back, "revoke": revoke}
    start = await look() | {"enrols": agents.enrols, "named": agents.names, "valid_s": VALID_S, "setting": SETTING}
    Agents(calls, visit.check, visit.props(texts.AGENTS, start))
