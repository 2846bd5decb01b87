"""Who may do what: four roles, limits by camera and scope, and one table of what each action needs."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.config import Role as Role
from contracts.errors import VedetteError

ROLES: tuple[Role, ...] = ("viewer", "operator", "supervisor", "administrator")

Scope = Literal["read", "answer", "configure", "people", "agents", "administer"]
SCOPES: tuple[Scope, ...] = ("read", "answer", "configure", "people", "agents", "administer")

Permission = Literal[
    "see",
    "answer",
    "snooze",
    "hold",
    "arm",
    "configure",
    "promote",
    "force_model",
    "report",
    "export",
    "see_audit",
    "see_people",
    "enrol",
    "search_people",
    "manage_agents",
    "manage_accounts",
    "own_tokens",
]

LEAST_ROLE: dict[Permission, Role] = {
    "see": "viewer",
    "answer": "operator",
    "snooze": "operator",
    "report": "operator",
    "own_tokens": "operator",
    "arm": "supervisor",
    "hold": "supervisor",
    "export": "supervisor",
    "configure": "supervisor",
    "promote": "supervisor",
    "force_model": "administrator",
    "see_audit": "supervisor",
    "see_people": "supervisor",
    "enrol": "supervisor",
    "search_people": "supervisor",
    "manage_agents": "administrator",
    "manage_accounts": "administrator",
}
NEEDED_SCOPE: dict[Permission, Scope] = {
    "see": "read",
    "report": "read",
    "export": "read",
    "see_audit": "read",
    "answer": "answer",
    "snooze": "answer",
    "hold": "answer",
    "arm": "configure",
    "configure": "configure",
    "promote": "configure",
    "force_model": "configure",
    "see_people": "people",
    "enrol": "people",
    "search_people": "people",
    "manage_agents": "agents",
    "manage_accounts": "administer",
    "own_tokens": "administer",
}
"""What a token must be good for, beside its owner's role. A session has all scopes."""


class ForbiddenError(VedetteError):
    """This person may not do this."""


class Who(msgspec.Struct, frozen=True):
    """Someone at work: name, role, the cameras that they may see (None: all), and what their token is good for."""

    name: str
    role: Role
    cameras: frozenset[str] | None = None
    scopes: frozenset[Scope] = frozenset(SCOPES)

    def may(self, permission: Permission) -> bool:
        """Whether role and scope suffice."""
        high_enough = ROLES.index(self.role) >= ROLES.index(LEAST_ROLE[permission])
        return high_enough and NEEDED_SCOPE[permission] in self.scopes

    def sees(self, camera: str) -> bool:
        """Whether what this camera shows is for them."""
        return self.cameras is None or camera in self.cameras

    def need(self, permission: Permission, camera: str | None = None) -> None:
        """Raise ForbiddenError unless they may do that, on that camera."""
        if not self.may(permission):
            raise ForbiddenError(f"{self.name} ({self.role}) may not {permission.replace('_', ' ')}")
        if camera is not None and not self.sees(camera):
            raise ForbiddenError(f"{self.name} may not see camera {camera}")


def need_all(who: Who) -> None:
    """Raise ForbiddenError unless they see all cameras: some things are of all of them."""
    if who.cameras is not None:
        raise ForbiddenError(f"{who.name} sees some cameras only, and this is of all")
