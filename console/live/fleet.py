"""What agents say of themselves: who runs, with which version, and who reads which camera now.

Pure: statuses go in, times are given. The reader's thread, pages and metrics share one `Fleet` through its lock.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import msgspec

from contracts.config import AgentName
from contracts.decoding import convert
from contracts.edge_messages import EdgeStatus

READING_MS = 5_000
"""An agent says once a second how each of its cameras is: silent for so long, it doesn't read the camera."""
MOST = 200
"""Agents that are remembered: whoever may write statuses may call itself anything."""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's last words: its version, what waits on its disk, and the cameras that it reads now."""

    at_ms: int
    version: str
    spool_bytes: int
    cameras: tuple[str, ...]


@dataclass
class _Agent:
    status: EdgeStatus
    at_ms: int
    cameras: dict[str, int] = field(default_factory=dict)


class Fleet:
    """The agents of `site`, as long as this console has listened."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._agents: dict[str, _Agent] = {}
        self._lock = threading.Lock()

    def take(self, status: EdgeStatus, now_ms: int) -> None:
        """An agent spoke of one of its cameras; another site's, and one whose name is none, doesn't count."""
        if status.site != self._site or not _named(status):
            return
        with self._lock:
            agent = self._agents.setdefault(status.agent, _Agent(status, now_ms))
            agent.status, agent.at_ms = status, now_ms
            agent.cameras = {name: at_ms for name, at_ms in agent.cameras.items() if now_ms - at_ms < READING_MS}
            agent.cameras[status.camera] = now_ms
            if len(self._agents) > MOST:
                del self._agents[min(self._agents, key=lambda name: self._agents[name].at_ms)]

    def agents(self, now_ms: int) -> dict[str, Heard]:
        """Everyone who spoke, by name."""
        with self._lock:
            return {name: _heard(agent, now_ms) for name, agent in self._agents.items()}

    def readers(self, now_ms: int) -> dict[str, tuple[str, ...]]:
        """The agents that read each camera now, which should be one; a camera that nobody reads is not there."""
        found: dict[str, list[str]] = {}
        for name, heard in self.agents(now_ms).items():
            for camera in heard.cameras:
                found.setdefault(camera, []).append(name)
        return {camera: tuple(sorted(names)) for camera, names in found.items()}


def _named(status: EdgeStatus) -> bool:
    try:
        convert(status.agent, AgentName)
    except msgspec.ValidationError:
        return False
    return True


def _heard(agent: _Agent, now_ms: int) -> Heard:
    status = agent.status
    return Heard(
        at_ms=agent.at_ms,
        version=status.version if status.version.isprintable() and len(status.version) <= 64 else "?",
        spool_bytes=status.spool_bytes,
        cameras=tuple(sorted(name for name, at_ms in agent.cameras.items() if now_ms - at_ms < READING_MS)),
    )
