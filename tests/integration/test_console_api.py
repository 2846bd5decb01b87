"""Schemathesis over the whole API with each role: nothing breaks it, and nobody gets what their role may not have."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from archive.preview.question import Answer
from bus.errors import BusError
from console.auth.guard import COOKIE
from console.rights import LEAST_ROLE, ROLES, Permission, Role
from console.store.accounts import User
from console.wiring import Place, api, build
from contracts.config_file import parse
from tests.console_process import CONFIG
from tests.console_tools import alert_of, take
from vault import MasterKey, new_key

EXAMPLES = 6
"""Right and wrong requests, each, an operation and role."""
REFUSED = 2
"""The same where the role may not: what is asked is not even read."""

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

NEEDS: dict[tuple[str, str], Permission | None] = {
    ("POST", "/api/session"): None,
    ("POST", "/api/invitations/accept"): None,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/api/session"): "see",
    ("DELETE", "/api/session"): "see",
    ("PUT", "/api/session/password"): "see",
    ("GET", "/api/tokens"): "own_tokens",
    ("POST", "/api/tokens"): "own_tokens",
    ("DELETE", "/api/tokens/{token_id}"): "own_tokens",
    ("GET", "/api/alerts"): "see",
    ("GET", "/api/alerts/counts"): "see",
    ("GET", "/api/alerts/stream"): "see",
    ("GET", "/api/alerts/export"): "export",
    ("GET", "/api/alerts/{alert_id}"): "see",
    ("GET", "/api/alerts/{alert_id}/{picture}"): "see",
    ("POST", "/api/alerts/{alert_id}/answers"): "answer",
    ("POST", "/api/alerts/{alert_id}/missed"): "answer",
    ("POST", "/api/answers"): "answer",
    ("GET", "/api/snoozes"): "see",
    ("DELETE", "/api/snoozes/{camera}/{rule}"): "snooze",
    ("GET", "/api/suppressions"): "see",
    ("DELETE", "/api/suppressions/{suppression_id}"): "configure",
    ("GET", "/api/models"): "see",
    ("GET", "/api/models/{model}"): "see",
    ("POST", "/api/models/{model}/promote"): "promote",
    ("POST", "/api/models/slots/{slot}/rollback"): "promote",
    ("GET", "/api/budget"): "report",
    ("PUT", "/api/budget"): "configure",
    ("GET", "/api/budget/load"): "report",
    ("POST", "/api/budget/suggestions/{rule}"): "configure",
    ("GET", "/api/budget/versions"): "report",
    ("POST", "/api/budget/undo"): "configure",
    ("GET", "/api/notifications/routes"): "configure",
    ("PUT", "/api/notifications/routes"): "configure",
    ("GET", "/api/notifications/routes/versions"): "configure",
    ("POST", "/api/notifications/routes/undo"): "configure",
    ("POST", "/api/arming/undo"): "arm",
    ("GET", "/api/search/tracks"): "see",
    ("GET", "/api/search/tracks/{track_id}"): "see",
    ("GET", "/api/search/events"): "see",
    ("GET", "/api/search/{kind}/export"): "export",
    ("GET", "/api/figures/occupancy"): "see",
    ("GET", "/api/figures/ways"): "see",
    ("GET", "/api/figures/heat"): "see",
    ("GET", "/api/plan"): "see",
    ("PUT", "/api/plan"): "configure",
    ("DELETE", "/api/plan"): "configure",
    ("GET", "/api/cameras"): "see",
    ("POST", "/api/cameras/try"): "configure",
    ("PUT", "/api/cameras/{camera}"): "configure",
    ("DELETE", "/api/cameras/{camera}"): "configure",
    ("POST", "/api/cameras/{camera}/adopt"): "configure",
    ("GET", "/api/cameras/{camera}/versions"): "configure",
    ("POST", "/api/cameras/{camera}/undo"): "configure",
    ("GET", "/api/notifications"): "configure",
    ("POST", "/api/notifications/channels/{channel}/test"): "configure",
    ("GET", "/api/objects"): "see",
    ("GET", "/api/config"): "configure",
    ("POST", "/api/config/plan"): "configure",
    ("POST", "/api/config/apply"): "configure",
    ("PUT", "/api/cameras/{camera}/zones/{name}"): "configure",
    ("PUT", "/api/cameras/{camera}/lines/{name}"): "configure",
    ("PUT", "/api/rules/{name}"): "configure",
    ("POST", "/api/rules/{name}/preview"): "configure",
    ("PUT", "/api/arming"): "arm",
    ("PUT", "/api/cameras/{camera}/maintenance"): "arm",
    ("DELETE", "/api/cameras/{camera}/{place}/{name}"): "configure",
    ("DELETE", "/api/rules/{name}"): "configure",
    ("POST", "/api/cameras/{camera}/{place}/{name}/adopt"): "configure",
    ("POST", "/api/rules/{name}/adopt"): "configure",
    ("GET", "/api/cameras/{camera}/{place}/{name}/versions"): "see",
    ("GET", "/api/rules/{name}/versions"): "see",
    ("GET", "/api/arming/versions"): "see",
    ("POST", "/api/cameras/{camera}/{place}/{name}/undo"): "configure",
    ("POST", "/api/rules/{name}/undo"): "configure",
    ("GET", "/api/people"): "see_people",
    ("POST", "/api/people"): "enrol",
    ("GET", "/api/people/standing"): "see_people",
    ("POST", "/api/people/examine"): "enrol",
    ("POST", "/api/people/denials"): "answer",
    ("GET", "/api/alerts/{alert_id}/evidence"): "see",
    ("GET", "/api/alerts/{alert_id}/clip"): "see",
    ("GET", "/api/alerts/{alert_id}/bundle"): "export",
    ("POST", "/api/sightings/search"): "search_people",
    ("GET", "/api/people/unknowns"): "see_people",
    ("POST", "/api/people/unknowns/commands"): "enrol",
    ("GET", "/api/people/unknowns/{pseudonym}/face"): "see_people",
    ("GET", "/api/people/{person_id}"): "see_people",
    ("PUT", "/api/people/{person_id}"): "enrol",
    ("DELETE", "/api/people/{person_id}"): "enrol",
    ("POST", "/api/people/{person_id}/is"): "enrol",
    ("POST", "/api/people/{person_id}/pictures"): "enrol",
    ("GET", "/api/people/{person_id}/pictures/{picture_id}"): "see_people",
    ("DELETE", "/api/people/{person_id}/pictures/{picture_id}"): "enrol",
    ("DELETE", "/api/people/{person_id}/denials/{denial_id}"): "answer",
    ("GET", "/api/agents"): "manage_agents",
    ("POST", "/api/agents/tokens"): "manage_agents",
    ("DELETE", "/api/agents/{name}"): "manage_agents",
    ("DELETE", "/api/agents/{name}/token"): "manage_agents",
    ("POST", "/api/agents/enrol"): None,
    ("POST", "/api/agents/renew"): None,
    ("GET", "/api/accounts"): "manage_accounts",
    ("POST", "/api/accounts"): "manage_accounts",
    ("PUT", "/api/accounts/{name}"): "manage_accounts",
    ("DELETE", "/api/accounts/{name}"): "manage_accounts",
    ("GET", "/api/audit"): "see_audit",
    ("GET", "/api/audit/check"): "see_audit",
    ("GET", "/api/report"): "report",
    ("GET", "/metrics"): "see",
}
"""What each operation needs, written down a second time: an operation that is not here fails the test."""


class Clock:
    """Real time, moved on at will: each look is a minute later, so that no limit of attempts is met."""

    def __init__(self) -> None:
        self._now_ms = time.time_ns() // 1_000_000
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self._now_ms += 1000
            return self._now_ms


class Served:
    """The API behind a real server, with a person of each role."""

    def __init__(self, folder: Path) -> None:
        database, master = f"sqlite:///{folder}/console.db", MasterKey(new_key())
        place = Place("127.0.0.1:1", folder / "console", database, "http://console", master)
        self.parts = build(parse(CONFIG), place, Clock())
        self.parts.store.open()
        self.app = api(self.parts)
        self.server = uvicorn.Server(uvicorn.Config(self.app, port=0, log_level="error", lifespan="off"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"
        self.parts.consumer.alive_at_ms = 2**60  # nothing reads alerts here
        take(self.parts.store, *(alert_of(n, camera=("gate", "hall")[n % 2]) for n in range(20)))

    def headers(self, role: Role, cameras: tuple[str, ...] | None) -> dict[str, str]:
        """Somebody new of that role, signed in: cookie and token against forged requests."""
        now_ms = self.parts.clock_ms()
        user = User(name=f"{role}-{now_ms}", role=role, cameras=cameras)
        with self.parts.store.database.write() as connection:
            self.parts.store.accounts.save(connection, user)
            entered = self.parts.gate._enter(connection, user, "test", now_ms)
        return {"Cookie": f"{COOKIE}={entered.secret}", "X-CSRF-Token": entered.session.csrf}

    def close(self) -> None:
        """End the server."""
        self.server.should_exit = True
        self.thread.join(5)
        self.parts.store.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    def away(*_: object) -> None:
        raise BusError("away")  # at once; a real connection that nobody answers takes 3 s each time

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("console.probes.Reader", away)
        patch.setattr("console.previews.Previews._answer", lambda *_: Answer(error="no tracks here"))
        served = Served(tmp_path_factory.mktemp("api"))
        yield served
        served.close()


def test_every_operation_is_known_here(served: Served) -> None:
    described = httpx.get(f"{served.url}/api/openapi.json").json()
    found = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert found == set(NEEDS)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("role", [None, *ROLES])
def test_nothing_breaks_and_nobody_gets_more(served: Served, role: Role | None) -> None:
    schema = schemathesis.openapi.from_url(f"{served.url}/api/openapi.json")
    statuses: dict[str, int] = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        path = (operation.method.upper(), operation.path)
        if path[1] == "/api/alerts/stream":
            continue  # has no end; test_the_stream looks at it
        attack(served, role, operation, path, statuses)
    if role in ("supervisor", "administrator"):
        assert statuses.get("2xx", 0) > 50, statuses
    # Whatever was tried: the accounts that exist are those that were made here, or by an administrator.
    if role != "administrator":
        assert all(user.name.partition("-")[0] in ROLES for user in served.parts.store.accounts.users())


def attack(served: Served, role: Role | None, operation: Any, path: tuple[str, str], statuses: dict[str, int]) -> None:
    """Send an operation what its description says, and what it does not."""
    # What ends the session or the account is tried by somebody new each time.
    headers = served.headers(role, ("hall",) if role == "viewer" else None) if role else {}
    needed = NEEDS[path]
    may = needed is None or (role is not None and ROLES.index(role) >= ROLES.index(LEAST_ROLE[needed]))

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @settings(
            max_examples=EXAMPLES if may else REFUSED,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            response = case.call(base_url=served.url, headers=headers)
            text = response.content.decode(errors="replace")  # some are pictures and Parquet
            if text == "Invalid HTTP request received.":
                return  # an address of more than 64 KiB: the server refuses it before it is asked of the console
            case.validate_response(response, checks=CHECKS)
            group = f"{response.status_code // 100}xx"
            statuses[group] = statuses.get(group, 0) + 1
            if not may:
                said = (path, role, response.status_code, text[:200])
                assert response.status_code not in range(200, 300), said
            if role == "viewer" and response.status_code == 200:
                assert '"camera":"gate"' not in text

        with suppress(Unsatisfiable):  # an operation without parameters can't be asked wrongly
            send()


def test_the_stream_tells_news_of_the_own_cameras_until_the_session_ends(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.api.alerts.BEAT_S", 0.2)
    headers = served.headers("operator", ("hall",))
    lines: list[str] = []
    with httpx.stream("GET", f"{served.url}/api/alerts/stream?severity=high", headers=headers, timeout=10) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        coming = stream.iter_lines()
        assert next(coming) == ": hello"
        store, hub = served.parts.store, served.parts.hub
        others = (alert_of(901, camera="gate"), alert_of(902, camera="hall", severity="low"))
        hub.publish(store.take((*others, alert_of(903, camera="hall")), "c", {}, 1))
        for line in coming:
            lines.append(line)
            if line.startswith("data: "):
                break
        assert "event: alert" in lines
        assert '"id":"alert-903"' in lines[-1]
        assert not any("alert-901" in line or "alert-902" in line for line in lines)
        with store.database.write() as connection:
            for user in store.accounts.users():
                store.accounts.end_all(connection, user.name)
        assert all(line in ("", ": beat") for line in coming)  # and then it is over


def test_a_stream_on_which_much_comes_ends_with_the_session_too(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.api.alerts.BEAT_S", 0.2)
    store, hub = served.parts.store, served.parts.hub
    (row,) = store.take([alert_of(904, camera="hall")], "c", {}, 1)
    with httpx.stream("GET", f"{served.url}/api/alerts/stream", headers=served.headers("operator", None)) as stream:
        coming = stream.iter_lines()
        assert next(coming) == ": hello"
        with store.database.write() as connection:
            for user in store.accounts.users():
                store.accounts.end_all(connection, user.name)

        def flood() -> None:
            for _ in range(150):
                hub.publish([row])
                time.sleep(0.02)

        flooding = threading.Thread(target=flood)
        flooding.start()
        told = sum(line == "event: alert" for line in coming)
        flooding.join()
    assert told < 100


def test_a_stream_that_is_taken_up_again_says_to_reload(served: Served) -> None:
    headers = served.headers("viewer", None) | {"Last-Event-ID": "5.0"}
    with httpx.stream("GET", f"{served.url}/api/alerts/stream", headers=headers, timeout=10) as stream:
        assert next(stream.iter_lines()) == "event: reload"
