"""Which agent reads which camera, and which frames can be of one that does."""

from __future__ import annotations

import platform

from contracts.config import Config
from contracts.errors import ContractError
from contracts.messages import Frame

SESSION_AHEAD_MS = 3_600_000
"""A camera's session begins as a time and grows by one a start (edge/sessions.py): it is behind its frames' times, but
for clocks that differ. Whoever could have a higher one would be above the camera's agent for ever."""


def machine_name() -> str:
    """What an agent is called that nobody gave a name."""
    return platform.node() or "agent"


def declared(config: Config) -> tuple[str, ...]:
    """The agents that the config names as such."""
    return (*config.edge.agents, *config.edge.local_agents)


def agents_of(config: Config) -> tuple[str, ...]:
    """All agents that are known by name: those declared, and those that cameras name."""
    named = (camera.agent for camera in config.cameras.values() if camera.agent is not None)
    return tuple(dict.fromkeys((*declared(config), *named)))


def assigned(config: Config) -> dict[str, str | None]:
    """The agent that reads each camera; None: any of the site, which has only one."""
    known = agents_of(config)
    only = known[0] if len(known) == 1 else None
    return {name: only if camera.agent is None else camera.agent for name, camera in config.cameras.items()}


def agent_of(config: Config, camera: str) -> str | None:
    """The one that reads `camera`, as in `assigned`."""
    return assigned(config)[camera]


def cameras_of(config: Config, agent: str) -> tuple[str, ...]:
    """The cameras that `agent` reads, of those that are switched on."""
    return tuple(
        name for name, reader in assigned(config).items() if config.cameras[name].enabled and reader in (None, agent)
    )


def check_session(frame: Frame) -> None:
    """Raise ContractError for a session that no agent can have come to by the frame's time."""
    if frame.session > frame.captured_at_ms + SESSION_AHEAD_MS:
        raise ContractError(f"session {frame.session} is of a time that is to come")
