"""The seam between a page's component in the browser and Python: calls with an answer, and pushes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from nicegui import ui
from nicegui.events import GenericEventArguments

from console.pages.texts import COMMON
from contracts.decoding import convert
from contracts.errors import VedetteError

log = logging.getLogger(__name__)

Answer = Callable[..., Awaitable[Any]]


class Asked(msgspec.Struct, frozen=True):
    """What the browser asks: call `name` with `args`, and say the answer under number `n`."""

    n: int
    name: str
    args: dict[str, Any] = {}


class Refused(VedetteError):
    """The operator may not do that, or it makes no sense; the text is for them."""


class Panel(ui.element):
    """A page's Vue component. `calls` are what it may ask; `check` raises Refused once the session is over."""

    def __init__(self, calls: dict[str, Answer], check: Callable[[], Awaitable[None]], props: dict[str, Any]) -> None:
        super().__init__()
        self._calls = calls
        self._check = check
        for name, value in props.items():
            self._props[name] = value
        self.on("call", self._called)

    async def _called(self, event: GenericEventArguments) -> None:
        try:
            asked = convert(event.args, Asked)
        except msgspec.ValidationError:
            log.warning("a browser asked what is no question: %.200r", event.args)
            return
        try:
            await self._check()
            answer = self._calls.get(asked.name)
            if answer is None:
                raise Refused(f"there is no call {asked.name[:40]!r}")
            value = await answer(**asked.args)
        except (VedetteError, msgspec.ValidationError, TypeError) as error:
            # A TypeError is an argument too many or too few: the page is of another version than this console.
            log.info("call %s refused: %s", asked.name, error)
            self.push("reply", asked.n, None, str(error))
            return
        except Exception:
            log.exception("call %s failed", asked.name)
            self.push("reply", asked.n, None, COMMON["broke"])
            return
        self.push("reply", asked.n, value, None)

    def push(self, method: str, *args: Any) -> None:
        """Run a method of the component."""
        if not self.is_deleted and not self.client.is_deleted:
            self.run_method(method, *args)


STATIC = Path(__file__).parent / "static"
