"""The accounts page: who may come in, as what, and for which cameras."""

from __future__ import annotations

from typing import Any

from console.auth.gate import link_path
from console.pages import texts
from console.pages.desk import Visit, blocking
from console.pages.panel import Answer, Panel, Refused
from console.rights import ROLES, Role
from console.store.accounts import User


class Accounts(Panel, component="accounts.js"):
    """The list of people, and the forms to invite and change them."""


async def accounts_page(visit: Visit) -> None:
    """What is at /accounts."""
    desk = visit.desk
    gate, now_ms, who = desk.parts.gate, desk.now_ms, visit.who

    async def people() -> list[dict[str, Any]]:
        return [_shown(user) for user in await blocking(desk.store.accounts.users)]

    async def invite(name: str, role: str, cameras: list[str] | None) -> dict[str, Any]:
        secret = await blocking(gate.invite, who, name, _role(role), _cameras(visit, cameras), now_ms())
        return {"people": await people(), "link": link_path(secret)}

    async def change(name: str, role: str, cameras: list[str] | None, disabled: bool) -> dict[str, Any]:
        allowed = _cameras(visit, cameras)
        await blocking(
            gate.change, who, name, role=_role(role), cameras=allowed, disabled=bool(disabled), now_ms=now_ms()
        )
        return {"people": await people()}

    async def remove(name: str) -> dict[str, Any]:
        await blocking(gate.remove, who, name, now_ms())
        return {"people": await people()}

    calls: dict[str, Answer] = {"invite": invite, "change": change, "remove": remove}
    cameras = [{"name": name, "title": desk.camera_name(name)} for name in desk.config.cameras]
    start = {"people": await people(), "roles": ROLES, "cameras": cameras}
    Accounts(calls, visit.check, visit.props(texts.ACCOUNTS, start))


def _shown(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "role": user.role,
        "cameras": user.cameras,
        "disabled": user.disabled,
        "invited": not user.password and not user.subject,
        "provider": bool(user.subject),
        "locked_until_ms": user.locked_until_ms,
    }


def _role(name: str) -> Role:
    for role in ROLES:
        if role == name:
            return role
    raise Refused(f"there is no role {name[:40]!r}")


def _cameras(visit: Visit, names: list[str] | None) -> tuple[str, ...] | None:
    """None is all cameras, of today and to come."""
    if names is None:
        return None
    unknown = [name for name in names if name not in visit.desk.config.cameras]
    if unknown:
        raise Refused(f"there is no camera {unknown[0][:40]!r}")
    return tuple(names)
