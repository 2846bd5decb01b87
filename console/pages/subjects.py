"""Where an audit's entry leads: what it was done to, as a page shows it."""

from __future__ import annotations

import re
from urllib.parse import quote

from console.pages.parts import Link
from console.pages.texts import AUDIT

ALERT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The stream's ids of alerts; nothing else in the audit is a UUID but the addresses that were tried."""

SETTINGS = {"budget": "/budget", "routes": "/notifications", "arming": "/setup?tab=site"}
BY_ACTION = {
    "compare": "/people",
    "search": "/people",
    "notify test": "/notifications",
    "plan.remove": "/analytics?view=map",
    "plan.replace": "/analytics?view=map",
    "invite": "/accounts",
    "change account": "/accounts",
}


def subject_of(action: str, subject: str) -> str | Link:
    """An entry's subject in words, with the page that shows it where there is one."""
    words = subject.strip("/")
    address = _address(action, words)
    if ALERT.fullmatch(words):
        words = AUDIT["alert"].format(id=words[:8])
    return Link(words, address) if address else words


def _address(action: str, subject: str) -> str:
    kind, _, rest = subject.partition("/")
    if ALERT.fullmatch(subject):
        return f"/?status=all&alert={subject}" if action != "try camera" else ""
    if action in BY_ACTION:
        return BY_ACTION[action]
    if action.startswith("model_"):
        return f"/models?version={quote(subject)}"
    if action in ("live.watch", "missed"):
        return "/live" if action == "live.watch" and " " in subject else f"/live?camera={quote(subject)}"
    if kind == "person" and rest:
        return f"/people?person={quote(rest)}"
    if action.startswith("change "):
        return _object(kind, rest)
    return ""


def _object(kind: str, rest: str) -> str:
    """A camera, zone, line or rule (`kind/camera/name`), or one of the site's settings."""
    camera, _, name = rest.partition("/")
    if kind in SETTINGS:
        return SETTINGS[kind]
    if kind == "rule":
        return f"/setup?rule={quote(name or camera)}"
    if kind == "camera":
        return f"/setup?tab=sources&camera={quote(camera or name)}"
    return f"/setup?camera={quote(camera)}" if kind in ("zone", "line") else ""
