"""Inputs for tests of the console: alerts and people."""

from __future__ import annotations

from typing import Any

from console.rights import Role
from console.store.accounts import User
from console.store.store import Store
from contracts.messages import Alert, Evidence, FrameRef

AT_MS = 1_767_571_200_000


def alert_of(number: int = 0, **changes: Any) -> Alert:
    """One alert; each number is another a second later."""
    values: dict[str, Any] = {
        "id": f"alert-{number}",
        "revision": 0,
        "state": "new",
        "site": "home",
        "camera": "gate",
        "rule": "intruder",
        "rule_version": 7,
        "kind": "zone_entry",
        "severity": "high",
        "started_at_ms": AT_MS + 1000 * number,
        "at_ms": AT_MS + 1000 * number,
        "label": "person",
        "zone": "yard",
        "track_ids": (number,),
        "why": "A person came into the yard",
        "model": "vedette-nano@3",
        "evidence": evidence_of(number),
    }
    return Alert(**(values | changes))


def evidence_of(offset: int) -> Evidence:
    """A frame with one box."""
    return Evidence(
        ref=FrameRef("frames.home", 0, offset),
        captured_at_ms=AT_MS,
        width=640,
        height=480,
        xyxy=(1.0, 2.0, 30.0, 40.0),
        confidence=0.75,
        detail=True,
    )


def take(store: Store, *alerts: Alert, at_ms: int = AT_MS) -> None:
    """Put alerts into the store as if they had been read."""
    store.take(alerts, "cluster", {("alerts", 0): len(alerts)}, at_ms)


def person(store: Store, name: str = "anna", role: Role = "operator", cameras: tuple[str, ...] | None = None) -> User:
    """Somebody with an account (who can't log in: no password)."""
    user = User(name=name, role=role, cameras=cameras)
    with store.database.write() as connection:
        store.accounts.save(connection, user)
    return user
