"""What the types of the config can't say of agents that enrol: names that a Kafka user can have, and what they need."""

from __future__ import annotations

from contracts.access import agent_user
from contracts.broker import is_server
from contracts.config import Config
from contracts.errors import ConfigError

MAX_USER = 64
"""A certificate's common name has no more characters (RFC 5280, ub-common-name)."""


def check_agents(config: Config) -> None:
    """Raise ConfigError at the first value of `edge.agents` and `console.agents` that can't be meant."""
    names = config.edge.agents
    for i, name in enumerate(names):
        path = f"edge.agents[{i}]"
        if name in names[:i]:
            raise ConfigError(path, f"`{name}` stands there already")
        if "_" in name:
            raise ConfigError(path, f"`{name}`: Kubernetes' names have no _")
        if len(user := agent_user(config.site.name, name)) > MAX_USER:
            raise ConfigError(path, f"`{user}` has more than {MAX_USER} characters")
    told, kafka = config.console.agents, config.kafka
    for i, server in enumerate(told.bootstrap_servers):
        if not is_server(server):
            raise ConfigError(f"console.agents.bootstrap_servers[{i}]", f"`{server}` is not host:port")
    if told.signer and not (told.bootstrap_servers or kafka.bootstrap_servers):
        raise ConfigError("console.agents.bootstrap_servers", "is empty: agents must be told of a broker")
    if told.signer and not (told.broker_ca or kafka.tls):
        raise ConfigError("console.agents.broker_ca", "is empty: agents must be told whom to trust")
