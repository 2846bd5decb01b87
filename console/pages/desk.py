"""What the pages work with, and one visit of one person to one page."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from fastapi import Request
from nicegui import ui

from console.auth.guard import COOKIE
from console.live.reader import LiveReader
from console.live.veil import Veil
from console.live.wall import Wall
from console.pages import texts
from console.pages.panel import Refused
from console.parts import Parts
from console.rights import Permission, Who
from console.store.store import Store
from contracts.config import Config

T = TypeVar("T")


@dataclass(frozen=True)
class Desk:
    """The console's parts as pages use them, and the live pictures as they may be shown."""

    parts: Parts
    wall: Wall
    reader: LiveReader
    veil: Veil

    @property
    def config(self) -> Config:
        """The config in force: cameras, names, the site."""
        return self.parts.changes.config()

    @property
    def store(self) -> Store:
        """The store."""
        return self.parts.store

    @property
    def zone(self) -> str:
        """The site's time zone."""
        return self.config.site.time_zone

    def now_ms(self) -> int:
        """The time."""
        return self.parts.clock_ms()

    def camera_name(self, camera: str) -> str:
        """The camera's friendly name."""
        known = self.config.cameras.get(camera)
        return (known.friendly_name if known else "") or camera

    def person_names(self) -> dict[str, str]:
        """What those who are enrolled are called, by id. Blocks."""
        with self.store.database.read() as connection:
            return {one.id: one.name for one in self.store.people.all(connection)}

    async def still(self, request: Request) -> Who | None:
        """Who made a request, None when their session is over by now: asked again at each call of an open page."""
        secret = request.cookies.get(COOKIE, "")
        found = await blocking(self.parts.gate.by_cookie, secret, self.now_ms()) if secret else None
        return found[1] if found else None


@dataclass(frozen=True)
class Visit:
    """One open page: who looks, through which request."""

    desk: Desk
    request: Request
    who: Who

    async def check(self) -> None:
        """Raise Refused when the session is over, or the role has changed."""
        if not await self.lasts():
            raise Refused(texts.COMMON["ended"])

    async def lasts(self) -> bool:
        """Whether this person is still signed in, and may what they might."""
        return await self.desk.still(self.request) == self.who

    def every(self, seconds: float, show: Callable[[], Awaitable[None]]) -> None:
        """Have `show` called every so often, for as long as the visit lasts."""

        async def again() -> None:
            if await self.lasts():
                await show()
            else:
                timer.deactivate()

        timer = ui.timer(seconds, again)

    def need(self, permission: Permission, camera: str | None = None) -> None:
        """Raise ForbiddenError unless this person may."""
        self.who.need(permission, camera)

    def props(self, page: dict[str, str], start: object) -> dict[str, Any]:
        """What every component gets: texts, time zone, the server's time, the person, and how to start."""
        return {
            "t": texts.COMMON | page,
            "zone": self.desk.zone,
            "now_ms": self.desk.now_ms(),
            "me": {
                "name": self.who.name,
                "role": self.who.role,
                "may_answer": self.who.may("answer"),
                "may_configure": self.who.may("configure"),
                "may_arm": self.who.may("arm"),
                "may_hold": self.who.may("hold"),
                "may_export": self.who.may("export"),
            },
            "start": start,
        }

    def local(self, text: str) -> int:
        """The instant (ms) of a local time of the site, as a browser's field says it: 2026-01-05T12:30."""
        try:
            return int(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(self.desk.zone)).timestamp() * 1000)
        except ValueError as error:
            raise Refused(texts.COMMON["no_time"].format(text=text[:40])) from error


async def blocking(function: Callable[..., T], *args: Any, **named: Any) -> T:
    """Run what blocks (the store, files) in a thread."""
    return await asyncio.to_thread(function, *args, **named)
