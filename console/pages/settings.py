"""The form of one setting: its fields from the config's own types, saved and brought back by version."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from console.changes import ObjectView
from console.overlay import body_of
from console.pages.desk import Visit, blocking
from console.pages.forms import fields_in_order, written_out
from console.pages.panel import Answer, Panel
from console.store.objects import ObjectKey


class Settings(Panel, component="settings.js"):
    """The form."""


class Form(NamedTuple):
    """Which object, and the type that its fields are read off. `items`: they are of each item of that list."""

    key: ObjectKey
    fields: type[msgspec.Struct]
    texts: dict[str, str]
    items: str = ""


async def settings(visit: Visit, form: Form, changed: Callable[[], Awaitable[None]]) -> None:
    """The form for who may change this; `changed` is called after each change."""
    if not visit.who.may("configure") or visit.who.cameras is not None:
        return
    changes, config = visit.desk.parts.changes, visit.desk.config
    options = {
        "cameras": list(config.cameras),
        "rules": list(config.rules),
        "channels": list(config.console.notifications.channels),
    }

    async def save(version: int, body: dict[str, Any]) -> dict[str, Any]:
        made = body_of(form.key.kind, msgspec.json.encode(_said(body)))
        view = await blocking(changes.put, visit.who, form.key, made, expected=version)
        await changed()
        return _shown(view)

    async def versions() -> list[dict[str, Any]]:
        found = await blocking(changes.versions, visit.who, form.key)
        return [
            {name: getattr(one, name) for name in ("version", "at_ms", "who", "note")} | {"body": _body(form, one.body)}
            for one in found
        ]

    start = _shown(await blocking(changes.view, visit.who, form.key)) | {
        "fields": fields_in_order(form.fields),
        "list": form.items,
        "options": options,
        "fresh": _fresh(form.fields) if form.items else None,
    }
    calls: dict[str, Answer] = {"save": save, "versions": versions}
    Settings(calls, visit.check, visit.props(form.texts, start))


def _shown(view: ObjectView) -> dict[str, Any]:
    return {"version": view.version, "body": written_out(body_of(view.kind, bytes(view.body)))}


def _body(form: Form, text: str | None) -> Any:
    return None if text is None else written_out(body_of(form.key.kind, text))


def _said(value: Any) -> Any:
    """Without the fields that are empty: they are the defaults."""
    if isinstance(value, dict):
        return {name: _said(one) for name, one in value.items() if one is not None}
    return [_said(one) for one in value] if isinstance(value, list) else value


def _fresh(kind: type[msgspec.Struct]) -> Any:
    """A new item: what has no default is an empty list."""
    empty = {one.name: () for one in msgspec.structs.fields(kind) if one.required}
    return written_out(kind(**empty))
