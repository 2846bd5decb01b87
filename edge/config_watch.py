"""Watches the agent's config file: who reads which camera may change in it while the agent runs."""

from __future__ import annotations

import logging
from pathlib import Path

from msgspec.structs import replace

from contracts import config_file
from contracts.config import Config, Detect, Motion
from contracts.errors import ConfigError

log = logging.getLogger(__name__)


class ConfigWatch:
    """The file `path`, which `config` was read from."""

    def __init__(self, path: Path, config: Config) -> None:
        self._path, self._config = path, config
        self._seen: tuple[int, int, int] | None = None

    def news(self) -> Config | None:
        """What the file says since the last call, if that is something else; a wrong one is said once and left."""
        stamp = _stamp(self._path)
        if stamp is None or stamp == self._seen:
            return None
        self._seen = stamp
        try:
            config = config_file.load(self._path)
        except (ConfigError, OSError) as error:
            log.error("the config's change is not taken", extra={"file": str(self._path), "why": str(error)})
            return None
        before, self._config = self._config, config
        if _rest(config) != _rest(before):
            log.warning("of the config's change only cameras and agents are taken over; the rest needs a new start")
        return config if config != before else None


def _rest(config: Config) -> Config:
    """What is read at the start only, of what an agent reads at all."""
    edge = replace(config.edge, agents=(), local_agents=())
    return replace(config, cameras={}, rules={}, detect=Detect(), motion=Motion(), edge=edge)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes with the file's content, also where another file takes its place; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
