"""Signing in by a provider that really runs: who comes in as what, and every answer that must not be believed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from archive.watch_list import WatchList
from console.auth.identity import Identity
from console.auth.oidc import OidcError, name_of, role_of
from console.live.reader import LiveReader
from console.live.veil import Veil
from console.live.wall import Wall
from console.pages import login, oidc
from console.pages.desk import Desk
from console.parts import Parts
from console.store.accounts import User
from console.wiring import Place, api, build
from contracts.config import OidcRole
from contracts.config_file import parse
from tests.oidc_provider import CLIENT, SECRET, Provider, provider

ROLES = [
    {"group": "security-lead", "role": "supervisor"},
    {"group": "guards", "role": "operator", "cameras": ["gate"]},
]


@pytest.fixture
def idp() -> Iterator[Provider]:
    with provider() as running:
        running.groups = ["staff", "guards"]
        yield running


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def parts(tmp_path: Path, idp: Provider) -> Iterator[Parts]:
    """A console that knows the provider."""
    given = {"issuer": idp.url, "client_id": CLIENT, "client_secret": "{OIDC}", "title": "Harbour ID", "roles": ROLES}
    config = {"cameras": {"gate": {"inputs": [{"url": "x.mp4"}]}}, "console": {"oidc": given}}
    state = tmp_path / "console"
    place = Place(
        "127.0.0.1:1", state, f"sqlite:///{state}/console.db", "http://testserver", environment={"OIDC": SECRET}
    )
    parts = build(parse(json.dumps(config)), place, now_ms)
    parts.store.open()
    yield parts
    parts.store.close()


def browser(parts: Parts) -> TestClient:
    """A browser at the console's door."""
    app, wall = api(parts), Wall({})
    desk = Desk(
        parts,
        wall,
        LiveReader("127.0.0.1:1", "site", wall, parts.fleet, now_ms),
        Veil(WatchList("site", {}), parts.people.faces),
    )
    for router in (login.routes(desk), oidc.routes(desk)):
        app.include_router(router)
    return TestClient(app, follow_redirects=False)


def asked(here: TestClient, path: str = "/login/oidc?next=/live") -> str:
    """Press the button; returns where the provider sends the browser after that."""
    begun = here.get(path)
    assert begun.status_code == 303, begun.text
    return httpx.get(begun.headers["location"]).headers["location"]


def come(parts: Parts) -> tuple[TestClient, httpx.Response]:
    """The whole way."""
    here = browser(parts)
    return here, here.get(asked(here))


def user(parts: Parts, name: str = "rosa") -> User:
    found = parts.store.accounts.user(name)
    assert found is not None
    return found


def test_the_button_stands_beside_the_form(parts: Parts) -> None:
    page = browser(parts).get("/login?next=/live%3Fcamera%3Dgate").text
    assert 'name="password"' in page
    assert 'href="/login/oidc?next=%2Flive%3Fcamera%3Dgate">Harbour ID</a>' in page


def test_the_first_login_makes_the_account_with_its_role(parts: Parts, idp: Provider) -> None:
    here, done = come(parts)
    assert (done.status_code, done.headers["location"]) == (303, "/live")
    assert here.get("/api/session").json()["role"] == "operator"
    assert (user(parts).cameras, user(parts).password) == (("gate",), "")
    assert user(parts).subject == f"{idp.url} u-1"
    assert parts.store.audit.page()[0].action == "login"


def test_each_login_gives_the_role_of_that_day(parts: Parts, idp: Provider) -> None:
    come(parts)
    idp.groups = ["guards", "security-lead"]  # the config's order counts
    come(parts)
    assert (user(parts).role, user(parts).cameras) == ("supervisor", None)
    idp.groups, idp.groups_in_token = ["guards"], False  # some providers tell them only there
    idp.user["preferred_username"] = "rosa-married"
    here, _ = come(parts)
    assert (user(parts).role, here.get("/api/session").json()["name"]) == ("operator", "rosa")


def test_who_has_no_role_is_refused_with_a_clear_page(parts: Parts, idp: Provider) -> None:
    idp.groups = ["kitchen"]
    here, done = come(parts)
    assert done.status_code == 403
    assert "rosa is in no group that has a role here" in done.text.lower().replace("\n", " ")
    assert here.get("/api/session").status_code == 401
    assert parts.store.accounts.user("rosa") is None
    assert parts.store.audit.page()[0].action == "login refused"


@pytest.mark.parametrize(
    ("spoiled", "why"),
    [
        ({"nonce": "of another login"}, "nonce"),
        ({"aud": "another client"}, "aud"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "another client"),
        ({"iss": "https://elsewhere.example"}, "iss"),
        ({"exp": int(time.time()) - 3600}, "expired"),
        ({"sub": None}, "sub"),
    ],
    ids=["nonce", "audience", "authorized party", "issuer", "expired", "subject"],
)
def test_a_token_that_is_not_for_this_login_is_refused(
    parts: Parts, idp: Provider, spoiled: dict[str, Any], why: str
) -> None:
    idp.spoiled = spoiled
    here, done = come(parts)
    assert done.status_code == 401
    assert why in done.text
    assert here.get("/api/session").status_code == 401
    assert parts.store.accounts.users() == []


def test_keys_may_change_but_must_be_published(parts: Parts, idp: Provider) -> None:
    assert come(parts)[1].status_code == 303
    idp.rotate()
    assert come(parts)[1].status_code == 303
    idp.rotate(published=False)
    assert come(parts)[1].status_code == 401


@pytest.mark.parametrize("wrong", ["state", "browser", "twice", "issuer"])
def test_an_answer_that_this_browser_did_not_ask_for_is_refused(parts: Parts, wrong: str) -> None:
    here = browser(parts)
    there = asked(here)
    if wrong == "state":
        there = there.replace("state=", "state=x")
    if wrong == "browser":
        here.cookies.clear()
    if wrong == "twice":
        assert browser(parts).get(there).status_code == 401  # a thief's browser: and the code is used up
    if wrong == "issuer":
        there = there.replace("iss=http", "iss=https")
    done = here.get(there)
    assert done.status_code == 401
    assert here.get("/api/session").status_code == 401


def test_what_the_provider_refuses_is_said(parts: Parts, idp: Provider) -> None:
    idp.denies = True
    assert "the person said no" in come(parts)[1].text


def test_a_provider_that_is_away_leaves_the_password(parts: Parts, idp: Provider) -> None:
    parts.oidc._config = parse(  # type: ignore[union-attr]
        '{"cameras": {"g": {"inputs": [{"url": "x"}]}}, "console": {"oidc": {"issuer": "http://127.0.0.1:9",'
        ' "client_id": "v", "roles": [{"group": "g", "role": "viewer"}]}}}'
    ).console.oidc
    answer = browser(parts).get("/login/oidc")
    assert answer.status_code == 502
    assert "sign in with a password" in answer.text


def test_nobody_becomes_a_local_account_by_its_name(parts: Parts, idp: Provider) -> None:
    with parts.store.database.write() as connection:
        parts.store.accounts.save(connection, User(name="rosa", role="administrator", password="x"))
    _, done = come(parts)
    assert done.status_code == 401
    assert "belongs to another account" in done.text
    assert user(parts).role == "administrator"


def test_a_disabled_account_stays_out(parts: Parts, idp: Provider) -> None:
    come(parts)
    with parts.store.database.write() as connection:
        parts.store.accounts.save(
            connection, User(name="rosa", role="operator", disabled=True, subject=f"{idp.url} u-1")
        )
    assert come(parts)[1].status_code == 401


def test_signing_out_here_signs_out_there(parts: Parts, idp: Provider) -> None:
    here, _ = come(parts)
    out = here.post("/logout")
    assert out.headers["location"] == "/login/oidc/out"
    leaves = here.get("/login/oidc/out").headers["refresh"].partition("url=")[2]
    assert leaves.startswith(f"{idp.url}/logout?")
    wanted = {"client_id": CLIENT, "post_logout_redirect_uri": "http://testserver/login"}
    assert dict(parse_qsl(urlsplit(leaves).query)) == wanted
    assert here.get("/api/session").status_code == 401


def test_next_leads_nowhere_else(parts: Parts) -> None:
    here = browser(parts)
    there = asked(here, "/login/oidc?next=https://elsewhere.example")
    assert here.get(there).headers["location"] == "/"


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["guards"], "guards"),
        ("staff guards", "guards"),
        (["b", "a"], "a"),
        (["x"], None),
        (None, None),
        ({"a": 1}, None),
    ],
)
def test_which_group_counts(groups: object, expected: str | None) -> None:
    found = role_of([OidcRole(group=name, role="viewer") for name in ("a", "b", "guards")], groups)
    assert (found.group if found else None) == expected


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"preferred_username": "rosa", "sub": "1"}, "rosa"),
        ({"preferred_username": "Rosa Müller", "email": "rosa@site.example"}, "rosa@site.example"),
        ({"preferred_username": 7, "sub": "u1"}, "u1"),
        ({"sub": "<script>"}, ""),
    ],
)
def test_what_somebody_is_called(claims: dict[str, Any], expected: str) -> None:
    if expected:
        assert name_of(claims, "preferred_username") == expected
    else:
        with pytest.raises(OidcError, match="no usable name"):
            name_of(claims, "preferred_username")


def test_an_identity_is_by_subject_not_by_name(parts: Parts) -> None:
    role = OidcRole(group="guards", role="viewer")
    first = parts.gate.enter_by_provider(Identity("iss 1", "kim", role), address="a", now_ms=now_ms())
    again = parts.gate.enter_by_provider(Identity("iss 1", "kim.renamed", role), address="a", now_ms=now_ms())
    assert (first.who.name, again.who.name) == ("kim", "kim")
