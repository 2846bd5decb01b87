"""For tests of the API: a clock that is moved by hand, and people with a browser."""

from __future__ import annotations

from starlette.testclient import TestClient

from console.parts import Parts
from console.wiring import api
from tests.console_process import PASSWORD
from tests.console_tools import AT_MS


class Clock:
    """A clock that is moved by hand."""

    now_ms = AT_MS

    def __call__(self) -> int:
        return self.now_ms


class Browser(TestClient):
    """A client with cookies that sends the token against forged requests."""

    def enter(self, parts: Parts, name: str, secret: str) -> Browser:
        """Use a one-time link."""
        reply = self.post("/api/invitations/accept", json={"secret": secret, "name": name, "password": PASSWORD})
        assert reply.status_code == 200, reply.text
        self.headers["X-CSRF-Token"] = reply.json()["csrf"]
        return self


def browser(parts: Parts) -> Browser:
    return Browser(api(parts), raise_server_exceptions=True)


def signed_in(parts: Parts, ada: Browser, name: str, role: str, cameras: list[str] | None = None) -> Browser:
    """Somebody else, invited by the administrator."""
    link = ada.post("/api/accounts", json={"name": name, "role": role, "cameras": cameras})
    assert link.status_code == 201, link.text
    parts.clock_ms.now_ms += 60_000  # type: ignore[attr-defined]  attempts are limited
    return browser(parts).enter(parts, name, link.json()["link"].rpartition("/")[2])
