"""What the types of the config can't say of agents: names that a Kafka user can have, and whose each camera is."""

from __future__ import annotations

from contracts.access import agent_user
from contracts.assignment import agents_of, declared
from contracts.broker import is_server
from contracts.config import Config
from contracts.errors import ConfigError

MAX_USER = 64
"""A certificate's common name has no more characters (RFC 5280, ub-common-name)."""


def check_agents(config: Config) -> None:
    """Raise ConfigError at the first value of agents and of cameras' agents that can't be meant."""
    _names(config)
    _assigned(config)
    _enrolling(config)


def _names(config: Config) -> None:
    names = config.edge.agents
    for i, name in enumerate(names):
        path = f"edge.agents[{i}]"
        if name in names[:i]:
            raise ConfigError(path, f"`{name}` stands there already")
        if "_" in name:
            raise ConfigError(path, f"`{name}`: Kubernetes' names have no _")
        if len(user := agent_user(config.site.name, name)) > MAX_USER:
            raise ConfigError(path, f"`{user}` has more than {MAX_USER} characters")
    for i, name in enumerate(config.edge.local_agents):
        if name in (*names, *config.edge.local_agents[:i]):
            raise ConfigError(f"edge.local_agents[{i}]", f"`{name}` is an agent already")


def _assigned(config: Config) -> None:
    """Two that read the same camera would have its every picture looked at twice."""
    known, named = agents_of(config), declared(config)
    for name, camera in config.cameras.items():
        path = f"cameras.{name}.agent"
        if camera.agent is not None and named and camera.agent not in named:
            raise ConfigError(path, f"`{camera.agent}` is none of the site's agents: {', '.join(named)}")
        if camera.agent is None and camera.enabled and len(known) > 1:
            raise ConfigError(path, f"is missing: the site has several agents, {', '.join(known)}")


def _enrolling(config: Config) -> None:
    told, kafka = config.console.agents, config.kafka
    for i, server in enumerate(told.bootstrap_servers):
        if not is_server(server):
            raise ConfigError(f"console.agents.bootstrap_servers[{i}]", f"`{server}` is not host:port")
    if told.signer and not (told.bootstrap_servers or kafka.bootstrap_servers):
        raise ConfigError("console.agents.bootstrap_servers", "is empty: agents must be told of a broker")
    if told.signer and not (told.broker_ca or kafka.tls):
        raise ConfigError("console.agents.broker_ca", "is empty: agents must be told whom to trust")
