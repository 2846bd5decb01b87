"""The audit page: who did or looked at what, and whether the chain of entries is whole."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from console.pages import parts
from console.pages.desk import Visit, blocking
from console.pages.subjects import subject_of
from console.pages.texts import AUDIT, AUDIT_ACTIONS
from console.pages.times import stamp
from console.store.audit import AuditEntry

PAGE = 100

TIMES = ("_at_ms", "until_ms", "since_ms", "from_ms")
"""How details are called that are points in time (ms since 1970)."""


async def audit_page(visit: Visit) -> None:
    """What is at /audit."""
    query = visit.request.query_params
    who, action, before = query.get("who", "").strip(), query.get("action", "").strip(), query.get("before", "")
    behind = int(before) if before.isascii() and before.isdecimal() and len(before) < 16 else None
    store = visit.desk.store
    entries = await blocking(store.audit.page, before=behind, limit=PAGE, who=who, action=action)
    with parts.element("div", classes="page"):
        with parts.element("header"):
            parts.element("h1", AUDIT["title"])
            with parts.element("form", classes="row", role="search"):
                parts.element("input", name="who", value=who, placeholder=AUDIT["who"], aria_label=AUDIT["who"])
                _actions(action)
                parts.element("button", AUDIT["filter"], "button")
            parts.element("span", classes="grow")
            verify = parts.element("button", AUDIT["verify"], "button")
        said = parts.element("div", role="status")
        with parts.element("section", classes="card"):
            _entries(entries, visit.desk.zone)
        with parts.element("nav", classes="row", aria_label=AUDIT["older"]):
            if behind is not None:
                parts.element("a", AUDIT["newest"], "button", href="?" + urlencode({"who": who, "action": action}))
            if len(entries) == PAGE:
                older = urlencode({"who": who, "action": action, "before": entries[-1].number})
                parts.element("a", AUDIT["older"], "button", href="?" + older)

    async def check() -> None:
        await visit.check()
        broken = await blocking(store.audit.broken)
        said.clear()
        with said:
            text = AUDIT["whole"] if broken is None else AUDIT["broken"].format(number=broken)
            parts.element("p", text, "note" if broken is None else "note bad")

    verify.on("click", check)


def _actions(chosen: str) -> None:
    words = sorted(AUDIT_ACTIONS.items(), key=lambda one: one[1])
    with parts.element("select", name="action", aria_label=AUDIT["action"]):
        for value, text in (("", AUDIT["any_action"]), *words):
            option = parts.element("option", text, value=value)
            if value == chosen:
                option._props["selected"] = True


def _entries(entries: list[AuditEntry], zone: str) -> None:
    if not entries:
        parts.element("p", AUDIT["none"], "dim")
        return
    rows = [
        (
            one.number,
            stamp(one.at_ms, zone),
            one.who or AUDIT["console"],
            AUDIT_ACTIONS.get(one.action, one.action),
            subject_of(one.action, one.subject),
            details(one.details, zone),
        )
        for one in entries
    ]
    heads = ("#", *(AUDIT[name] for name in ("at", "who", "action", "subject", "details")))
    parts.table(heads, rows, numbers=(0,), caption=AUDIT["title"])


def details(text: str, zone: str) -> str:
    """An entry's details (a JSON object) in one line; times as the site's clock shows them."""
    said = []
    for name, value in json.loads(text).items():
        if isinstance(value, int) and name.endswith(TIMES):
            said.append(f"{name.removesuffix('_ms').replace('_', ' ')}: {stamp(value, zone)}")
        elif value is not False and value not in (None, ""):
            said.append(f"{name.replace('_', ' ')}: {value}")
    return ", ".join(said)
