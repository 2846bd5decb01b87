"""A real broker that speaks TLS only, knows everybody by certificate and lets each do what contracts/access.py says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from bus.settings import Aside, settings
from contracts.access import NO_GROUP, Access, of_agents, of_parts
from contracts.broker import BrokerAddress
from tests.certificates import Authority
from vedette.broker import Broker, BrokerConfig

ADMIN = "admin"


class SecureBroker(Broker):
    """Its own `bootstrap` is the administrator's; `address(user)` that of another certificate."""

    def __init__(self, folder: Path, heap_mb: int = 256) -> None:
        self.authority = Authority(folder / "tls")
        self._made: dict[str, BrokerAddress] = {}
        server = self.authority.issue("broker")
        more = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": server.both,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.authority.ca,
            "ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            # The controller's listener is plain and of this machine: whoever comes there is the broker itself.
            "super.users": f"User:CN=broker;User:CN={ADMIN};User:ANONYMOUS",
        }
        super().__init__(BrokerConfig(folder / "kafka", heap_mb=heap_mb, protocol="SSL", more=more))

    @property
    def bootstrap(self) -> str:
        """The administrator's address."""
        return self.address(ADMIN)

    def address(self, user: str) -> str:
        """The broker's address with the certificate of `CN=user`, which is issued at the first call."""
        if user not in self._made:
            files = self.authority.issue(user)
            self._made[user] = BrokerAddress(super().bootstrap, self.authority.ca, files.certificate, files.key)
        return str(self._made[user])

    def allow(self, site: str, agents: Sequence[str] = ()) -> None:
        """Give every part of the site, and its agents that enrol, what they need, and no more."""
        parts = of_parts(site) | of_agents(site, agents)
        bindings = [one for user, access in parts.items() for one in _bindings(user, access)]
        admin = AdminClient(settings(self.bootstrap, Aside()))
        for future in admin.create_acls(bindings).values():
            future.result()

    def forbid(self, user: str) -> None:
        """Take everything from a user, as its KafkaUser's end does."""
        every = AclBindingFilter(
            *(ResourceType.ANY, None, ResourcePatternType.ANY),
            *(f"User:CN={user}", None, AclOperation.ANY, AclPermissionType.ANY),
        )
        admin = AdminClient(settings(self.bootstrap, Aside()))
        for future in admin.delete_acls([every]).values():
            assert future.result()


def _bindings(user: str, access: Access) -> Iterator[AclBinding]:
    topic, literal = ResourceType.TOPIC, ResourcePatternType.LITERAL
    for name in access.reads:
        yield _binding(user, topic, name, literal, AclOperation.READ)
    for name in access.writes:
        yield _binding(user, topic, name, literal, AclOperation.WRITE)
    for name in access.groups:
        yield _binding(user, ResourceType.GROUP, name, ResourcePatternType.PREFIXED, AclOperation.READ)
    yield _binding(user, ResourceType.GROUP, NO_GROUP, literal, AclOperation.DESCRIBE)


def _binding(
    user: str, kind: ResourceType, name: str, pattern: ResourcePatternType, operation: AclOperation
) -> AclBinding:
    return AclBinding(kind, name, pattern, f"User:CN={user}", "*", operation, AclPermissionType.ALLOW)
